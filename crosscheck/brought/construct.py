"""Making a model of what was named: a class or a factory is called with sizes by their names."""

from __future__ import annotations

import ast
import inspect
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

import torch
from crosscheck.brought.arguments import Arguments
from crosscheck.brought.sizes import Sizes
from crosscheck.foreign import ForeignModel

CONFIGURATIONS = ("config", "cfg", "conf", "configuration", "args", "hparams", "hp", "options")
CONFIGURATION_ENDINGS = ("Config", "Configuration", "Args", "Arguments", "HParams", "Options")
SHOWN = 60  # letters of one argument in the line that says what was called


@dataclass
class Maker:
    """Calls what a person wrote, with sizes by the names it takes, and says what was called."""

    sizes: Sizes
    arguments: Arguments
    said: list[str] = field(default_factory=list)  # "Block(n_embd=64, n_head=4)"

    def can_make(self, function: Callable[..., Any]) -> bool:
        """Whether every argument that this function requires is a size, or a configuration.

        So it is a factory; a forward requires its input.
        """
        signature = _signature(function)
        if signature is None:
            return False
        return self._configured(signature) or not self._lacking(signature)

    def make(self, function: Callable[..., Any], module: ModuleType) -> Any:
        """Call a class or a function by the names of its arguments; return what it returns.

        Raises ValueError that names the arguments for which there is no value, and what the call
        raises.
        """
        name = getattr(function, "__name__", type(function).__name__)
        signature = _signature(function)
        if signature is None:  # an extension type does not say what it takes
            given = self.arguments.among((), every=True)
        elif self._configured(signature):
            return self._make_configured(function, signature, module)
        else:
            given = self._given(signature)
            if lacking := [n for n in self._lacking(signature) if n not in given]:
                example = ", ".join(f"{n}=..." for n in lacking)
                raise ValueError(
                    f"{name} requires {', '.join(lacking)}, which no size is called: give "
                    f'--args "{example}"{_if_module(signature, lacking)}'
                )
        self.said.append(f"{name}({_shown(given)})")
        with seeded(self.sizes.seed):
            return function(**given)

    def _given(self, signature: inspect.Signature) -> dict[str, Any]:
        names, defaults = _names(signature), _defaults(signature)
        catches_all = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
        given = self.sizes.named(names, defaults)
        return {**given, **self.arguments.among(names, every=catches_all)}

    def _lacking(self, signature: inspect.Signature) -> list[str]:
        defaults = _defaults(signature)
        named = self.sizes.named(_names(signature), defaults)
        return [
            n
            for n in _names(signature)
            if n not in defaults and n not in named and n not in self.arguments.values
        ]

    def _configured(self, signature: inspect.Signature) -> bool:
        """Whether the one argument that is required is a configuration object."""
        lacking = self._lacking(signature)
        if len(lacking) != 1:
            return False
        parameter = signature.parameters[lacking[0]]
        return lacking[0] in CONFIGURATIONS or _is_configuration(_annotation_name(parameter))

    def _make_configured(
        self, function: Callable[..., Any], signature: inspect.Signature, module: ModuleType
    ) -> Any:
        name = getattr(function, "__name__", type(function).__name__)
        (parameter,) = self._lacking(signature)
        configuration, shown = self._configuration(signature.parameters[parameter], module)
        given = {k: v for k, v in self._given(signature).items() if k != parameter}
        others = f", {_shown(given)}" if given else ""
        self.said.append(f"{name}({shown}{others})")
        with seeded(self.sizes.seed):
            return function(**{parameter: configuration}, **given)

    def _configuration(self, parameter: inspect.Parameter, module: ModuleType) -> tuple[Any, str]:
        """Return a configuration object with the sizes in its fields, and how it was made."""
        kind = _configuration_class(parameter, module)
        if kind is None:
            fields = sorted(_attributes_read(module, parameter.name))
            values = self.sizes.named(fields, {})
            values.update(self.arguments.among(fields, every=True))
            if lacking := [n for n in fields if n not in values]:
                raise ValueError(
                    f"{module.__name__} reads {', '.join(lacking)} of {parameter.name}, which no "
                    f'size is called: give --args "{", ".join(f"{n}=..." for n in lacking)}"'
                )
            return SimpleNamespace(**values), f"SimpleNamespace({_shown(values)})"
        before = len(self.said)
        signature = _signature(kind)
        if signature is not None and signature.parameters:
            configuration = self.make(kind, module)
            shown = self.said.pop() if len(self.said) > before else kind.__name__
            return configuration, shown
        configuration = kind()
        fields = [n for n in dir(configuration) if not n.startswith("_")]
        held = {n: getattr(configuration, n) for n in fields}
        fields = [n for n in fields if not callable(held[n])]
        values = {**self.sizes.named(fields, held), **self.arguments.among(fields)}
        for field_name, value in values.items():
            setattr(configuration, field_name, value)
        return configuration, f"{kind.__name__} with {_shown(values)}"


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within this block the global generators start from this seed; they are restored at the end.

    It is for the users' code, which draws from them, and must not change from run to run.
    """
    kept = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(kept[0])
            np.random.set_state(kept[1])


def is_model(thing: Any) -> bool:
    """Whether this object can be run as it is: it has a forward, or the methods of ForeignModel."""
    if isinstance(thing, type):
        return False
    return isinstance(thing, ForeignModel) or callable(getattr(thing, "forward", None))


def parameters_of(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return the parameters of a function by name; of one that does not say what it takes, none."""
    signature = _signature(function)
    return {} if signature is None else dict(signature.parameters)


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None


def _names(signature: inspect.Signature) -> list[str]:
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [name for name, p in signature.parameters.items() if p.kind in kinds]


def _defaults(signature: inspect.Signature) -> dict[str, Any]:
    return {n: p.default for n, p in signature.parameters.items() if p.default is not p.empty}


def _annotation_name(parameter: inspect.Parameter) -> str:
    if parameter.annotation is parameter.empty:
        return ""
    if isinstance(parameter.annotation, str):
        return parameter.annotation.strip("\"'").rpartition(".")[2]
    return getattr(parameter.annotation, "__name__", "")


def _is_configuration(name: str) -> bool:
    return name.endswith(CONFIGURATION_ENDINGS)


def _configuration_class(parameter: inspect.Parameter, module: ModuleType) -> type | None:
    """The class of a configuration: the one of the annotation, or the only one of such a name."""
    if isinstance(parameter.annotation, type) and parameter.annotation is not parameter.empty:
        kind: type = parameter.annotation
        return None if kind.__module__ in ("builtins", "types") else kind
    named = getattr(module, _annotation_name(parameter) or " ", None)
    if isinstance(named, type):
        return named
    kinds = [
        value
        for name, value in vars(module).items()
        if isinstance(value, type)
        and _is_configuration(name)
        and value.__module__ == module.__name__
    ]
    return kinds[0] if len(kinds) == 1 else None


def _attributes_read(module: ModuleType, name: str) -> set[str]:
    """The attributes that a module's source reads from the variable of this name, or of self's."""
    try:
        tree = ast.parse(inspect.getsource(module))
    except (OSError, TypeError, SyntaxError):
        return set()
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Load)
        and (
            (isinstance(node.value, ast.Name) and node.value.id == name)
            or (isinstance(node.value, ast.Attribute) and node.value.attr == name)
        )
    }


def _shown(values: dict[str, Any]) -> str:
    return ", ".join(f"{name}={_value(value)}" for name, value in values.items())


def _value(value: Any) -> str:
    if isinstance(value, np.random.Generator):
        return "default_rng(seed)"
    text = f"{value:g}" if isinstance(value, float) else repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]} and more"


def _if_module(signature: inspect.Signature, lacking: list[str]) -> str:
    """What to do about an argument that may be a module, which no literal is."""
    text = " ".join(_annotation_name(signature.parameters[n]) for n in lacking)
    parts = ("attn", "attention", "layer", "module", "block", "sublayer", "encoder", "ffn")
    if "Module" in text or any(part in name.lower() for name in lacking for part in parts):
        return (
            "; what is a module itself cannot be given there: write a function without arguments "
            "that returns the whole model, and name that"
        )
    return ""


def module_of(thing: Any, otherwise: ModuleType) -> ModuleType:
    """The module in which something was written, which may not be where it was named."""
    return sys.modules.get(getattr(thing, "__module__", ""), otherwise)
