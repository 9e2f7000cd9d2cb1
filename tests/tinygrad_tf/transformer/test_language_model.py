"""The language model in both engines: its composition by hand, tying, the first loss, errors."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from support.engines import (
    ENGINES,
    NUMPY,
    TORCH,
    Engine,
    each_engine,
    load,
    padding_mask,
    random_mask,
    random_weights,
    run,
    worst,
)

V, CONTEXT, B, T, C, H, F = 11, 9, 3, 7, 12, 2, 5
RNG = np.random.default_rng(0)
TOKENS, DOUT = RNG.integers(0, V, (B, T)), RNG.standard_normal((B, T, V))
SIZES = {"d_model": C, "nhead": H, "dim_feedforward": F}

NORMS = {"pre": {"norm_first": True}, "post": {"norm_first": False}, "none": {"norm": False}}
each_norm = pytest.mark.parametrize("norm", NORMS)


def language_model(engine: Engine, **options: Any) -> Any:
    model = engine.models.TransformerLanguageModel(V, CONTEXT, **SIZES, **options)
    return load(engine, model, random_weights(model))


@each_norm
@pytest.mark.parametrize("residual", [True, False], ids=["residual", "bare"])
@pytest.mark.parametrize("position", ["sinusoidal", "learned"])
def test_both_engines_agree(norm: str, residual: bool, position: str) -> None:
    """Logits and every gradient, attention written out and fused."""
    fixed = {"residual": residual, "position": position, **NORMS[norm]}
    for bias, tied, fused in itertools.product((True, False), repeat=3):
        options = {"bias": bias, "tie_weights": tied, "fused": fused, **fixed}
        ours, theirs = (run(e, language_model(e, **options), TOKENS, DOUT) for e in ENGINES)
        assert worst(ours, theirs) < 1e-11, options


@each_engine
@each_norm
def test_composition(engine: Engine, norm: str) -> None:
    """Embedding times sqrt(C), position, causal blocks, the final norm of pre-norm, head."""
    model = language_model(engine, num_layers=3, position="learned", **NORMS[norm])
    actual = run(engine, model, TOKENS, DOUT)

    def forward(tokens: Any) -> Any:
        x = model.token_embedding.weight[tokens] * math.sqrt(C) + model.position.weight[:T]
        for i in range(3):
            x = model.blocks[i](x, is_causal=True)
        if norm == "pre":
            final = model.norm
            x = engine.functional.layer_norm(x, (C,), final.weight, final.bias, 1e-5)
        return x @ model.head.weight.transpose(0, 1) + model.head.bias

    model.forward = forward
    assert worst(actual, run(engine, model, TOKENS, DOUT)) < 1e-12


NANOGPT = {
    "position": "learned", "norm_first": True, "tie_weights": True,
    "scale_embedding": False, "head_bias": False,
}  # fmt: skip


def test_a_gpt_has_no_scale_and_no_bias_at_its_head() -> None:
    """The layout of nanoGPT, composed by hand; both engines agree on it."""
    ours, theirs = (run(e, language_model(e, **NANOGPT), TOKENS, DOUT) for e in ENGINES)
    assert worst(ours, theirs) < 1e-11
    model = language_model(TORCH, **NANOGPT)
    assert {"linear1.bias", "norm1.bias"} <= dict(model.blocks[0].named_parameters()).keys()

    def forward(tokens: Any) -> Any:
        table = model.token_embedding.weight
        x = model.blocks[0](table[tokens] + model.position.weight[:T], is_causal=True)
        return model.norm(model.blocks[1](x, is_causal=True)) @ table.T

    model.forward = forward
    assert worst(theirs, run(TORCH, model, TOKENS, DOUT)) < 1e-12


@each_engine
@pytest.mark.parametrize(("bias", "head_bias"), [(True, False), (False, True)])
def test_the_head_has_a_bias_of_its_own(engine: Engine, bias: bool, head_bias: bool) -> None:
    names = language_model(engine, bias=bias, head_bias=head_bias).state_dict().keys()
    assert ("head.bias" in names, "blocks.0.linear1.bias" in names) == (head_bias, bias)


@pytest.mark.parametrize("fused", [False, True])
def test_both_engines_agree_under_masks(fused: bool) -> None:
    rng = np.random.default_rng(1)
    padding = {"src_key_padding_mask": padding_mask(B, T)}
    for masks in (
        {"is_causal": False},
        padding,
        {"mask": random_mask(rng, T, T)},
        {"mask": rng.standard_normal((T, T)), "is_causal": False, **padding},
    ):
        ours, theirs = (
            run(e, language_model(e, fused=fused, num_layers=2), TOKENS, DOUT, **masks)
            for e in ENGINES
        )
        assert worst(ours, theirs) < 1e-11, masks


@each_engine
def test_what_is_masked_is_not_seen(engine: Engine) -> None:
    """Another last token changes what follows from it, unless a mask hides it from all others."""
    other = TOKENS.copy()
    other[:, -1] = (TOKENS[:, -1] + 1) % V
    model = language_model(engine, num_layers=2)
    last = np.arange(T) == T - 1

    def seen(**masks: Any) -> bool:
        first, second = (run(engine, model, tokens, **masks)["out"] for tokens in (TOKENS, other))
        return bool((first[:, :-1] != second[:, :-1]).any())

    assert not seen()  # causal, if not told otherwise
    assert seen(is_causal=False)
    assert not seen(is_causal=False, src_key_padding_mask=np.tile(last, (B, 1)))
    assert not seen(is_causal=False, mask=np.tile(last, (T, 1)) & ~np.eye(T, dtype=bool))
    assert seen(mask=np.zeros((T, T), dtype=bool))  # a mask takes the place of the causal one


@each_engine
@pytest.mark.parametrize("position", ["sinusoidal", "learned"])
def test_positions_matter(engine: Engine, position: str) -> None:
    """The same token twice gives two predictions, though all it sees is that token."""
    model = language_model(engine, position=position)
    out = run(engine, model, np.full((1, 2), 3))["out"][0]
    assert np.abs(out[0] - out[1]).max() > 0.01


@each_engine
def test_tied_weights_share_one_parameter(engine: Engine) -> None:
    """Its gradient is the sum of what the table and the head would get with equal values."""
    tied = language_model(engine, tie_weights=True)
    assert tied.head.weight is tied.token_embedding.weight
    names = [name for name, _ in tied.named_parameters()]
    assert "token_embedding.weight" in names
    assert "head.weight" not in names
    assert {"token_embedding.weight", "head.weight"} <= set(tied.state_dict())

    untied = language_model(engine)
    untied.load_state_dict(tied.state_dict())
    assert untied.head.weight is not untied.token_embedding.weight
    expected = run(engine, untied, TOKENS, DOUT)
    expected["dtoken_embedding.weight"] += expected.pop("dhead.weight")
    assert worst(run(engine, tied, TOKENS, DOUT), expected) < 1e-13


@each_engine
@each_norm
@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
def test_the_first_loss_is_near_that_of_guessing(engine: Engine, norm: str, tied: bool) -> None:
    """ln V on random tokens: an untrained model must know nothing, and know that it does."""
    vocab = 65
    model = engine.models.TransformerLanguageModel(vocab, 32, tie_weights=tied, **NORMS[norm])
    tokens = np.random.default_rng(1).integers(0, vocab, (8, 33))
    logits = model(engine.tensor(tokens[:, :-1])).flatten(0, 1)
    loss = engine.functional.cross_entropy(logits, engine.tensor(tokens[:, 1:]).flatten())
    assert loss.item() == pytest.approx(math.log(vocab), abs=0.15)


@each_engine
def test_initial_values(engine: Engine) -> None:
    model = engine.models.TransformerLanguageModel(100, 50, d_model=100)
    for weight in (model.token_embedding.weight, model.head.weight):
        values = weight.detach().numpy()
        assert values.std() == pytest.approx(0.02, rel=0.1)
        assert abs(values.mean()) < 0.002
    assert not model.head.bias.detach().numpy().any()


@each_engine
def test_options_reach_the_blocks(engine: Engine) -> None:
    options = {"dropout": 0.25, "layer_norm_eps": 0.5, "activation": "relu", "norm_first": True}
    model = engine.models.TransformerLanguageModel(V, CONTEXT, **SIZES, num_layers=3, **options)
    modules = list(model.modules())
    assert len(model.blocks) == 3
    assert [m.p for m in modules if isinstance(m, engine.library.nn.Dropout)] == [0.25] * 13
    assert [m.eps for m in modules if isinstance(m, engine.library.nn.LayerNorm)] == [0.5] * 7
    assert all(block.activation is engine.functional.relu for block in model.blocks)


@each_engine
def test_dropout_of_the_embeddings(engine: Engine) -> None:
    """With everything dropped before the blocks, the tokens make no difference."""
    model = language_model(engine, dropout=0.0)
    model.dropout.p = 1.0
    one, other = (run(engine, model, tokens) for tokens in (TOKENS, (TOKENS + 1) % V))
    assert worst(one, other) == 0.0
    model.eval()
    assert worst(run(engine, model, TOKENS), one) > 0.01


@each_engine
def test_single_sequence(engine: Engine) -> None:
    """Tokens (T,) are a batch of one without its axis."""
    model = language_model(engine)
    alone, batch = run(engine, model, TOKENS[0]), run(engine, model, TOKENS)
    assert worst(alone, {"out": batch["out"][0]}) < 1e-13


@each_engine
def test_more_tokens_than_the_context(engine: Engine) -> None:
    with pytest.raises(ValueError, match="has 10 tokens, but there are encodings for 9 only"):
        language_model(engine)(engine.tensor(np.zeros((1, CONTEXT + 1), dtype=np.int64)))


@pytest.mark.parametrize("worst_id", [V, V + 7, -1])
def test_token_outside_the_vocabulary(worst_id: int) -> None:
    tokens = TOKENS.copy()
    tokens[1, 2] = worst_id
    message = rf"^embedding: index {worst_id} is outside the table of 11 rows .* vocabulary"
    with pytest.raises(ValueError, match=message):
        language_model(NUMPY)(NUMPY.tensor(tokens))
    with pytest.raises(IndexError, match="out of range"):
        language_model(TORCH)(TORCH.tensor(tokens))


@each_engine
def test_unknown_options(engine: Engine) -> None:
    build = engine.models.TransformerLanguageModel
    with pytest.raises(ValueError, match="position is 'rotary', expected one of sinusoidal, learn"):
        build(V, CONTEXT, **SIZES, position="rotary")
    with pytest.raises(ValueError, match="activation is 'swish', expected one of relu, gelu"):
        build(V, CONTEXT, **SIZES, activation="swish")
    with pytest.raises(ValueError, match=r"d_model\) 12 is not divisible by .* 8"):
        build(V, CONTEXT, **{**SIZES, "nhead": 8})
