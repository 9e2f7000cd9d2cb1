"""Masks of attention, drawn from a seed: for a language model, and for one layer.

Every query may attend to at least one key, and every sequence keeps at least two tokens.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from crosscheck.draws import Stream, draws
from crosscheck.sides import Array

CAUSAL = ("causal", "both")  # the masks that hide the future
PADDED = ("padding", "both")  # the masks that hide the ends of sequences
NEEDS_ARRAYS = ("padding", "both", "float")  # more than the switch is_causal
SHORTEST = 2  # tokens that padding leaves: softmax over one key says nothing of queries and keys
FORBIDDEN = -1e9  # what people add to a score in the place of -inf


def model_masks(mask: str, shape: tuple[int, int], seed: int) -> dict[str, Any]:
    """Return a mask, one of MASKS, as keywords of `TransformerLanguageModel.forward`.

    shape is (B, T). Raises ValueError if there are too few tokens for padding.
    """
    arrays = {"src_key_padding_mask": padding(shape, seed)} if mask in PADDED else {}
    if mask == "float":
        arrays["mask"] = biases(shape[1], seed)
    return {**arrays, "is_causal": mask in CAUSAL}


def layer_masks(mask: str, shape: tuple[int, int], seed: int) -> dict[str, Array]:
    """Return a mask as keywords of `TransformerEncoderLayer.forward`, which wants all as arrays.

    A causal mask alone is left out.
    """
    if mask not in NEEDS_ARRAYS:
        return {}
    given = model_masks(mask, shape, seed)
    if given.pop("is_causal"):
        given["mask"] = np.triu(np.ones((shape[1], shape[1]), dtype=bool), k=1)
    return {"src_mask" if name == "mask" else name: array for name, array in given.items()}


def padding(shape: tuple[int, int], seed: int) -> Array:
    """Return which of the keys (B, T) are padding: True at the end of the shorter sequences.

    At least one sequence is shorter than T, and of several sequences at least one is not.
    """
    batch, tokens = shape
    if tokens <= SHORTEST:
        raise ValueError(
            f"--mask padding needs a --context of more than {SHORTEST}, not {tokens}: a window "
            f"that is padded keeps at least {SHORTEST} of its characters"
        )
    generator = draws(Stream.PADDING, seed)
    lengths = generator.integers(SHORTEST, tokens, size=batch)  # all shorter than T
    if batch > 1:
        lengths[generator.integers(batch)] = tokens
    hidden: Array = np.arange(tokens) >= lengths[:, None]
    return hidden


def biases(tokens: int, seed: int) -> Array:
    """Return what is added to the scores (T, T): standard normals, and a quarter of it FORBIDDEN.

    All are exact in float32. A token may always see itself.
    """
    generator = draws(Stream.BIASES, seed)
    added = generator.standard_normal((tokens, tokens)).astype(np.float32)
    hidden = generator.random((tokens, tokens)) < 0.25
    hidden &= ~np.eye(tokens, dtype=bool)
    hidden[0, -1] = True  # even if there are two tokens
    return np.where(hidden, np.float32(FORBIDDEN), added)
