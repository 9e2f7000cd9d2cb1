"""The reference's tape: PyTorch's functions, seen through its public `TorchFunctionMode`.

Each differentiable input of a call is replaced by a view of itself. The gradient that arrives at
the view is what this call alone sends back, however often the tensor is used elsewhere.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from crosscheck.sides import TORCH, Array
from crosscheck.tape.call import SAME_VALUES, Call, Made, Places, Source, name_origins
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map_only

# PyTorch's many words for the same rule; all others have the rule's name already.
RULES = {
    "__getitem__": "getitem", "chunk": "getitem", "flatten": "reshape", "narrow": "getitem",
    "select": "getitem", "split": "getitem", "squeeze": "reshape", "unbind": "getitem",
    "unflatten": "reshape", "unsqueeze": "reshape", "view": "reshape", "__rsub__": "sub",
    "__rdiv__": "div", "__rpow__": "pow_tensor", "to": "cast", "type_as": "cast", "T": "permute",
}  # fmt: skip
# What asks something of the tensor itself. Asked of a view of it, PyTorch would refuse, or the
# gradient that the tape sees would not be the run's.
OF_THE_TENSOR_ITSELF = (
    "register_hook", "register_post_accumulate_grad_hook", "retain_grad", "requires_grad_",
    "detach_", "__set__", "__delete__",
)  # fmt: skip

_TORCH = str(Path(torch.__file__).parent)


@contextmanager
def record_torch(model: Any, inputs: Any) -> Iterator[dict[str, Call]]:
    """Record every op that a gradient flows through, within this block, by key and in order."""
    places = Places()
    recorder = _Recorder(places, name_origins(model, inputs))
    with places.following(model), recorder:
        yield recorder.calls


class _Recorder(TorchFunctionMode):
    """Called by PyTorch in place of each of its functions."""

    def __init__(self, places: Places, origins: dict[int, str]) -> None:
        super().__init__()
        self.calls: dict[str, Call] = {}  # by key, in their order
        self._places = places  # which module is running
        self._origins = origins  # where each tensor comes from, by its identity
        self._made: dict[int, Call] = {}  # what made each result, by its identity
        self._alive: list[torch.Tensor] = []  # so that no id is used twice

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.__name__ in OF_THE_TENSOR_ITSELF:
            result = func(*args, **kwargs)
            if func is torch.Tensor.register_hook:
                self._listen_again(args[0])
            return result
        is_attribute = func.__name__ == "__get__" and _name(func) != "T"
        if is_attribute or not self._carries_gradient(args, kwargs):
            return func(*args, **kwargs)
        views = _Views()
        result = func(*views.of(args), **views.of(kwargs))
        if isinstance(result, torch.Tensor):
            return self._record(func, args, kwargs, views, result)
        if not isinstance(result, tuple | list):
            return result
        if all(isinstance(r, torch.Tensor) for r in result):
            return type(result)(self._pieces(func, args, kwargs, len(result)))
        for r in result:
            if isinstance(r, torch.Tensor):  # beside something that is none
                self._record(func, args, kwargs, views, r)
        return result

    def _listen_again(self, tensor: Any) -> None:
        """What arrives at an op is what the user's hooks have made of it: listen after them."""
        call = self._made.get(id(tensor))
        if call is not None:
            _listen(tensor, functools.partial(setattr, call, "dout"))

    def _pieces(self, func: Any, args: Any, kwargs: Any, count: int) -> Iterator[torch.Tensor]:
        """Record a call for each piece that a function cuts its input into: our engine's way."""
        for i in range(count):
            views = _Views()
            piece = func(*views.of(args), **views.of(kwargs))[i]
            yield self._record(func, args, kwargs, views, piece, i)

    def _carries_gradient(self, args: Any, kwargs: Any) -> bool:
        return torch.is_grad_enabled() and any(
            isinstance(x, torch.Tensor) and x.requires_grad for x in _flat(args, kwargs)
        )

    def _record(
        self,
        func: Any,
        args: Any,
        kwargs: Any,
        views: _Views,
        result: torch.Tensor,
        piece: int | None = None,
    ) -> torch.Tensor:
        given = _distinct(x for x in _flat(args, kwargs) if isinstance(x, torch.Tensor))
        for x in given:
            if result is x or result is views.by_id.get(id(x)):
                return x  # it did nothing, as dropout does in evaluation mode
        if not result.requires_grad:
            return result
        self._alive.append(result)
        op = _rule(func, args, kwargs)
        if op == "cast":
            given = given[:1]  # x.to(like) takes only the precision from like
        if op in SAME_VALUES:
            self._origins[id(result)] = self._origins.get(id(given[0]), "a constant")
            return result
        call = Call(
            path=self._places.current,
            op=op,
            key=self._places.key(op),
            caller=_caller(),
            constants=tuple(x for x in _flat(args, kwargs) if type(x) is float),
            inputs=[Source(self._origins.get(id(x), "a constant"), TORCH.array(x)) for x in given],
            output=TORCH.array(result),
            dinputs=[None] * len(given),
            again=functools.partial(_again, func, args, kwargs, given, piece),
        )
        for i, x in enumerate(given):
            if (view := views.by_id.get(id(x))) is not None:
                _listen(view, functools.partial(call.dinputs.__setitem__, i))
        _listen(result, functools.partial(setattr, call, "dout"))
        self.calls[call.key] = self._made[id(result)] = call
        self._origins[id(result)] = call.key
        return result


class _Views:
    """One view for each tensor of a call that requires grad."""

    def __init__(self) -> None:
        self.by_id: dict[int, torch.Tensor] = {}

    def of(self, arguments: Any) -> Any:
        """The arguments, with views in the place of such tensors."""
        return tree_map_only(torch.Tensor, self._view, arguments)

    def _view(self, x: torch.Tensor) -> torch.Tensor:
        if not x.requires_grad:
            return x
        return self.by_id.setdefault(id(x), x.view_as(x))


def _again(
    func: Any,
    args: Any,
    kwargs: Any,
    given: list[torch.Tensor],
    piece: int | None,
    arrays: Sequence[Array],
    dout: Array | None,
) -> Made:
    """Make a call once more, with these arrays in the place of the tensors that were given."""
    tensors = {
        id(x): torch.tensor(array, requires_grad=x.requires_grad)
        for x, array in zip(given, arrays, strict=True)
    }
    args, kwargs = tree_map_only(torch.Tensor, lambda x: tensors.get(id(x), x), (args, kwargs))
    with TORCH.careful() if given[0].dtype == torch.float64 else nullcontext():
        out = func(*args, **kwargs)
        out = out if piece is None else out[piece]
        if dout is None:
            return Made(TORCH.array(out), [None] * len(given))
        wanted = [x for x in tensors.values() if x.requires_grad]
        found = torch.autograd.grad(out, wanted, torch.tensor(dout), allow_unused=True)
    gradients = {id(x): g for x, g in zip(wanted, found, strict=True) if g is not None}
    dinputs = [gradients.get(id(x)) for x in tensors.values()]
    return Made(TORCH.array(out), [None if g is None else TORCH.array(g) for g in dinputs])


def _listen(tensor: Any, keep: Callable[[Array], None]) -> None:
    """Keep the gradient that arrives at the tensor."""
    tensor.register_hook(lambda gradient: keep(TORCH.array(gradient)))


def _name(func: Any) -> str:
    """Return the function's name, or the attribute's if it reads one, such as x.T."""
    return str(func.__self__.__name__ if func.__name__ == "__get__" else func.__name__)


def _rule(func: Any, args: Any, kwargs: Any) -> str:
    name = _name(func)
    if name == "gelu" and kwargs.get("approximate") == "tanh":
        return "gelu_tanh"
    if name == "pow" and len(args) > 1 and isinstance(args[1], torch.Tensor):
        return "pow_tensor"
    return RULES.get(name, name)


def _flat(args: Any, kwargs: Any) -> list[Any]:
    leaves, _ = tree_flatten((args, kwargs))
    return leaves


def _distinct(tensors: Iterator[torch.Tensor]) -> list[torch.Tensor]:
    return list({id(x): x for x in tensors}.values())


def _caller() -> str:
    """The file and line, outside of PyTorch and of this file, that called."""
    frame = sys._getframe(1)
    while frame.f_back is not None and (
        frame.f_code.co_filename == __file__ or frame.f_code.co_filename.startswith(_TORCH)
    ):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
