"""What the words of a weight's name say about its seat, where no layout knows the name."""

from __future__ import annotations

import re
from collections.abc import Sequence

ATTENTION = {"attn", "attention", "att", "mha", "msa", "mhsa", "sa", "self"}
NETWORK = {"mlp", "ffn", "ff", "feed", "forward", "feedforward", "ffwd", "fcn", "net"}
QUERY, KEY, VALUE = {"q", "query", "queries"}, {"k", "key", "keys"}, {"v", "value", "values", "val"}
FUSED = {"qkv", "inproj"}
MERGE = {"o", "unify", "unifyheads", "merge", "combine", "outproj", "oproj"}
LAST = {"out", "output", "proj", "projection", "dense", "fc", "linear", "mix"}
WIDEN = {"up", "inner", "expand", "intermediate", "interm", "hidden", "in", "i"}
NARROW = {"down", "contract", "shrink", "outer"}
LAYER = {
    "fc", "w", "b", "linear", "lin", "linears", "dense", "layer", "layers", "l", "proj", "ff",
    "mlp", "conv",
}  # fmt: skip
TOKENS = {"wte", "tok", "token", "tokens", "embed", "embedding", "embeddings", "emb", "word", "e"}
POSITIONS = {"wpe", "pos", "position", "positions", "positional", "p"}
HEAD = {"head", "lm", "unembed", "logits", "decoder", "generator", "classifier", "vocab", "u"}
NORM = ("norm", "ln", "layernorm", "rms")  # what such a word begins with
SHORT_NORM = {"n"}  # a whole word
GAIN, SHIFT = {"gamma", "g", "gain", "scale", "a", "alpha"}, {"beta", "shift", "offset", "be"}
BIAS = {"bias", "b"}


def plain(name: str) -> str:
    """Return a name with dots for brackets: `self.layers[0]['Wq']` is `layers.0.Wq`."""
    return re.sub(r"[\[\]'\"/.]+", ".", name).strip(".").removeprefix("self.")


def words_of(name: str) -> list[str]:
    """Return the words and numbers of a name: `attn.W_Q` is attn, w, q, and `bq` is b, q."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", plain(name))
    words = re.findall(r"[a-z]+|\d+", spaced.lower())
    return [part for word in words for part in _apart(word)]


def jobs_meant(
    name: str,
    is_matrix: bool,
    outside: bool,
    is_norm: bool = False,
    said: Sequence[str] | None = None,
) -> list[str]:
    """Return the jobs that a name may stand for, the likelier first; none if it says nothing.

    name: without the number of a block, which would be taken for that of a layer. is_matrix:
    whether the weight has more than one axis. outside: whether it may be one that stands outside of
    the blocks. is_norm: whether it is known to belong to a norm, whatever that is called. said: its
    words as they are to be understood beside the other names, if not as they stand.
    """
    words = [*(words_of(name) if said is None else said), *(["norm"] if is_norm else [])]
    leaf = words_of(plain(name).rpartition(".")[2])
    parts = _parts_outside(words) if outside else _parts(words)
    if any(part.startswith("norm") for part in parts):
        kind = "bias" if SHIFT.intersection(words) or BIAS.intersection(leaf) else "weight"
        return [] if is_matrix else [f"{part}.{kind}" for part in parts]
    kind = "bias" if not is_matrix or BIAS.intersection(leaf) else "weight"
    return [f"{part}.{kind}" for part in parts]


def head_of(name: str) -> int | None:
    """Return the number of the head that a name speaks of, as `attn.heads.1.key` does."""
    found = re.search(r"(?:^|\.)heads?\.(\d+)\.", plain(name))
    return int(found[1]) if found else None


def _apart(word: str) -> list[str]:
    if word.startswith("to") and word[2:] in QUERY | KEY | VALUE | FUSED:
        return [word[2:]]
    if word[0] in "wb" and word[1:] in QUERY | KEY | VALUE | FUSED | MERGE | WIDEN | NARROW | {
        "out"
    }:
        return [word[0], word[1:]]
    return [word]


def _is_norm(words: list[str]) -> bool:
    return any(word.startswith(NORM) or word.endswith("norm") for word in words) or bool(
        (GAIN | SHIFT | SHORT_NORM).intersection(words) - {"a"}
    )


def _parts_outside(words: list[str]) -> list[str]:
    said = set(words)
    if said & POSITIONS - {"p"}:
        return ["positions"]
    if said & HEAD - {"u"}:
        return ["head"]
    if said & TOKENS - {"e"}:
        return ["tokens"]
    if _is_norm(words):
        return ["norm"]
    return []


def _parts(words: list[str]) -> list[str]:
    said = set(words)
    if _is_norm(words):
        return _norms(words)
    asked = [part for part, names in zip("qkv", (QUERY, KEY, VALUE), strict=True) if said & names]
    if (
        said & FUSED
        or {"in", "proj"} <= said
        or len(asked) == 3
        or ({"c", "attn"} <= said and "proj" not in said)
    ):
        return ["qkv"]
    if len(asked) == 1 and not said & NETWORK:
        return asked
    if said & MERGE and not said & NETWORK:
        return ["out", "fc2"] if {"w", "o"} <= said and not said & ATTENTION else ["out"]
    return _layers(words)


def _norms(words: list[str]) -> list[str]:
    said = set(words)
    if "post" in said and said & ATTENTION:  # after it, which is before the feed-forward network
        return ["norm2", "norm1"]
    if bool(said & ATTENTION) != bool(said & NETWORK):
        return ["norm1"] if said & ATTENTION else ["norm2"]
    if "1" in said or said & {"input", "pre", "first"}:
        return ["norm1"]
    if "2" in said or said & {"post", "second", "final"} or said & NETWORK:
        return ["norm2"]
    return ["norm1", "norm2"]


def _layers(words: list[str]) -> list[str]:
    said = set(words)
    if said & ATTENTION and not said & NETWORK:
        return ["out"] if said & LAST else []
    if said & NARROW:
        return ["fc2"]
    if said & WIDEN:
        return ["fc1"]
    if said & (LAYER | NETWORK) and said & {"1", "2"}:
        return ["fc1"] if "1" in said else ["fc2"]
    if said & NETWORK:
        return ["fc2"] if said & LAST - {"fc", "linear", "dense"} else ["fc1", "fc2"]
    if {"fc", "out"} <= said:
        return ["fc2", "out"]
    if said & LAST & {"fc", "linear", "dense"}:
        return ["fc1", "fc2", "out"]
    return ["out", "fc2"] if said & LAST else []
