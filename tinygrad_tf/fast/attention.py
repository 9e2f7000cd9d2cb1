"""Attention in float32, tile by tile, so that a long context never needs all its scores at once.

A tile is a few heads, or some rows of one head, whose scores fit into the cache. Two more things
make this form faster than the page `ops/attention.py`:

* A causal tile skips the keys that none of its queries may see.
* The scores lie in memory with the keys as their first axis. So each step of the softmax works on
  long lines of queries.

The backward of softmax subtracts an average, sum(dprobs * probs). It is not computed as
sum(dout * context), the same number (Dao et al. 2022, arXiv:2205.14135, appendix B.2): that saves
nothing here, and where softmax picks a single key, the difference would be rounding and not zero.

Each call keeps its probabilities for the backward, up to KEPT bytes, and computes the others again.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from tinygrad_tf.fast.buffers import empty, like
from tinygrad_tf.fast.threads import each
from tinygrad_tf.fast.vectors import constant, filled
from tinygrad_tf.graph import Array, Backward
from tinygrad_tf.machinery.contract import Fresh

TILE = 1 << 20  # bytes of scores in a tile
KEPT = 3 << 23  # bytes of probabilities that one call keeps

Index = tuple[slice, slice, slice]  # sequences, heads, and rows or keys


class Tile(NamedTuple):
    """A piece of the work: some queries, and the keys that they may see."""

    queries: Index  # where the tile is in q, dq, context and dout
    keys: Index  # where its keys are in k, v, dk and dv
    first: int  # all its queries see the keys before this one
    future: Array | None  # (keys from first on, rows): True where a row may not see a key


class Group(NamedTuple):
    """The tiles of the same heads. One thread computes them, since they add to the same dk, dv."""

    tiles: tuple[Tile, ...]
    keep: bool  # whether the backward gets their probabilities, or computes them again


def scaled_dot_product_attention(
    q: Array,
    k: Array,
    v: Array,
    mask: Array | None = None,
    *,
    is_causal: bool = False,
    scale: float | None = None,
    dropout_p: float = 0.0,
    **_: Any,
) -> tuple[Array, Backward] | Any:
    """See `ops/attention.py`. Return NotImplemented for masks, dropout and unusual shapes."""
    if mask is not None or dropout_p or not _covers(q, k, v):
        return NotImplemented
    context, backward_into = attend(q, k, v, is_causal, scale)

    def backward(dout: Array) -> Fresh:
        dq, dk, dv = (tokens_first(a.shape, a.dtype) for a in (q, k, v))
        backward_into(dout, dq, dk, dv)
        return Fresh((dq, dk, dv, None))

    return context, backward


def attend(
    q: Array, k: Array, v: Array, is_causal: bool, scale: float | None = None
) -> tuple[Array, Callable[[Array, Array, Array, Array], None]]:
    """Return the context and a function, backward_into(dout, dq, dk, dv), that writes gradients."""
    factor = _factor(q.shape[3], scale)
    q = np.multiply(q, factor, like(q))
    groups = _groups(q.shape[:3], k.shape[2], is_causal, TILE, KEPT)
    context = tokens_first((*q.shape[:3], v.shape[3]), q.dtype)

    def forward(group: Group) -> list[Array]:
        return [_forward(q, k, v, context, tile, group.keep) for tile in group.tiles]

    # For each tile, what _forward returns.
    kept = each(forward, groups)

    def backward_into(dout: Array, dq: Array, dk: Array, dv: Array) -> None:
        tiles = groups[0].tiles
        whole = len(tiles) == 1 and tiles[0].keys[2].stop == k.shape[2]
        if not whole:  # several tiles add to some keys, or no tile does
            dk[...] = dv[...] = 0

        def backward(group: Group, kept_of_group: list[Array]) -> None:
            for tile, kept_of_tile in zip(group.tiles, kept_of_group, strict=True):
                probs = kept_of_tile if group.keep else _again(_scores(q, k, tile), kept_of_tile)
                dcontext = dout[tile.queries]
                dscores = _keys_first(probs.shape, q.dtype)
                np.matmul(v[tile.keys], dcontext.swapaxes(2, 3), dscores)
                lines = _lines(dscores)
                weights = _lines(probs)
                lines -= np.einsum("sn,sn->n", lines, weights)
                lines *= weights
                np.matmul(dscores.swapaxes(2, 3), k[tile.keys], dq[tile.queries])
                _add_product(dk[tile.keys], dscores, q[tile.queries], whole)
                _add_product(dv[tile.keys], probs, dcontext, whole)

        each(backward, groups, kept)
        dq *= factor

    return context, backward_into


def _forward(q: Array, k: Array, v: Array, context: Array, tile: Tile, keep: bool) -> Array:
    """Fill a tile of the context. Return its probabilities or, if not kept, logs for `_again`."""
    probs = _scores(q, k, tile)
    lines = _lines(probs)
    peak = np.maximum.reduce(lines, 0)
    lines -= peak
    np.exp(lines, lines)
    total = filled(len(lines), 1.0).dot(lines)
    lines /= total
    np.matmul(probs.swapaxes(2, 3), v[tile.keys], context[tile.queries])
    return probs if keep else peak + np.log(total)  # log(sum(exp(scores))) of each query


def _again(scores: Array, logs: Array) -> Array:
    """Turn the scores of a tile into its probabilities, in place."""
    lines = _lines(scores)
    lines -= logs
    np.exp(lines, lines)
    lines /= filled(len(lines), 1.0).dot(lines)  # large logs have lost digits
    return scores


def _covers(q: Array, k: Array, v: Array) -> bool:
    """Return whether q, k and v have one dtype, fit together, and are not empty.

    q (B, H, T, K), k (B, H, S, K), v (B, H, S, Kv).
    """
    if not q.ndim == k.ndim == v.ndim == 4 or not q.dtype == k.dtype == v.dtype:
        return False
    B, H, S, K = k.shape
    fit = q.shape[:2] == (B, H) and q.shape[3] == K and v.shape[:3] == (B, H, S)
    return fit and q.size > 0 and k.size > 0


@functools.lru_cache(maxsize=64)
def _factor(head_size: int, scale: float | None) -> Array:
    """Return what the scores are multiplied by."""
    return constant(1.0 / math.sqrt(head_size) if scale is None else scale)


@functools.lru_cache(maxsize=8)
def _groups(
    queries: tuple[int, int, int], keys: int, is_causal: bool, size: int, room: int
) -> tuple[Group, ...]:
    """Cut the queries (B, H, T) into tiles, whose scores take about `size` bytes each.

    The first groups keep their probabilities, about `room` bytes together.
    """
    B, H, T = queries
    total = 4 * B * H * T * keys
    if total <= size:
        sequences, heads, rows = B, H, T
    else:
        rows = min(T, max(size // (4 * keys), 64))
        heads = min(H, max(size // (4 * keys * rows), 1)) if rows == T else 1
        sequences = min(B, max(size // (4 * keys * rows * heads), 1)) if heads == H else 1
    places = [(b, h) for b in _cut(B, sequences) for h in _cut(H, heads)]
    few = room * len(places) // total
    return tuple(
        Group(tuple(_tile(b, h, t, keys, is_causal) for t in _cut(T, rows)), i < few)
        for i, (b, h) in enumerate(places)
    )


def _cut(total: int, size: int) -> Iterator[slice]:
    """Cut range(total) into slices of this size; the last may be shorter."""
    return (slice(start, min(start + size, total)) for start in range(0, total, size))


def _tile(sequences: slice, heads: slice, rows: slice, keys: int, is_causal: bool) -> Tile:
    seen, first, future = keys, 0, None
    if is_causal:
        seen, first = min(rows.stop, keys), rows.start  # all rows see the keys before first
        future = np.tri(max(seen - first, 0), rows.stop - first, -1, dtype=bool)
    return Tile((sequences, heads, rows), (sequences, heads, slice(0, seen)), first, future)


def _scores(q: Array, k: Array, tile: Tile) -> Array:
    """Return the scores (b, h, s, t) of a tile, -inf for the future. q is already scaled."""
    queries, keys = q[tile.queries], k[tile.keys]
    scores = _keys_first((*keys.shape[:3], queries.shape[2]), q.dtype)
    np.matmul(keys, queries.swapaxes(2, 3), scores)
    if tile.future is not None:
        np.copyto(scores[:, :, tile.first :], -np.inf, where=tile.future)
    return scores


def _keys_first(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return an uninitialised array (b, h, s, t) that lies in memory as (s, b, h, t)."""
    b, h, s, t = shape
    return empty((s, b, h, t), dtype).transpose(1, 2, 0, 3)


def _lines(scores: Array) -> Array:
    """View an array (b, h, s, t) of `_keys_first` as it lies in memory: (s, b * h * t)."""
    return scores.transpose(2, 0, 1, 3).reshape(scores.shape[2], -1)


def tokens_first(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return an uninitialised array (B, H, T, K) that lies in memory as (B, T, H, K).

    So merging its heads needs no copy.
    """
    B, H, T, K = shape
    return empty((B, T, H, K), dtype).swapaxes(1, 2)


def _add_product(total: Array, x: Array, y: Array, replace: bool) -> None:
    """Add x @ y to total, or write it there."""
    if replace:
        np.matmul(x, y, total)
    else:
        total += x @ y
