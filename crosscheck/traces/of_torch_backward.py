"""PyTorch's graph on the way back: what arrives at each node, and what it sends to each input.

A node of the graph belongs to the call in which it was made, so it has the line of that call. The
gradients that the user's own lines make, in the backward of an `autograd.Function` or in a hook,
have their records already; they are recognised by identity and get no second one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from crosscheck.traces.book import Book
from crosscheck.traces.torch_view import torch_view
from crosscheck.traces.trace import Place
from torch.autograd.graph import get_gradient_edge

_Slot = tuple[int, int]  # the identity of a node, and the number of one of its outputs


@dataclass(frozen=True)
class Made:
    """A call of a function."""

    places: tuple[Place, ...]  # the user's lines that were running, innermost first
    op: str  # the function's name
    sources: tuple[int, ...]  # the records of what it was given


@dataclass
class _Node:
    """A node of the graph, as long as the run lasts."""

    node: Any
    made: Made  # the call that made it
    arrived: list[int] = field(default_factory=list)  # the records of what has arrived at it


class Graph:
    """Knows which call made each node, and writes down what flows back."""

    def __init__(self, book: Book) -> None:
        self.alive: list[Any] = []
        self._book = book
        self._nodes: dict[int, _Node] = {}  # by identity
        self._values: dict[_Slot, int] = {}  # the record of the tensor that is made there
        self._sent: defaultdict[_Slot, list[int]] = defaultdict(list)  # the records of what is sent
        self._root: _Slot | None = None  # where the gradient is sent in

    def is_unknown(self, tensor: Any) -> bool:
        """Whether a node that no call has been seen to make has made this tensor."""
        return tensor.grad_fn is not None and id(tensor.grad_fn) not in self._nodes

    def note(self, tensor: Any, index: int, made: Made) -> None:
        """Say that this call made the nodes, unknown so far, that lead to this tensor."""
        if getattr(tensor, "grad_fn", None) is None:
            return
        self._values.setdefault(self._slot(tensor), index)
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
            found = self._book.sources_of(leaf)
            self._nodes[id(node)] = _Node(node, Made((), "", found))
            if found:
                self._values[id(node), 0] = found[-1]

    def found_late(self, tensor: Any, found: tuple[int, ...], places: tuple[Place, ...]) -> int:
        """Note a tensor that an `autograd.Function` of the user returned, and return its record.

        found: the records of the line that made it. places: the lines that use it now.
        """
        node = tensor.grad_fn
        given = [self._values.get((id(user), number)) for user, number in node.next_functions]
        sources = {index for index in given if index is not None}
        if found:
            record = self._book.records[found[-1]]
            made_at = () if record.place is None else (record.place, *record.callers)
            places = _outside(getattr(type(node), "_forward_cls", None), made_at) or places
        made = Made(places, node.name(), tuple(sorted(sources)))
        if not found:
            index = self._add("", tensor, made, made.sources, backward=False)
        else:
            index = found[-1]
            self.alive.append(tensor)
            self._book.know(tensor, found)
        self.note(tensor, index, made)
        return index

    def listen(self, output: Any) -> None:
        """Write down what flows back from this output."""
        if output.grad_fn is None:
            return
        self._root = self._slot(output)
        pending, seen = [output.grad_fn], {id(output.grad_fn)}
        while pending:
            node = pending.pop()
            held = self._nodes.setdefault(id(node), _Node(node, Made((), node.name(), ())))
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
        held: list[int] = []

        def before(gradient: Any) -> None:
            held[:] = [self._arrival(slot, gradient, index)]

        def after(gradient: Any) -> None:
            if made.op != "register_hook":  # it is called with the tensor
                gradient = gradient.grad
            if gradient is None:
                return
            known = self._book.sources_of(gradient) if self._book.is_known(gradient) else ()
            sources = {*held, *known, *value}
            self._add(self._name(index), gradient, made, sources, value=index)

        return before, after

    def finish(self, leaves: Mapping[int, Any]) -> None:
        """Write the gradients that lie in the leaves, by the leaves' records, if they are news."""
        for value, leaf in leaves.items():
            if leaf.grad is None:
                continue
            latest = self._book.latest_of(leaf.grad)
            if latest is not None and self._book.records[latest].value == value:
                continue
            arrived = [r.index for r in self._book.records if r.value == value]
            sources = arrived if latest is None else [*arrived, latest]
            last = self._book.records[max(sources)] if sources else None
            places = () if last is None or last.place is None else (last.place, *last.callers)
            made = Made(places, "", ())
            self._add(self._name(value), leaf.grad, made, sources, value=value)

    def _arriving(self, held: _Node) -> Callable[[Any], None]:
        def arrived(gradients: Any) -> None:
            held.arrived = [
                self._arrival((id(held.node), i), gradient, self._values.get((id(held.node), i)))
                for i, gradient in enumerate(gradients)
                if gradient is not None
            ]

        return arrived

    def _sending(self, held: _Node) -> Callable[[Any, Any], None]:
        def sent(gradients: Any, _: Any) -> None:
            for gradient, (user, number) in zip(gradients, held.node.next_functions, strict=False):
                if gradient is None or user is None:
                    continue
                slot = id(user), number
                if self._book.is_known(gradient) and not self._book.is_changed(gradient):
                    index = self._book.sources_of(gradient)[-1]
                else:
                    sources = {*held.arrived, *held.made.sources}
                    name = self._name(self._values.get(slot))
                    index = self._add(name, gradient, held.made, sources, op=held.node.name())
                self._sent[slot].append(index)

        return sent

    def _arrival(self, slot: _Slot, gradient: Any, value: int | None) -> int:
        """Return the record of what arrives here; value is the record of what was made here."""
        if self._book.is_known(gradient) and not self._book.is_changed(gradient):
            index = self._book.sources_of(gradient)[-1]
            record = self._book.records[index]
            if record.value is None and value is not None:
                self._book.records[index] = replace(record, value=value)
            if value is None or self._book.records[index].value == value:
                return index
            sources = [index]  # one gradient for several tensors, as an addition sends it
        elif slot == self._root and self._book.dout is None:
            self.alive.append(gradient)
            index = self._book.send_in(gradient)
            self._book.records[index] = replace(self._book.records[index], value=value)
            return index
        else:
            sources = list(self._sent[slot])
        if value is not None:
            sources.append(value)
        made = self._nodes[slot[0]].made if slot[0] in self._nodes else Made((), "", ())
        if not made.places and sources:  # at a leaf: where the last of the sum was made
            last = self._book.records[max(sources)]
            made = Made(() if last.place is None else (last.place, *last.callers), "", ())
        return self._add(self._name(value), gradient, made, sources, value=value)

    def _add(
        self,
        name: str,
        tensor: Any,
        made: Made,
        sources: Any,
        *,
        op: str | None = None,
        value: int | None = None,
        backward: bool = True,
    ) -> int:
        if torch_view(tensor) is None:
            return -1
        self.alive.append(tensor)
        return self._book.add(
            name, tensor,
            place=made.places[0] if made.places else None, callers=made.places[1:],
            sources=sources, backward=backward, op=made.op if op is None else op, value=value,
        )  # fmt: skip

    def _slot(self, tensor: Any) -> _Slot:
        """Where the gradient of this tensor, which requires one, arrives."""
        edge = get_gradient_edge(tensor)
        self.alive.append(edge.node)
        return id(edge.node), edge.output_nr

    def _name(self, value: int | None) -> str:
        """What the gradient of a value is called."""
        return "gradient" if value is None else f"d {self._book.records[value].name}"


def _outside(function: Any, places: tuple[Place, ...]) -> tuple[Place, ...]:
    """Return the places from the line on that applied this `autograd.Function`."""
    if function is None:
        return places
    code = function.forward.__code__
    lines = {line for *_, line in code.co_lines() if line is not None}
    inside = [i for i, p in enumerate(places) if p.file == code.co_filename and p.line in lines]
    return places[inside[-1] + 1 :] if inside else places
