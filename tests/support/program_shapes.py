"""Random programs: which shapes an op takes, and which options go with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import numpy as np
from hypothesis import strategies as st

Shape = tuple[int, ...]
Options = dict[str, st.SearchStrategy[Any]]


def broadcast(*shapes: Shape) -> bool:
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        return False
    return True


def stretches_to(x: Shape, y: Shape) -> bool:
    """Whether y broadcasts to x, which keeps its shape."""
    return broadcast(x, y) and np.broadcast_shapes(x, y) == x


def multiplies(x: Shape, y: Shape) -> bool:
    inner = min(len(x), len(y)) > 0 and x[-1] == y[-2 if len(y) > 1 else 0]
    return inner and broadcast(x[:-2], y[:-2])


def attends(q: Shape, k: Shape, v: Shape) -> bool:
    ranks = len(q) == len(k) == len(v) > 1 and 0 not in q[-2:] + k[-2:] + v[-2:]
    return ranks and q[:-2] == k[:-2] == v[:-2] and q[-1] == k[-1] and k[-2] == v[-2]


def affine(x: Shape, weight: Shape, bias: Shape) -> bool:
    return len(x) > 0 and x[-1] > 0 and weight == bias == x[-1:]


def projects(x: Shape, weight: Shape, bias: Shape) -> bool:
    return len(x) > 0 and len(weight) == 2 and weight[1] == x[-1] and bias == weight[:1]


def same(x: Shape, y: Shape) -> bool:
    return x == y


def joins(x: Shape, y: Shape) -> bool:
    return len(x) == len(y) > 0 and x[1:] == y[1:]


def joins_last(x: Shape, y: Shape) -> bool:
    return len(x) == len(y) > 0 and x[:-1] == y[:-1]


def has_axes(x: Shape) -> bool:
    return len(x) > 0


def is_matrix(x: Shape) -> bool:
    return len(x) > 1


def is_full(x: Shape) -> bool:
    return len(x) > 0 and 0 not in x


def is_table(x: Shape) -> bool:
    return len(x) == 2 and 0 not in x


def is_full_matrix(x: Shape) -> bool:
    return len(x) > 1 and 0 not in x


def choice(**choices: Any) -> Callable[..., Options]:
    return lambda *shapes: {name: st.sampled_from(values) for name, values in choices.items()}


def one_axis(*shapes: Shape) -> Options:
    return {"dim": st.integers(-len(shapes[0]), len(shapes[0]) - 1)}


def two_axes(x: Shape) -> Options:
    return {"dim0": one_axis(x)["dim"], "dim1": one_axis(x)["dim"]}


def axes(x: Shape) -> Iterator[Any]:
    """Each way to name one axis, and each pair."""
    yield from range(-len(x), len(x))
    yield from ((i, j - len(x)) for i, j in combinations(range(len(x)), 2))


def permutation(x: Shape) -> Options:
    return {"dims": st.permutations(range(len(x)))}


def new_axis(x: Shape, y: Shape) -> Options:
    return {"dim": st.integers(-len(x) - 1, len(x))}


def reduction(x: Shape) -> Options:
    return {"dim": st.sampled_from([*axes(x)]), "keepdim": st.booleans()}


def full_reduction(x: Shape) -> Options:
    return {"dim": st.sampled_from([*axes(x), None]), "keepdim": st.booleans()}


def variance(x: Shape) -> Options:
    """Unbiased where there are two values at least, whatever the axis."""
    return {**full_reduction(x), "correction": st.integers(0, min(x) > 1)}


def index(x: Shape) -> Options:
    """Slices, an integer, new axes, an ellipsis, and rows that are picked twice."""
    choices = [slice(1, None), slice(None, None, 2), (None, slice(0, 1)), (..., slice(0, -1))]
    if x[0] > 0:
        choices += [-1, [0, x[0] - 1, 0], (slice(None), None), ([0, 0], None)]
    return {"index": st.sampled_from(choices)}


def sizes(x: Shape) -> Options:
    """Axes of size 1 stretched to 3, with and without another axis in front."""
    stretched = tuple(3 if size == 1 else -1 for size in x)
    return {"sizes": st.sampled_from([stretched, (2, *stretched)])}


def pieces(x: Shape) -> Options:
    first = x[0] // 2
    return {"sizes": st.sampled_from([2, (first, x[0] - first)]), "piece": st.integers(-1, 0)}
