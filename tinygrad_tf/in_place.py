"""What changes a tensor in place: `x += y`, `x.zero_()`, and what NumPy does with `x.data -= y`.

The tensor stays the same object, so every name of it sees the change. What becomes of its memory:

* Under `no_grad`, a leaf's memory itself is written. Whoever shares it sees the change: `detach()`,
  a state dict, an array. Do not change a leaf between a forward pass and its backward pass: rules
  remember the arrays that they were given, and nobody counts how often these are written to.
* Otherwise the tensor gets a new array and, where a gradient is wanted, the node of the op, whose
  input is what the tensor was before. The old array is not written to, so the graph that was built
  with it stays right, where PyTorch would raise in the backward pass. This holds for what an op
  made, and with gradients on also for a leaf that requires none. Tensors that share the old
  memory would not see the change. So while there are such tensors, views or others, this is
  refused. Only an array, as `x.data` and `x.numpy()` return it, keeps the old entries unnoticed.
* A leaf that requires grad is refused while gradients are on, as in PyTorch.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tinygrad_tf.graph import Array, Variable
from tinygrad_tf.machinery.complaints import complaint
from tinygrad_tf.machinery.inputs import RANKS
from tinygrad_tf.machinery.memory import is_shared
from tinygrad_tf.machinery.modes import grad_enabled
from tinygrad_tf.machinery.naming import named
from tinygrad_tf.ops import arithmetic, selection

if TYPE_CHECKING:
    from tinygrad_tf.tensor import Tensor

# What Python calls for the operator of each of NumPy's functions, where an array stands before a
# tensor, and where a tensor does.
OPERATORS = {
    np.add: ("radd", "add"),
    np.subtract: ("rsub", "sub"),
    np.multiply: ("rmul", "mul"),
    np.divide: ("rtruediv", "truediv"),
    np.power: ("rpow", "pow"),
    np.matmul: ("rmatmul", "matmul"),
    np.bitwise_and: ("rand", "and"),
    np.bitwise_or: ("ror", "or"),
    np.bitwise_xor: ("rxor", "xor"),
    np.equal: ("eq", "eq"),
    np.not_equal: ("ne", "ne"),
    np.less: ("gt", "lt"),
    np.less_equal: ("ge", "le"),
    np.greater: ("lt", "gt"),
    np.greater_equal: ("le", "ge"),
}


@named
class InPlace(Variable):
    """The operators and methods of a tensor that change it in place."""

    __slots__ = ()

    def __iadd__(self, other: Any) -> Self:
        return self._becomes("+=", arithmetic.add, other)

    def __isub__(self, other: Any) -> Self:
        return self._becomes("-=", arithmetic.sub, other)

    def __imul__(self, other: Any) -> Self:
        return self._becomes("*=", arithmetic.mul, other)

    def __itruediv__(self, other: Any) -> Self:
        return self._becomes("/=", arithmetic.div, other)

    def __ipow__(self, other: Any) -> Self:
        return self._becomes("**=", operator.pow, other)

    def __iand__(self, other: Any) -> Self:
        return self._becomes("&=", operator.and_, other)

    def __ior__(self, other: Any) -> Self:
        return self._becomes("|=", operator.or_, other)

    def __ixor__(self, other: Any) -> Self:
        return self._becomes("^=", operator.xor, other)

    def add_(self, other: Any, *, alpha: Any = 1) -> Self:
        """Add alpha * other to self."""
        return self._becomes("add_", arithmetic.add, _scaled(other, alpha))

    def sub_(self, other: Any, *, alpha: Any = 1) -> Self:
        """Subtract alpha * other from self."""
        return self._becomes("sub_", arithmetic.sub, _scaled(other, alpha))

    def mul_(self, other: Any) -> Self:
        """Multiply self by other."""
        return self._becomes("mul_", arithmetic.mul, other)

    def div_(self, other: Any) -> Self:
        """Divide self by other."""
        return self._becomes("div_", arithmetic.div, other)

    def zero_(self) -> Self:
        """Fill self with zeros."""
        return self._becomes("zero_", _filled, 0)

    def fill_(self, value: Any) -> Self:
        """Fill self with a number, or with the entry of a tensor without axes."""
        if np.ndim(getattr(value, "data", value)):
            raise complaint(ValueError, "fill_", "expected a number or a tensor without axes")
        return self._becomes("fill_", _filled, value)

    def copy_(self, source: Any) -> Self:
        """Fill self with the entries of a tensor, which may be converted and repeated."""
        if not isinstance(source, Variable):
            raise complaint(TypeError, "copy_", f"expected a Tensor, got {type(source).__name__}")
        return self._becomes("copy_", _filled, source)

    def _becomes(self, name: str, op: Any, *others: Any) -> Self:
        """Put op(self, *others) into self, as the head of this file says.

        Raises RuntimeError for a result of another shape, or of a dtype that does not fit, and
        wherever a change would not be seen by all who should see it.
        """
        _require_changeable(name, self)
        result = op(self, *others)
        array = _fitting(name, self, result)
        of_leaf = self.node is None and (self.memory is None or self.memory.of_leaf)
        if of_leaf and not grad_enabled.get():
            self._array[...] = array
            return self
        old = self.node
        self._array, self.memory = array, None
        if result.requires_grad:
            self.node, self._requires_grad = result.node, True
            if old is not None and old.hooks is not None and old.hooks.keeper is not None:
                self.retain_grad()  # type: ignore[attr-defined]
                old.hooks.keeper = None
        return self

    def __setitem__(self, index: Any, value: Any) -> None:
        raise complaint(
            TypeError,
            "setitem",
            "a tensor's items cannot be set, since rules remember its array; use where, "
            "masked_fill or cat, or outside of any graph set items of x.data",
        )

    @property
    def _data(self) -> Any:
        """NumPy's masked arrays ask for this before they compute with what they are given."""
        raise complaint(
            TypeError, "masked", "a masked array would lose its mask here; give array.filled(value)"
        )

    def __array_ufunc__(
        self, ufunc: Any, method: str, *inputs: Any, out: Any = (), **options: Any
    ) -> Any:
        """NumPy asks here what `array @ tensor` and `array -= tensor` are.

        The first is the tensor's op. The second changes the array.
        """
        if method == "__call__" and out and not any(isinstance(x, Variable) for x in out):
            return ufunc(*(_plain(ufunc.__name__, x) for x in inputs), out=out, **options)
        if method == "__call__" and ufunc in OPERATORS and not out and not options:
            reflected, plain = OPERATORS[ufunc]
            first, second = inputs
            if isinstance(first, Variable):
                return getattr(first, f"__{plain}__")(second)
            return getattr(second, f"__{reflected}__")(first)
        raise complaint(
            TypeError,
            ufunc.__name__,
            "NumPy's functions take no Tensor; use the tensor's own, or tensor.detach().numpy()",
        )


def _require_changeable(name: str, x: Variable) -> None:
    """Raise unless x may be changed in place here and now."""
    gradients = grad_enabled.get()
    if gradients and x.requires_grad and x.node is None:
        raise complaint(
            RuntimeError,
            name,
            "a leaf Variable that requires grad is being used in an in-place operation. "
            "Change it under no_grad()",
        )
    if not x._array.flags.writeable:
        raise complaint(
            RuntimeError, name, "the tensor's memory cannot be written; use clone() first"
        )
    if is_shared(x):
        what = "a view of a leaf" if x.memory.of_leaf else "one is a view of the other, or both are"
        advice = "use clone() first, or x = x + y"
        if x.node is None and x.memory.of_leaf:
            if not gradients:
                return
            advice += ", or no_grad(), under which a leaf's memory is written"
        raise complaint(
            RuntimeError,
            name,
            f"the tensor shares its memory with another one ({what}), which would not see the "
            f"change; {advice}",
        )


def _fitting(name: str, x: Variable, result: Variable) -> Array:
    """Return the array of a result, as x can hold it. Raise RuntimeError if x cannot."""
    array, wanted = result._array, x._array
    if array.shape != wanted.shape:
        raise complaint(
            RuntimeError,
            name,
            f"output with shape {wanted.shape} doesn't match the broadcast shape {array.shape}",
        )
    if RANKS[array.dtype.kind] > RANKS[wanted.dtype.kind]:
        raise complaint(
            RuntimeError,
            name,
            f"result type {array.dtype} can't be cast to the desired output type {wanted.dtype}",
        )
    return array.astype(wanted.dtype, copy=False)


def _scaled(other: Any, alpha: Any) -> Any:
    return other if alpha == 1 else other * alpha


def _filled(x: Tensor, value: Any) -> Tensor:
    """Return the value in the shape and dtype of x, which then gets no gradient but zeros."""
    everywhere = np.ones(x.shape, bool)
    if not isinstance(value, Variable):
        return selection.masked_fill(x, everywhere, value=value)
    return selection.where(everywhere, value.to(x.dtype), x)  # type: ignore[attr-defined]


def _plain(name: str, x: Any) -> Any:
    """Return what NumPy can compute with."""
    if not isinstance(x, Variable):
        return x
    if x.requires_grad:
        raise complaint(
            RuntimeError,
            name,
            "an array is changed by a tensor that requires grad, and would lose its gradient; "
            "use tensor.detach()",
        )
    return x._array
