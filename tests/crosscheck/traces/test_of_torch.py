"""The trace of a PyTorch module: it changes nothing, and it knows each array, line and source."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest
from support import strange_blocks
from support.strange_blocks import BLOCKS, C, Hooked, InPlace, Language, OwnFunctions, Strange

import torch
from crosscheck.runs import Batch, Run, run
from crosscheck.traces import trace_run
from crosscheck.traces.of_torch import FORWARD_ONLY
from crosscheck.traces.trace import Record, Trace
from torch import nn

pytestmark = pytest.mark.usefixtures("no_other_tracer")

FILE = strange_blocks.__file__
LINES = Path(FILE).read_text("utf-8").splitlines()
HOW: Any = {"loss": "random cotangent", "seed": 3}


def line_of(text: str) -> int:
    """The number of the one line that has this text."""
    (found,) = [i for i, line in enumerate(LINES, start=1) if text in line]
    return found


def build(kind: type[nn.Module]) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return kind()


def batch_of(kind: type[nn.Module]) -> Batch:
    rng = np.random.default_rng(0)
    tokens = kind is Language
    return Batch(rng.integers(0, 9, (2, 5)) if tokens else rng.standard_normal((2, 5, C)))


@cache
def traced(kind: type[nn.Module]) -> Trace:
    trace = trace_run(build(kind), batch_of(kind), **HOW)
    assert trace is not None
    assert trace.notes == ()
    return trace


def assert_same_as_plain(trace: Trace, plain: Run) -> None:
    assert trace.output is not None
    np.testing.assert_array_equal(trace.array(trace.output), plain.output)
    arrived = [name for name, gradient in plain.gradients.items() if gradient is not None]
    assert arrived
    for name in arrived:
        last = [r for r in trace.records if r.value == trace.given[name] and r.backward][-1]
        np.testing.assert_array_equal(trace.array(last.index), plain.gradients[name], err_msg=name)


def at(trace: Trace, text: str, **fields: Any) -> list[Record]:
    """The records of the line with this text whose fields are these."""
    return [
        record
        for record in trace.records
        if record.place is not None
        and record.place.line == line_of(text)
        and all(getattr(record, name) == value for name, value in fields.items())
    ]


def behind(trace: Trace, record: Record) -> set[int]:
    """The lines of all that a record can have been computed from, its own included."""
    pending, seen = [record.index], {record.index}
    while pending:
        for source in trace.records[pending.pop()].sources:
            if source not in seen:
                seen.add(source)
                pending.append(source)
    return {place.line for i in seen if (place := trace.records[i].place) is not None}


def gradient_of(trace: Trace, name: str) -> Record:
    return [r for r in trace.records if r.value == trace.given[name] and r.backward][-1]


@pytest.mark.parametrize("kind", BLOCKS)
def test_a_traced_run_is_the_plain_run_bit_for_bit(kind: type[nn.Module]) -> None:
    model, batch = build(kind), batch_of(kind)
    plain = run(model, batch, dtype="float64", **HOW)
    trace = trace_run(model, batch, **HOW)
    assert trace is not None
    assert trace.notes == ()
    assert_same_as_plain(trace, plain)
    assert trace.files == (FILE,)
    assert all(source < r.index for r in trace.records for source in r.sources)
    placed = [record.place is not None for record in trace.records if record.index != trace.dout]
    assert all(a <= b for a, b in pairwise(placed))  # what was given comes first


def test_the_lines_of_an_own_function_have_records_both_ways() -> None:
    trace = traced(OwnFunctions)
    for text in ("centred = x - x.mean", "normed = centred", "ctx.out = np.tanh"):
        assert at(trace, text, backward=False), text
    for text in (
        "dweight =",
        "dnormed = dout",
        "dx = rstd *",
        "slope = 1 -",
        "dx = douts[0].numpy",
    ):
        assert at(trace, text, backward=True), text
    (dweight,) = at(trace, "dweight =", name="dweight")
    whole = gradient_of(trace, "gain")
    (returned,) = [i for i in whole.sources if dweight.index in trace.records[i].sources]
    (other,) = set(whole.sources) - {returned, trace.given["gain"]}
    total = trace.array(dweight.index) + trace.array(other)
    np.testing.assert_array_equal(trace.array(whole.index), total)
    assert trace.records[returned] in at(trace, "return dx, dweight")


def test_what_arrives_at_an_own_function_is_a_source_of_its_lines() -> None:
    trace = traced(OwnFunctions)
    (slope,) = at(trace, "slope = 1 -")
    dx = at(trace, "dx = douts[0].numpy")[-1]
    assert slope.index in dx.sources
    (returned,) = at(trace, "return torch.from_numpy(dx)")
    assert returned.sources == (dx.index,)
    # It is the gradient of what the function was given: the result of the norm.
    (normed,) = at(trace, "return normed * weight")
    assert returned.value == normed.index


def test_gradients_are_tied_to_their_values() -> None:
    """Against `retain_grad` in a plain run."""
    model = build(Strange).double()
    kept: list[Any] = []

    def keep(module: nn.Module, given: Any, out: Any) -> None:
        out.retain_grad()
        kept.append(out)

    for layer in (model.first, model.last):
        layer.register_forward_hook(keep)
    batch = batch_of(Strange)
    loss = run(build(Strange), batch, dtype="float64", **HOW)
    output = model(torch.tensor(batch.inputs, requires_grad=True))
    trace = traced(Strange)
    assert trace.dout is not None
    (output * torch.tensor(trace.array(trace.dout))).sum().backward()
    np.testing.assert_array_equal(output.detach(), loss.output)
    for tensor in kept:
        like = [r for r in trace.records if np.array_equal(trace.array(r.index), tensor.detach())]
        (gradient,) = [r for r in trace.records if r.value == like[0].index]
        np.testing.assert_array_equal(trace.array(gradient.index), tensor.grad)


@pytest.mark.parametrize(
    ("name", "hook"),
    [
        ("gain", "lambda g: -g"),
        ("first.bias", "h.register_hook(lambda g: g * 3)"),
        ("first.bias", "g + h.detach()"),
        ("first.bias", "gradient.mul_(2)"),
        ("first.weight", "parameter.grad.div_(2)"),
    ],
)
def test_a_hook_is_behind_the_gradient_that_it_changes(name: str, hook: str) -> None:
    trace = traced(Hooked)
    assert line_of(hook) in behind(trace, gradient_of(trace, name))
    assert line_of(hook) not in behind(trace, gradient_of(trace, "last.bias"))


def test_the_line_that_registers_a_hook_has_a_record_of_what_it_leaves() -> None:
    trace = traced(Hooked)
    (left,) = at(trace, "h.register_hook(lambda g: g * 3)", op="register_hook")
    (made,) = at(trace, "h.register_hook(lambda g: g * 3)", op="mul")
    (before,) = (trace.records[i] for i in made.sources)
    assert made.index in left.sources
    assert left.value == before.value is not None
    np.testing.assert_array_equal(trace.array(left.index), 3 * trace.array(before.index))


def test_what_passes_through_a_number_or_is_cut_off_has_its_sources() -> None:
    trace = traced(strange_blocks.Cut)
    assert [record.op for record in trace.records if record.stops] == ["std", "detach", "data"]
    (end,) = at(trace, "h / scale + kept", name="h")
    assert {line_of("scale = h.std()"), line_of("kept = h.clone()")} <= behind(trace, end)


def test_nothing_is_cut_off_in_an_own_function_or_on_the_way_back() -> None:
    assert not any(record.stops for record in traced(OwnFunctions).records)


def test_what_is_written_in_place_is_seen_in_all_that_share_the_memory() -> None:
    trace = traced(InPlace)
    written = at(trace, "view.add_(0.25)", changed=True)
    assert {record.shape for record in written} >= {(10, C), (2, 5, C)}  # the view and its base
    (last,) = at(trace, "out.data[0] += 1.0", changed=True, name="out")
    assert line_of("out[:, i] = torch.tanh") in behind(trace, last)
    before, after = (trace.array(r.index) for r in (trace.records[last.sources[0]], last))
    np.testing.assert_array_equal(after[0], before[0] + 1)


def test_a_model_without_gradients_is_traced_forward_only() -> None:
    model = build(Language).requires_grad_(False)
    trace = trace_run(model, batch_of(Language), **HOW)
    assert trace is not None
    assert trace.notes == (FORWARD_ONLY,)
    assert trace.dout is None
    assert not any(record.backward for record in trace.records)


class Raising(Strange):
    def between(self, h: torch.Tensor) -> torch.Tensor:
        return h[:, :, : C // 2]


def test_a_run_that_raises_is_traced_until_then() -> None:
    trace = trace_run(build(Raising), batch_of(Raising), **HOW)
    assert trace is not None
    assert trace.output is None
    assert "RuntimeError: mat1 and mat2" in trace.notes[0]
    assert any(record.op == "__getitem__" for record in trace.records)


def test_arrays_are_kept_as_wanted_and_fetched_again() -> None:
    trace = traced(OwnFunctions)
    few = trace_run(build(OwnFunctions), batch_of(OwnFunctions), **HOW, wanted=[3, 20])
    assert few is not None
    assert set(few.arrays) == {3, 20}
    assert few.records == trace.records
    np.testing.assert_array_equal(few.array(30), trace.array(30))


def test_lines_that_ran_are_in_order_of_their_first_run() -> None:
    trace = traced(OwnFunctions)
    lines = [place.line for place in trace.executed]
    wanted = ["h = self.first(x)", "centred =", "return half * double", "slope = 1 -"]
    positions = [lines.index(line_of(text)) for text in wanted]
    assert positions == sorted(positions)
    assert len(lines) == len(set(lines))


def test_a_layer_of_pytorchs_own_is_traced_in_its_own_file_but_not_beside_the_users() -> None:
    layer = nn.TransformerEncoderLayer(C, 2, 7, batch_first=True)
    for model, folder in ((layer, Path(nn.__file__).parent), (nn.Sequential(Strange()), None)):
        trace = trace_run(model, batch_of(Strange), **HOW)
        assert trace is not None
        assert trace.output is not None
        places = [record.place for record in trace.records if record.place is not None]
        assert places
        for place in places:
            assert folder in Path(place.file).parents if folder else place.file == FILE


@pytest.mark.parametrize("name", ["input", "weight"])
def test_a_model_that_returns_what_it_was_given(name: str) -> None:
    class Returning(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.linspace(0, 1, C))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if name == "input" else self.weight

    trace = trace_run(Returning(), batch_of(Strange), **HOW)
    assert trace is not None
    assert trace.output == trace.given[name]
    assert trace.dout is not None
    assert trace.records[trace.dout].value == trace.given[name]
    assert len(trace.records) == 3  # the input, the weight, and dout


class Compiled(torch.nn.Module):
    """Stands for what `torch.compile` makes, since the compiler takes seconds to load."""

    stances: ClassVar[list[str]] = []

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self._orig_mod = module

    def forward(self, x: torch.Tensor) -> Any:
        assert self.stances == ["force_eager"], "compiled"
        return self._orig_mod(x)

    @classmethod
    @contextmanager
    def stance(cls, name: str) -> Iterator[None]:
        cls.stances.append(name)
        yield
        cls.stances.remove(name)


def test_a_compiled_model_is_traced_as_it_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch._dynamo", ModuleType("torch._dynamo"))
    monkeypatch.setattr(torch.compiler, "set_stance", Compiled.stance)
    plain = traced(Strange)
    trace = trace_run(Compiled(build(Strange)), batch_of(Strange), **HOW)
    assert trace is not None
    assert trace.notes == ()
    assert [r.signature for r in trace.records] == [r.signature for r in plain.records]
    assert [r.place for r in trace.records] == [r.place for r in plain.records]
    assert set(trace.given) == {"input", *(f"_orig_mod.{n}" for n in plain.given if n != "input")}
