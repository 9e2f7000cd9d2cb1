"""Wrong calls of everything public: the names come from the modules, the arguments from a pool."""

from __future__ import annotations

import inspect
import operator
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

import tinygrad_tf
import torch
from tinygrad_tf import Tensor, nn, optim
from tinygrad_tf.machinery.complaints import describe

# What cannot be judged by its errors, and why.
LEFT_OUT = {
    "differentiable": "it is for rules, and reads their name",
    "observe": "the listener is called later",
    "new_tensor": "it is how the engine makes results, without a check",
    "register_hook": "a hook is called later",
    "register_forward_hook": "a hook is called later",
    "register_forward_pre_hook": "a hook is called later",
    "apply": "what fails is the function that was given",
    "forward": "it is called by calling the module",
    "sum_to": "it is a tool of rules, and takes arrays",
    "gradcheck": "what fails may be the function that was given",
}
# By operator, what its errors may begin with.
OPERATORS: dict[Any, tuple[str, ...]] = {
    **{getattr(operator, name): (name,) for name in ("add", "sub", "mul")},
    **{getattr(operator, name): (name,) for name in ("matmul", "eq", "ne")},
    **{getattr(operator, name): (name.rstrip("_"),) for name in ("and_", "or_", "xor")},
    operator.lt: ("lt", "gt"), operator.gt: ("gt", "lt"),  # Python may turn them round
    operator.le: ("le", "ge"), operator.ge: ("ge", "le"),
    operator.pow: ("pow", "pow_tensor"), operator.truediv: ("div",), operator.getitem: ("getitem",),
    operator.iadd: ("+=", "add"), operator.isub: ("-=", "sub"), operator.imul: ("*=", "mul"),
    operator.itruediv: ("/=", "div"), operator.ipow: ("**=", "pow", "pow_tensor"),
    operator.iand: ("&=", "and"), operator.ior: ("|=", "or"), operator.ixor: ("^=", "xor"),
}  # fmt: skip
TURNED = {symbol for symbol in OPERATORS if not symbol.__name__.startswith(("i", "getitem"))}
# What the errors of a layer that is called may begin with: the function or the op that it runs.
OPS = [name for name in (*vars(nn.functional), *vars(tinygrad_tf)) if not name.startswith("_")]
# How the layers that need arguments are made.
LAYERS: dict[str, tuple[Any, ...]] = {"Linear": (3, 4), "LayerNorm": (3,), "Embedding": (5, 3)}


class Target(NamedTuple):
    """Something to call."""

    name: str  # where it is found
    names: frozenset[str]  # what its errors may begin with
    receivers: Callable[[], Any] | None  # what makes the first argument; None: there is none
    function: Callable[..., Any]
    most: int  # how many more arguments it takes at most, or 4
    options: tuple[str, ...]  # its keywords


class Call(NamedTuple):
    """One call."""

    target: Target
    inputs: list[Any]
    options: dict[str, Any]

    def run(self) -> Any:
        """Make the call."""
        return self.target.function(*self.inputs, **self.options)

    def __str__(self) -> str:
        inputs = ", ".join(describe((x,)) if hasattr(x, "shape") else repr(x) for x in self.inputs)
        return f"{self.target.name}({inputs}, **{self.options})"


def tensors() -> list[Tensor]:
    """Tensors of several shapes and dtypes; a few ask for gradients."""
    return [
        Tensor(np.arange(1.0, 7.0).reshape(2, 3)),
        Tensor(np.ones((2, 3), np.float32), requires_grad=True),
        Tensor(np.ones(4)),
        Tensor(np.arange(6).reshape(2, 3)),
        Tensor(np.ones((2, 3), bool)),
        Tensor(np.ones(())),
        Tensor(np.zeros((0, 3))),
    ]


def pool() -> list[Any]:
    """What a call may get wrongly, or rightly."""
    return [
        *(0, 1, 2, -1, 5, -7, 2**70, -(2**70), 2**62, True, 0.5, -1.5, float("nan"), float("inf")),
        *("z", "", "mean", b"x", 1j, None, ..., slice(1, 2), object(), print, int, Tensor),
        *([], [1], [1.5], [0, 0], [None], ["a"], (), (0, 1), (2**70,), (-1, -1), (None, 2)),
        *({}, {"a": 1}, {1, 2}, range(3), np.float64, np.complex64, np.dtype(">f4")),
        *(np.ones((2, 3)), np.ones(7, np.float32), np.array(["a"]), np.array([None]), np.int64(9)),
        *(torch.ones(2, 3), torch.ones(2), np.random.default_rng(0), nn.Linear(3, 2)),
        *(nn.Parameter(np.ones((2, 3))), [Tensor([1.0]), Tensor(np.ones(2))]),
        *tensors(),
    ]


def targets() -> list[Target]:
    """Everything public."""
    found: list[Target] = []
    for module in (tinygrad_tf, nn, nn.functional, nn.init, optim):
        for name, thing in vars(module).items():
            if _is_public(name, thing):
                found.append(_target(f"{module.__name__}.{name}", name, thing))
    for name in dir(Tensor):
        method = getattr(Tensor, name)
        if _is_public(name, method) and inspect.isroutine(method):
            found.append(_target(f"Tensor.{name}", name, method, tensors))
    for symbol, names in OPERATORS.items():
        found.append(Target(symbol.__name__, frozenset(names), tensors, symbol, 1, ()))
    for kind in vars(nn).values():
        if inspect.isclass(kind) and issubclass(kind, nn.Module):
            found += _of_layer(kind)
    return found


def _of_layer(kind: type[nn.Module]) -> Iterator[Target]:
    def make() -> list[nn.Module]:
        return [kind(*LAYERS.get(kind.__name__, ()))]

    # What a layer inherits is called once, on the layer that has weights.
    for name in dir(kind) if kind is nn.Linear else vars(kind):
        method = getattr(kind, name)
        if name == "forward" and kind is not nn.Module:
            yield _target(f"{kind.__name__}()", kind.__name__, kind.__call__, make, *OPS)
        elif _is_public(name, method) and inspect.isroutine(method):
            yield _target(f"{kind.__name__}.{name}", name, method, make, kind.__name__)


def _is_public(name: str, thing: Any) -> bool:
    home = getattr(thing, "__module__", None) or ""
    is_error = inspect.isclass(thing) and issubclass(thing, Exception)
    ours = home.startswith("tinygrad_tf") and callable(thing) and not is_error
    inner = home.startswith("tinygrad_tf.machinery") and name != "device"
    return ours and not inner and not name.startswith("_") and name not in LEFT_OUT


def _target(place: str, name: str, function: Any, receivers: Any = None, *also: str) -> Target:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:
        parameters = []
    parameters = [p for p in parameters if p.name != "self"] if receivers is None else parameters
    parameters = parameters[1:] if receivers is not None else parameters
    named = tuple(p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))
    most = 4 if any(p.kind == p.VAR_POSITIONAL for p in parameters) else len(parameters)
    return Target(place, frozenset((name, *also)), receivers, function, most, named)


def wrong_calls(seed: int, count: int) -> Iterator[Call]:
    """Yield `count` calls of each target, most of which are wrong."""
    rng = np.random.default_rng(seed)
    for target in targets():
        values = pool()
        receivers = None if target.receivers is None else target.receivers()
        is_operator = target.function in OPERATORS
        for _ in range(count):
            size = 1 if is_operator else rng.integers(target.most + 2)
            inputs = [values[i] for i in rng.integers(len(values), size=size)]
            options = {}
            if target.options and rng.random() < 0.3:
                name = target.options[rng.integers(len(target.options))]
                options = {name: values[rng.integers(len(values))]}
            if receivers is not None:
                inputs.insert(0, receivers[rng.integers(len(receivers))])
            if target.function in TURNED and rng.random() < 0.3:
                inputs.reverse()
            yield Call(target, inputs, options)


def is_named(error: Exception, names: frozenset[str]) -> bool:
    """Whether the text begins with a name, or Python itself says which function or operator."""
    text = str(error.args[0] if isinstance(error, KeyError) and error.args else error)
    head = re.match(r"([^\s:]+): |(?:\w+\.)*?(\w+)(?:\.__new__|\.forward)?\(\) ", text)
    if head is None:
        return "unsupported operand type" in text or "not supported between instances" in text
    return (head[1] or head[2]) in names
