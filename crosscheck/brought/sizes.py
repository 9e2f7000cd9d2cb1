"""Sizes by the names that people give them: a constructor is called by these."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

# The names that a size goes by. Case and underscores do not count in names of three letters and
# more, so "nHead" is "n_head".
NAMES: dict[str, tuple[str, ...]] = {
    "width": (
        "d_model", "model_dim", "n_embd", "n_embed", "embed_dim", "emb_dim", "embedding_dim",
        "emb_size", "embed_size", "hidden_size", "dim", "width", "channels", "n_channels", "size",
        "features", "C", "D", "d",
    ),
    "heads": (
        "nhead", "nheads", "n_head", "n_heads", "num_heads", "num_head", "heads", "n_h",
        "num_attention_heads", "H", "h",
    ),
    "head_size": ("head_size", "head_dim", "dim_head", "d_head", "d_k", "d_v", "d_kv", "K"),
    "feed_forward": (
        "dim_feedforward", "feed_forward", "feedforward", "d_ff", "dff", "ff_dim", "ffn_dim",
        "dim_ff", "d_ffn", "ffn_hidden", "ff_size", "d_inner", "n_inner", "inner_dim", "mlp_dim",
        "mlp_hidden", "intermediate_size", "hidden_features", "F",
    ),
    "ratio": (
        "mlp_ratio", "ff_ratio", "ff_mult", "mlp_mult", "expansion", "expansion_factor",
        "forward_expansion", "mult",
    ),
    "vocabulary": (
        "vocab_size", "vocab", "n_vocab", "num_tokens", "n_tokens", "ntoken", "num_embeddings",
        "vocabulary", "V",
    ),
    "tokens": (
        "block_size", "context", "context_length", "context_size", "n_ctx", "ctx_len", "max_len",
        "max_length", "max_seq_len", "max_seq_length", "seq_len", "seq_length", "sequence_length",
        "n_positions", "max_position_embeddings", "T",
    ),
    "batch": ("batch_size", "B"),
    "layers": (
        "n_layer", "n_layers", "num_layers", "num_hidden_layers", "num_blocks", "n_blocks", "depth",
        "layers", "N", "L",
    ),
    "dropout": (
        "dropout", "p", "drop", "p_drop", "dropout_p", "dropout_rate", "drop_rate", "drop_prob",
        "dropout_prob", "pdrop", "attn_drop", "proj_drop", "attn_pdrop", "resid_pdrop",
        "embd_pdrop", "attention_dropout", "hidden_dropout_prob", "attention_probs_dropout_prob",
    ),
    "epsilon": ("eps", "epsilon", "layer_norm_eps", "norm_eps", "layer_norm_epsilon"),
    "causal": ("causal", "is_causal", "masked"),
    "batch_first": ("batch_first",),
    "seed": ("seed",),
    "generator": ("rng", "generator", "random_state"),
    "bias": ("bias", "qkv_bias", "use_bias"),
    "activation": ("activation", "act", "hidden_act", "nonlinearity"),
}  # fmt: skip
# Each of these is C where nothing else is, and F where C has a name of its own.
HIDDEN = ("hidden_dim", "hidden", "d_hidden", "n_hidden", "hidden_units")
# These are given only where the signature asks for them: its default is the user's own wish.
ONLY_IF_REQUIRED = ("epsilon", "bias", "activation", "seed", "generator", "batch")


def _spelling(name: str) -> str:
    return name.lower().replace("_", "") if len(name) > 2 else name


_MEANINGS = {_spelling(name): meaning for meaning, names in NAMES.items() for name in names}
_HIDDEN = frozenset(map(_spelling, HIDDEN))


@dataclass(frozen=True)
class Sizes:
    """The sizes that models are built with."""

    batch: int = 2  # B
    tokens: int = 8  # T
    width: int = 64  # C
    heads: int = 4  # H
    feed_forward: int = 256  # F
    vocabulary: int = 65  # V
    layers: int = 2  # blocks of a language model
    causal: bool | None = None  # whether a token may not see the future; None: as the model has it
    seed: int = 0
    shape: tuple[int, ...] | None = None  # of the input, where the user gave it

    @classmethod
    def wanted(
        cls,
        width: int | None,
        heads: int | None,
        feed_forward: int | None,
        shape: tuple[int, ...] | None,
        *,
        causal: bool | None,
        seed: int,
    ) -> Sizes:
        """Return what the user asked for, and for the rest what goes with it.

        Raises ValueError if the heads cannot share the width.
        """
        usual = cls()
        of_floats = shape is not None and len(shape) >= 3
        if width is None:
            width = shape[-1] if shape is not None and of_floats else usual.width
        if heads is None:
            heads = next(h for h in (usual.heads, 3, 2, 1) if width % h == 0)
        elif width % heads:
            raise ValueError(
                f"width {width} is not divisible by heads {heads}: "
                "every head gets an equal share of the channels"
            )
        sizes = replace(
            usual, width=width, heads=heads, feed_forward=feed_forward or 4 * width,
            causal=causal, seed=seed, shape=shape,
        )  # fmt: skip
        if shape is not None and len(shape) >= 2:
            sizes = replace(sizes, batch=shape[0], tokens=shape[1])
        return sizes

    def named(self, names: list[str], defaults: dict[str, Any]) -> dict[str, Any]:
        """Return a value for each of a signature's names that is a size's name.

        defaults: those of the signature, by name. Some meanings are given only to a name that has
        no default.
        """
        has_width = any(_MEANINGS.get(_spelling(name)) == "width" for name in names)
        values: dict[str, Any] = {}
        for name in names:
            spelling = _spelling(name)
            meaning = _MEANINGS.get(spelling, "")
            if spelling in _HIDDEN:
                meaning = "feed_forward" if has_width else "width"
            if name in defaults and meaning in ONLY_IF_REQUIRED:
                continue
            value = self._value(meaning, defaults.get(name))
            if meaning == "causal" and name not in defaults:
                value = bool(value)
            if value is not None:
                values[name] = value
        return values

    def _value(self, meaning: str, default: Any) -> Any:
        """Return the value of a meaning, or None if there is none."""
        if isinstance(default, bool) and meaning not in ("causal", "batch_first", "bias"):
            return None  # a switch of this name, and no size
        ratio = self.feed_forward / self.width
        if meaning == "ratio" and not isinstance(default, float) and ratio.is_integer():
            return int(ratio)
        values = {
            "width": self.width,
            "heads": self.heads,
            "head_size": self.width // self.heads,
            "feed_forward": self.feed_forward,
            "ratio": ratio,
            "vocabulary": self.vocabulary,
            "tokens": self.tokens,
            "batch": self.batch,
            "layers": self.layers,
            "dropout": 0.0,
            "epsilon": 1e-5,
            "causal": self.causal,
            "batch_first": True,
            "seed": self.seed,
            "generator": np.random.default_rng(self.seed),
            "bias": True,
            "activation": "gelu",
        }
        return values.get(meaning)
