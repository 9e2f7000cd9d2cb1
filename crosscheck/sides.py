"""The sides of a comparison, each behind the same few words, so that nothing else tells them apart.

A *side* is an engine: what it calls its tensors and its losses, and how a model of it is run. Two
sides speak PyTorch's dialect, ours and PyTorch itself: they are a `Dialect` each. A model of any
other engine has two methods (`ForeignModel`) and runs on the side `Foreign`. One more kind of
engine is one more such class, and a line in `side_of`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np

import tinygrad_tf
import tinygrad_tf.transformer
import torch
import torch_impl
from crosscheck.answers import only_tensor
from crosscheck.arrays import INPUT as INPUT
from crosscheck.arrays import Array as Array
from crosscheck.arrays import Options, array_of, with_arrays
from crosscheck.arrays import in_precision as in_precision
from crosscheck.choices import ENGINES
from crosscheck.foreign import Foreign, ForeignModel
from torch.nn.attention import SDPBackend, sdpa_kernel

Gradients = dict[str, Array | None]  # by the name of a parameter; None where nothing arrived

# Called with the very model and inputs that are about to run; what it returns surrounds the run.
Watch = Callable[[Any, Any], AbstractContextManager[Any]]


class Loss(Protocol):
    """What turns an output into the number whose gradient is taken."""

    def of_tensor(self, side: Dialect, output: Any) -> Any:
        """Return the loss as a tensor of the side, to go backward from."""

    def of_array(self, output: Array) -> tuple[Array, Array]:
        """Return the loss, and dL/d(output)."""


class Side(Protocol):
    """What a comparison needs of an engine."""

    @property
    def name(self) -> str:
        """What it is called in sentences."""

    def weights(self, model: Any) -> dict[str, Array]:
        """Return every parameter as an array, by name."""

    def differentiate(
        self, model: Any, inputs: Array, options: Options, dtype: str, loss: Loss, watch: Watch
    ) -> tuple[Array, Array, Gradients]:
        """Run the model in "float32" or "float64"; return output, loss, and the gradients.

        The model is left as it is. Floating arrays among the inputs and options are given in that
        precision. The gradient of a floating input is under the name INPUT. Raises TypeError or
        ValueError if the model gives back what cannot be compared.
        """

    def forward(self, model: Any, inputs: Array, options: Options, dtype: str) -> Any:
        """Run the model forward only, as `differentiate` does; return whatever it returns."""


@dataclass(frozen=True)
class Dialect:
    """An engine that speaks PyTorch's dialect."""

    key: str  # in options, in JSON, and in the names of tests
    name: str  # in sentences
    library: Any  # the package: nn, optim, float64, no_grad
    models: Any  # its Transformer
    tensor: Callable[..., Any]  # (array, requires_grad=False) -> a tensor
    array: Callable[[Any], Array]  # a tensor -> its array, which shares its memory where it can
    clip_grad_norm: Callable[..., Any]  # (parameters, max_norm)
    # Around a run in float64: the engine's most careful kernels, where it has a choice. In float32,
    # where the question is what rounding may do, it runs as it comes.
    careful: Callable[[], AbstractContextManager[Any]] = nullcontext
    # Around every run: gradients are wanted, whatever holds where `compare` is called.
    with_gradients: Callable[[], AbstractContextManager[Any]] = nullcontext

    def __repr__(self) -> str:
        return self.key

    @property
    def functional(self) -> Any:
        """Its functions, such as `layer_norm`."""
        return self.library.nn.functional

    def copy(self, model: Any, dtype: str) -> Any:
        """Return a copy of the model, in evaluation mode, without gradients."""
        copied = copy.deepcopy(model).to(getattr(self.library, dtype)).eval()
        copied.zero_grad()
        return copied

    def cross_entropy(self, logits: Any, targets: Any) -> Any:
        """Return the mean cross-entropy of logits (..., V) and targets (...)."""
        return self.functional.cross_entropy(logits.flatten(0, -2), targets.flatten())

    def options(self, options: Options, dtype: Any) -> dict[str, Any]:
        """Return a forward's options with the arrays among them as tensors."""
        return with_arrays(options, lambda array: self.tensor(in_precision(array, dtype)))

    def parameters(self, model: Any) -> dict[str, Any]:
        """Return every parameter by name, a tied one under each of its names. No buffers."""
        return dict(model.named_parameters(remove_duplicate=False))

    def weights(self, model: Any) -> dict[str, Array]:
        """Return a copy of every parameter as an array, by name."""
        parameters = self.parameters(model)
        return {name: np.array(self.array(x), order="C") for name, x in parameters.items()}

    def memory(self, model: Any) -> dict[str, Array]:
        """Return the memory of each parameter, by name: what is written there changes the model."""
        return {name: self.array(p) for name, p in model.named_parameters()}

    def as_held(self, parameter: Any, values: Array) -> Array:
        """Return floating values as this parameter would hold them, in its precision."""
        given = values.astype(self.array(parameter).dtype)
        return self.array(self.tensor(given).to(parameter.dtype))

    def load(self, model: Any, weights: Mapping[str, Array]) -> None:
        """Load arrays that fit into a model. A buffer that is not among them stays as it is.

        If the model refuses one of them nevertheless, it is put back as it was, and raises.
        """
        state = {n: x for n, x in model.state_dict().items() if isinstance(x, self.library.Tensor)}
        own = {**state, **self.parameters(model)}
        tensors = {
            name: self.tensor(x.astype(self.array(own[name]).dtype) if name in own else x)
            for name, x in weights.items()
        }
        before = [(x, self.array(x).copy()) for x in state.values()]
        try:
            model.load_state_dict(tensors, strict=False)
        except Exception:
            for tensor, values in before:
                if not np.array_equal(self.array(tensor), values, equal_nan=True):
                    tensor.copy_(self.tensor(values))
            raise

    def gradients(self, model: Any) -> Gradients:
        """Return the gradient of every parameter, by name."""
        return {name: self._gradient(p) for name, p in model.named_parameters()}

    def differentiate(
        self, model: Any, inputs: Array, options: Options, dtype: str, loss: Loss, watch: Watch
    ) -> tuple[Array, Array, Gradients]:
        """Run a copy of the model forward and backward; see `Side`.

        Where nothing requires grad, all gradients are None.
        """
        model = self.copy(model, dtype)
        x = self.tensor(in_precision(inputs, dtype), requires_grad=inputs.dtype.kind == "f")
        given = self.options(options, dtype)
        who = f"the {self.name} model {type(model).__name__}"
        kernels = self.careful() if dtype == "float64" else nullcontext()
        with kernels, self.with_gradients(), watch(model, x):
            output = only_tensor(model(x, **given), self.library.Tensor, who)
            value = loss.of_tensor(self, output)
            if any(leaf.requires_grad for leaf in (x, *model.parameters())):
                value.backward()
        gradients = self.gradients(model)
        if x.requires_grad:
            gradients[INPUT] = self._gradient(x)
        return self.array(output), self.array(value), gradients

    def forward(self, model: Any, inputs: Array, options: Options, dtype: str) -> Any:
        """Run a copy of the model forward; see `Side`."""
        given = self.options(options, dtype)
        return self.copy(model, dtype)(self.tensor(in_precision(inputs, dtype)), **given)

    def _gradient(self, tensor: Any) -> Array | None:
        return None if tensor.grad is None else self.array(tensor.grad)


NUMPY = Dialect(
    key=ENGINES[0],
    name="NumPy",
    library=tinygrad_tf,
    models=tinygrad_tf.transformer,
    tensor=tinygrad_tf.Tensor,
    array=array_of,
    clip_grad_norm=tinygrad_tf.optim.clip_grad_norm_,
)
TORCH = Dialect(
    key=ENGINES[1],
    name="PyTorch",
    library=torch,
    models=torch_impl,
    tensor=torch.tensor,
    array=array_of,
    clip_grad_norm=torch.nn.utils.clip_grad_norm_,
    # The backward of the flash kernel is wrong where a whole sequence is masked by finite numbers.
    careful=partial(sdpa_kernel, SDPBackend.MATH),
    with_gradients=torch.enable_grad,
)
DIALECTS = {side.key: side for side in (NUMPY, TORCH)}


def side_of(model: Any, where: str = "crosscheck") -> Side:
    """Return the side that this model runs on.

    Raises TypeError for a class and for a model of another kind; `where` begins the message.
    """
    if isinstance(model, type):
        name = model.__name__
        raise TypeError(f"{where}: got the class {name}, expected a model, such as {name}(...)")
    if isinstance(model, tinygrad_tf.nn.Module):
        return NUMPY
    if isinstance(model, torch.nn.Module):
        return TORCH
    if isinstance(model, ForeignModel):
        return Foreign(model.engine)
    raise TypeError(
        f"{where}: expected a tinygrad_tf.nn.Module, a torch.nn.Module, or a model with engine, "
        "state_dict and linearize (see crosscheck.ForeignModel), got "
        f"{type(model).__module__}.{type(model).__name__}"
    )
