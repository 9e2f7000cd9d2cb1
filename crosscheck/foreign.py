"""A model of any other engine: the two methods that it offers, and the side that it runs on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from crosscheck.answers import in_words, require_floats, require_gradients
from crosscheck.arrays import INPUT, Array, Options, in_precision, real_numbers, with_arrays

if TYPE_CHECKING:
    from crosscheck.sides import Gradients, Loss, Watch

Pullback = Callable[[Array], Mapping[str, Array]]


@runtime_checkable
class ForeignModel(Protocol):
    """What a model of any other engine has to offer, to be compared: these two methods.

    `engine` is the name of the engine, for messages. Two more methods are optional:

    `load_state_dict(weights)` takes arrays for all parameters, by the names and in the shapes of
    `state_dict`. A model that has it can be given drawn weights, so that none of them is special.

    `trace(inputs, loss, wanted, **options)` runs both ways in float64, sends in the gradient that
    `loss.of_array(output)` returns beside the loss, and returns a `Trace` of what each line made
    (see crosscheck/traces/trace.py). `wanted` are the indices of the records whose arrays it has to
    keep; None leaves that to it. A model that has it can be told at which line it goes wrong.
    """

    engine: str

    def state_dict(self) -> Mapping[str, Array]:
        """The parameters, by the names that the reference has for them."""

    def linearize(self, inputs: Array, dtype: str, **options: Any) -> tuple[Array, Pullback | None]:
        """Run forward in "float32" or "float64"; return the output, and the way back.

        Floating arrays among the inputs and options are in that precision. The way back takes
        dL/d(output), of the output's shape and dtype. It returns dL/d(each parameter) by name, and
        under "input" dL/d(inputs), if these are floats. None in its place says that there is no
        way back: then the outputs alone are compared.
        """


@dataclass(frozen=True)
class Foreign:
    """Any other engine, through the two methods of its models."""

    name: str

    def weights(self, model: ForeignModel) -> dict[str, Array]:
        """Return a copy of every parameter as an array, by name.

        Raises TypeError if state_dict returns anything but a mapping from names to arrays.
        """
        state, who = model.state_dict(), self._who(model)
        if not isinstance(state, Mapping):
            raise TypeError(
                f"compare: state_dict of {who} returned {in_words(state)}, expected a "
                "mapping from the name of each parameter to its array"
            )
        return {
            name: np.array(real_numbers(x, f"the weight {name!r} of {who}"), order="C")
            for name, x in state.items()
        }

    def differentiate(
        self, model: Any, inputs: Array, options: Options, dtype: str, loss: Loss, watch: Watch
    ) -> tuple[Array, Array, Gradients]:
        """Run the model forward and its way back; see `Side`. Nobody can watch.

        There are no gradients at all if the model has no way back.
        """
        output, pullback = self._linearized(model, inputs, options, dtype)
        value, dout = loss.of_array(output)
        expected = [*model.state_dict(), *([INPUT] if inputs.dtype.kind == "f" else [])]
        if pullback is None:
            return output, value, {}
        gradients: Gradients = dict.fromkeys(expected)
        given, who = pullback(dout), self._who(model)
        require_gradients(given, expected, who)
        for name in expected:
            if given.get(name) is not None:
                what = f"the gradient of {name!r} by {who}"
                gradients[name] = real_numbers(given[name], what, dtype)
        return output, value, gradients

    def forward(self, model: Any, inputs: Array, options: Options, dtype: str) -> Any:
        """Run the model forward; see `Side`."""
        given = with_arrays(options, lambda array: in_precision(array, dtype))
        return model.linearize(in_precision(np.array(inputs), dtype), dtype, **given)

    def _linearized(
        self, model: Any, inputs: Array, options: Options, dtype: str
    ) -> tuple[Array, Pullback | None]:
        answer, who = self.forward(model, inputs, options, dtype), self._who(model)
        is_pair = isinstance(answer, tuple | list) and len(answer) == 2
        if not (is_pair and (answer[1] is None or callable(answer[1]))):
            raise TypeError(
                f"compare: linearize of {who} returned {in_words(answer)}, expected the output and "
                "the way back, which is a function of dL/d(output)"
            )
        # A copy, since the way back may write over it.
        output = np.array(real_numbers(answer[0], f"the output of {who}", dtype))
        require_floats(output, who)
        return output, answer[1]

    def _who(self, model: Any) -> str:
        return f"the {self.name} model {type(model).__name__}"
