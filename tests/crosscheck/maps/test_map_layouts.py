"""Blocks in the layouts people meet, against PyTorch's encoder layer: maps found by "auto"."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from support.layout_blocks import NAMED, STYLES, Block, C, Interleaved, encoder_layer

from crosscheck.distance import relative_error
from crosscheck.maps.pairing import pair_weights
from crosscheck.runs import COTANGENT, Batch, Run, run

BATCH = Batch(np.random.default_rng(1).standard_normal((2, 5, C)))


def both_runs(pairing: Any) -> tuple[Run, Run]:
    ours, theirs = (
        run(m, BATCH, dtype="float64", loss=COTANGENT) for m in (pairing.model, pairing.reference)
    )
    return ours, theirs


@pytest.mark.parametrize("style", STYLES)
def test_outputs_and_gradients_agree_through_the_map(style: type[Block]) -> None:
    pairing = pair_weights(style(), encoder_layer(), BATCH, "auto")
    ours, theirs = both_runs(pairing)
    assert relative_error(ours.output, theirs.output) < 1e-12
    mapped = pairing.map.to_reference(ours.gradients)
    assert mapped.keys() == theirs.gradients.keys()
    for name, expected in theirs.gradients.items():
        assert expected is not None
        found = mapped[name]
        assert found is not None
        largest = np.abs(expected).max()
        assert np.abs(found - expected).max() <= 1e-12 * max(1.0, largest), name
    unusual = ["lie unusually: attn.qkv.weight is"] if style is Interleaved else []
    assert len(pairing.notes) == len(unusual)
    assert all(words in note for words, note in zip(unusual, pairing.notes, strict=True))
    assert not pairing.map.unmapped
    assert not pairing.map.uncovered


@cache
def map_of(style: type[Block], bug: str = "") -> dict[str, str]:
    model = style()
    model.bug = bug
    return pair_weights(model, encoder_layer(), BATCH, "auto").map.to_dict()


@pytest.mark.parametrize("bug", ["keys and queries", "merged", "transposed"])
@pytest.mark.parametrize("style", NAMED)
def test_a_bug_does_not_change_the_map(style: type[Block], bug: str) -> None:
    assert map_of(style, bug) == map_of(style)
