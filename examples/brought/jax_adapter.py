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
from jax.extend.core import Literal

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

        def forward_and_back(given, dout):
            output, pull = jax.vjp(function, *given)
            return output, pull(dout)

        dout = jax.eval_shape(function, *given)
        with jax.disable_jit(), scope_per_line(self.file, book.executed):
            closed = jax.make_jaxpr(forward_and_back)(given, dout)
        output = compute(closed, named(*given), loss, book, self.file)
        return book.trace(output, lambda again: self.trace(inputs, loss, again, **options).arrays)

    def _prepared(self, inputs, dtype, options):
        params = jax.tree.map(lambda x: np.asarray(x, dtype), self.params)
        if inputs.dtype.kind == "f":
            return lambda p, x: self.function(p, x, **options), (params, inputs.astype(dtype))
        return lambda p: self.function(p, inputs, **options), (params,)


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


def compute(closed, given, loss, book, file):
    """Compute the equations, write a record of each array, and return the output's."""
    *leaves, dout = closed.jaxpr.invars
    output, *gradients = closed.jaxpr.outvars
    values = dict(zip(closed.jaxpr.constvars, closed.consts, strict=True))
    values |= zip(leaves, given.values(), strict=True)
    records = {v: {book.give(*pair)} for v, pair in zip(leaves, given.items(), strict=True)}
    leaf_of = dict(zip(gradients, book.given.values(), strict=True))
    for equation in closed.eqns:
        read = [v for v in equation.invars if not isinstance(v, Literal)]
        if dout in read and dout not in values:
            values[dout] = loss.of_array(np.asarray(values[output]))[1]
            records[dout] = {book.send_in(values[dout])}
        op, scope = equation.primitive, str(equation.source_info.name_stack)
        operands = [v.val if isinstance(v, Literal) else values[v] for v in equation.invars]
        made = op.bind(*operands, **op.get_bind_params(equation.params))
        places = [Place(file, int(n)) for n in re.findall(r"line(\d+)", scope)]  # callers first
        place, *callers = places[::-1] or [None]
        sources = {record for v in read for record in records.get(v, ())}
        about = {"place": place, "callers": tuple(callers), "sources": sources, "op": op.name}
        for v, x in zip(equation.outvars, made if op.multiple_results else [made], strict=True):
            values[v], records[v] = x, sources  # of integers, the records that they came from
            if x.dtype.kind == "f":
                about["backward"] = "transpose(" in scope or v in leaf_of
                records[v] = {book.add(op.name, np.asarray(x), value=leaf_of.get(v), **about)}
    return max(records[output])
