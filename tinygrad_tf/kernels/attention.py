"""Attention in float32, tile by tile, so that no (T, S) matrix of a long context is ever whole.

A tile is a few heads, or some rows of one head, whose scores fit into the cache. Three savings over
the page in `ops/attention.py`: a causal tile skips the keys it may not see; the context's rows are
divided by the softmax's total instead of the scores; and the average that softmax's backward
subtracts, sum(dprobs * probs), is taken as sum(dout * context), which is the same number (Dao et
al. 2022, arXiv:2205.14135, appendix B.2). The exponentials are kept for the backward while they are
few, and computed again when they are many.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tinygrad_tf.buffers import empty
from tinygrad_tf.graph import Array, Backward

TILE = 1 << 20  # bytes of scores in a tile
KEPT = 1 << 24  # bytes of exponentials that are kept instead of computed again


class Tile(NamedTuple):
    """Which queries: sequences, heads, rows; and which keys, from the first on."""

    sequences: slice
    heads: slice
    rows: slice
    keys: slice

    @property
    def queries(self) -> tuple[slice, ...]:
        """The index of the tile in arrays over queries."""
        return self.sequences, self.heads, self.rows

    @property
    def seen(self) -> tuple[slice, ...]:
        """The index of the tile in arrays over keys."""
        return self.sequences, self.heads, self.keys


def scaled_dot_product_attention(
    q: Array,
    k: Array,
    v: Array,
    mask: Array | None = None,
    *,
    is_causal: bool = False,
    scale: float | None = None,
    dropout_p: float = 0.0,
    generator: np.random.Generator | None = None,
) -> tuple[Array, Backward] | Any:
    """See `ops/attention.py`. NotImplemented for masks, dropout and unusual shapes."""
    if mask is not None or dropout_p or not _covers(q, k, v):
        return NotImplemented
    scale = 1.0 / math.sqrt(q.shape[-1]) if scale is None else scale
    q = np.multiply(q, scale, out=empty(q.shape, q.dtype))
    tiles = list(_tiles(q.shape, k.shape[2], is_causal))
    whole_rows = slice(0, q.shape[2])
    keep = math.prod(q.shape[:3]) * k.shape[2] * q.itemsize <= KEPT
    context = _tokens_first((*q.shape[:3], v.shape[3]), q.dtype)
    log_totals = np.empty((*q.shape[:3], 0 if keep else 1), q.dtype)
    kept: list[tuple[Array, Array]] = []  # the exponentials of each tile, and their totals
    for tile in tiles:
        scores = _scores(q, k, tile, is_causal)
        peak = np.maximum.reduce(scores, axis=-1, keepdims=True)
        scores -= peak
        exponential = np.exp(scores, out=scores)
        total = np.add.reduce(exponential, axis=-1, keepdims=True)
        part = np.matmul(exponential, v[tile.seen], out=context[tile.queries])
        part /= total
        if keep:
            kept.append((exponential, total))
        else:
            log_totals[tile.queries] = peak + np.log(total)

    def backward(dout: Array) -> tuple[Array | None, ...]:
        dq, dk, dv = (_tokens_first(a.shape, a.dtype) for a in (q, k, v))
        whole = all(tile.keys.stop == k.shape[2] for tile in tiles) and tiles[0].rows == whole_rows
        if not whole:  # several tiles add to the same keys, or none does
            dk[...] = dv[...] = 0
        for i, tile in enumerate(tiles):
            dcontext = dout[tile.queries]
            if kept:
                probs, total = kept[i]
                dcontext = dcontext / total
            else:
                probs = _scores(q, k, tile, is_causal)
                probs -= log_totals[tile.queries]
                np.exp(probs, out=probs)
            average = np.vecdot(dcontext, context[tile.queries])
            v_tile = v[tile.seen].swapaxes(-1, -2)
            dscores = np.matmul(dcontext, v_tile, out=empty(probs.shape, probs.dtype))
            dscores -= average[..., None]
            dscores *= probs
            np.matmul(dscores, k[tile.seen], out=dq[tile.queries])
            _add_product(dk[tile.seen], dscores.swapaxes(-1, -2), q[tile.queries], whole)
            _add_product(dv[tile.seen], probs.swapaxes(-1, -2), dcontext, whole)
        dq *= scale
        return dq, dk, dv, None

    return context, backward


def _covers(q: Array, k: Array, v: Array) -> bool:
    """Whether they are (B, H, T, K), (B, H, S, K), (B, H, S, Kv) of one dtype, and none empty."""
    if not q.ndim == k.ndim == v.ndim == 4 or not q.dtype == k.dtype == v.dtype:
        return False
    if not q.shape[:2] == k.shape[:2] == v.shape[:2] or q.shape[3] != k.shape[3]:
        return False
    return k.shape[2] == v.shape[2] and q.size > 0 and 0 not in k.shape


def _tiles(shape: tuple[int, ...], keys: int, is_causal: bool) -> Iterator[Tile]:
    """Cut the queries (B, H, T, K) so that the scores of each tile take about TILE bytes."""
    B, H, T, _ = shape
    if 4 * B * H * T * keys <= TILE:
        everything = slice(None)
        seen = min(T, keys) if is_causal else keys
        yield Tile(everything, everything, slice(0, T), slice(0, seen))
        return
    rows = min(T, max(TILE // (4 * keys), 64))
    heads = min(H, max(TILE // (4 * keys * rows), 1)) if rows == T else 1
    sequences = min(B, max(TILE // (4 * keys * rows * heads), 1)) if heads == H else 1
    for b in range(0, B, sequences):
        for h in range(0, H, heads):
            for t in range(0, T, rows):
                end = min(t + rows, T)
                seen = min(end, keys) if is_causal else keys
                yield Tile(
                    slice(b, min(b + sequences, B)), slice(h, min(h + heads, H)), slice(t, end),
                    slice(0, seen),
                )  # fmt: skip


def _scores(q: Array, k: Array, tile: Tile, is_causal: bool) -> Array:
    """The scores of a tile; the queries are scaled already. Beyond the diagonal they are -inf."""
    queries, keys = q[tile.queries], k[tile.seen]
    shape = (*queries.shape[:3], keys.shape[2])
    scores = np.matmul(queries, keys.swapaxes(-1, -2), out=empty(shape, q.dtype))
    if is_causal:
        first, last = tile.rows.start, tile.keys.stop  # keys before `first` are seen by all rows
        future = np.tri(tile.rows.stop - first, max(last - first, 0), dtype=bool)
        np.copyto(scores[..., first:], -np.inf, where=~future)
    return scores


def _tokens_first(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """An array (B, H, T, K) that lies in memory as (B, T, H, K): to merge its heads is no copy."""
    B, H, T, K = shape
    return empty((B, T, H, K), dtype).swapaxes(1, 2)


def _add_product(total: Array, x: Array, y: Array, replace: bool) -> None:
    """total += x @ y, or total = x @ y."""
    if replace:
        np.matmul(x, y, out=total)
    else:
        total += x @ y
