"""The data of a walk: its numbers are the check's, and its arrays prove one another."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from support.walks import SMALL, TEXT, op_called, small_walk, unpacked

from crosscheck.check import run_check
from crosscheck.models import ModelOptions
from crosscheck.sides import Array
from crosscheck.walk.axes import axes_of
from crosscheck.walk.schema_of_ops import Op

ROUNDED = 1e-5  # relative: what a few float32 operations leave


def shown(ref: int | None) -> Array:
    return unpacked(small_walk(), ref)


def op(id: str) -> Op:
    return op_called(small_walk(), id)


def near(a: Any, b: Any) -> bool:
    return bool(np.linalg.norm(np.subtract(a, b)) <= ROUNDED * (np.linalg.norm(b) + 1e-9))


def test_the_numbers_are_those_of_the_check() -> None:
    check = run_check(ModelOptions(**SMALL), TEXT, batch_size=1, dtype="float64").to_dict()
    compared = check["report"]["comparisons"][0]
    assert (small_walk().loss.name, small_walk().loss.ours) == (compared["loss"], compared["value"])
    rows = {row["name"]: row for row in compared["gradients"]}
    assert [p.name for p in small_walk().parameters] == list(rows)
    for parameter in small_walk().parameters:
        row = rows[parameter.name]
        for name in ("norm", "norm_reference", "error", "verdict"):
            assert getattr(parameter, name) == row[name], (parameter.name, name)
    assert small_walk().text is not None
    assert "".join(small_walk().text.tokens) == check["sample"]


def test_a_part_is_rows_of_its_parameter() -> None:
    for parameter in small_walk().parameters:
        whole = shown(parameter.gradient)
        part = whole if parameter.rows is None else whole[slice(*parameter.rows)]
        assert part.shape == parameter.shape
        assert parameter.norm is not None
        assert np.isclose(np.linalg.norm(part), parameter.norm, rtol=ROUNDED, atol=1e-9)


def test_the_loss_sends_back_prediction_minus_truth() -> None:
    text = small_walk().text
    assert text is not None
    logits, probs = shown(text.logits), shown(text.probs)
    e = np.exp(logits - logits.max(-1, keepdims=True))
    assert near(probs, e / e.sum(-1, keepdims=True))
    truth = np.eye(len(text.vocabulary))[list(text.target_ids)]
    assert near(shown(text.dlogits), (probs - truth) / len(text.tokens))
    assert np.isclose(np.mean(text.losses), small_walk().loss.reference)
    assert [text.vocabulary[i] for i in text.ids] == list(text.tokens)


def test_what_the_uses_of_a_tensor_send_back_adds_up() -> None:
    joined = {join.source: join for join in small_walk().joins}
    assert set(joined) == {
        "position/add", "blocks.0.self_attn/transpose", "blocks.0.norm1/layer_norm"
    }  # fmt: skip
    for source, join in joined.items():
        total: Any = 0.0
        for part in join.contributions:
            (given,) = [i for i in op(part.op).inputs if i.argument == part.argument]
            assert given.gradient is not None
            assert given.source == source
            total = total + shown(given.gradient.ours)
        dout = op(source).dout
        assert dout is not None
        assert dout.norm == join.norm
        assert near(total, shown(dout.ours))


def test_only_a_sum_copies_the_gradient() -> None:
    assert [o.id for o in small_walk().ops if o.copies] == ["blocks.0/add", "blocks.0/add~2"]


def test_tied_weights_join() -> None:
    walk = small_walk(norm="none", tie_weights=True)
    (join,) = [join for join in walk.joins if join.kind == "parameter"]
    assert (join.source, [part.op for part in join.contributions]) == (
        "token_embedding.weight", ["token_embedding/embedding", "head/linear"]
    )  # fmt: skip


def test_three_witnesses_agree_everywhere() -> None:
    sent = [given for one in small_walk().ops for given in one.inputs if given.gradient is not None]
    assert len(sent) > 40
    for given in sent:
        assert given.gradient is not None
        assert given.finite_difference is not None
        assert given.gradient.verdict == "agree"
        assert given.finite_difference.agrees is True
        assert given.gradient.rounding is not None
    assert {one.verdict for one in small_walk().ops} == {"agree"}


def test_a_finite_difference_catches_a_wrong_rule_alone() -> None:
    """Whatever follows from it sends back what is right for the dout that it is given."""
    walk = small_walk(bug="softmax-no-average")
    caught = {
        (one.op, given.argument)
        for one in walk.ops
        for given in one.inputs
        if given.finite_difference is not None and given.finite_difference.agrees is False
    }
    assert caught == {("softmax", "x")}
    assert {one.op for one in walk.ops if one.verdict == "born"} == {"softmax"}
    assert {one.id for one in walk.ops if one.verdict == "inherited"} == set(
        walk.bug.inherited if walk.bug else ()
    )


def test_attention_is_its_own_arithmetic() -> None:
    (found,) = small_walk().attentions
    q, k, v, probs, dprobs, dscores, dcontext = (
        shown(getattr(found, name))
        for name in ("q", "k", "v", "probs", "dprobs", "dscores", "dcontext")
    )
    scores = np.where(np.triu(np.ones((7, 7), bool), 1), -np.inf, found.scale * q @ k.mT)
    assert np.isclose(found.scale, 6**-0.5)
    assert np.allclose(shown(found.scores), scores, rtol=ROUNDED, atol=ROUNDED)
    assert near(dprobs, dcontext @ v.mT)
    assert near(dscores, probs * (dprobs - (dprobs * probs).sum(-1, keepdims=True)))
    assert near(shown(found.dq), found.scale * dscores @ k)
    assert near(shown(found.dk), found.scale * dscores.mT @ q)
    assert near(shown(found.dv), probs.mT @ dcontext)


def test_a_saturated_softmax_is_not_accused() -> None:
    """Where one probability is nearly 1, dx has cancelled: its rounding is as large as itself."""
    facts = small_walk(norm="none", layers=6, width=64, heads=4, feed_forward=256).facts
    rows = [fact.numbers for fact in facts if fact.kind == "row_sums" and "scales" in fact.numbers]
    assert len(rows) == 6
    for row in rows:
        assert np.all(np.abs(row["sums"]) <= 1e-12 * np.asarray(row["scales"]))
    ratios = [np.abs(r["sums"]) / np.maximum(r["sizes"], 1e-300) for r in rows]
    assert max(map(np.max, ratios)) > 1e-9  # beside its own magnitudes it would be accused


def test_the_recorded_facts_are_zero_by_rights() -> None:
    facts = {(fact.op, fact.kind): fact.numbers for fact in small_walk().facts}
    rows = facts["blocks.0.self_attn/softmax", "row_sums"]
    assert np.max(np.abs(rows["sums"])) == rows["largest"] <= 1e-15 * np.max(rows["sizes"])
    assert np.max(np.abs(facts["loss/cross_entropy", "row_sums"]["sums"])) < 1e-16
    for name in ("blocks.0.norm1/layer_norm", "blocks.0.norm2/layer_norm"):
        parts, vanished = facts[name, "parts"], facts[name, "under_sum"]
        assert np.max(np.abs(parts["dot_ones"])) < 1e-15
        squares = {n: np.square(parts[n]) for n in ("dx_hat", "along_ones", "along_x_hat", "rest")}
        left = squares["dx_hat"] - squares["along_ones"] - squares["along_x_hat"]
        assert np.allclose(squares["rest"], left, rtol=1e-3)  # up to eps
        assert np.max(vanished["rest"]) < 1e-14 < 1 < np.min(vanished["dx_hat"])
        norm = op(name)
        x, rest = shown(norm.inputs[0].value.ours), np.array(parts["rest"])
        assert near(x.mean(-1), parts["mean"])
        dx = shown(norm.inputs[0].gradient.ours if norm.inputs[0].gradient else None)
        assert near(np.linalg.norm(dx, axis=-1), rest * parts["inv_std"])


def test_the_slope_of_gelu_is_a_difference_quotient() -> None:
    (fact,) = [fact for fact in small_walk().facts if fact.kind == "slope"]
    gelu = op(fact.op)
    x, out = (shown(gelu.inputs[0].value.ours), shown(gelu.output.ours))
    order = np.argsort(x, axis=None)
    x, out, slope = (a.ravel()[order] for a in (x, out, shown(fact.arrays["slope"])))
    close = (np.diff(x) > 1e-3) & (np.diff(x) < 0.05)
    quotient = np.diff(out)[close] / np.diff(x)[close]
    assert close.sum() > 20
    assert np.abs(quotient - (slope[1:] + slope[:-1])[close] / 2).max() < 0.01


@pytest.mark.parametrize(
    ("options", "on_stream"),
    [
        ({}, ["add", "layer_norm", "add~2", "layer_norm"]),
        ({"norm": "pre", "position": "learned"}, ["add", "add~2", "layer_norm"]),
        ({"norm": "none", "tie_weights": True}, ["add", "add~2"]),
    ],
)
def test_the_stream_is_what_every_path_goes_through(
    options: dict[str, Any], on_stream: list[str]
) -> None:
    spine = small_walk(**options).spine
    assert spine is not None
    inner = spine.stream[spine.stream.index("position/add") + 1 : spine.stream.index("head/linear")]
    assert [id.rpartition("/")[2] for id in inner] == on_stream
    branches = [branch for branch in spine.branches if branch.leaves]
    assert [branch.name for branch in branches] == ["attention", "feed-forward"]
    assert [set(branch.lanes) for branch in branches] == [{0, 1, 2}, {0}]
    assert all(branch.joins in spine.stream for branch in spine.branches)


def test_learned_positions_do_not_leave_the_stream() -> None:
    spine = small_walk(norm="pre", position="learned").spine
    assert spine is not None
    assert (spine.branches[0].leaves, spine.branches[0].ops) == ("", ("position/getitem",))


def test_ids_can_stand_in_an_address() -> None:
    ids = [one.id for one in small_walk().ops]
    assert len(set(ids)) == len(ids)
    assert [quote(id, safe="/~") for id in ids] == ids
    known = {*ids, ""}
    assert {
        given.source for o in small_walk().ops for given in o.inputs if given.kind == "op"
    } <= known
    assert [id for column in small_walk().columns for id in column.ops if id not in known] == []


def test_axes_are_named_only_where_no_two_sizes_say_otherwise() -> None:
    sizes = {"B": 1, "T": 7, "C": 12, "H": 2, "K": 6, "F": 20, "V": 30}
    assert axes_of((1, 2, 7, 7), sizes) == ("B", "H", "T", "S")
    assert axes_of((1, 7, 36), sizes) == ("B", "T", "3C")
    assert axes_of((5, 5), sizes) == ("", "")
    assert axes_of((1, 7, 12), {**sizes, "F": 12}) == ("B", "T", "")
    assert axes_of((), sizes) == ()


def test_a_text_with_a_character_that_the_vocabulary_lacks() -> None:
    with pytest.raises(ValueError, match="character 'é' at position 1"):
        small_walk(text="hé me", context=4)
