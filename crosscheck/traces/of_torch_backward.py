"""PyTorch's graph: which call made each node, and what flows back through it.

A node belongs to the call in which it was made, so it has the line of that call.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from crosscheck.traces.backflow import NOWHERE, Backflow, Made, Slot
from crosscheck.traces.book import Book
from crosscheck.traces.lines_beside import LinesBeside
from crosscheck.traces.trace import Place
from torch.autograd.graph import get_gradient_edge


@dataclass
class _Node:
    """A node of the graph, as long as the run lasts."""

    node: Any
    made: Made  # the call that made it
    arrived: list[int] = field(default_factory=list)  # the records of what has arrived at it


class Graph:
    """Knows which call made each node, and writes down what flows back."""

    def __init__(self, book: Book, lines: LinesBeside) -> None:
        self.flow = Backflow(book)
        self._book, self._lines = book, lines
        self._nodes: dict[int, _Node] = {}  # by identity

    def is_unknown(self, tensor: Any) -> bool:
        """Whether a node that no call has been seen to make has made this tensor."""
        node = getattr(tensor, "grad_fn", None)
        return node is not None and id(node) not in self._nodes

    def note(self, tensor: Any, index: int, made: Made) -> None:
        """Say that this call made the nodes, unknown so far, that lead to this tensor."""
        if getattr(tensor, "grad_fn", None) is None:
            return
        self.flow.values.setdefault(self._slot(tensor), index)
        pending = [tensor.grad_fn]
        while pending:
            node = pending.pop()
            if id(node) in self._nodes:
                continue
            leaf = getattr(node, "variable", None)
            if leaf is None:
                self._nodes[id(node)] = _Node(node, made)
                pending += [user for user, _ in node.next_functions if user is not None]
                continue
            self._nodes[id(node)] = _Node(node, NOWHERE)
            found = self._book.sources_of(leaf)
            if found:
                self.flow.values[id(node), 0] = found[-1]

    def found_late(self, tensor: Any, found: tuple[int, ...], places: tuple[Place, ...]) -> int:
        """Note a tensor that an `autograd.Function` of the user returned, and return its record.

        found: the records of the line that made it. places: the lines that use it now.
        """
        node = tensor.grad_fn
        given = [self.flow.values.get((id(user), number)) for user, number in node.next_functions]
        sources = {index for index in given if index is not None}
        if found:
            record = self._book.records[found[-1]]
            made_at = () if record.place is None else (record.place, *record.callers)
            places = _outside(getattr(type(node), "_forward_cls", None), made_at) or places
        made = Made(places, node.name(), tuple(sorted(sources)))
        if found:
            index = found[-1]
            self.flow.alive.append(tensor)
            self._book.know(tensor, found)
        else:
            index = self.flow.add(made.op, tensor, made, made.sources)
        self.note(tensor, index, made)
        return index

    def listen(self, output: Any, index: int) -> None:
        """Write down what flows back from this output, which has that record."""
        if not output.requires_grad:
            return
        self.flow.root = root = self._slot(output)
        self.flow.values.setdefault(root, index)
        if output.grad_fn is None:  # the model returns a leaf as it is
            output.register_hook(self._arriving_at_leaf(root))
            return
        pending, seen = [output.grad_fn], {id(output.grad_fn)}
        while pending:
            node = pending.pop()
            held = self._nodes.setdefault(id(node), _Node(node, NOWHERE))
            node.register_prehook(self._arriving(held))
            node.register_hook(self._sending(held))
            for user, _ in node.next_functions:
                if user is not None and id(user) not in seen:
                    seen.add(id(user))
                    pending.append(user)

    def beside_hook(
        self, tensor: Any, value: tuple[int, ...], made: Made
    ) -> tuple[Callable[[Any], None], Callable[[Any], None]]:
        """Return what is to be called before and after a hook of the user on this tensor.

        value: the tensor's record. made: the line that registers the hook.
        """
        slot = self._slot(tensor)
        index = value[-1] if value else None
        if index is not None:
            self.flow.values.setdefault(slot, index)
        before_it: list[int] = []

        def before(gradient: Any) -> None:
            held = self._nodes.get(slot[0])
            before_it[:] = [self.flow.arrives(slot, gradient, held.made if held else NOWHERE)]

        def after(gradient: Any) -> None:
            if made.op != "register_hook":  # it is called with the leaf
                gradient = gradient.grad
            if gradient is None:
                return
            known = self._book.sources_of(gradient) if self._book.is_known(gradient) else ()
            sources = {*before_it, *known, *value}
            name = self.flow.name(index)
            self.flow.sent[slot].append(self.flow.add(name, gradient, made, sources, value=index))

        return before, after

    def rest(self, leaf: Any, value: int) -> None:
        """Write the gradient that lies in a leaf after the run; value is the leaf's record."""
        if leaf.grad is not None:
            self.flow.rests(self._slot(leaf), value, leaf.grad)

    def _arriving(self, held: _Node) -> Callable[[Any], None]:
        def arrived(gradients: Any) -> None:
            held.arrived = [
                self.flow.arrives((id(held.node), i), gradient, held.made)
                for i, gradient in enumerate(gradients)
                if gradient is not None
            ]

        return arrived

    def _arriving_at_leaf(self, slot: Slot) -> Callable[[Any], None]:
        def arrived(gradient: Any) -> None:
            self.flow.arrives(slot, gradient, NOWHERE)

        return arrived

    def _sending(self, held: _Node) -> Callable[[Any, Any], None]:
        function = getattr(type(held.node), "_forward_cls", None)
        op = held.node.name()

        def sent(gradients: Any, _: Any) -> None:
            returned_at = () if function is None else self._lines.left_at(function.backward)
            sources = {*held.arrived, *held.made.sources}
            for gradient, (user, number) in zip(gradients, held.node.next_functions, strict=False):
                if gradient is None or user is None:
                    continue
                if returned_at and self._book.sources_of(gradient):
                    self.flow.returns((id(user), number), gradient, returned_at, op)
                else:
                    self.flow.sends((id(user), number), gradient, held.made, sources, op)

        return sent

    def _slot(self, tensor: Any) -> Slot:
        """Where the gradient of this tensor, which requires one, arrives."""
        edge = get_gradient_edge(tensor)
        self.flow.alive.append(edge.node)
        return id(edge.node), edge.output_nr


def _outside(function: Any, places: tuple[Place, ...]) -> tuple[Place, ...]:
    """Return the places from the line on that applied this `autograd.Function`."""
    if function is None:
        return places
    code = inspect.unwrap(function.forward).__code__
    lines = {line for *_, line in code.co_lines() if line is not None}
    inside = [i for i, p in enumerate(places) if p.file == code.co_filename and p.line in lines]
    return places[inside[-1] + 1 :] if inside else places
