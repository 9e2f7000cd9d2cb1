"""`Module`: a tree of parameters with a forward, as in `torch.nn`.

The parameters and children of a module are simply its attributes, in the order in which they were
assigned. Everything else in this file walks that tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

import numpy as np

from tinygrad_tf.graph import Array
from tinygrad_tf.machinery.hooks import Hooks, RemovableHandle
from tinygrad_tf.tensor import Tensor, float32, float64


class Parameter(Tensor):
    """A tensor that a module owns and training changes."""

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        super().__init__(data, requires_grad)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class Module:
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
            hook(self, inputs)
        output = self.forward(*inputs, **options)
        for hook in tuple(after.values()):
            replacement = hook(self, inputs, output)
            output = output if replacement is None else replacement
        return output

    def register_forward_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, inputs, output)` after each forward. It may return another output."""
        return RemovableHandle(self._both_hooks()[1], hook)

    def register_forward_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(module, inputs)` before each forward. What it returns is ignored."""
        return RemovableHandle(self._both_hooks()[0], hook)

    def _both_hooks(self) -> tuple[Hooks, Hooks]:
        if self._forward_hooks is None:
            self._forward_hooks = Hooks(), Hooks()
        return self._forward_hooks

    # The tree

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Iterate over the names and values of the attributes that are modules."""
        return ((name, m) for name, m in vars(self).items() if isinstance(m, Module))

    def children(self) -> Iterator[Module]:
        """Iterate over the attributes that are modules."""
        return (child for child in vars(self).values() if isinstance(child, Module))

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Yield this module and all below it, each once, with dotted paths that start at prefix."""
        seen: set[int] = set()
        stack = [(prefix, self)]
        while stack:
            path, module = stack.pop()
            if id(module) not in seen:
                seen.add(id(module))
                yield path, module
                stack.extend(reversed([(_join(path, n), m) for n, m in module.named_children()]))

    def modules(self) -> Iterator[Module]:
        """Iterate over this module and all modules below it, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(self, *, remove_duplicate: bool = True) -> Iterator[tuple[str, Parameter]]:
        """Yield all parameters with their dotted names.

        A tied one comes only under its first name, or under each if not remove_duplicate.
        """
        seen: set[int] = set()
        for name, parameter in self._all_parameters():
            if id(parameter) not in seen or not remove_duplicate:
                seen.add(id(parameter))
                yield name, parameter

    def parameters(self) -> Iterator[Parameter]:
        """Iterate over all parameters, each once."""
        return (parameter for _, parameter in self.named_parameters())

    def _all_parameters(self, prefix: str = "") -> Iterator[tuple[str, Parameter]]:
        """Yield all parameters with their dotted names; a tied one under each of its names."""
        for name, value in vars(self).items():
            if isinstance(value, Parameter):
                yield _join(prefix, name), value
        for name, child in self.named_children():
            yield from child._all_parameters(_join(prefix, name))

    # Weights

    def state_dict(self) -> dict[str, Tensor]:
        """Return every parameter by name. The tensors share the module's memory."""
        return {name: parameter.detach() for name, parameter in self._all_parameters()}

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True
    ) -> tuple[list[str], list[str]]:
        """Copy values (tensors or arrays, also PyTorch's on the CPU) into the parameters.

        PyTorch's bfloat16 and float8 are widened, exactly.
        Returns the names that were missing and the names that were unexpected. Raises RuntimeError
        for a wrong shape, for integers, for a float64 value in a float32 model and, if strict, for
        a missing or unexpected name. The message lists everything that is wrong, and nothing is
        copied.
        """
        own = dict(self._all_parameters())
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
        return missing, unexpected

    def to(self, dtype: Any) -> Self:
        """Convert every parameter in place to float32 or float64, and drop the gradients."""
        for parameter in self.parameters():
            parameter.data = parameter.data.astype(dtype)
            parameter.grad = None
        return self

    def double(self) -> Self:
        """Convert every parameter to float64."""
        return self.to(float64)

    def float(self) -> Self:
        """Convert every parameter to float32."""
        return self.to(float32)

    def zero_grad(self) -> None:
        """Set every parameter's gradient to None."""
        modules, seen = [self], {self}
        for module in modules:  # the list grows while it is walked
            for value in vars(module).values():
                if isinstance(value, Parameter):
                    value.grad = None
                elif isinstance(value, Module) and value not in seen:
                    seen.add(value)
                    modules.append(value)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Ask for the gradients of all parameters, or stop asking."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    # Mode and printed form

    def train(self, mode: bool = True) -> Self:
        """Switch this module and all below it to training mode, in which dropout drops, or back."""
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
        return [f"({name}): {child!r}" for name, child in self.named_children()]

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = [line.replace("\n", "\n  ") for line in self._child_lines()]
        if not lines:
            return f"{type(self).__name__}({extra})"
        return f"{type(self).__name__}(\n  " + "\n  ".join([extra] * bool(extra) + lines) + "\n)"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _array(value: Any) -> Array:
    """Return a value as an array. PyTorch's floats that NumPy lacks are widened to float32."""
    if hasattr(value, "detach"):
        value = value.detach()
    if str(getattr(value, "dtype", None)).startswith(("torch.bfloat16", "torch.float8")):
        value = value.float()
    return np.asarray(value)


def _misfit(name: str, value: Array, parameter: Parameter) -> str | None:
    """Return why value cannot be copied into the parameter without loss, or None if it can."""
    if value.shape != parameter.shape:
        return f"shape of {name}: got {value.shape}, expected {parameter.shape}"
    if value.dtype.name.startswith(("int", "uint", "bool")):
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
