"""The examples in NumPy, by hand and on a tensor engine, as subjects."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

from crosscheck.brought import as_model
from crosscheck.mutants.foreign.engine import ENGINE
from crosscheck.mutants.foreign.numpy_caches import CACHES
from crosscheck.mutants.foreign.numpy_flat import FLAT
from crosscheck.mutants.foreign.numpy_layers import LAYERS
from crosscheck.mutants.foreign.subject import Sizes, Subject

IN_PROJECTION = {"w": "self_attn.in_proj_weight", "b": "self_attn.in_proj_bias"}
LINEAR = {"o": "self_attn.out_proj", "1": "linear1", "2": "linear2"}


def _by_letters(sizes: Sizes) -> dict[str, str]:
    """Weights (in, out) under the names wq, bq and so on, w1, b1, w2, b2."""
    names = {f"w{letter}": f"{IN_PROJECTION['w']}[{letter}].T" for letter in "qkv"}
    names |= {f"b{letter}": f"{IN_PROJECTION['b']}[{letter}]" for letter in "qkv"}
    for mine, theirs in LINEAR.items():
        names |= {f"w{mine}": f"{theirs}.weight.T", f"b{mine}": f"{theirs}.bias"}
    return names


def _norms(gain: str, bias: str) -> dict[str, str]:
    """The weights of both norms; {} in a name stands for its number."""
    return {
        name.format(i): f"norm{i}.{theirs}"
        for i in (1, 2)
        for name, theirs in ((gain, "weight"), (bias, "bias"))
    }


def _of_layers(sizes: Sizes) -> dict[str, str]:
    parts = {"query": "q", "key": "k", "value": "v"}
    names = {
        f"attention.{mine}.{kind}": text
        for mine, letter in parts.items()
        for kind, text in (
            ("W", f"{IN_PROJECTION['w']}[{letter}].T"),
            ("b", f"{IN_PROJECTION['b']}[{letter}]"),
        )
    }
    for mine, theirs in zip(("attention.out", "up", "down"), LINEAR.values(), strict=True):
        names |= {f"{mine}.W": f"{theirs}.weight.T", f"{mine}.b": f"{theirs}.bias"}
    return names | _norms("norm{}.gamma", "norm{}.beta")


def _by_heads(sizes: Sizes) -> dict[str, str]:
    C, H, K = sizes.C, sizes.H, sizes.K
    names = _by_letters(sizes) | _norms("g{}", "s{}")
    for letter in "qkv":
        weight, bias = (f"{name}[{letter}]" for name in IN_PROJECTION.values())
        names[f"w{letter}"] = f"{weight}.reshape({H}, {K}, {C}).permute(0, 2, 1)"
        names[f"b{letter}"] = f"{bias}.reshape({H}, {K})"
    names["wo"] = f"self_attn.out_proj.weight.T.reshape({H}, {K}, {C})"
    return names


def _caches(module: ModuleType, sizes: Sizes, causal: bool) -> Any:
    params = module.init_params(sizes.C, sizes.H, sizes.F)
    return as_model((module.forward, module.backward), parameters=params)


def _flat(module: ModuleType, sizes: Sizes, causal: bool) -> Any:
    weights = module.init_weights(sizes.C, sizes.H, sizes.F)
    return as_model(functools.partial(module.block, causal=causal), parameters=weights)


def _block(module: ModuleType, sizes: Sizes, causal: bool) -> Any:
    return as_model(module.Block(sizes.C, sizes.H, sizes.F, causal))


SUBJECTS = (
    Subject(
        CACHES,
        _caches,
        lambda sizes: _by_letters(sizes) | _norms("ln{}_g", "ln{}_b"),
        norm_first=True,
        activation="gelu-tanh",
        masks=(True,),
    ),
    Subject(LAYERS, _block, _of_layers, masks=(True, False)),
    Subject(FLAT, _flat, _by_heads, activation="gelu", masks=(True, False)),
    Subject(
        ENGINE,
        _block,
        lambda sizes: _by_letters(sizes) | _norms("gain{}", "shift{}"),
        norm_first=True,
    ),
)
