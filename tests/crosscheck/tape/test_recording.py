"""Both tapes hold every op of a run, under the same keys, with the gradients of that op alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import torch
from crosscheck import Batch, localise
from crosscheck.judge import FLOOR
from crosscheck.mutants.trials import TRIALS, Trial
from crosscheck.runs import run
from crosscheck.tape.call import Call
from crosscheck.tape.taped_runs import TapedRuns

F = torch.nn.functional
MODELS = {trial.name: trial for trial in TRIALS if isinstance(trial, Trial)}
LANGUAGE_MODEL = next(iter(MODELS.values()))


def taped(trial: Trial, seed: int = 0) -> tuple[Any, dict[str, Call], Any, Any]:
    """The runs of both sides of a trial, with their tapes: theirs, its tape, ours, its recorder."""
    model, reference, batch = trial.build(seed)
    loss = "random cotangent" if batch.targets is None else "cross-entropy"
    runs = TapedRuns(model, reference, batch, loss, seed)
    theirs, tape = runs.of_reference("float64")
    ours, recorder, raised = runs.of_ours(tape, FLOOR)
    assert raised is None
    return theirs, tape, ours, recorder


@pytest.mark.parametrize("trial", MODELS.values(), ids=list(MODELS))
def test_every_op_of_an_honest_model_has_its_partner(trial: Trial) -> None:
    _, tape, _, recorder = taped(trial)
    assert len(tape) > 20
    assert list(recorder.pairs) == list(tape)  # the same keys, in the same order
    for key, pair in recorder.pairs.items():
        assert pair.call.op == tape[key].op
        assert pair.call.path == tape[key].path
        assert len(pair.inputs) == len(tape[key].inputs), key
        assert all(gap.agrees for gap in pair.inputs), key
        assert pair.output.agrees, key
        assert pair.dout.agrees, key
        assert len(pair.dinputs) == len(tape[key].dinputs), key
        assert all(gap.agrees for gap in pair.dinputs), key


@pytest.mark.parametrize("trial", MODELS.values(), ids=list(MODELS))
def test_what_flows_into_an_op_comes_from_the_same_place_on_both_sides(trial: Trial) -> None:
    _, tape, _, recorder = taped(trial)
    for key, pair in recorder.pairs.items():
        ours, theirs = ([source.origin for source in c.inputs] for c in (pair.call, tape[key]))
        assert ours == theirs, key


def test_a_key_is_module_path_op_and_occurrence() -> None:
    _, tape, _, _ = taped(LANGUAGE_MODEL)
    assert {"blocks.0.self_attn/softmax", "blocks.1/add", "blocks.1/add#2"} <= set(tape)
    assert "blocks.0/add#3" not in tape
    call = tape["blocks.1/add#2"]
    assert (call.path, call.op) == ("blocks.1", "add")
    assert call.inputs[0].origin == "blocks.1.norm1/layer_norm"
    assert [s.origin for s in tape["blocks.0.linear1/linear"].inputs][1:] == [
        "blocks.0.linear1.weight",
        "blocks.0.linear1.bias",
    ]


def test_the_caller_is_the_line_of_the_model(on_both_sides: Any, x: np.ndarray) -> None:
    def forward(engine: Any, self: Any, x: Any) -> Any:
        return x.exp()

    line = forward.__code__.co_firstlineno + 1
    runs = TapedRuns(*on_both_sides(forward), Batch(x), "random cotangent", 0)
    _, tape = runs.of_reference("float64")
    _, recorder, _ = runs.of_ours(tape, 0.0)
    assert tape["model/exp"].caller == f"{__file__}:{line}"
    assert recorder.pairs["model/exp"].call.caller == f"{__file__}:{line}"


# The op once more, alone, on what the tape says that it was given.
ALONE: dict[str, Callable[..., torch.Tensor]] = {
    "add": torch.add,
    "cross_entropy": lambda logits, targets, *_: F.cross_entropy(logits, targets),
    "gelu": F.gelu,
    "layer_norm": lambda x, w, b, eps: F.layer_norm(x, x.shape[-1:], w, b, eps),
    "linear": F.linear,
    "matmul": torch.matmul,
    "mul": torch.mul,
    "div": torch.div,
    "softmax": lambda x: F.softmax(x, -1),
}


def test_the_gradients_on_the_tape_are_those_of_each_op_alone() -> None:
    _, tape, _, _ = taped(LANGUAGE_MODEL)
    checked = []
    for key, call in tape.items():
        if call.op not in ALONE:
            continue
        given = [torch.tensor(source.array) for source in call.inputs]
        wanted = [
            x.requires_grad_() for x, dx in zip(given, call.dinputs, strict=True) if dx is not None
        ]
        out = ALONE[call.op](*given, *call.constants)
        assert torch.equal(out, torch.tensor(call.output)), key
        gradients = torch.autograd.grad(out, wanted, torch.tensor(call.dout))
        on_tape = [dx for dx in call.dinputs if dx is not None]
        for expected, dx in zip(gradients, on_tape, strict=True):
            np.testing.assert_allclose(dx, expected, rtol=1e-12, atol=1e-16, err_msg=key)
        checked.append(call.op)
    assert set(checked) == set(ALONE)
    assert len(checked) > 25


def test_dout_is_what_pytorchs_own_module_hooks_see() -> None:
    model, reference, batch = LANGUAGE_MODEL.build(0)
    runs = TapedRuns(model, reference, batch, "cross-entropy", 0)
    _, tape = runs.of_reference("float64")
    seen: dict[str, Any] = {}
    handles = [
        module.register_full_backward_hook(
            lambda _, __, douts, name=name: seen.__setitem__(name, douts[0].numpy())
        )
        for name, module in reference.named_modules()
        if name.endswith(("linear1", "linear2", "norm1", "out_proj"))
    ]
    run(reference, batch, dtype="float64", loss="cross-entropy")
    for handle in handles:
        handle.remove()
    assert len(seen) == 8
    for name, dout in seen.items():
        op = "layer_norm" if name.endswith("norm1") else "linear"
        np.testing.assert_allclose(tape[f"{name}/{op}"].dout, dout, rtol=1e-12, atol=1e-16)


def test_a_dout_is_the_sum_of_what_its_users_send_back() -> None:
    _, tape, _, _ = taped(LANGUAGE_MODEL)
    arriving: dict[str, Any] = {}
    for call in tape.values():
        for source, dx in zip(call.inputs, call.dinputs, strict=True):
            if source.origin in tape and dx is not None:
                arriving[source.origin] = arriving.get(source.origin, 0) + dx
    assert len(arriving) == len(tape) - 1  # all but the loss itself
    for key, dout in arriving.items():
        np.testing.assert_allclose(tape[key].dout, dout, rtol=1e-12, atol=1e-16, err_msg=key)


@pytest.mark.parametrize("trial", MODELS.values(), ids=list(MODELS))
def test_recording_changes_nothing_in_a_run(trial: Trial) -> None:
    theirs, _, ours, _ = taped(trial)
    model, reference, batch = trial.build(0)
    loss = "random cotangent" if batch.targets is None else "cross-entropy"
    # PyTorch may add up the gradients of a tensor's uses in another order: they come by views.
    for watched, plain, off in ((ours, model, 0.0), (theirs, reference, 1e-14)):
        again = run(plain, batch, dtype="float64", loss=loss, seed=0)
        np.testing.assert_array_equal(watched.output, again.output)
        assert watched.gradients.keys() == again.gradients.keys()
        for name, gradient in again.gradients.items():
            assert gradient is not None
            allowed = off * np.abs(gradient).max()
            np.testing.assert_allclose(
                watched.gradients[name], gradient, rtol=0, atol=allowed, err_msg=name
            )


def test_a_tensor_given_twice_to_one_call_is_one_input(on_both_sides: Any, x: np.ndarray) -> None:
    runs = TapedRuns(*on_both_sides(lambda e, self, x: x * x), Batch(x), "random cotangent", 0)
    _, tape = runs.of_reference("float64")
    call = tape["model/mul"]
    assert [source.origin for source in call.inputs] == ["the input"]
    np.testing.assert_allclose(call.dinputs[0], 2 * x * call.dout, rtol=1e-14)
    _, recorder, _ = runs.of_ours(tape, 0.0)
    assert [gap.agrees for gap in recorder.pairs["model/mul"].dinputs] == [True]


def test_a_tensor_given_to_several_calls_has_a_share_of_each(
    on_both_sides: Any, x: np.ndarray
) -> None:
    pair = on_both_sides(lambda e, self, x: x.exp() * x + x.sin())
    runs = TapedRuns(*pair, Batch(x), "random cotangent", 0)
    _, tape = runs.of_reference("float64")
    dout = tape["model/add"].dout
    shares = (
        ("exp", 0, dout * x * np.exp(x)),
        ("mul", 1, dout * np.exp(x)),
        ("sin", 0, dout * np.cos(x)),
    )
    for op, i, expected in shares:
        call = tape[f"model/{op}"]
        assert call.inputs[i].origin == "the input"
        np.testing.assert_allclose(call.dinputs[i], expected, rtol=1e-13)


def test_a_module_that_is_called_twice_has_two_calls(x: np.ndarray, make_pair: Any) -> None:
    def build(engine: Any) -> Any:
        class Twice(engine.library.nn.Module):  # type: ignore[misc, name-defined]
            def __init__(self) -> None:
                super().__init__()
                self.layer = engine.library.nn.Linear(6, 6)

            def forward(self, x: Any) -> Any:
                return self.layer(self.layer(x).relu())

        return Twice()

    runs = TapedRuns(*make_pair(build), Batch(x), "random cotangent", 0)
    _, tape = runs.of_reference("float64")
    _, recorder, _ = runs.of_ours(tape, 0.0)
    keys = ["layer/linear", "model/relu", "layer/linear#2", "loss/mul", "loss/sum"]
    assert list(tape) == list(recorder.pairs) == keys


def test_what_needs_no_gradient_is_on_no_tape(on_both_sides: Any, x: np.ndarray) -> None:
    def forward(engine: Any, self: Any, x: Any) -> Any:
        with engine.library.no_grad():
            scale = x.exp().sum()
        return x * scale

    runs = TapedRuns(*on_both_sides(forward), Batch(x), "random cotangent", 0)
    _, tape = runs.of_reference("float64")
    _, recorder, _ = runs.of_ours(tape, 0.0)
    assert list(tape) == list(recorder.pairs) == ["model/mul", "loss/mul", "loss/sum"]
    assert tape["model/mul"].inputs[1].origin == "a constant"


def test_dropout_in_evaluation_leaves_no_trace(make_pair: Any, x: np.ndarray) -> None:
    pair = make_pair(
        lambda e: e.library.nn.Sequential(e.library.nn.Linear(6, 4), e.library.nn.Dropout(0.5))
    )
    where = localise(*pair, Batch(x))
    assert (where.paired, where.unpaired) == (3, {"the model": (), "the reference": ()})
