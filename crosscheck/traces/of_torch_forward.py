"""PyTorch's functions as the user's lines call them, seen through its public `TorchFunctionMode`.

Tensors are known by their identity, so all that had a record stay alive until the run has ended. A
function that is made of others is one call here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import FrameType
from typing import Any

import numpy as np

import torch
from crosscheck.traces.backflow import Made
from crosscheck.traces.book import Book
from crosscheck.traces.lines_beside import LinesBeside
from crosscheck.traces.of_torch_backward import Graph
from crosscheck.traces.torch_view import torch_view
from crosscheck.traces.user_frames import UserFiles
from torch.overrides import TorchFunctionMode

# Those that ask for a function to be called on the way back.
HOOKS = (torch.Tensor.register_hook, torch.Tensor.register_post_accumulate_grad_hook)

_APPLY = torch.autograd.Function.apply.__func__.__code__  # type: ignore[attr-defined]


class Functions(TorchFunctionMode):
    """Called by PyTorch in place of each of its functions, which it calls and writes down."""

    def __init__(self, book: Book, files: UserFiles, lines: LinesBeside, graph: Graph) -> None:
        super().__init__()
        self.alive: list[Any] = graph.flow.alive  # so that no identity is used twice
        self._book, self._files, self._lines, self._graph = book, files, lines, graph

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        places = self._files.places(sys._getframe(1))
        if not places:
            goes_back = func is torch.Tensor.backward and args[0].requires_grad
            return self._go_back(args[0]) if goes_back else func(*args, **kwargs)
        op = _name(func)
        if func in HOOKS and args[0].requires_grad:
            return self._listen_beside(func, args, kwargs, Made(places, op, ()))
        given = _distinct(_arrays((args, kwargs)))
        sources = {index for x in given for index in self._sources(x, places)}
        if any(type(x) is float for x in (*args, *kwargs.values())):
            sources |= self._lines.numbers()
        made = Made(places, op, tuple(sorted(sources)))
        versions = [_version(x) for x in given]
        result = func(*args, **kwargs)
        for x, version in zip(given, versions, strict=True):
            if _version(x) != version:
                self._changed(x, made)
        for x in _distinct(_arrays(result)):
            if not any(x is y for y in given) and not self._book.is_known(x):
                index = self._add(x, made)
                if index >= 0 and not self._book.backward and _is_cut_off(x, given):
                    self._book.records[index] = replace(self._book.records[index], stops=True)
        return result

    def record_of(self, tensor: Any, name: str) -> int:
        """Return the record of a tensor. Add one if there is none."""
        sources = self._sources(tensor, ())
        if not sources:
            return self._add(tensor, Made((), name, ()))
        return sources[-1]

    def _go_back(self, loss: Any) -> None:
        """Go backward from the loss, and see the functions that are called on the way.

        Within `loss.backward()` PyTorch would not call this mode.
        """
        edge = torch.autograd.graph.get_gradient_edge(loss)
        with self:
            torch.autograd.backward(edge)

    def _sources(self, tensor: Any, places: Any) -> tuple[int, ...]:
        """Return the records of what a function is given."""
        if torch_view(tensor) is None:
            return ()
        found = self._book.sources_of(tensor)
        if self._graph.is_unknown(tensor):  # what an autograd.Function of the user returned
            return (self._graph.found_late(tensor, found, places),)
        if found and not self._book.is_known(tensor):
            self.alive.append(tensor)
            self._book.know(tensor, found)
        return found

    def _add(self, tensor: Any, made: Made, changed: bool = False) -> int:
        index = self._graph.flow.add(made.op, tensor, made, made.sources, changed=changed)
        if index >= 0:
            self._graph.note(tensor, index, made)
        return index

    def _changed(self, tensor: Any, made: Made) -> None:
        """A function has written into this tensor: it is seen in all that share its memory."""
        index = self._add(tensor, made, changed=True)
        for other, _ in list(self._book.changed_arrays(near=tensor)):
            sources = (*self._book.sources_of(other), index)
            self._add(other, Made(made.places, made.op, sources), changed=True)

    def _listen_beside(self, func: Any, args: Any, kwargs: Any, made: Made) -> Any:
        """Let the user register a hook, and note the gradient before and after it."""
        tensor = args[0]
        value = self._sources(tensor, made.places)
        before, after = self._graph.beside_hook(tensor, value, made)
        if func is torch.Tensor.register_hook:
            tensor.register_hook(before)
        handle = func(*args, **kwargs)
        func(tensor, after)
        return handle


def _name(func: Callable[..., Any]) -> str:
    """Return the function's name, or the attribute's if it reads or writes one, such as x.T."""
    name = func.__name__
    return str(func.__self__.__name__ if name in ("__get__", "__set__") else name)  # type: ignore[attr-defined]


def _arrays(value: Any) -> Iterator[Any]:
    """Yield the tensors and arrays in nested tuples, lists and dictionaries."""
    if isinstance(value, torch.Tensor | np.ndarray):
        yield value
    elif isinstance(value, tuple | list):
        for x in value:
            yield from _arrays(x)
    elif isinstance(value, dict):
        yield from _arrays(list(value.values()))


def _distinct(arrays: Iterator[Any]) -> list[Any]:
    return list({id(x): x for x in arrays}.values())


def _is_cut_off(result: Any, given: list[Any]) -> bool:
    """Whether no gradient comes back through a result to what a function was given.

    In the forward of an `autograd.Function` that is as it should be.
    """
    if not isinstance(result, torch.Tensor) or not result.is_floating_point():
        return False
    wanted = any(isinstance(x, torch.Tensor) and x.requires_grad for x in given)
    if result.requires_grad or not wanted:
        return False
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code is not _APPLY:
        frame = frame.f_back
    return frame is None


def _version(tensor: Any) -> int:
    """How often a tensor was written into; 0 where PyTorch does not count."""
    counted = isinstance(tensor, torch.Tensor) and not tensor.is_inference()
    return int(tensor._version) if counted else 0
