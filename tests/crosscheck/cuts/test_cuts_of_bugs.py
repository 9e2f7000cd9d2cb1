"""Planted bugs are placed at their lines, and right code has no birth. The lines are the oracle."""

import numpy as np
import pytest

from crosscheck.cuts import annotated, find_cuts, paired_share
from crosscheck.cuts.births import births_of, excused_of
from crosscheck.cuts.classes import values_of
from crosscheck.cuts.finder import Finder
from crosscheck.cuts.marks import Kind
from crosscheck.cuts.of_models import taped, written_out
from crosscheck.cuts.pairing import pair
from crosscheck.maps.pairing import pair_weights
from crosscheck.mutants.foreign.bug import planted
from crosscheck.mutants.foreign.catalogue import CATALOGUE
from crosscheck.mutants.foreign.subject import Sizes
from crosscheck.mutants.foreign.trial import SUBJECTS
from crosscheck.traces.tracing import trace_run

BUGS = {bug.id: bug for bug in CATALOGUE}


def cuts_of(name):
    bug = BUGS[name]
    source, to_blame = planted(bug)
    model, reference, batch, weights = SUBJECTS[bug.file].build(source, Sizes(), 0)
    paired = pair_weights(model, reference, batch, weights, seed=0)
    return find_cuts(paired, batch, loss=batch.loss, seed=0), to_blame


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("caches-norm-no-mean", "d input + self_attn.out_proj.out from norm2"),
        ("gpt-scale-of-width", "scores"),
    ],
)
def test_a_bug_is_placed_at_its_line(name, value):
    cuts, to_blame = cuts_of(name)
    assert cuts.first.place.line in to_blame
    assert cuts.value == value
    assert len(cuts.between) <= 9


def test_a_line_that_is_right_on_the_way_forward_is_not_said_to_be_wrong():
    """The gradient at a line of PyTorch comes back from what is after it."""
    cuts, _ = cuts_of("gpt-scale-of-width")
    before = [
        mark for mark in cuts.marks if mark.kind == Kind.INHERITED and mark.place < cuts.first.place
    ]
    assert before
    assert any(mark.text == f"its gradient follows from {cuts.first.place.line}" for mark in before)


def test_the_annotated_source_blames_one_line_and_follows_it():
    cuts, to_blame = cuts_of("functions-softmax-bracket")
    born = [mark for mark in cuts.marks if mark.kind == Kind.WRONG]
    assert {mark.place.line for mark in born} <= to_blame
    assert len(born) == 1
    assert any(mark.kind == Kind.INHERITED for mark in cuts.marks)
    (line,) = [line for line in annotated(cuts).plain.splitlines() if "✗" in line]
    assert line.split()[0] == str(born[0].place.line)
    assert "d scores expected" in line
    assert {mark["sign"] for mark in cuts.to_dict()["marks"]} <= {"✓", "✗", "~", ""}


@pytest.mark.parametrize(
    ("file", "sizes"),
    [("numpy_flat.py", Sizes(B=1, T=1)), ("torch_gpt.py", Sizes(4, 4, 4, 4, 4))],
)
def test_right_code_has_no_birth_and_no_cross(file, sizes):
    subject = SUBJECTS[file]
    model, reference, batch, weights = subject.build(subject.source(), sizes, 1)
    paired = pair_weights(model, reference, batch, weights, seed=1)
    trace = trace_run(paired.model, batch, loss=batch.loss, seed=1)
    _, tape = taped(paired.reference, batch, loss=batch.loss, seed=1)
    values = values_of(tape)
    found = pair(values, Finder(trace)).is_found
    assert births_of(values, found, excused_of(values, found)) == []
    cuts = find_cuts(paired, batch, loss=batch.loss, seed=1)
    assert {mark.kind for mark in cuts.marks} <= {Kind.RIGHT, Kind.NONE}
    assert cuts.first is None


def test_the_right_reference_has_more_values_in_common():
    subject = SUBJECTS["torch_bert.py"]
    model, reference, batch, weights = subject.build(subject.source(), Sizes(), 0, causal=False)
    paired = pair_weights(model, reference, batch, weights, seed=0)
    trace = trace_run(paired.model, batch, loss=batch.loss, seed=0)
    shares = []
    for norm_first in (paired.reference.norm_first, not paired.reference.norm_first):
        paired.reference.norm_first = norm_first
        _, tape = taped(paired.reference, batch, loss=batch.loss, seed=0)
        shares.append(paired_share(trace, tape))
    assert shares[0] > 0.8 > 0.5 > shares[1]


def test_pytorchs_own_layer_is_written_out():
    import torch

    layer = torch.nn.TransformerEncoderLayer(12, 3, 20, 0.0, "gelu", batch_first=True).double()
    x = torch.tensor(np.random.default_rng(0).standard_normal((2, 5, 12)))
    assert torch.allclose(written_out(layer)(x), layer(x), rtol=1e-12)
