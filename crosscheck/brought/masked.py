"""Masks for a brought model: passed by the name that its forward takes, in the form that it reads.

Some people write True where a key is hidden, and others where it can be seen; some add minus
infinity to the scores. Which of these a model reads is found by trying: under the right form, no
output depends on a token that is hidden from it, and some output depends on one that is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from crosscheck.brought.behaviour import output_of
from crosscheck.brought.construct import parameters_of
from crosscheck.distance import largest_entry
from crosscheck.masks import CAUSAL, PADDED, biases, padding
from crosscheck.sides import Array

SWITCHES = ("is_causal", "causal")
ARRAYS = (
    "attn_mask", "src_mask", "mask", "attention_mask", "att_mask", "tgt_mask", "causal_mask",
)  # fmt: skip
OF_KEYS = ("src_key_padding_mask", "key_padding_mask", "padding_mask", "pad_mask")
UNSEEN = 1e-9  # of the largest output: what a hidden token may change it by
Wanted = dict[str, Any]  # keywords of a forward


def mask_options(
    model: Any, forward: Callable[..., Any], mask: str | None, inputs: Array, seed: int, who: str
) -> tuple[Wanted, list[str]]:
    """Return the keywords that give the model this mask, one of MASKS, and what to say of it.

    forward: the function whose signature is asked. Without a mask nothing is passed. Where no form
    hides all that it should, it is the one that hides most: that is for the comparison to find.
    """
    if mask is None:
        return {}, []
    names = list(parameters_of(forward))
    off = {} if mask in CAUSAL else {name: False for name in names if name in SWITCHES}
    notes = []
    if mask not in CAUSAL and is_causal(model, inputs, off):
        notes = [f"{who} hides the future by itself, which --mask {mask} does not ask for"]
    if mask == "none":
        return off, notes
    if mask == "float":
        name = next((n for n in ARRAYS if n in names), None)
        if name is None:
            return off, [*notes, f"{who} takes no mask that is added: it runs without one"]
        given = {**off, name: biases(inputs.shape[1], seed)}
        return given, [*notes, f"{who} is given the mask as {name}"]
    hidden = hidden_keys(mask, inputs.shape[:2], seed)
    if hides(model, off, inputs, hidden):
        return off, [f"{who} hides by itself what --mask {mask} hides"]
    best: tuple[float, Wanted] = (np.inf, {})
    takes_none = True
    for options in _ways(names, hidden):
        takes_none = False
        leaking = leak(model, {**off, **options}, inputs, hidden)
        if leaking < best[0]:
            best = leaking, options
        if leaking == 0:
            break
    leaking, options = best
    if leaking == np.inf:
        has = "takes no mask" if takes_none else "runs with none of the usual forms of a mask"
        said = f"{who} {has}, and sees what --mask {mask} hides: it runs as it is"
        return off, [*notes, said]
    said = f"{who} is given the mask as {_shown(options)}"
    if leaking:
        said += ", and its outputs still depend on tokens that this hides; no usual form hides them"
    return {**off, **options}, [*notes, said]


def hidden_keys(mask: str, shape: tuple[int, ...], seed: int) -> Array:
    """Return (B, T, S): whether the query of a place may not see the key of another."""
    batch, tokens = shape[:2]
    hidden = np.zeros((batch, tokens, tokens), dtype=bool)
    if mask in CAUSAL:
        hidden |= np.triu(np.ones((tokens, tokens), dtype=bool), k=1)
    if mask in PADDED:
        hidden |= padding((batch, tokens), seed)[:, None, :]
    return hidden


def hides(model: Any, options: Wanted, inputs: Array, hidden: Array) -> bool:
    """Whether the outputs depend on no token that is hidden, and on some that is not."""
    return leak(model, options, inputs, hidden) == 0


def leak(model: Any, options: Wanted, inputs: Array, hidden: Array) -> float:
    """Return the share of what is hidden on which outputs depend all the same, of what is tried.

    What a token's own output has from the token itself, by a residual connection, does not count.
    Infinite if the model does not run like this, if it gives back what is not finite, or if no
    output depends on another token at all.
    """
    count, tried, sees_something = 0, 0, False
    try:
        base = output_of(model, inputs, options, "float64")
        if base.shape[:2] != inputs.shape[:2] or not np.isfinite(base).all():
            return np.inf
        for place in _places(inputs.shape[1]):
            moved = output_of(model, _moved(inputs, place), options, "float64")
            change = np.abs(moved - base).reshape(*base.shape[:2], -1).max(axis=-1)
            depends = change > UNSEEN * largest_entry(base)  # (B, T)
            depends[:, place] = False
            count += int((depends & hidden[:, :, place]).sum())
            tried += int(hidden[:, :, place].sum())
            sees_something |= bool(depends.any())
    except Exception:  # whatever it is, it does not run like this
        return np.inf
    return count / max(tried, 1) if sees_something else np.inf


def is_causal(model: Any, inputs: Array, options: Wanted) -> bool:
    """Whether no output depends on a later token."""
    return hides(model, options, inputs, hidden_keys("causal", inputs.shape, 0))


def mixes_sequences(model: Any, inputs: Array) -> bool:
    """Whether the outputs of one sequence depend on another: its first axis is no batch, but T."""
    if inputs.shape[0] < 2:
        return False
    try:
        base = output_of(model, inputs, {}, "float64")
        moved = np.array(inputs)
        moved[0] = -0.7 * moved[0] + 0.3
        with np.errstate(invalid="ignore"):  # what is not finite has been seen, or will be
            change = np.abs(output_of(model, moved, {}, "float64") - base)[1:]
    except Exception:  # a model of floats alone has such an axis
        return False
    return bool(largest_entry(change) > UNSEEN * largest_entry(base))


def _ways(names: list[str], hidden: Array) -> Iterator[Wanted]:
    """Yield the keywords under which a forward of these names may take the mask."""
    same = bool((hidden == hidden[:1]).all())
    later = np.triu(np.ones(hidden.shape[1:], dtype=bool), k=1)
    switches = [n for n in names if n in SWITCHES]
    if same and (hidden[0] == later).all():
        yield from ({name: True} for name in switches)
    keys: Array = np.logical_and.reduce(hidden, axis=1)  # (B, S): hidden from everybody
    per_key = [n for n in names if n in OF_KEYS] or [
        n for n in names if n in ("mask", "attention_mask")
    ]
    if (hidden == keys[:, None]).all():
        for name in per_key:
            for form in _forms(keys):
                yield {name: form}
                yield {name: form[:, None, None, :]}
    for name in (n for n in names if n in ARRAYS):
        square = [hidden[0], hidden[:1, None]] if same else []
        for shaped in (*square, hidden, hidden[:, None]):
            for form in _forms(shaped):
                yield {name: form}
    both = [n for n in names if n in OF_KEYS]
    if both and (hidden == (later | keys[:, None])).all():
        for name in (n for n in names if n in ARRAYS):
            for mask, padded in zip(_forms(later), _forms(keys), strict=True):
                yield {name: mask, both[0]: padded}
        yield from ({name: True, both[0]: keys} for name in switches)


def _forms(hidden: Array) -> list[Array]:
    """The forms in which people write what is hidden."""
    return [
        hidden,
        ~hidden,
        np.where(hidden, 0.0, 1.0),
        np.where(hidden, -np.inf, 0.0),
        np.where(hidden, -1e9, 0.0),
    ]


def _places(tokens: int) -> list[int]:
    """A few places of a sequence: the last ones are hidden by padding, and by what is causal."""
    return sorted({0, tokens // 2, tokens - 2, tokens - 1} & set(range(tokens)))


def _moved(inputs: Array, place: int) -> Array:
    moved = np.array(inputs)
    if inputs.dtype.kind == "f":
        moved[:, place] = -0.7 * moved[:, place] + 0.3
    else:
        moved[:, place] = np.where(moved[:, place] > 0, moved[:, place] - 1, 1)
    return moved


def _shown(options: Wanted) -> str:
    return ", ".join(
        f"{name}={value}" if isinstance(value, bool) else f"{name} {_form(value)}"
        for name, value in options.items()
    )


def _form(array: Array) -> str:
    first_is_seen = bool(array.flat[0] == 1)  # the first key is hidden from nobody
    if array.dtype == bool:
        return f"{array.shape}, True where a key is {'seen' if first_is_seen else 'hidden'}"
    return f"{array.shape}, {'1 where a key is seen' if first_is_seen else 'added to the scores'}"
