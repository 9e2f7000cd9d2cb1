from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import torch
from tinygrad_tf import Tensor
from tinygrad_tf.ops.cross_entropy import cross_entropy
from tinygrad_tf.ops.softmax import softmax

Check = Callable[..., None]
N, V = 6, 5
TARGETS = np.array([3, 0, 4, 4, 1, 3])
SOME_IGNORED = np.array([3, -100, 4, -100, 1, 3])
ONE_COUNTS = np.where(np.arange(N) == 2, TARGETS, -100)
ALL_IGNORED = np.full(N, -100)
REDUCTIONS = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])


def sides(targets: np.ndarray, **options: Any) -> tuple[Any, Any]:
    theirs = partial(torch.nn.functional.cross_entropy, target=torch.tensor(targets), **options)
    return lambda x: cross_entropy(x, targets, **options), theirs


@REDUCTIONS
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("targets", [TARGETS, SOME_IGNORED, ONE_COUNTS], ids=["all", "4", "1"])
def test_values_and_gradients(
    targets: np.ndarray, label_smoothing: float, reduction: str, check_op: Check
) -> None:
    ours, theirs = sides(targets, reduction=reduction, label_smoothing=label_smoothing)
    check_op(ours, (N, V), theirs=theirs)


@REDUCTIONS
def test_another_ignore_index(reduction: str, check_op: Check) -> None:
    ours, theirs = sides(TARGETS, ignore_index=3, reduction=reduction)
    check_op(ours, (N, V), theirs=theirs)


@REDUCTIONS
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_everything_ignored(reduction: str, label_smoothing: float, check_values: Check) -> None:
    logits = np.random.default_rng(0).normal(size=(N, V))
    ours, theirs = sides(ALL_IGNORED, reduction=reduction, label_smoothing=label_smoothing)
    check_values(ours, logits, theirs=theirs)
    _, backward = cross_entropy.rule(logits, ALL_IGNORED, reduction="sum")
    assert not backward(np.array(1.0))[0].any()


@REDUCTIONS
def test_no_rows(reduction: str, check_values: Check) -> None:
    ours, theirs = sides(TARGETS[:0], reduction=reduction)
    check_values(ours, np.zeros((0, V)), theirs=theirs)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_logits_of_ten_thousand(label_smoothing: float, check_values: Check) -> None:
    logits = 1e4 * np.sign(np.random.default_rng(0).normal(size=(N, V)))
    ours, theirs = sides(TARGETS, label_smoothing=label_smoothing, reduction="none")
    check_values(ours, logits, theirs=theirs)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_impossible_tokens(label_smoothing: float, check_values: Check) -> None:
    logits = np.random.default_rng(0).normal(size=(N, V))
    logits[[0, 1, 2], [0, 2, 4]] = -np.inf  # the last of the three is the target
    ours, theirs = sides(TARGETS, label_smoothing=label_smoothing, reduction="none")
    check_values(ours, logits, theirs=theirs)


@pytest.mark.parametrize("dtype", ["u1", "i4", "i8"])
def test_integers_of_any_width_are_targets(dtype: str) -> None:
    logits = np.random.default_rng(0).normal(size=(N, V))
    loss, _ = cross_entropy.rule(logits, TARGETS.astype(dtype))
    assert loss == cross_entropy.rule(logits, TARGETS)[0]


@REDUCTIONS
@pytest.mark.parametrize("label_smoothing", [0.0, 0.3])
def test_each_row_of_the_gradient_sums_to_zero(reduction: str, label_smoothing: float) -> None:
    logits = np.random.default_rng(0).normal(size=(N, V))
    options = {"reduction": reduction, "label_smoothing": label_smoothing}
    loss, backward = cross_entropy.rule(logits, SOME_IGNORED, **options)
    dlogits, nothing = backward(np.random.default_rng(1).normal(size=loss.shape))
    assert nothing is None
    np.testing.assert_allclose(dlogits.sum(axis=1), 0, atol=1e-15)
    assert not dlogits[SOME_IGNORED == -100].any()


def test_the_gradient_is_prediction_minus_truth_over_the_rows_that_count() -> None:
    logits = np.random.default_rng(0).normal(size=(N, V))
    _, backward = cross_entropy.rule(logits, SOME_IGNORED)
    counts = SOME_IGNORED != -100
    expected = softmax.rule(logits, dim=1)[0] - np.eye(V)[np.where(counts, SOME_IGNORED, 0)]
    expected *= counts[:, None] / counts.sum()
    np.testing.assert_allclose(backward(np.array(1.0))[0], expected, rtol=1e-13)


def test_uniform_logits_cost_the_logarithm_of_the_vocabulary() -> None:
    assert cross_entropy.rule(np.zeros((N, V)), TARGETS)[0] == pytest.approx(np.log(V))


LOGITS = np.zeros((3, V))


@pytest.mark.parametrize(
    ("logits", "targets", "options", "message"),
    [
        (LOGITS, [0, 9, 7], {}, r"target 9 is outside the 5 classes of logits \(3, 5\) \(ignore_"),
        (LOGITS, [0, 5, 1], {}, "target 5 is outside the 5 classes"),
        (LOGITS, [-3, 9, -1], {}, r"target -3 is outside .*\(ignore_index is -100\)"),
        (LOGITS, [0, -100, 1], {"ignore_index": 0}, "target -100 is outside .*ignore_index is 0"),
        (LOGITS, [0, 1], {}, r"logits have shape \(3, 5\), targets \(2,\); expected \(N, V\)"),
        (LOGITS[None], [[0, 1, 2]], {}, r"logits have shape \(1, 3, 5\), .*flatten batch and"),
        (LOGITS, [0.0, 1.0, 2.0], {}, "targets are float64, expected class numbers"),
        (LOGITS, [True] * 3, {}, "targets are bool, expected class numbers"),
        (LOGITS, [0, 1, 2], {"reduction": "avg"}, "reduction is 'avg', expected mean, sum or none"),
        (LOGITS, [0, 1, 2], {"label_smoothing": 1.5}, "label_smoothing is 1.5, expected 0 to 1"),
        (LOGITS, [0, 1, 2], {"label_smoothing": -0.1}, "label_smoothing is -0.1, expected"),
    ],
)
def test_what_does_not_fit_is_named(
    logits: np.ndarray, targets: list[Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^cross_entropy: {message}"):
        cross_entropy(Tensor(logits), np.array(targets), **options)


def test_an_unknown_option() -> None:
    with pytest.raises(TypeError, match="label_smooth"):
        cross_entropy(Tensor(LOGITS), np.array([0, 1, 2]), label_smooth=0.1)
