"""A JAX function as a model that crosscheck compares, and its run shown line by line.

Each line of the function's file is traced in a `jax.named_scope` that has its number. JAX keeps
these names on the way back too, so each equation says which line made it, and who called it.
"""

import inspect
import re
import sys
from contextlib import contextmanager, nullcontext

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Literal, jaxpr_as_fun

from crosscheck.traces.book import Book
from crosscheck.traces.trace import Place

jax.config.update("jax_enable_x64", True)  # without it, JAX computes in float32 whatever is given


class JaxModel:
    """function(params, x, **options) -> output, where params are arrays in dicts and lists."""

    engine = "JAX"

    def __init__(self, function, params):
        self.function, self.params = function, params
        self.file = inspect.unwrap(getattr(function, "func", function)).__code__.co_filename

    def state_dict(self):
        """Return the parameters by name."""
        return named(self.params)

    def load_state_dict(self, weights):
        """Take these parameters instead, by the same names."""
        leaves = [np.asarray(weights[name], x.dtype) for name, x in named(self.params).items()]
        self.params = jax.tree.unflatten(jax.tree.structure(self.params), leaves)

    def linearize(self, inputs, dtype, **options):
        """Return the output for these inputs, and the function from its gradient to all others."""
        function, given = self._prepared(inputs, dtype, options)
        output, pull = jax.vjp(function, *given)
        return np.asarray(output), lambda dout: named(*pull(dout))

    def trace(self, inputs, loss, wanted, **options):
        """Return what a run in float64 makes, equation by equation; see crosscheck.traces."""
        book = Book(wanted=wanted)
        function, given = self._prepared(inputs, "float64", options)
        _, dout = loss.of_array(np.asarray(function(*given)))

        def forward_and_back(given, dout):
            output, pull = jax.vjp(function, *given)
            return output, pull(dout)

        with jax.disable_jit(), scope_per_line(self.file, book.executed):
            closed = jax.make_jaxpr(forward_and_back)(given, dout)
        output = write(closed, named(*given), dout, book, self.file)
        return book.trace(output, lambda again: self.trace(inputs, loss, again, **options).arrays)

    def _prepared(self, inputs, dtype, options):
        params = jax.tree.map(lambda x: np.asarray(x, dtype), self.params)
        plain = [name for name, x in options.items() if not isinstance(x, np.ndarray)]
        run = jax.jit(self.function, static_argnames=plain)
        if inputs.dtype.kind == "f":
            return lambda p, x: run(p, x, **options), (params, inputs.astype(dtype))
        return lambda p: run(p, inputs, **options), (params,)


def named(params, *inputs):
    """Return the arrays by name: their paths in params, with dots between, and "input"."""
    flat = jax.tree.leaves_with_path(params)
    arrays = {jax.tree_util.keystr(p, simple=True, separator="."): np.asarray(x) for p, x in flat}
    return arrays | dict(zip(["input"], map(np.asarray, inputs), strict=False))


@contextmanager
def scope_per_line(file, executed):
    """Run each line of this file in a scope that has its number, and note that it ran."""
    before, scopes = sys.gettrace(), {}

    def step(frame, event, _):
        scopes.pop(frame, nullcontext()).__exit__(None, None, None)
        if event == "line":
            executed.setdefault(Place(file, frame.f_lineno))
            scopes[frame] = jax.named_scope(f"line{frame.f_lineno}")
            scopes[frame].__enter__()
        return step

    sys.settrace(lambda frame, *_: step if frame.f_code.co_filename == file else None)
    try:
        yield
    finally:
        sys.settrace(before)


def write(closed, given, dout, book, file):
    """Compute all equations, write a record of each array, and return the output's."""
    all_made = [v for equation in closed.eqns for v in equation.outvars]
    everything = ClosedJaxpr(closed.jaxpr.replace(outvars=all_made), closed.consts)
    made = iter(jax.jit(jaxpr_as_fun(everything))(*given.values(), dout))  # in this order
    *leaves, sent_in = closed.jaxpr.invars
    output, *gradients = closed.jaxpr.outvars
    records = {v: {book.give(*pair)} for v, pair in zip(leaves, given.items(), strict=True)}
    leaf_of = dict(zip(map(id, gradients), book.given.values(), strict=True))
    for equation in closed.eqns:
        read = [v for v in equation.invars if not isinstance(v, Literal)]
        if sent_in in read and sent_in not in records:
            records[sent_in] = {book.send_in(dout)}
        op, scope = equation.primitive.name, str(equation.source_info.name_stack)
        lines = map(int, re.findall(r"line(\d+)", scope)[::-1])  # the innermost first
        place, *callers = [Place(file, line) for line in lines] or [None]
        sources = {record for v in read for record in records.get(v, ())}
        about = {"place": place, "callers": tuple(callers), "sources": sources, "op": op}
        for v, value in zip(equation.outvars, made, strict=False):
            records[v] = sources  # of integers, the records that they came from
            if v.aval.dtype.kind == "f":
                about["backward"] = "transpose(" in scope or id(v) in leaf_of
                records[v] = {book.add(op, np.asarray(value), value=leaf_of.get(id(v)), **about)}
    return max(records[output])
