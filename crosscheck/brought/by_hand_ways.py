"""The ways in which people write a forward and a backward by hand, called alike."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from crosscheck.arrays import INPUT, Array
from crosscheck.brought.by_hand_calls import Role, arguments, call, role_of, split_output, takes
from crosscheck.brought.by_hand_tree import is_float_array

Named = Mapping[str, Any]


@dataclass
class Went:
    """What is left when a forward has run, for the backward."""

    output: Array
    cache: list[Any]  # what was returned beside the output
    inputs: Array
    options: Named


class Way(ABC):
    """How the user's code is called. `tree` is the parameters, or the object that has them."""

    who: str  # in sentences
    object: Any  # whose methods these are; None for functions
    is_one_function = False  # whether forward and backward are one call

    @property
    @abstractmethod
    def has_backward(self) -> bool:
        """Whether there is a way back, as far as can be known before the forward has run."""

    @abstractmethod
    def returned(self, tree: Any, inputs: Any, options: Named) -> Any:
        """Run forward; return what the user's code returns."""

    @abstractmethod
    def backward(self, tree: Any, dout: Array, went: Went) -> Any:
        """Run backward; return what the user's code returns."""

    @abstractmethod
    def arguments(self, tree: Any) -> list[str]:
        """Return INPUT and the names of parameters, in the order of the forward's arguments."""

    def forward(self, tree: Any, inputs: Array, options: Named) -> Went:
        """Run forward."""
        output, cache = split_output(self.returned(tree, inputs, options), self.who)
        return Went(output, cache, inputs, options)


@dataclass
class Functions(Way):
    """A forward and a backward that are given the parameters. Without backward: forward only."""

    run: Callable[..., Any]
    back: Callable[..., Any] | None
    who: str
    object = None

    @property
    def has_backward(self) -> bool:
        """Whether there is a way back, as far as can be known before the forward has run."""
        return self.back is not None

    def returned(self, tree: Any, inputs: Any, options: Named) -> Any:
        """Run forward; return what the user's code returns."""
        given, named = self._given(self.run, {Role.INPUT: inputs}, tree, options)
        return call(self.run, given, named, self._called("forward"))

    def backward(self, tree: Any, dout: Array, went: Went) -> Any:
        """Run backward: the second function, or the one that the forward has returned."""
        cache = went.cache[0] if len(went.cache) == 1 else tuple(went.cache)
        if self.back is None:
            return went.cache[-1](dout)
        roles: dict[Role, Any] = {Role.DOUT: dout}
        if went.cache:
            roles[Role.CACHE] = cache
        roles[Role.INPUT] = went.inputs
        given, named = self._given(self.back, roles, tree, went.options)
        given |= {Role.OUTPUT: went.output}
        return call(self.back, given, named, self._called("backward"))

    def arguments(self, tree: Any) -> list[str]:
        """Return INPUT and the names of parameters, in the order of the forward's arguments."""
        return _order(self.run, tree) if self._are_separate(self.run, tree) else _all(tree)

    def _given(
        self, function: Callable[..., Any], roles: dict[Role, Any], tree: Any, options: Named
    ) -> tuple[dict[Role, Any], dict[str, Any]]:
        if self._are_separate(function, tree):
            return roles, {**tree, **options}
        return {**roles, Role.PARAMETERS: tree}, dict(options)

    def _are_separate(self, function: Callable[..., Any], tree: Any) -> bool:
        """Whether a function takes each parameter as an argument of its own."""
        if not isinstance(tree, dict):
            return False
        signature = inspect.signature(function).parameters
        floats = [name for name, value in tree.items() if is_float_array(value)]
        if function is self.run:
            stars = any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in signature.values())
            every = bool(floats) and all(name in signature for name in floats)
            return every or (stars and not takes(function, Role.PARAMETERS))
        named = any(name in signature for name in floats)
        return self._are_separate(self.run, tree) or named

    def _called(self, way: str) -> str:
        return f"the {way} of {self.who}"


@dataclass
class OneFunction(Functions):
    """One function both ways: given a gradient of the output it returns gradients too."""

    is_one_function = True

    @property
    def has_backward(self) -> bool:
        """There is one."""
        return True

    def returned(self, tree: Any, inputs: Any, options: Named) -> Any:
        """Run it without a gradient of the output."""
        given, named = self._given(self.run, {Role.INPUT: inputs}, tree, options)
        asks = [
            name
            for name, p in inspect.signature(self.run).parameters.items()
            if p.default is p.empty and name not in named and role_of(name, [Role.DOUT])
        ]
        return call(self.run, given, named | dict.fromkeys(asks), self.who)

    def backward(self, tree: Any, dout: Array, went: Went) -> Any:
        """Run it with the gradient, from the beginning; return what it returns but the output."""
        roles: dict[Role, Any] = {Role.INPUT: went.inputs, Role.DOUT: dout}
        given, named = self._given(self.run, roles, tree, went.options)
        returned = call(self.run, given, named, self.who)
        parts = list(returned) if isinstance(returned, tuple | list) else [returned]
        if len(parts) > 1 and _is_same(parts[0], went.output):
            parts = parts[1:]
        return parts[0] if len(parts) == 1 else tuple(parts)


@dataclass
class Methods(Way):
    """An object with `forward` (or one that is called) and perhaps `backward`."""

    object: Any
    who: str

    @property
    def has_backward(self) -> bool:
        """Whether it has a method of this name."""
        return callable(getattr(self.object, "backward", None))

    def returned(self, tree: Any, inputs: Any, options: Named) -> Any:
        """Run forward; return what the user's code returns."""
        method = tree.forward if callable(getattr(tree, "forward", None)) else tree
        return call(method, {Role.INPUT: inputs}, options, f"the forward of {self.who}")

    def backward(self, tree: Any, dout: Array, went: Went) -> Any:
        """Run backward."""
        roles: dict[Role, Any] = {Role.DOUT: dout}
        if went.cache:
            roles[Role.CACHE] = went.cache[0] if len(went.cache) == 1 else tuple(went.cache)
        roles |= {Role.INPUT: went.inputs, Role.OUTPUT: went.output}
        return call(tree.backward, roles, went.options, f"the backward of {self.who}")

    def arguments(self, tree: Any) -> list[str]:
        """Return INPUT: an object has its parameters itself."""
        return [INPUT]


def _order(function: Callable[..., Any], tree: Mapping[str, Any]) -> list[str]:
    """Return the forward's arguments, as `Way.arguments` does."""
    placeholders = {name: name for name in tree}
    positional, keywords = arguments(function, {Role.INPUT: INPUT}, placeholders, "")
    order = list(inspect.signature(function).parameters)
    by_place = sorted(keywords, key=lambda name: order.index(name) if name in order else len(order))
    return [
        name
        for name in (*positional, *(keywords[key] for key in by_place))
        if name == INPUT or is_float_array(tree.get(name))
    ]


def _all(tree: Any) -> list[str]:
    """Return INPUT, and the names of the arrays of a flat dictionary or list in their order."""
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
    return [INPUT, *(str(name) for name, value in pairs if is_float_array(value))]


def _is_same(one: Any, other: Array) -> bool:
    alike = isinstance(one, np.ndarray) and one.shape == other.shape
    return alike and np.array_equal(one, other, equal_nan=True)
