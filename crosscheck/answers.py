"""What a model gives back, held against what a comparison needs: a mistake is told in words.

`who` is the model in these sentences, such as "the NumPy model Ours".
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import Any


def only_tensor(answer: Any, kind: type, who: str) -> Any:
    """Return the floating tensor, of this kind, that a forward returned.

    In a tuple or list, what stands beside it must be no tensor, or a single number: so (logits,
    loss) and (logits, caches) are logits, but (hidden, weights) is an error. Raises TypeError for
    anything else.
    """
    if isinstance(answer, tuple | list):
        given = [x for x in answer if x is not None]
        if len(given) > 1:
            given = [x for x in given if isinstance(x, kind) and tuple(getattr(x, "shape", ()))]
        answer = given[0] if len(given) == 1 else answer
    if not isinstance(answer, kind):
        raise TypeError(
            f"compare: {who} returned {in_words(answer)} from its forward, expected one "
            f"{kind.__module__.split('.')[0]} tensor{_advice(answer)}"
        )
    require_floats(answer, who)
    return answer


def require_floats(output: Any, who: str) -> None:
    """Raise TypeError if this output, a tensor or an array, is not of floating numbers."""
    dtype = _dtype(output)
    if "float" in dtype:
        return
    advice = (
        "compare its real and imaginary parts as floats"
        if dtype.startswith("complex")
        else "only floats have a gradient; return the scores, and not what is chosen by them"
    )
    raise TypeError(
        f"compare: {who} returned {dtype} {tuple(output.shape)}, expected floats: {advice}"
    )


def in_words(value: Any) -> str:
    """Return what a value is, for a message: its type, and what it holds."""
    name = type(value).__name__
    if isinstance(value, Mapping):
        return f"a {name} with {', '.join(map(repr, value)) or 'nothing'}"
    if isinstance(value, tuple | list):
        return f"a {name} of {len(value)} ({', '.join(map(_kind, value[:4]))})"
    return _kind(value)


def require_gradients(gradients: Any, expected: Collection[str], who: str) -> None:
    """Raise TypeError if a way back returned no mapping, and ValueError for a name of nothing.

    expected: the names that should get a gradient. One of the input is allowed, even of integers.
    """
    if not isinstance(gradients, Mapping):
        raise TypeError(
            f"compare: the way back of {who} returned {in_words(gradients)}, expected a mapping "
            "from the name of each parameter to its gradient"
        )
    strangers = [name for name in gradients if name not in (*expected, "input")]
    if not strangers:
        return
    lacking = [name for name in expected if name not in gradients]
    words = ", ".join(repr(name) + did_you_mean(name, lacking) for name in strangers)
    raise ValueError(
        f"compare: the way back of {who} returned a gradient under the name {words}, which its "
        "state_dict does not have"
    )


def did_you_mean(name: object, names: Collection[str]) -> str:
    """Return " (did you mean ...?)" if one of the names is near, else the empty string."""
    near = difflib.get_close_matches(str(name), names, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def is_wrong_call(error: Exception) -> bool:
    """Whether this error is about a wrong call of ours, and not one of a model's own code."""
    return str(error).startswith(("compare:", "localise:", "crosscheck:"))


def _kind(value: Any) -> str:
    kind = type(value)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    if value is None:
        return "None"
    if not hasattr(value, "shape") or not hasattr(value, "dtype"):
        return name
    return f"{name} {tuple(value.shape)} of {_dtype(value)}"


def _dtype(value: Any) -> str:
    return str(value.dtype).removeprefix("torch.")


def _advice(answer: Any) -> str:
    if answer is None:
        return "; is a return missing?"
    if isinstance(answer, Mapping | tuple | list) and len(answer):
        key = next(iter(answer)) if isinstance(answer, Mapping) else 0
        return (
            "; a subclass can choose one and keep the weights' names: its forward is "
            f"`return super().forward(*inputs, **options)[{key!r}]`"
        )
    if type(answer).__module__ == "numpy":
        return "; an array has no graph to go back through: return the tensor and not its .data"
    return ""
