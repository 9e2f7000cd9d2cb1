"""What models are given: batches of many kinds. What cannot be right is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_tf as tg
import torch
from crosscheck import Batch, compare, localise

V, C, F = 7, 6, 5
X = np.random.default_rng(0).standard_normal((3, 4, C))
IDS, TARGETS = np.random.default_rng(1).integers(0, F, (2, 3, 4))


def embedding(make_pair: Any) -> Any:
    return make_pair(lambda engine: engine.library.nn.Embedding(V, F))


def linear(make_pair: Any) -> Any:
    return make_pair(lambda engine: engine.library.nn.Linear(C, F))


@pytest.mark.parametrize(
    "given", [Batch, np.asarray, np.ndarray.tolist, torch.tensor, tg.Tensor, lambda ids: ids.T.T]
)
def test_bare_inputs_are_a_batch(make_pair: Any, given: Any) -> None:
    pair = embedding(make_pair)
    report = compare(*pair, given(IDS))
    assert report.agrees, str(report)
    assert report == compare(*pair, Batch(IDS))
    assert localise(*pair, given(IDS)).findings == ()


@pytest.mark.parametrize(
    "kind", [torch.tensor, tg.Tensor, lambda a: torch.tensor(a, requires_grad=a.dtype.kind == "f")]
)
def test_tensors_become_arrays(make_pair: Any, kind: Any) -> None:
    batch = Batch(kind(X), kind(TARGETS), {"mask": kind(X), "causal": True, "names": ["a"]})
    for array in (batch.inputs, batch.targets, batch.options["mask"]):
        assert type(array) is np.ndarray
    assert batch.options["causal"] is True
    assert batch.options["names"] == ["a"]
    np.testing.assert_array_equal(batch.inputs, X)
    plain = Batch(X, TARGETS)
    pair = linear(make_pair)
    assert compare(*pair, Batch(kind(X), kind(TARGETS))) == compare(*pair, plain)


def test_a_mask_of_pytorch_serves_both_sides(make_pair: Any) -> None:
    pair = make_pair(lambda engine: engine.models.TransformerBlock(C, 2, F))
    mask = torch.full((4, 4), -torch.inf).triu(1)
    report = compare(*pair, Batch(torch.tensor(X), options={"src_mask": mask}))
    assert report.agrees, str(report)
    assert report == compare(*pair, Batch(X, options={"src_mask": mask.numpy()}))


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        ((IDS, TARGETS), r"a tuple of 2 .* write Batch\(inputs, targets\)"),
        ([torch.tensor(IDS), torch.tensor(TARGETS)], r"a list of 2 .* write Batch\("),
        ({"ids": IDS}, "the inputs must be real numbers .* got a dict with 'ids'"),
        (None, "the inputs must be .* got None"),
        ("ab", "the inputs must be .* got str"),
        ([[1, 2], [3]], "nested lists of equal lengths, got a list of 2"),
        (X * 1j, "the inputs must be .* of complex128"),
    ],
)
def test_what_is_no_batch_is_named(make_pair: Any, batch: Any, said: str) -> None:
    for call in (compare, localise):
        with pytest.raises(TypeError, match=f"^compare: .*{said}"):
            call(*embedding(make_pair), batch)  # type: ignore[operator]


def test_options_in_the_place_of_targets_are_named() -> None:
    with pytest.raises(TypeError, match=r"^compare: the targets must be .* got a dict with 'mask'"):
        Batch(X, {"mask": X})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (TARGETS * 1.0, "the targets are float64, expected class numbers"),
        (TARGETS[0], r"targets \(4,\) do not fit the output \(3, 4, 5\): .* row, \(3, 4\)"),
        (TARGETS + F, "among the targets, expected class numbers below 5"),
        (TARGETS - 6, "-[1-6] is among the targets"),
    ],
)
def test_targets_that_fit_no_output_are_named(make_pair: Any, targets: Any, said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=f"^compare: .*{said}"):
        compare(*embedding(make_pair), Batch(IDS, targets))


def test_ignored_targets_are_no_mistake(make_pair: Any) -> None:
    targets = TARGETS.copy()
    targets[0, 1:] = -100
    report = compare(*embedding(make_pair), Batch(IDS, targets))
    assert report.agrees, str(report)


class Easy(torch.nn.Linear):
    """Takes integers too."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.to(self.weight.dtype))


@pytest.mark.parametrize("stern", ["NumPy", "PyTorch"])
def test_integers_for_floats_are_named(make_pair: Any, stern: str) -> None:
    ours, theirs = linear(make_pair)
    if stern == "NumPy":
        theirs.__class__ = Easy
    else:
        forward = ours.forward
        ours.forward = lambda x: forward(x.to(ours.weight.dtype))
    with pytest.raises(TypeError, match=f"^compare: the {stern} model Linear takes floats and was"):
        compare(ours, theirs, np.ones((3, 4, C), np.int64))


def test_floats_for_integers_are_named(make_pair: Any) -> None:
    with pytest.raises(TypeError, match=r"^compare: .* takes integers and was given floats: it"):
        compare(*embedding(make_pair), IDS.astype(np.float64))


def test_what_fails_on_both_kinds_is_the_models_own_error(make_pair: Any) -> None:
    ours, theirs = linear(make_pair)
    with pytest.raises((ValueError, TypeError, RuntimeError)) as caught:
        compare(ours, theirs, np.ones((3, 4, C + 1)))
    assert not str(caught.value).startswith("compare:")


class Floats:
    """A model of another engine, which is right, and takes nothing but floats."""

    engine = "by hand"

    def state_dict(self) -> Any:
        return {}

    def linearize(self, inputs: np.ndarray, dtype: str) -> Any:
        if inputs.dtype != dtype:
            raise ArithmeticError("no floats")
        return 3 * inputs, lambda dout: {"input": 3 * dout}


def test_another_engine_is_told_too() -> None:
    class Thrice(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 3.0 * x

    said = "^compare: the by hand model Floats takes floats and was given integers: .* no floats"
    with pytest.raises(TypeError, match=said) as caught:
        compare(Floats(), Thrice(), IDS)
    assert isinstance(caught.value.__cause__, ArithmeticError)
    assert compare(Floats(), Thrice(), X).agrees


def test_what_the_way_back_raises_is_no_matter_of_the_inputs() -> None:
    class Stuck(Floats):
        def linearize(self, inputs: np.ndarray, dtype: str) -> Any:
            def back(dout: np.ndarray) -> Any:
                raise ArithmeticError("no way back")

            return inputs.astype(dtype), back

    with pytest.raises(ArithmeticError, match=r"^no way back$"):
        compare(Stuck(), torch.nn.Identity(), X)
