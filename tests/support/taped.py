"""What the tests of findings share: an exp that may be wrong, in the midst of a model."""

from __future__ import annotations

from typing import Any

import numpy as np

from crosscheck import Finding, Localisation
from tinygrad_tf import differentiable


def exp_with(wrong: Any) -> Any:
    """An exp whose out and dx are what `wrong(x, out, dout)` makes of them; dout is None first."""

    @differentiable
    def exp(x: Any) -> Any:
        out = wrong(x, np.exp(x), None)

        def backward(dout: Any) -> Any:
            return (wrong(x, out, dout),)

        return out, backward

    return exp


def honest(x: Any, out: Any, dout: Any) -> Any:
    return out if dout is None else dout * out


def wrong_slope(x: Any, out: Any, dout: Any) -> Any:
    return out if dout is None else 1.5 * dout * out


def wrong_output(x: Any, out: Any, dout: Any) -> Any:
    if dout is not None:
        return dout * out
    bent = out.copy()
    bent[1, 2, 3] += 0.25
    return bent


def around(op: Any) -> Any:
    """The forward of a model in the midst of which exp stands."""
    return lambda e, self, x: ((x * self.w).sin() + op(x * self.v)).tanh() * self.w


def pair(on_both_sides: Any, rule: Any) -> Any:
    return on_both_sides(around(lambda x: x.exp()), around(rule), w=(6,), v=(5, 1))


def only(where: Localisation) -> Finding:
    assert len(where.findings) == 1, str(where)
    assert where.first is where.findings[0]
    return where.findings[0]
