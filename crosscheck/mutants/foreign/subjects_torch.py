"""The examples in PyTorch as subjects."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from crosscheck.mutants.foreign.subject import Sizes, Subject, allowed, called_with

IN_PROJECTION = "self_attn.in_proj_"
KINDS = ("weight", "bias")
LINEAR = ("self_attn.out_proj", "linear1", "linear2")
NORMS = ("norm1", "norm2")


def _renamed(mine: tuple[str, ...], theirs: tuple[str, ...]) -> dict[str, str]:
    """Modules that have the reference's layout, under other names."""
    return {
        f"{a}.{kind}": f"{b}.{kind}" for a, b in zip(mine, theirs, strict=True) for kind in KINDS
    }


def _split(*mine: str) -> dict[str, str]:
    """The in-projection as three linear layers of these names."""
    return {
        f"{name}.{kind}": f"{IN_PROJECTION}{kind}[{letter}]"
        for name, letter in zip(mine, "qkv", strict=True)
        for kind in KINDS
    }


def _gpt(sizes: Sizes) -> dict[str, str]:
    packed = {f"attn.c_attn.{kind}": f"{IN_PROJECTION}{kind}" for kind in KINDS}
    return packed | _renamed(
        ("attn.c_proj", "mlp.c_fc", "mlp.c_proj", "ln_1", "ln_2"), LINEAR + NORMS
    )


def _bert(sizes: Sizes) -> dict[str, str]:
    linear = ("attention_output.dense", "intermediate.dense", "output.dense")
    norms = ("attention_output.LayerNorm", "output.LayerNorm")
    return _split("self.query", "self.key", "self.value") | _renamed(linear + norms, LINEAR + NORMS)


def _annotated(sizes: Sizes) -> dict[str, str]:
    lins = [f"self_attn.linears.{i}" for i in range(4)]
    names = _split(*lins[:3])
    names |= _renamed((lins[3], "feed_forward.w_1", "feed_forward.w_2"), LINEAR)
    for i, norm in enumerate(NORMS):
        own = f"sublayer.{i}.norm"
        names |= {f"{own}.a_2": f"{norm}.weight", f"{own}.b_2": f"{norm}.bias"}
    return names


def _einsum(sizes: Sizes) -> dict[str, str]:
    C, H, K = sizes.C, sizes.H, sizes.K
    names = _renamed(("norm_attn", "norm_ff"), NORMS)
    for letter in "qkv":
        weight, bias = (f"{IN_PROJECTION}{kind}[{letter}]" for kind in KINDS)
        names[f"attn.w_{letter}"] = f"{weight}.reshape({H}, {K}, {C}).permute(0, 2, 1)"
        names[f"attn.b_{letter}"] = f"{bias}.reshape({H}, {K})"
    return names | {
        "attn.w_o": f"self_attn.out_proj.weight.T.reshape({H}, {K}, {C})",
        "attn.b_o": "self_attn.out_proj.bias",
        "ff.w_in": "linear1.weight.T",
        "ff.b_in": "linear1.bias",
        "ff.w_out": "linear2.weight.T",
        "ff.b_out": "linear2.bias",
    }


def _functions(sizes: Sizes) -> dict[str, str]:
    names: dict[str, str] = {}
    for mine, theirs in zip(("o", "up", "down"), LINEAR, strict=True):
        names |= {f"w_{mine}": f"{theirs}.weight", f"b_{mine}": f"{theirs}.bias"}
    for letter in "qkv":
        names[f"w_{letter}"] = f"{IN_PROJECTION}weight[{letter}]"
        names[f"b_{letter}"] = f"{IN_PROJECTION}bias[{letter}]"
    for i, norm in enumerate(NORMS, 1):
        names |= {f"gamma{i}": f"{norm}.weight", f"beta{i}": f"{norm}.bias"}
    return names


def _gpt_block(module: ModuleType, sizes: Sizes, causal: bool) -> Any:
    config = module.GPTConfig(block_size=sizes.T, n_head=sizes.H, n_embd=sizes.C)
    return module.Block(config)


def _masked(
    make: Callable[[ModuleType, Sizes], Any], options: Callable[[Sizes], dict[str, Any]]
) -> Callable[[ModuleType, Sizes, bool], Any]:
    """A block that becomes causal by options of its forward."""

    def build(module: ModuleType, sizes: Sizes, causal: bool) -> Any:
        block = make(module, sizes)
        return called_with(block, **options(sizes)) if causal else block

    return build


SUBJECTS = (
    Subject(
        "torch_gpt.py",
        _gpt_block,
        _gpt,
        norm_first=True,
        activation="gelu-tanh",
        masks=(True,),
        four_to_one=True,
    ),
    Subject(
        "torch_bert.py",
        _masked(
            lambda module, s: module.BertLayer(s.C, s.H, s.F),
            lambda s: {"attention_mask": allowed(s.T)[None, None].float()},
        ),
        _bert,
        activation="gelu",
    ),
    Subject(
        "torch_annotated.py",
        _masked(
            lambda module, s: module.EncoderLayer(s.C, s.H, s.F),
            lambda s: {"mask": allowed(s.T)[None]},
        ),
        _annotated,
        norm_first=True,
    ),
    Subject(
        "torch_einsum.py",
        _masked(
            lambda module, s: module.EinsumBlock(s.C, s.H, s.F),
            lambda s: {"causal": True},
        ),
        _einsum,
        activation="gelu",
    ),
    Subject(
        "torch_functions.py",
        lambda module, s, causal: module.FunctionBlock(s.C, s.H, s.F),
        _functions,
        activation="gelu",
        masks=(False,),
    ),
)
