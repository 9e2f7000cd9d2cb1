"""The catalogue as a list: enough of it, of every family, and each patch fits its source."""

from __future__ import annotations

import importlib
import inspect
import re

import pytest

from crosscheck.mutants.catalogue import CATALOGUE
from crosscheck.mutants.mutant import Mutant

FAMILIES = {
    "softmax", "layer norm", "GELU", "attention", "linear", "residual", "embedding", "loss",
    "broadcasting", "engine", "optimiser",
}  # fmt: skip

# The mistakes that people make most often, and the bug that stands for each.
COMMON_MISTAKES = {
    "missing mean terms in layer norm": "layer-norm-no-mean-term",
    "softmax Jacobian diagonal only": "softmax-diagonal-only",
    "= for += on fan-out": "fan-out-replaces",
    "unbroadcast forgotten": "sum-to-forgotten",
    "unbroadcast over the wrong axis": "sum-to-wrong-axis",
    "transposed dW": "linear-dweight-transposed",
    "bias gradient not summed": "linear-dbias-not-summed",
    "1/sqrt(K) missing": "attention-dq-unscaled",
    "1/sqrt(C)": "attention-scale-of-width",
    "mask after softmax": "attention-mask-after-softmax",
    "head merge without transpose": "attention-merge-no-transpose",
    "q, k, v order permuted": "attention-qkv-order",
    "biased/unbiased variance": "layer-norm-unbiased",
    "eps outside the root": "layer-norm-eps-outside",
    "tanh for erf": "gelu-tanh-for-erf",
    "GELU without the x*pdf term": "gelu-no-density-term",
    "residual gradient dropped": "residual-gradient-dropped",
    "saved buffer overwritten": "buffer-overwritten",
    "float64 creeping in": "loss-of-float64",
    "stale gradients": "grad-stale",
    "cross-entropy over B": "loss-over-batch-only",
    "embedding rows overwritten": "embedding-overwrites",
    "tied weights counted once": "tied-weight-cut",
    "probabilities saved before dropout": "attention-dv-of-scores",
    "softmax over the wrong axis": "attention-softmax-dim",
    "norm over the wrong axis": "layer-norm-over-tokens",
    "a softmax that writes into its input": "softmax-in-place",
    "sigmoid-GELU": "gelu-sigmoid",
    "the tanh slope under exact GELU": "gelu-slope-of-tanh",
    "a missing 2 in the density": "gelu-density-without-2",
    "dk not transposed": "attention-dk-not-transposed",
    "dv not transposed": "attention-dv-not-transposed",
    "a batch of one only": "linear-dweight-one-sequence",
    "heads split without the transpose": "attention-heads-viewed",
    "a bias never added": "linear-bias-unused",
    "zero but for rounding": "linear-dbias-centred",
    "float32 within float64": "gelu-erf-in-float32",
    "a NumPy scalar that promotes": "gelu-numpy-scalar",
    "square matmul with a vector": "matmul-vector-transposed",
    "gradients aliased across tensors": "arrivals-aliased",
}
each = pytest.mark.parametrize("mutant", CATALOGUE, ids=[mutant.id for mutant in CATALOGUE])


def test_there_are_enough_of_every_family_under_names_of_their_own() -> None:
    ids = [mutant.id for mutant in CATALOGUE]
    assert len(ids) >= 40
    assert len(set(ids)) == len(ids)
    assert {mutant.family for mutant in CATALOGUE} >= FAMILIES
    assert len({(mutant.module, mutant.old, mutant.new) for mutant in CATALOGUE}) == len(ids)


def test_each_common_mistake_is_there() -> None:
    assert set(COMMON_MISTAKES.values()) <= {mutant.id for mutant in CATALOGUE}


@each
def test_a_bug_is_described_in_a_line_and_says_where_it_may_be_found(mutant: Mutant) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", mutant.id)
    assert 10 < len(mutant.what) < 100
    assert "\n" not in mutant.what
    assert mutant.found
    assert mutant.module.startswith("tinygrad_tf.")


def apply(patch: str, source: str) -> str:
    """The source after a unified diff, by the rules of that format."""
    before, after, read = source.splitlines(), [], 0
    for line in patch.splitlines()[2:]:
        if header := re.fullmatch(r"@@ -(\d+)(?:,\d+)? \+\d+(?:,\d+)? @@", line):
            start = int(header[1]) - 1
            after += before[read:start]
            read = start
            continue
        sign, text = line[:1], line[1:]
        if sign in " -":
            assert before[read] == text
            read += 1
        if sign in " +":
            after.append(text)
    return "\n".join([*after, *before[read:]]) + "\n"


@each
def test_its_patch_is_a_diff_that_applies(mutant: Mutant) -> None:
    source = inspect.getsource(importlib.import_module(mutant.module))
    assert source.count(mutant.old) == 1
    patched = apply(mutant.patch(), source)
    assert patched == source.replace(mutant.old, mutant.new)
    assert patched != source
    assert mutant.patch().splitlines()[0] == f"--- {mutant.module.replace('.', '/')}.py"


@each
def test_it_touches_functions_and_nothing_stays_of_it(mutant: Mutant) -> None:
    functions = mutant.touched()
    assert functions
    before = [function.__code__ for function in functions]
    with mutant.planted():
        planted = [function.__code__ for function in functions]
        assert all(a is not b for a, b in zip(before, planted, strict=True))
    assert [function.__code__ for function in functions] == before
