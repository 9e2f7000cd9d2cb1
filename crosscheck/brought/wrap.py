"""Whatever someone has written, made a model that a comparison knows."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Collection, Mapping
from typing import Any

import tinygrad_tf
import torch
from crosscheck.answers import in_words
from crosscheck.brought.by_hand import ByHand
from crosscheck.brought.by_hand_calls import Role, role_of, takes
from crosscheck.brought.by_hand_tree import is_float_array, leaves
from crosscheck.brought.by_hand_ways import Functions, Methods, OneFunction
from crosscheck.brought.engine import OfEngine, tensors_in
from crosscheck.foreign import ForeignModel

FACTORIES = (
    "init_params", "init_parameters", "initialize_params", "initialize_parameters", "make_params",
    "init_weights", "get_params", "params", "parameters", "weights", "PARAMS", "init",
)  # fmt: skip
_EXPECTED = (
    "a module of PyTorch or of tinygrad_tf, a ForeignModel, an object with forward and backward, a "
    "pair of functions (forward, backward), or one function both ways"
)


def as_model(thing: Any, *, parameters: Any = None) -> Any:
    """Return a model for `compare`: what it knows already as it is, anything else wrapped.

    thing: a module of PyTorch or of tinygrad_tf, a `ForeignModel`; functions in NumPy, one for
    forward and one for backward, or one for both; an object with `forward`, or one that is called,
    and `backward`; or an object or function whose parameters are tensors of a small engine, with
    `.data`, `.grad` and `backward()`. parameters: those that functions are given, in dictionaries
    and lists, or a function without arguments that makes them; by default what the functions'
    module has under a name such as init_params. For an object: the names of its parameters.

    Raises TypeError or ValueError, in words that begin with "compare:", for anything else.
    """
    if isinstance(thing, type):
        name = thing.__name__
        raise TypeError(f"compare: got the class {name}, expected an object, such as {name}(...)")
    if isinstance(thing, torch.nn.Module | tinygrad_tf.nn.Module | ForeignModel):
        return thing
    if isinstance(thing, types.ModuleType):
        names = [name for name in ("forward", "backward") if callable(vars(thing).get(name))]
        if not names:
            raise TypeError(f"compare: the module {thing.__name__} has no function forward")
        thing = tuple(vars(thing)[name] for name in names)
    if isinstance(thing, tuple | list):
        return _of_functions(thing, parameters)
    if inspect.isroutine(thing) or hasattr(thing, "func"):
        return _of_functions([thing], parameters)
    runs = callable(getattr(thing, "forward", None)) or callable(thing)
    if not runs:
        raise TypeError(f"compare: got {in_words(thing)}, expected {_EXPECTED}")
    if isinstance(parameters, Mapping) or callable(parameters):
        run = thing.forward if callable(getattr(thing, "forward", None)) else thing
        back = getattr(thing, "backward", None)
        return _of_functions([run, back] if callable(back) else [run], parameters)
    return _of_object(thing, parameters)


def _of_object(thing: Any, names: Collection[str] | None) -> ByHand | OfEngine:
    who = f"the object {type(thing).__name__}"
    if tensors_in(thing):
        return OfEngine(Methods(thing, who), thing, who)
    return ByHand(Methods(thing, who), thing, who, names)


def _of_functions(functions: Collection[Any], parameters: Any) -> ByHand | OfEngine:
    if not functions or len(functions) > 2 or not all(callable(f) for f in functions):
        raise TypeError(f"compare: got {in_words(functions)}, expected {_EXPECTED}")
    run, *rest = sorted(functions, key=_is_backward)
    who = f"the function {_name(run)}" if not rest else f"the pair {_name(run)}, {_name(rest[0])}"
    tree = _parameters(run, parameters, who)
    if tensors_in(tree):
        return OfEngine(Functions(run, None, who), tree, who)
    if rest:
        return ByHand(Functions(run, rest[0], who), tree, who)
    if takes(run, Role.DOUT):
        return ByHand(OneFunction(run, None, who), tree, who)
    return ByHand(Functions(run, None, who), tree, who)


def _is_backward(function: Callable[..., Any]) -> bool:
    """Whether a function is the backward of a pair, by its name, else by what it takes."""
    name = _name(function).lower()
    if "back" in name or "bwd" in name or "grad" in name or "vjp" in name:
        return True
    known = any(word in name for word in ("forward", "fwd"))
    return not known and takes(function, Role.DOUT)


def _name(function: Any) -> str:
    inner = getattr(function, "func", function)
    return str(getattr(inner, "__name__", type(inner).__name__))


def _parameters(run: Callable[..., Any], parameters: Any, who: str) -> Any:
    """Return the parameters of functions. Raises TypeError or ValueError if there are none."""
    if parameters is not None:
        tree = parameters() if callable(parameters) else parameters
        return _with_arrays(tree, f"the parameters of {who}")
    wide = getattr(inspect.unwrap(getattr(run, "func", run)), "__globals__", {})
    name, held = parameters_among(wide)
    if held is not None and not callable(held):
        return held
    if held is not None:
        if needed := _needed(held):
            raise TypeError(
                f"compare: {who} has its parameters from {name}({', '.join(needed)}), whose "
                f"arguments are not known here: give parameters=, such as {name}(...)"
            )
        return _with_arrays(held(), f"what {name} returns")
    needed = _needed(run)
    inputs = [name for name in needed if role_of(name, [Role.INPUT])]
    if len(needed) <= 1 or (len(needed) == 2 and takes(run, Role.DOUT) and inputs):
        return {}  # it has no parameters, as a softmax has none
    raise TypeError(
        f"compare: {who} takes {', '.join(needed)}, and its parameters are not known: give "
        "parameters=, a dictionary of arrays, or let its module have a function init_params"
    )


def parameters_among(names: Mapping[str, Any]) -> tuple[str, Any]:
    """Return the parameters among the names of a module, or what makes them, with their name.

    It is the first under one of FACTORIES that is a function, a class, or holds arrays; None if
    there is none.
    """
    for name in FACTORIES:
        held = names.get(name)
        makes = inspect.isfunction(held) or inspect.isclass(held)
        if makes or any(True for _ in leaves(held)) or tensors_in(held):
            return name, held
    return "", None


def _needed(function: Callable[..., Any]) -> list[str]:
    """Return the arguments without a default."""
    return [
        p.name
        for p in inspect.signature(function).parameters.values()
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]


def _with_arrays(tree: Any, what: str) -> Any:
    if is_float_array(tree) or not (any(True for _ in leaves(tree)) or tensors_in(tree)):
        raise TypeError(
            f"compare: {what} must be arrays of floats in dictionaries, lists or objects, got "
            f"{in_words(tree)}"
        )
    return tree
