"""`Module`: a tree of parameters and buffers with a forward, as in `torch.nn`.

`tree.py` says what the tree is and walks it. This file has the call and what is done to the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self

import numpy as np

from tinygrad_tf.graph import Array
from tinygrad_tf.machinery.arrivals import clear_grad
from tinygrad_tf.machinery.devices import dtype_asked_for, require_cpu
from tinygrad_tf.machinery.hooks import Hooks, RemovableHandle
from tinygrad_tf.machinery.naming import named
from tinygrad_tf.nn.parameter import Parameter as Parameter
from tinygrad_tf.nn.tree import Tree
from tinygrad_tf.tensor import Tensor, float32, float64


class Unmatched(NamedTuple):
    """The names that a state dict and a module do not have in common."""

    missing_keys: list[str]  # those of the module
    unexpected_keys: list[str]  # those of the state dict


class Module(Tree):
    """Base class of all layers. Subclasses set attributes in `__init__` and define `forward`."""

    # These are the defaults of every module. A module that differs has attributes of its own.
    training: bool = True  # whether dropout drops
    _forward_hooks: tuple[Hooks, Hooks] | None = None  # called before forward, and after it

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """Compute the output. Every subclass says how."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Run `forward`, with the hooks before and after it."""
        if self._forward_hooks is None:
            return self.forward(*inputs, **options)
        before, after = self._forward_hooks
        for hook in tuple(before.values()):
            replacement = hook(self, inputs)
            if replacement is not None:
                inputs = replacement if isinstance(replacement, tuple) else (replacement,)
        output = self.forward(*inputs, **options)
        for hook in tuple(after.values()):
            replacement = hook(self, inputs, output)
            output = output if replacement is None else replacement
        return output

    @named
    def register_forward_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, inputs, output)` after each forward. It may return another output."""
        return RemovableHandle(self._both_hooks()[1], hook)

    @named
    def register_forward_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, inputs)` before each forward. It may return other inputs.

        They are a tuple, or the only input.
        """
        return RemovableHandle(self._both_hooks()[0], hook)

    def _both_hooks(self) -> tuple[Hooks, Hooks]:
        if self._forward_hooks is None:
            self._forward_hooks = Hooks(), Hooks()
        return self._forward_hooks

    # Weights

    def state_dict(self) -> dict[str, Tensor]:
        """Return every parameter and persistent buffer by name. They share the module's memory."""
        return {name: tensor.detach() for name, tensor in self._named_state()}

    @named
    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> Unmatched:
        """Copy values (tensors or arrays, also PyTorch's on the CPU) into parameters and buffers.

        PyTorch's bfloat16 and float8 are widened, exactly.
        Returns the names that were missing and the names that were unexpected. Raises RuntimeError
        for a wrong shape, for integers, for a float64 value in a float32 model and, if strict, for
        a missing or unexpected name. The message lists everything that is wrong, and nothing is
        copied.
        """
        own = dict(self._named_state())
        missing = [name for name in own if name not in state_dict]
        unexpected = [name for name in state_dict if name not in own]
        arrays = {n: _array(v) for n, v in state_dict.items() if n in own}
        faults = [fault for n, a in arrays.items() if (fault := _misfit(n, a, own[n]))]
        if strict:
            faults = [f"missing: {n}" for n in missing] + faults
            faults += [f"unexpected: {n}" for n in unexpected]
        if faults:
            raise RuntimeError(
                f"load_state_dict: the values do not fit {type(self).__name__}:\n  "
                + "\n  ".join(faults)
            )
        for name, array in arrays.items():
            own[name].data[...] = array
        return Unmatched(missing, unexpected)

    @named
    def to(self, *kind: Any, dtype: Any = None, device: Any = None) -> Self:
        """Convert every parameter and every floating buffer to float32 or float64.

        Parameters and their gradients are converted in place; integers and masks keep their dtype.
        A device may be named as well, or alone. Raises RuntimeError unless it is the CPU.
        """
        require_cpu("to", device)
        wanted = dtype_asked_for("to", (*kind, dtype))
        if wanted is None:
            return self
        for parameter in self.parameters():
            gradient, parameter.grad = parameter.grad, None
            parameter.data = parameter.data.astype(wanted)
            parameter.grad = None if gradient is None else gradient.to(wanted)
        for module in self.modules():
            for name, buffer in module._own_buffers():
                if buffer.is_floating_point():
                    setattr(module, name, buffer.detach().to(wanted))
        return self

    def cpu(self) -> Self:
        """Return this module: it is on the CPU."""
        return self

    def double(self) -> Self:
        """Convert every parameter and floating buffer to float64."""
        return self.to(float64)

    def float(self) -> Self:
        """Convert every parameter and floating buffer to float32."""
        return self.to(float32)

    @named
    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set every parameter's gradient to None, or fill it with zeros if not set_to_none."""
        modules, seen = [self], {self}
        for module in modules:  # the list grows while it is walked
            for value in vars(module).values():
                if isinstance(value, Parameter):
                    clear_grad(value, set_to_none)
                elif isinstance(value, Module) and value not in seen:
                    seen.add(value)
                    modules.append(value)

    @named
    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Ask for the gradients of all parameters, or stop asking."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    # Mode and printed form

    @named
    def train(self, mode: bool = True) -> Self:
        """Switch this module and all below it to training mode, in which dropout drops, or back."""
        if not isinstance(mode, bool):
            raise ValueError(f"train: mode is {type(mode).__name__}, expected a bool")
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Switch to evaluation mode, in which dropout does nothing."""
        return self.train(False)

    def extra_repr(self) -> str:
        """Return what is printed in the brackets after the name of a layer."""
        return ""

    def _child_lines(self) -> list[str]:
        return [f"({name}): {child!r}" for name, child in self._own_modules()]

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = [line.replace("\n", "\n  ") for line in self._child_lines()]
        if not lines:
            return f"{type(self).__name__}({extra})"
        return f"{type(self).__name__}(\n  " + "\n  ".join([extra] * bool(extra) + lines) + "\n)"


def _array(value: Any) -> Array:
    """Return a value as an array. PyTorch's floats that NumPy lacks are widened to float32."""
    if hasattr(value, "detach"):
        value = value.detach()
    if str(getattr(value, "dtype", None)).startswith(("torch.bfloat16", "torch.float8")):
        value = value.float()
    return np.asarray(value)


def _misfit(name: str, value: Array, parameter: Tensor) -> str | None:
    """Return why value cannot be copied into the parameter without loss, or None if it can."""
    if value.shape != parameter.shape:
        return f"shape of {name}: got {value.shape}, expected {parameter.shape}"
    if parameter.is_floating_point() and value.dtype.name.startswith(("int", "uint", "bool")):
        return (
            f"dtype of {name}: got {value.dtype}, expected {parameter.dtype}; "
            "integers are no weights until they are scaled to what they stand for"
        )
    if not np.can_cast(value.dtype, parameter.dtype, casting="safe"):
        return (
            f"dtype of {name}: got {value.dtype}, expected {parameter.dtype}; "
            "convert the model with .double(), or the values to the model's precision"
        )
    return None
