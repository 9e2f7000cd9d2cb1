"""Other kinds of numbers, other places in memory, and copies: `x.float()`, `x.to(...)`, `x.cpu()`.

Only `cast` and `clone` compute, and both let gradients through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinygrad_tf import dtypes
from tinygrad_tf.graph import Variable
from tinygrad_tf.machinery.devices import device as _device
from tinygrad_tf.machinery.devices import dtype_asked_for, require_cpu
from tinygrad_tf.machinery.inputs import require_supported
from tinygrad_tf.ops.elementwise import cast
from tinygrad_tf.ops.shape import clone

if TYPE_CHECKING:
    from tinygrad_tf.tensor import Tensor

CPU = _device()


class Conversions(Variable):
    """The methods of a tensor that give the same entries in another form."""

    __slots__ = ()

    @property
    def device(self) -> _device:
        """Where the entries are: on the CPU."""
        return CPU

    def to(self, *like: Any, dtype: Any = None, device: Any = None) -> Tensor:
        """Convert to a dtype, or to the dtype of another tensor. Differentiable between floats.

        A device may be named as well, or alone. Raises RuntimeError unless it is the CPU.
        """
        require_cpu("to", device)
        asked = (x.data.dtype if isinstance(x, Variable) else x for x in (*like, dtype))
        wanted = dtype_asked_for("to", tuple(asked))
        if wanted is None or wanted == self.data.dtype:
            return self  # type: ignore[return-value]
        require_supported("to", wanted)
        if self.data.dtype.kind == wanted.kind == "f":
            return cast(self, dtype=wanted)
        return self.new_tensor(self.data.astype(wanted))

    def cpu(self) -> Tensor:
        """Return self: it is on the CPU."""
        return self.to(CPU)

    def float(self) -> Tensor:
        """Convert to float32."""
        return self.to(dtypes.float32)

    def double(self) -> Tensor:
        """Convert to float64."""
        return self.to(dtypes.float64)

    def long(self) -> Tensor:
        """Convert to int64. Fractions are dropped."""
        return self.to(dtypes.int64)

    def int(self) -> Tensor:
        """Convert to int32. Fractions are dropped."""
        return self.to(dtypes.int32)

    def bool(self) -> Tensor:
        """Return which entries are not zero."""
        return self.to(dtypes.bool)

    clone = clone

    def is_contiguous(self) -> Any:
        """Return whether the entries lie in memory in their own order, without gaps."""
        return self.data.flags.c_contiguous

    def contiguous(self) -> Tensor:
        """Return self if it is contiguous, and else a copy that is. Differentiable."""
        return self.to(CPU) if self.is_contiguous() else clone(self)
