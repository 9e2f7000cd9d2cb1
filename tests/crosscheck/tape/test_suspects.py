"""Two models that are only set up differently: the setting is said, and no op is accused."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from support.engines import NUMPY, TORCH

import torch
from crosscheck import Batch, compare, copy_weights, localise, randomize
from crosscheck.mutants.catalogue import CATALOGUE
from crosscheck.mutants.mutant import Mutant
from crosscheck.tape import suspects
from crosscheck.tape.finding import Kind, Localisation

B, T, C, H, F = 2, 5, 12, 3, 7
X = np.random.default_rng(0).standard_normal((B, T, C)).astype(np.float32)
PADDING = {"src_key_padding_mask": np.arange(T) >= np.array([[3], [4]])}
TANH = partial(NUMPY.functional.gelu, approximate="tanh")


def weighted(model: Any, reference: Any) -> tuple[Any, Any]:
    """Both with the same random weights."""
    randomize(reference, seed=0)
    copy_weights(reference, model)
    return model, reference


def block(nhead: int = H, activation: Any = "gelu", **options: Any) -> Any:
    return NUMPY.models.TransformerBlock(C, nhead, F, activation=activation, **options)


def layer(**options: Any) -> Any:
    options = {"nhead": H, "activation": "gelu", "batch_first": True, **options}
    return torch.nn.TransformerEncoderLayer(C, dim_feedforward=F, **options)


def mirror(**options: Any) -> Any:
    options = {"nhead": H, "activation": "gelu", **options}
    return TORCH.models.TransformerBlock(C, dim_feedforward=F, **options)


def planted(module: str, old: str, new: str) -> Any:
    mutant = Mutant(
        id="made here", family="", what="", module=module, old=old, new=new, found=()
    )  # fmt: skip
    return mutant.planted()


def said(model: Any, reference: Any, **options: Any) -> str:
    """What localisation says of the pair, when it has one finding, which names a setting."""
    where = localise(*weighted(model, reference), Batch(X, None, options))
    assert kinds(where) == [Kind.SETTING], str(where)
    assert "born here" not in str(where)
    assert "tape only" not in str(where)
    return str(where)


def kinds(where: Localisation | None) -> list[Kind]:
    assert where is not None
    return [finding.kind for finding in where.findings]


OF_THE_REFERENCE = "the two agree if the reference is run with "


@pytest.mark.parametrize(
    ("ours", "theirs", "sentence"),
    [
        ({"norm_first": True}, {}, "norm_first=True: the model has pre-norm"),
        ({"nhead": 4}, {}, "nhead=4: the model has 4 heads, the reference has 3 heads"),
        ({}, {"batch_first": False},
         "batch_first=True: the model takes the batch first, (B, T, C), the reference takes the "),
        ({"activation": "relu"}, {},
         "activation='relu': the model has ReLU, the reference has the exact GELU"),
        ({"activation": TANH}, {}, "'gelu-tanh': the model has GELU's tanh form, the refer"),
        ({}, {"activation": torch.nn.ReLU()}, "activation='gelu': the model has the exact GELU"),
        ({"layer_norm_eps": 1e-6}, {}, "layer_norm_eps=1e-06: the model has eps 1e-06"),
        ({"nhead": 4, "norm_first": True}, {},
         "norm_first=True and nhead=4: the model has pre-norm and has 4 heads, the "),
        ({"nhead": 6, "layer_norm_eps": 1e-12}, {"norm_first": True},
         "norm_first=False, nhead=6 and layer_norm_eps=1e-12: the model has post-norm, has 6 hea"),
    ],
)  # fmt: skip
def test_settings_that_are_seen_to_differ(ours: Any, theirs: Any, sentence: str) -> None:
    words = said(block(**ours), layer(**theirs))
    assert sentence in words
    assert words.startswith(OF_THE_REFERENCE)
    assert " in the reference" in words


def test_what_the_reference_has_no_switch_for_is_changed_in_the_model() -> None:
    words = said(block(residual=False), layer())
    assert words == (
        "the two agree if the model is run with residual=True: the model has no residual "
        "connections, the reference has residual connections\n"
        "  hint: see residual of TransformerBlock in the model"
    )


def hidden(**values: Any) -> Any:
    """A block whose settings cannot be read, as if its attributes had other names."""
    made = block(**values)
    made.norm_first = int(made.norm_first)
    made.self_attn.num_heads = np.int64(made.self_attn.num_heads)
    made.activation = lambda x, function=made.activation: function(x)
    for norm in (made.norm1, made.norm2):
        norm.eps = np.float64(norm.eps)
    return made


def masked(change: Any) -> Any:
    """A block whose attention has other masks than it is given."""

    class Attention(NUMPY.models.MultiheadSelfAttention):  # type: ignore[misc, name-defined]
        def forward(self, x: Any, attn_mask: Any, key_padding_mask: Any, is_causal: Any) -> Any:
            return super().forward(x, *change(attn_mask, key_padding_mask))

    made = hidden()
    made.self_attn = Attention(C, H)
    return made


@pytest.mark.parametrize(
    ("ours", "options", "sentence"),
    [
        (lambda: hidden(norm_first=True), {}, "norm_first=True: the model has pre-norm"),
        (lambda: hidden(nhead=4, norm_first=True), {}, "norm_first=True and nhead=4: the"),
        (lambda: masked(lambda mask, padding: (None, None, True)), {},
         "a causal mask: the model hides the future, the reference does not hide it"),
        (lambda: masked(lambda mask, padding: (None, padding)),
         {"src_mask": np.tri(T) == 0}, "no mask: the model heeds no mask, the reference heeds one"),
        (lambda: masked(lambda mask, padding: (None, None)), PADDING,
         "no padding mask: the model heeds no padding mask"),
        (lambda: masked(lambda mask, padding: (None, NUMPY.tensor(~padding.numpy()))), PADDING,
         "its padding mask inverted: the model reads True in the padding mask as seen"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_seen(ours: Any, options: Any, sentence: str) -> None:
    assert OF_THE_REFERENCE + sentence in said(ours(), layer(), **options)


def test_where_no_switch_tells_the_axes_they_are_exchanged() -> None:
    class TokensFirst(NUMPY.models.TransformerBlock):  # type: ignore[misc, name-defined]
        def forward(self, x: Any) -> Any:
            return super().forward(x.transpose(0, 1)).transpose(0, 1)

    words = said(TokensFirst(C, H, F, activation="gelu"), mirror())
    assert OF_THE_REFERENCE + "the first two axes of its input and output exchanged" in words


def test_an_op_of_a_mirror_is_not_accused_of_a_setting() -> None:
    words = said(block(nhead=4), mirror())  # its reshape is alone in another shape
    assert "see nhead of TransformerBlock in the model" in words


@pytest.mark.parametrize("options", [{}, {"src_mask": np.tri(T) == 0, **PADDING}])
def test_an_honest_pair_has_no_setting(options: Any) -> None:
    where = localise(*weighted(hidden(), layer()), Batch(X, None, options))
    assert kinds(where) == []


def test_a_stack_is_set_in_all_of_its_layers() -> None:
    class Stack(NUMPY.library.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.layers = NUMPY.library.nn.ModuleList([block(4), block(4)])

        def forward(self, x: Any) -> Any:
            for layer in self.layers:
                x = layer(x)
            return x

    stack = torch.nn.TransformerEncoder(layer(), 2, enable_nested_tensor=False)
    assert OF_THE_REFERENCE + "nhead=4: the model has 4 heads" in said(Stack(), stack)


def test_a_language_model() -> None:
    def build(engine: Any, activation: str) -> Any:
        return engine.models.TransformerLanguageModel(9, T, C, H, 1, F, activation=activation)

    model, reference = weighted(build(NUMPY, "relu"), build(TORCH, "gelu"))
    tokens = np.random.default_rng(1).integers(0, 9, (2, B, T))
    where = compare(model, reference, Batch(*tokens)).localisation
    assert kinds(where) == [Kind.SETTING]
    assert "see activation of TransformerLanguageModel in the model and activation of " in str(
        where
    )


def test_settings_that_are_alike_leave_the_code_to_blame() -> None:
    with planted("tinygrad_tf.transformer.block", "if self.norm_first:", "if not self.norm_first:"):
        words = said(block(), layer())
    assert "norm_first=True: the model has pre-norm, the reference has post-norm" in words
    assert "both are set to norm_first=False, and the model does not do what that says" in words


def test_a_wrong_backward_is_said_beside_the_setting() -> None:
    pair = weighted(block(norm_first=True), layer())
    with planted("tinygrad_tf.ops.linear", "dx = dout @ weight  ", "dx = dout @ -weight  "):
        where = localise(*pair, Batch(X))
    assert {f.op for f in where.findings} == {"setting", "linear"}
    assert str(where).startswith("the outputs agree if the reference is run with norm_first=True")


def test_a_wrong_gradient_is_found_beside_a_setting() -> None:
    pair = weighted(block(norm_first=True), layer())
    with planted("tinygrad_tf.ops.softmax", "out * (dout - average)", "out * (dout + average)"):
        where = localise(*pair, Batch(X))
    assert kinds(where) == [Kind.SETTING, Kind.BACKWARD]
    assert where.findings[1].op == "softmax"


def test_gradients_that_no_finding_explains_are_named() -> None:
    pair = weighted(block(norm_first=True), mirror(fused=True))
    with planted("tinygrad_tf.ops.softmax", "out * (dout - average)", "out * (dout + average)"):
        where = localise(*pair, Batch(X))
    assert kinds(where) == [Kind.SETTING]
    assert "the gradients of self_attn.in_proj_weight" in str(where)
    assert "differ even then: mend this first, and run again" in str(where)


def test_a_setting_that_explains_only_a_part_is_a_hint() -> None:
    pair = weighted(block(nhead=4), layer())
    with planted("tinygrad_tf.ops.gelu", "out = x * cdf ", "out = x * cdf * 2"):
        where = localise(*pair, Batch(X))
    assert [(f.kind, f.op) for f in where.findings] == [
        (Kind.FORWARD, "reshape"),
        (Kind.CONSTANT, "div"),
        (Kind.FORWARD, "gelu"),
    ]
    assert "the model has 4 heads, the reference has 3 heads: this does not explain " in str(where)


RULES = ("gelu-tanh-for-erf", "layer-norm-unbiased", "layer-norm-no-eps", "layer-norm-eps-outside")


@pytest.mark.parametrize("mutant", [m for m in CATALOGUE if m.id in RULES], ids=lambda m: m.id)
def test_a_wrong_rule_is_not_taken_for_a_setting(mutant: Mutant) -> None:
    pair = weighted(block(), layer())
    with mutant.planted():
        where = localise(*pair, Batch(X))
    assert Kind.SETTING not in kinds(where)
    assert {f.op for f in where.findings} <= set(mutant.found)


def test_what_nothing_explains_is_left_as_it_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[Any] = []
    run = suspects.run
    monkeypatch.setattr(suspects, "run", lambda *a, **o: [runs.append(a), run(*a, **o)][1])
    model, reference = weighted(block(), mirror(fused=True))
    with planted(
        "tinygrad_tf.ops.softmax", "out = exponential / total", "out = exponential * total"
    ):
        where = localise(model, reference, Batch(X))
    assert kinds(where) == [Kind.MISSING]
    assert 20 < len(runs) <= suspects.RUNS
    assert (reference.norm_first, reference.self_attn.num_heads) == (False, H)
