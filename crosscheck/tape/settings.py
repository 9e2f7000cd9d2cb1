"""The settings that two models are often given differently: attributes that can be read and set."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from crosscheck.sides import Dialect, side_of

EPSILONS = (1e-5, 1e-6, 1e-12)
ACTIVATIONS = {"relu": "ReLU", "gelu": "the exact GELU", "gelu-tanh": "GELU's tanh form"}
OTHER_HEADS = 8  # at most so many other numbers of heads are tried


@dataclass(frozen=True)
class Change:
    """Something else that a model could be set to."""

    setting: str  # in words that follow "is run with", such as norm_first=True
    make: Callable[[Any], None]  # changes a model in place; it, or the run after it, may raise
    after: str  # what the model does then, such as "has pre-norm"
    before: str  # what it does without
    arguments: tuple[str, ...]  # what constructors or forwards may call the setting
    read: Callable[[Any], Any] = lambda model: None  # how a model is set; None if it does not say


@dataclass(frozen=True)
class Switch:
    """An attribute that modules have in both engines, or in one of them."""

    arguments: tuple[str, ...]  # what constructors call it
    get: Callable[[Any], Any]  # of a module; None if it has no such attribute
    set: Callable[[Any, Any], None]  # of a module that has it, to a value
    words: Callable[[Any], str]  # what a model with this value does
    others: Callable[[Any], Iterable[Any]]  # the values that a model could have

    def read(self, model: Any) -> Any:
        """Return the value that all modules share; None if there is none, or more than one."""
        values = {self.get(module) for module in model.modules()} - {None}
        return values.pop() if len(values) == 1 else None

    def change(self, model: Any, value: Any) -> Change:
        """Return the change of this model that gives this value to all modules."""
        now = self.read(model)
        return Change(
            setting=f"{self.arguments[0]}={value!r}",
            make=partial(self._set, value=value),
            after=self.words(value),
            before="has not the same everywhere" if now is None else self.words(now),
            arguments=self.arguments,
            read=self.read,
        )

    def changes(self, model: Any) -> Iterator[Change]:
        """Yield every change of the model; none if no module of it has the attribute."""
        if any(self.get(module) is not None for module in model.modules()):
            now = self.read(model)
            yield from (self.change(model, value) for value in self.others(model) if value != now)

    def _set(self, model: Any, value: Any) -> None:
        for module in list(model.modules()):
            if self.get(module) is not None:
                self.set(module, value)


def dialect_of(module: Any) -> Dialect:
    """Return the side of a module of our engine or of PyTorch."""
    return cast("Dialect", side_of(module))


def _of_type(name: str, kind: type) -> Callable[[Any], Any]:
    """Return what reads the attribute of this name, if it is of this type."""

    def get(module: Any) -> Any:
        value = getattr(module, name, None)
        return value if isinstance(value, kind) else None

    return get


def _flag(name: str, if_true: str, if_false: str) -> Switch:
    return Switch(
        (name,),
        _of_type(name, bool),
        lambda module, value: setattr(module, name, value),
        lambda value: if_true if value else if_false,
        lambda model: (True, False),
    )


def _head_size(module: Any) -> str:
    """Return what this module calls the channels of a head; empty if it has none."""
    return next((name for name in ("head_dim", "head_size") if hasattr(module, name)), "")


def _heads(module: Any) -> int | None:
    return _of_type("num_heads", int)(module) if _head_size(module) else None


def _width(module: Any) -> int:
    return int(module.num_heads * getattr(module, _head_size(module)))


def _set_heads(module: Any, heads: int) -> None:
    size = _width(module) // heads
    module.num_heads = heads
    setattr(module, _head_size(module), size)


def _other_heads(model: Any) -> list[int]:
    """Return the numbers of heads that every attention of the model can have, the nearest first."""
    attentions = [module for module in model.modules() if _heads(module) is not None]
    width, now = math.gcd(*map(_width, attentions)), attentions[0].num_heads
    possible = [n for n in range(1, width + 1) if width % n == 0 and n != now]
    return sorted(possible, key=lambda n: abs(math.log(n / now)))[:OTHER_HEADS]


def _activation_names(module: Any) -> list[str]:
    """Return the names of the attributes that are activations: functions or modules."""
    nn = dialect_of(module).library.nn
    names = [name for name, child in module.named_children() if isinstance(child, _known(nn))]
    if "activation" not in names and callable(getattr(module, "activation", None)):
        names.append("activation")
    return names


def _known(nn: Any) -> tuple[type, ...]:
    return nn.ReLU, nn.GELU


def _activation(module: Any) -> str | None:
    """Return the name of the module's activation; None if it has none.

    It is known by what it is, and not by what it computes, for that is under suspicion.
    """
    names = _activation_names(module)
    if not names:
        return None
    side, activation = dialect_of(module), getattr(module, names[0])
    options = activation.keywords if isinstance(activation, partial) else {}
    approximate = options.get("approximate", getattr(activation, "approximate", "none"))
    function = activation.func if isinstance(activation, partial) else activation
    if function is side.functional.relu or isinstance(function, side.library.nn.ReLU):
        return "relu"
    if function is side.functional.gelu or isinstance(function, side.library.nn.GELU):
        return "gelu" if approximate == "none" else "gelu-tanh"
    return "another"


def _set_activation(module: Any, name: str) -> None:
    nn = dialect_of(module).library.nn
    made = {"relu": nn.ReLU, "gelu": nn.GELU, "gelu-tanh": partial(nn.GELU, approximate="tanh")}
    for place in _activation_names(module):
        setattr(module, place, made[name]())
    if hasattr(module, "activation_relu_or_gelu"):  # of nn.TransformerEncoderLayer
        module.activation_relu_or_gelu = 0  # its fast path then leaves the activation alone


BATCH_FIRST = _flag(
    "batch_first", "takes the batch first, (B, T, C)", "takes the tokens first, (T, B, C)"
)
NORM_FIRST = _flag("norm_first", "has pre-norm", "has post-norm")
HEADS = Switch(
    arguments=("nhead", "num_heads"),
    get=_heads,
    set=_set_heads,
    words=lambda heads: f"has {heads} heads" if heads > 1 else "has one head",
    others=_other_heads,
)
ACTIVATION = Switch(
    arguments=("activation",),
    get=_activation,
    set=_set_activation,
    words=lambda name: f"has {ACTIVATIONS.get(name, 'another activation')}",
    others=lambda model: ACTIVATIONS,
)
RESIDUAL = _flag("residual", "has residual connections", "has no residual connections")
EPS = Switch(
    arguments=("layer_norm_eps", "eps"),
    get=_of_type("eps", float),
    set=lambda module, eps: setattr(module, "eps", eps),
    words=lambda eps: f"has eps {eps:g} in its norms",
    others=lambda model: EPSILONS,
)
SWITCHES = (BATCH_FIRST, NORM_FIRST, HEADS, ACTIVATION, RESIDUAL, EPS)
