"""Initial values are held against PyTorch's by what sampling explains."""

from __future__ import annotations

import pytest

from crosscheck.mutants.mutant import Mutant
from crosscheck.ops.initial import INITIAL_CASES

LAYERS, INIT = "tinygrad_tf.nn.layers", "tinygrad_tf.nn.init"
MODEL = "tinygrad_tf.transformer.language_model"


def failures(op: str) -> str:
    cases = [case for case in INITIAL_CASES if case.op == op]
    assert cases
    return "\n".join(str(f) for case in cases for f in case.examine(0, "both").failures)


@pytest.mark.parametrize(
    ("op", "module", "old", "new", "words"),
    [
        ("Linear", LAYERS, "a=math.sqrt(5)", "a=0.0", "weight: the standard deviation"),
        ("Linear", LAYERS, "-bound, bound, generator", "-bound, 0.9 * bound, generator",
         "bias: the largest entry"),
        ("Linear", LAYERS, "bound = 1 / math.sqrt(self.in_features)",
         "bound = 1 / math.sqrt(self.out_features)", "bias: the standard deviation"),
        ("LayerNorm", LAYERS, "init.ones_(self.weight)", "init.zeros_(self.weight)",
         "weight: the mean is 0, PyTorch's is 1"),
        ("Embedding", LAYERS, "init.normal_(self.weight, generator=generator)",
         "init.normal_(self.weight, std=0.9, generator=generator)", "the standard deviation"),
        ("Embedding", LAYERS, "init.normal_(self.weight, generator=generator)",
         "init.normal_(self.weight, generator=np.random.default_rng(0))", "the same draws"),
        ("uniform_", INIT, ".uniform(a, b, tensor.shape)",
         ".triangular(a, (a + b) / 2, b, tensor.shape)", "the standard deviation"),
        ("normal_", INIT, ".normal(mean, std, tensor.shape)",
         ".uniform(mean - 3**0.5 * std, mean + 3**0.5 * std, tensor.shape)", "entries lie between"),
        ("kaiming_normal_", INIT, '[mode == "fan_out"]', '[mode == "fan_in"]',
         "the standard deviation"),
        ("TransformerLanguageModel", MODEL, "nn.init.normal_(self.head.weight, std=0.02)",
         "nn.init.normal_(self.head.weight, std=0.2)", "head.weight: the standard deviation"),
    ],
)  # fmt: skip
def test_a_wrong_start_is_named(op: str, module: str, old: str, new: str, words: str) -> None:
    planted = Mutant(id="a", family="a", what="a", module=module, old=old, new=new, found=())
    with planted.planted():
        assert words in failures(op)


def test_honest_starts_agree() -> None:
    assert [o for case in INITIAL_CASES if (o := case.examine(1, "both")).failures] == []
