"""The example in JAX as a subject. Only whoever builds it needs JAX."""

from __future__ import annotations

import functools
import os
from types import ModuleType
from typing import Any

from crosscheck.mutants.foreign.bug import EXAMPLES, module_of
from crosscheck.mutants.foreign.jax import FILE
from crosscheck.mutants.foreign.subject import Sizes, Subject

ADAPTER = "jax_adapter.py"
# Each planted bug is a new function to JAX, and is compiled anew: so, four times as quickly.
QUICK = "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"


@functools.cache
def adapter() -> ModuleType:
    """Return the adapter beside the block. Before JAX first computes, have it compile quickly."""
    os.environ.setdefault("XLA_FLAGS", QUICK)
    return module_of((EXAMPLES / ADAPTER).read_text("utf-8"), ADAPTER)


def _block(module: ModuleType, sizes: Sizes, causal: bool) -> Any:
    jax_model = adapter().JaxModel  # first: JAX reads its flags when it first computes
    params = module.init(0, sizes.C, sizes.H, sizes.F)
    return jax_model(functools.partial(module.block, causal=causal), params)


def _weights(sizes: Sizes) -> dict[str, str]:
    C, H, K = sizes.C, sizes.H, sizes.K
    names = {
        "wo": f"self_attn.out_proj.weight.T.reshape({H}, {K}, {C})",
        "bo": "self_attn.out_proj.bias",
    }
    for letter in "qkv":
        names[f"w{letter}"] = f"self_attn.in_proj_weight[{letter}].T.reshape({C}, {H}, {K})"
        names[f"b{letter}"] = f"self_attn.in_proj_bias[{letter}].reshape({H}, {K})"
    for i in (1, 2):
        names |= {f"w{i}": f"linear{i}.weight.T", f"b{i}": f"linear{i}.bias"}
        names |= {f"g{i}": f"norm{i}.weight", f"s{i}": f"norm{i}.bias"}
    return names


SUBJECTS = (
    Subject(
        FILE,
        _block,
        _weights,
        norm_first=True,
        activation="gelu",
        # JAX compiles each op anew for each shape, which takes it seconds for a block.
        sizes=(Sizes(), Sizes(B=1, T=1, C=4, H=4, F=4)),
    ),
)
