"""The block in JAX is PyTorch's layer, and the adapter shows which lines made what.

JAX is an extra. Where CROSSCHECK_REQUIRE_JAX is 1, its absence is a failure and no skip.
"""

from __future__ import annotations

import functools
import os
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import torch
from crosscheck import ForeignModel, randomize
from crosscheck.mutants.foreign.bug import EXAMPLES, module_of
from crosscheck.mutants.foreign.subjects_jax import adapter
from crosscheck.runs import COTANGENT, Batch
from crosscheck.traces import trace_run
from crosscheck.traces.trace import Trace

if os.environ.get("CROSSCHECK_REQUIRE_JAX") != "1":
    pytest.importorskip("jax")

C, H, F = 12, 3, 20
K = C // H
RNG = np.random.default_rng(0)
X, DOUT = RNG.standard_normal((2, 2, 5, C))
NORM = {"gain": np.float32(RNG.standard_normal(C)), "shift": np.float32(RNG.standard_normal(C))}

CALLER = """
import jax
import jax.numpy as jnp

def centre(x):
    return x - jnp.mean(x, axis=-1, keepdims=True)

def half(params, x, scale=1.0):
    y = layer_norm(x, params["gain"], params["shift"])
    kept = jax.lax.stop_gradient(y)
    @jax.jit
    def inner(z):
        return centre(z) * scale
    return inner(y) + kept

def of_tokens(params, tokens):
    return params["table"][tokens] * params["scale"]
"""


def block() -> ModuleType:
    return module_of((EXAMPLES / "jax_block.py").read_text("utf-8"), "jax_block.py")


@pytest.fixture(scope="module")
def half() -> Any:
    """A few lines that call each other, and the layer norm with a gradient by hand."""
    source = (EXAMPLES / "jax_block.py").read_text("utf-8")
    model = adapter().JaxModel(module_of(source + CALLER, "jax_block.py").half, dict(NORM))
    return model, (source + CALLER).splitlines()


def test_the_block_is_pytorchs_layer() -> None:
    """Compiled as one, which is the quickest. It is causal, since the mask is part of it."""
    import jax

    layer = torch.nn.TransformerEncoderLayer(
        C, H, F, 0.0, "gelu", batch_first=True, norm_first=True
    )
    randomize(layer)
    layer.double()
    x = torch.tensor(X, requires_grad=True)
    hidden = torch.ones(5, 5).triu(1) > 0
    expected = layer(x, src_mask=hidden)
    expected.backward(torch.tensor(DOUT))

    def own_names(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        own = {
            "wo": values["self_attn.out_proj.weight"].T.reshape(H, K, C),
            "bo": values["self_attn.out_proj.bias"],
        }
        for i, letter in enumerate("qkv"):
            own[f"w{letter}"] = np.split(values["self_attn.in_proj_weight"], 3)[i].T.reshape(
                C, H, K
            )
            own[f"b{letter}"] = np.split(values["self_attn.in_proj_bias"], 3)[i].reshape(H, K)
        for i in (1, 2):
            own |= {f"w{i}": values[f"linear{i}.weight"].T, f"b{i}": values[f"linear{i}.bias"]}
            own |= {f"g{i}": values[f"norm{i}.weight"], f"s{i}": values[f"norm{i}.bias"]}
        return own

    parameters = own_names({n: p.detach().numpy() for n, p in layer.named_parameters()})
    adapter()
    causal = jax.jit(functools.partial(block().block, causal=True))
    out, pull = jax.vjp(causal, parameters, X)
    gradients, dx = pull(DOUT)
    assert_close(out, expected.detach().numpy())
    assert_close(dx, x.grad.numpy())
    wanted = own_names({n: p.grad.numpy() for n, p in layer.named_parameters()})
    assert set(wanted) == set(gradients)
    for name, gradient in wanted.items():
        assert_close(gradients[name], gradient)


def test_the_adapter_is_a_foreign_model_and_takes_weights(half: Any) -> None:
    model, _ = half
    assert isinstance(model, ForeignModel)
    assert list(model.state_dict()) == ["gain", "shift"]
    other = adapter().JaxModel(model.function, {"deep": [{"gain": NORM["gain"]}, NORM["shift"]]})
    assert list(other.state_dict()) == ["deep.0.gain", "deep.1"]
    other.load_state_dict({"deep.0.gain": np.ones(C), "deep.1": np.zeros(C)})
    assert other.state_dict()["deep.0.gain"].dtype == np.float32
    assert (other.state_dict()["deep.0.gain"] == 1).all()
    assert (NORM["gain"] != 1).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_adapter_computes_in_the_precision_that_is_asked_for(half: Any, dtype: str) -> None:
    out, back = half[0].linearize(X.astype(dtype), dtype, scale=2.0)
    gradients = back(DOUT.astype(dtype))
    assert {array.dtype for array in (out, *gradients.values())} == {np.dtype(dtype)}

    x, gain, shift = (
        torch.tensor(v, requires_grad=True) for v in (X, *map(np.float64, NORM.values()))
    )
    y = torch.nn.functional.layer_norm(x, (C,), gain, shift)
    expected = (y - y.mean(-1, keepdim=True)) * 2 + y.detach()
    expected.backward(torch.tensor(DOUT))
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    assert_close(out, expected.detach().numpy(), tolerance)
    for name, leaf in (("gain", gain), ("shift", shift), ("input", x)):
        assert_close(gradients[name], leaf.grad.numpy(), tolerance)


def test_the_trace_shows_lines_callers_and_what_each_was_given(half: Any) -> None:
    model, source = half
    before = sys.gettrace()
    trace = trace_run(model, Batch(X), loss=COTANGENT, seed=0)
    assert sys.gettrace() is before
    assert trace is not None
    records = trace.records

    def line(text: str) -> int:
        return next(i for i, one in enumerate(source, 1) if text in one)

    def made_by(text: str, backward: bool) -> list[Any]:
        return [
            r for r in records if r.place and r.place.line == line(text) and r.backward == backward
        ]

    (xhat,) = made_by("xhat = centered * inverse", backward=False)
    assert [caller.line for caller in xhat.callers] == [line("y = layer_norm(x")]
    assert [records[i].place.line for i in xhat.sources] == [
        line("centered = x - mean"), line("inverse = 1 / ")
    ]  # fmt: skip
    # The gradient by hand shows its own lines, and one of JAX's the line of its value.
    (dxhat,) = made_by("dxhat = dy * gain", backward=True)[1:]
    assert [caller.line for caller in dxhat.callers] == [line("y = layer_norm(x")]
    inside = made_by("return x - jnp.mean(x", backward=True)
    assert inside
    assert {tuple(c.line for c in r.callers) for r in inside} == {
        (line("return centre(z) * scale"), line("return inner(y) + kept"))
    }
    # Every line that ran is there, one that makes no array too.
    assert line("kept = jax.lax.stop_gradient(y)") in {place.line for place in trace.executed}
    assert set(trace.files) == {model.file}


def test_the_trace_holds_what_the_plain_run_returns(half: Any) -> None:
    model, _ = half
    trace = trace_run(model, Batch(X), loss=COTANGENT, seed=0)
    assert trace is not None
    assert trace.output is not None
    assert trace.dout is not None
    out, back = model.linearize(X, "float64")
    gradients = back(trace.array(trace.dout))
    np.testing.assert_allclose(trace.array(trace.output), out, rtol=1e-12, atol=1e-12)
    assert set(trace.given) == {"gain", "shift", "input"}
    for name, index in trace.given.items():
        (found,) = [record for record in trace.records if record.value == index]
        assert found.backward
        assert found.index > trace.dout > trace.output
        assert_close(trace.array(found.index), gradients[name])
    # A second run has the same records, and keeps only those that were asked for.
    again: Trace | None = trace_run(model, Batch(X), loss=COTANGENT, seed=0, wanted=[trace.output])
    assert again is not None
    assert again.records == trace.records
    assert set(again.arrays) == {trace.output}
    assert (trace.again([3])[3] == trace.array(3)).all()


def test_tokens_have_no_gradient_and_a_parameter_may_be_unused() -> None:
    function = module_of(CALLER, "jax_block.py").of_tokens
    params = {
        "scale": np.float32(2.0),
        "table": np.ones((3, 4), np.float32),
        "unused": np.float32(1),
    }
    trace = trace_run(
        adapter().JaxModel(function, params), Batch([[0, 2]]), loss=COTANGENT, seed=0
    )  # fmt: skip
    assert trace is not None
    assert set(trace.given) == set(params)
    arrived = {record.value: trace.array(record.index) for record in trace.records if record.value}
    dout = trace.array(trace.dout or 0)
    assert_close(
        arrived[trace.given["table"]], 2 * np.stack([dout[0, 0], 0 * dout[0, 0], dout[0, 1]])
    )
    assert trace.given["unused"] not in arrived


def assert_close(mine: Any, theirs: Any, tolerance: float = 1e-12) -> None:
    """Equal to this share of the largest entry, or of 1: some gradients are zero by rights."""
    assert mine.shape == theirs.shape
    assert np.abs(np.asarray(mine) - theirs).max() <= tolerance * max(1, np.abs(theirs).max())
