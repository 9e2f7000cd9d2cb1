"""Transformer blocks in PyTorch whose weights have the names and the layout of one style each.

Each style says in `plain` how PyTorch's own block would hold its weights; the forward is shared.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

C, H, K, HIDDEN = 12, 3, 4, 20


class Block(nn.Module):
    """A post-norm block with ReLU over the weights that `plain` gives."""

    bug = ""  # "scale", "keys and queries", "merged", "transposed": planted in the forward

    def plain(self) -> dict[str, Any]:
        """The weights by seat, in PyTorch's arrangement: (out, in), heads one after the other."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        w = self.plain()
        if self.bug == "keys and queries":
            w["q"], w["k"] = w["k"], w["q"]
        if self.bug == "transposed":
            w["out"] = (w["out"][0].T, w["out"][1])
        q, k, v = (
            F.linear(x, *w[part]).unflatten(-1, (H, K)).transpose(1, 2) for part in "qkv"
        )  # (B, H, T, K)
        scores = q @ k.mT / (K if self.bug == "scale" else K**0.5)
        context = (scores.softmax(-1) @ v).transpose(1, 2)
        context = (context.mT if self.bug == "merged" else context).flatten(-2)
        x = F.layer_norm(x + F.linear(context, *w["out"]), (C,), *w["norm1"])
        hidden = F.relu(F.linear(x, *w["fc1"]))
        return F.layer_norm(x + F.linear(hidden, *w["fc2"]), (C,), *w["norm2"])


def both(module: nn.Module) -> tuple[Any, Any]:
    return module.weight, module.bias


def thirds(weight: Tensor, bias: Tensor) -> dict[str, Any]:
    return dict(zip("qkv", zip(weight.chunk(3), bias.chunk(3), strict=True), strict=True))


def modules(**kinds: nn.Module) -> nn.Module:
    return nn.ModuleDict(kinds)


class Conv1D(nn.Module):
    """GPT-2's linear layer: (in, out)."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(channels, out)), bare(out)


def bare(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(shape))


class Nano(Block):
    linear: Any = nn.Linear

    def __init__(self) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(C), nn.LayerNorm(C)
        self.attn = modules(c_attn=self.linear(C, 3 * C), c_proj=self.linear(C, C))
        self.mlp = modules(c_fc=self.linear(C, HIDDEN), c_proj=self.linear(HIDDEN, C))

    def out_in(self, module: nn.Module) -> tuple[Any, Any]:
        return both(module)

    def plain(self) -> dict[str, Any]:
        return {
            **thirds(*self.out_in(self.attn["c_attn"])),
            "out": self.out_in(self.attn["c_proj"]),
            "fc1": self.out_in(self.mlp["c_fc"]),
            "fc2": self.out_in(self.mlp["c_proj"]),
            "norm1": both(self.ln_1),
            "norm2": both(self.ln_2),
        }


class GPT2(Nano):
    linear = Conv1D

    def out_in(self, module: nn.Module) -> tuple[Any, Any]:
        return module.weight.T, module.bias


class Bert(Block):
    def __init__(self) -> None:
        super().__init__()
        names = ("query", "key", "value")
        self.attention = modules(
            self=modules(**{name: nn.Linear(C, C) for name in names}),
            output=nn.ModuleDict({"dense": nn.Linear(C, C), "LayerNorm": nn.LayerNorm(C)}),
        )
        self.intermediate = modules(dense=nn.Linear(C, HIDDEN))
        self.output = nn.ModuleDict({"dense": nn.Linear(HIDDEN, C), "LayerNorm": nn.LayerNorm(C)})

    def plain(self) -> dict[str, Any]:
        attention: Any = self.attention
        return {
            "q": both(attention["self"]["query"]),
            "k": both(attention["self"]["key"]),
            "v": both(attention["self"]["value"]),
            "out": both(attention["output"]["dense"]),
            "norm1": both(attention["output"]["LayerNorm"]),
            "fc1": both(self.intermediate["dense"]),
            "fc2": both(self.output["dense"]),
            "norm2": both(self.output["LayerNorm"]),
        }


class Annotated(Block):
    def __init__(self) -> None:
        super().__init__()
        self.self_attn = modules(linears=nn.ModuleList(nn.Linear(C, C) for _ in range(4)))
        self.feed_forward = modules(w_1=nn.Linear(C, HIDDEN), w_2=nn.Linear(HIDDEN, C))
        self.sublayer = nn.ModuleList(
            modules(norm=nn.ParameterDict({"a_2": bare(C), "b_2": bare(C)})) for _ in range(2)
        )

    def plain(self) -> dict[str, Any]:
        linears: Any = self.self_attn["linears"]
        norms = [layer["norm"] for layer in self.sublayer]
        return {
            **{part: both(linears[i]) for i, part in enumerate(("q", "k", "v", "out"))},
            "fc1": both(self.feed_forward["w_1"]),
            "fc2": both(self.feed_forward["w_2"]),
            **{f"norm{i + 1}": (norm["a_2"], norm["b_2"]) for i, norm in enumerate(norms)},
        }


class Timm(Block):
    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(C), nn.LayerNorm(C)
        self.attn = modules(qkv=nn.Linear(C, 3 * C), proj=nn.Linear(C, C))
        self.mlp = modules(fc1=nn.Linear(C, HIDDEN), fc2=nn.Linear(HIDDEN, C))

    def plain(self) -> dict[str, Any]:
        return {
            **thirds(*both(self.attn["qkv"])),
            "out": both(self.attn["proj"]),
            **{name: both(self.mlp[name]) for name in ("fc1", "fc2")},
            "norm1": both(self.norm1),
            "norm2": both(self.norm2),
        }


class Interleaved(Timm):
    """The heads of the stacked projection hold q, k and v one after the other."""

    def plain(self) -> dict[str, Any]:
        weight, bias = both(self.attn["qkv"])
        apart = weight.view(H, 3, K, C).transpose(0, 1).reshape(3 * C, C)
        return {**super().plain(), **thirds(apart, bias.view(H, 3, K).transpose(0, 1).reshape(-1))}


class Lens(Block):
    """One matrix for each head, as TransformerLens has them."""

    def __init__(self) -> None:
        super().__init__()
        self.ln1 = nn.ParameterDict({"w": bare(C), "b": bare(C)})
        self.ln2 = nn.ParameterDict({"w": bare(C), "b": bare(C)})
        self.attn = nn.ParameterDict(
            {f"W_{part}": bare(H, C, K) for part in "QKV"}
            | {f"b_{part}": bare(H, K) for part in "QKV"}
            | {"W_O": bare(H, K, C), "b_O": bare(C)}
        )
        self.mlp = nn.ParameterDict(
            {"W_in": bare(C, HIDDEN), "b_in": bare(HIDDEN), "W_out": bare(HIDDEN, C)}
            | {"b_out": bare(C)}
        )

    def plain(self) -> dict[str, Any]:
        a, m = self.attn, self.mlp
        return {
            **{
                part.lower(): (a[f"W_{part}"].mT.reshape(C, C), a[f"b_{part}"].reshape(C))
                for part in "QKV"
            },
            "out": (a["W_O"].reshape(C, C).T, a["b_O"]),
            "fc1": (m["W_in"].T, m["b_in"]),
            "fc2": (m["W_out"].T, m["b_out"]),
            "norm1": (self.ln1["w"], self.ln1["b"]),
            "norm2": (self.ln2["w"], self.ln2["b"]),
        }


class Numpy(Block):
    """Names and arrangement of those who write x @ W + b."""

    def __init__(self) -> None:
        super().__init__()
        for name in "qkvo":
            setattr(self, f"W{name}", bare(C, C))
            setattr(self, f"b{name}", bare(C))
        self.W1, self.b1, self.W2, self.b2 = bare(C, HIDDEN), bare(HIDDEN), bare(HIDDEN, C), bare(C)
        self.gamma1, self.beta1, self.gamma2, self.beta2 = (bare(C) for _ in range(4))

    def plain(self) -> dict[str, Any]:
        w: Any = self
        return {
            **{part: (getattr(w, f"W{part}").T, getattr(w, f"b{part}")) for part in "qkv"},
            "out": (w.Wo.T, w.bo),
            "fc1": (w.W1.T, w.b1),
            "fc2": (w.W2.T, w.b2),
            "norm1": (w.gamma1, w.beta1),
            "norm2": (w.gamma2, w.beta2),
        }


class Heads(Block):
    """One module for each head, as in lectures, and a norm inside of a Sequential."""

    def __init__(self) -> None:
        super().__init__()
        names = ("key", "query", "value")
        self.sa = modules(
            heads=nn.ModuleList(
                modules(**{name: nn.Linear(C, K) for name in names}) for _ in range(H)
            ),
            proj=nn.Linear(C, C),
        )
        self.ln = nn.LayerNorm(C)
        self.net = nn.Sequential(
            nn.LayerNorm(C), nn.Linear(C, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, C)
        )

    def plain(self) -> dict[str, Any]:
        heads: Any = self.sa["heads"]
        return {
            **{
                name[0]: tuple(
                    torch.cat(parts) for parts in zip(*(both(h[name]) for h in heads), strict=True)
                )
                for name in ("query", "key", "value")
            },
            "out": both(self.sa["proj"]),
            "fc1": both(self.net[1]),
            "fc2": both(self.net[3]),
            "norm1": both(self.ln),
            "norm2": both(self.net[0]),
        }


class Learner(Block):
    """Names of nobody's: words that are understood, and two norms in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.to_query, self.to_key, self.to_value = (nn.Linear(C, C) for _ in range(3))
        self.attn_out = nn.Linear(C, C)
        self.first_norm, self.second_norm = nn.LayerNorm(C), nn.LayerNorm(C)
        self.ffn = nn.Sequential(nn.Linear(C, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, C))

    def plain(self) -> dict[str, Any]:
        return {
            "q": both(self.to_query),
            "k": both(self.to_key),
            "v": both(self.to_value),
            "out": both(self.attn_out),
            "fc1": both(self.ffn[0]),
            "fc2": both(self.ffn[2]),
            "norm1": both(self.first_norm),
            "norm2": both(self.second_norm),
        }


class Llama(Block):
    """Names as in Llama, over two norms of which only the place of the first is said."""

    def __init__(self) -> None:
        super().__init__()
        self.self_attn = modules(**{f"{name}_proj": nn.Linear(C, C) for name in "qkvo"})
        self.mlp = modules(up_proj=nn.Linear(C, HIDDEN), down_proj=nn.Linear(HIDDEN, C))
        self.input_layernorm, self.post_attention_layernorm = nn.LayerNorm(C), nn.LayerNorm(C)

    def plain(self) -> dict[str, Any]:
        seats = {"q": "q", "k": "k", "v": "v", "out": "o"}
        return {
            **{seat: both(self.self_attn[f"{name}_proj"]) for seat, name in seats.items()},
            "fc1": both(self.mlp["up_proj"]),
            "fc2": both(self.mlp["down_proj"]),
            "norm1": both(self.input_layernorm),
            "norm2": both(self.post_attention_layernorm),
        }


class Flat(Block):
    """nanoGPT's names without its modules, and norms with a number and no word."""

    has_bias = True

    def __init__(self) -> None:
        super().__init__()
        bias = self.has_bias
        self.n1, self.n2 = nn.LayerNorm(C, bias=bias), nn.LayerNorm(C, bias=bias)
        self.c_attn, self.c_proj = nn.Linear(C, 3 * C, bias), nn.Linear(C, C, bias)
        self.c_fc, self.mlp_proj = nn.Linear(C, HIDDEN, bias), nn.Linear(HIDDEN, C, bias)

    def plain(self) -> dict[str, Any]:
        seats = {"out": "c_proj", "fc1": "c_fc", "fc2": "mlp_proj", "norm1": "n1", "norm2": "n2"}
        return {
            **thirds(*both(self.c_attn)),
            **{seat: both(getattr(self, name)) for seat, name in seats.items()},
        }


class WithoutBias(Flat):
    has_bias = False


class Cells(Block):
    """Each array is the value of an object, as in a small engine, under the shortest names."""

    def __init__(self) -> None:
        super().__init__()
        sizes = {**dict.fromkeys("qkvo", (C, C)), "up": (C, HIDDEN), "down": (HIDDEN, C)}
        self.cells = modules(
            **{n: modules(w=cell(*size), b=cell(size[1])) for n, size in sizes.items()},
            **{n: modules(w=cell(C), b=cell(C)) for n in ("n1", "n2")},
        )

    def plain(self) -> dict[str, Any]:
        seats = {"q": "q", "k": "k", "v": "v", "out": "o", "fc1": "up", "fc2": "down"}
        held = {name: (part["w"]["value"], part["b"]["value"]) for name, part in self.cells.items()}
        return {
            **{seat: (held[name][0].T, held[name][1]) for seat, name in seats.items()},
            "norm1": held["n1"],
            "norm2": held["n2"],
        }


def cell(*shape: int) -> nn.Module:
    return nn.ParameterDict({"value": bare(*shape)})


class Nameless(Block):
    """Names that say nothing; only the order does, and it is not the usual one."""

    order = ("q", "k", "v", "out")

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleList(nn.Linear(C, C) for _ in range(4))
        self.wide, self.back = nn.Linear(C, HIDDEN), nn.Linear(HIDDEN, C)
        self.n, self.m = nn.LayerNorm(C), nn.LayerNorm(C)

    def plain(self) -> dict[str, Any]:
        return {
            **{part: both(self.parts[i]) for i, part in enumerate(self.order)},
            "fc1": both(self.wide),
            "fc2": both(self.back),
            "norm1": both(self.n),
            "norm2": both(self.m),
        }


class Shuffled(Nameless):
    order = ("k", "q", "v", "out")


NAMED = (Nano, GPT2, Bert, Annotated, Timm, Lens, Numpy, Learner, Llama, Flat, Cells)
STYLES = (*NAMED, Heads, Interleaved, Nameless, Shuffled)


def encoder_layer() -> nn.Module:
    return nn.TransformerEncoderLayer(C, H, HIDDEN, dropout=0.0, batch_first=True)
