"""The layouts that people meet: what the weights of a Transformer are called, and how they lie.

A *seat* is the job of a weight in a Transformer, the same in every layout, such as "fc1.weight".
In a block they are q, k, v or all three stacked, qkv; "one q" is the share of a single head; out,
the attention's last projection; fc1 and fc2, the feed-forward network's two layers; norm1, which
belongs to attention, and norm2. Outside of the blocks they are tokens, positions, norm (the last
one) and head.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# The ways in which the entries of a weight may lie: axes in order, where brackets join several in
# one, the last running fastest. C channels, H heads of K channels, F hidden channels, V tokens, T
# positions, 3 for queries, keys and values. The first is PyTorch's, where a matrix is (out, in).
_IN_PROJECTION = (
    "(H K) C", "C (H K)", "H C K", "H K C", "C H K", "C K H", "K H C", "(K H) C", "C (K H)",
)  # fmt: skip
_CHANNELS = ("C",)
SPELLINGS: dict[str, tuple[str, ...]] = {
    "qkv.weight": (
        "(3 H K) C", "C (3 H K)", "3 C (H K)", "3 (H K) C", "3 H C K", "3 H K C", "C 3 H K",
        "(H 3 K) C", "C (H 3 K)", "H C (3 K)", "H (3 K) C", "H 3 C K", "C H 3 K",
        "(H K 3) C", "C (H K 3)",
    ),
    "qkv.bias": (
        "(3 H K)", "3 (H K)", "3 H K", "(H 3 K)", "H (3 K)", "H 3 K", "(H K 3)",
    ),
    **{f"{part}.weight": _IN_PROJECTION for part in "qkv"},
    **{f"{part}.bias": ("(H K)", "H K", "(K H)", "K H") for part in "qkv"},
    **{f"one {part}.weight": ("K C", "C K") for part in "qkv"},
    **{f"one {part}.bias": ("K",) for part in "qkv"},
    "out.weight": (
        "C (H K)", "(H K) C", "H K C", "C H K", "H C K", "K H C", "C K H", "C (K H)", "(K H) C",
    ),
    "out.bias": _CHANNELS,
    "fc1.weight": ("F C", "C F"),
    "fc1.bias": ("F",),
    "fc2.weight": ("C F", "F C"),
    "fc2.bias": _CHANNELS,
    **{f"{norm}.{leaf}": _CHANNELS for norm in ("norm1", "norm2") for leaf in ("weight", "bias")},
    "tokens.weight": ("V C", "C V"),
    "positions.weight": ("T C", "C T"),
    "norm.weight": _CHANNELS,
    "norm.bias": _CHANNELS,
    "head.weight": ("V C", "C V"),
    "head.bias": ("V",),
}  # fmt: skip

OUT_IN, IN_OUT = "out in", "in out"  # how a matrix lies


@dataclass(frozen=True)
class Layout:
    """The names of one style of source, without what stands before them.

    A name without a seat's leaf, such as "attn.c_proj": "out", stands for a module that has a
    weight and a bias.
    """

    name: str  # what follows "the layout" in a sentence
    block: Mapping[str, str]  # the seat of each name in a block
    whole: Mapping[str, str] = field(default_factory=dict)  # outside of the blocks
    matrices: str = OUT_IN  # how those of a block lie; empty where people differ
    spelling: Mapping[str, str] = field(default_factory=dict)  # of seats that lie in one way only

    def seats(self) -> dict[str, str]:
        """Return the seat of each full name."""
        found = {}
        for name, seat in {**self.block, **self.whole}.items():
            if "." in seat:
                found[name] = seat
            else:
                found |= {f"{name}.{leaf}": f"{seat}.{leaf}" for leaf in ("weight", "bias")}
        return found


_GPT = {
    "attn.c_attn": "qkv",
    "attn.c_proj": "out",
    "mlp.c_fc": "fc1",
    "mlp.c_proj": "fc2",
    "ln_1": "norm1",
    "ln_2": "norm2",
}
_GPT_WHOLE = {"wte": "tokens", "wpe": "positions", "ln_f": "norm", "lm_head": "head"}

LAYOUTS = (
    Layout(
        "of PyTorch",
        {
            "in_proj_weight": "qkv.weight",
            "in_proj_bias": "qkv.bias",
            "self_attn.out_proj": "out",
            "linear1": "fc1",
            "linear2": "fc2",
            "norm1": "norm1",
            "norm2": "norm2",
        },
        {"token_embedding": "tokens", "position": "positions", "norm": "norm", "head": "head"},
        spelling={"qkv.weight": "(3 H K) C", "qkv.bias": "(3 H K)"},
    ),
    Layout(
        "of nanoGPT",
        _GPT,
        _GPT_WHOLE,
        spelling={"qkv.weight": "(3 H K) C", "qkv.bias": "(3 H K)"},
    ),
    Layout(
        "of Hugging Face's GPT-2",
        _GPT,
        _GPT_WHOLE,
        matrices=IN_OUT,
        spelling={"qkv.weight": "C (3 H K)", "qkv.bias": "(3 H K)"},
    ),
    Layout(
        "of minGPT",
        {
            "attn.query": "q",
            "attn.key": "k",
            "attn.value": "v",
            "attn.proj": "out",
            "mlp.0": "fc1",
            "mlp.2": "fc2",
            "ln1": "norm1",
            "ln2": "norm2",
        },
        {"tok_emb": "tokens", "pos_emb": "positions.weight", "ln_f": "norm", "head": "head"},
    ),
    Layout(
        "of Hugging Face's BERT",
        {
            "attention.self.query": "q",
            "attention.self.key": "k",
            "attention.self.value": "v",
            "attention.output.dense": "out",
            "attention.output.LayerNorm": "norm1",
            "intermediate.dense": "fc1",
            "output.dense": "fc2",
            "output.LayerNorm": "norm2",
        },
        {
            "word_embeddings": "tokens",
            "position_embeddings": "positions",
            "predictions.decoder": "head",
        },
    ),
    Layout(
        "of Hugging Face's OPT and BART",
        {
            "self_attn.q_proj": "q",
            "self_attn.k_proj": "k",
            "self_attn.v_proj": "v",
            "self_attn.out_proj": "out",
            "self_attn_layer_norm": "norm1",
            "fc1": "fc1",
            "fc2": "fc2",
            "final_layer_norm": "norm2",
        },
        {"embed_tokens": "tokens", "embed_positions": "positions", "lm_head": "head"},
    ),
    Layout(
        "of GPT-NeoX",
        {
            "attention.query_key_value": "qkv",
            "attention.dense": "out",
            "mlp.dense_h_to_4h": "fc1",
            "mlp.dense_4h_to_h": "fc2",
            "input_layernorm": "norm1",
            "post_attention_layernorm": "norm2",
        },
        {"embed_in": "tokens", "final_layer_norm": "norm", "embed_out": "head"},
        spelling={"qkv.weight": "(H 3 K) C", "qkv.bias": "(H 3 K)"},
    ),
    Layout(
        "of the annotated Transformer",
        {
            "self_attn.linears.0": "q",
            "self_attn.linears.1": "k",
            "self_attn.linears.2": "v",
            "self_attn.linears.3": "out",
            "feed_forward.w_1": "fc1",
            "feed_forward.w_2": "fc2",
            "sublayer.0.norm.a_2": "norm1.weight",
            "sublayer.0.norm.b_2": "norm1.bias",
            "sublayer.1.norm.a_2": "norm2.weight",
            "sublayer.1.norm.b_2": "norm2.bias",
        },
        {
            "lut": "tokens",
            "norm.a_2": "norm.weight",
            "norm.b_2": "norm.bias",
            "generator.proj": "head",
        },
    ),
    Layout(
        "of timm",
        {
            "attn.qkv": "qkv",
            "attn.proj": "out",
            "mlp.fc1": "fc1",
            "mlp.fc2": "fc2",
            "norm1": "norm1",
            "norm2": "norm2",
        },
        {"norm": "norm", "head": "head"},
    ),
    Layout(
        "of TransformerLens",
        {
            **{f"W_{part.upper()}": f"{part}.weight" for part in "qkv"},
            **{f"b_{part.upper()}": f"{part}.bias" for part in "qkv"},
            "W_O": "out.weight",
            "b_O": "out.bias",
            "W_in": "fc1.weight",
            "b_in": "fc1.bias",
            "W_out": "fc2.weight",
            "b_out": "fc2.bias",
            "ln1.w": "norm1.weight",
            "ln1.b": "norm1.bias",
            "ln2.w": "norm2.weight",
            "ln2.b": "norm2.bias",
        },
        {
            "W_E": "tokens.weight",
            "W_pos": "positions.weight",
            "ln_final.w": "norm.weight",
            "ln_final.b": "norm.bias",
            "W_U": "head.weight",
            "b_U": "head.bias",
        },
        matrices=IN_OUT,
        spelling={
            **{f"{part}.weight": "H C K" for part in "qkv"},
            **{f"{part}.bias": "H K" for part in "qkv"},
            "out.weight": "H K C",
            "head.weight": "C V",
        },
    ),
    Layout(
        "usual in NumPy",
        {
            **{f"W{part}": f"{part}.weight" for part in ("q", "k", "v", "qkv")},
            **{f"b{part}": f"{part}.bias" for part in ("q", "k", "v", "qkv")},
            "Wo": "out.weight",
            "bo": "out.bias",
            "W1": "fc1.weight",
            "b1": "fc1.bias",
            "W2": "fc2.weight",
            "b2": "fc2.bias",
            **{
                f"{name}{number}{leaf}": f"norm{number}.{kind}"
                for number in "12"
                for name, leaf, kind in (
                    ("gamma", "", "weight"), ("g", "", "weight"), ("ln", "_g", "weight"),
                    ("ln", "_gamma", "weight"), ("ln", "_w", "weight"), ("beta", "", "bias"),
                    ("ln", "_b", "bias"), ("ln", "_beta", "bias"),
                )
            },
        },
        matrices="",
    ),
)  # fmt: skip
