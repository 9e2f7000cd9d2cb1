"""What the axes of an array are called, told from its shape and the sizes of the run."""

from __future__ import annotations

from collections.abc import Mapping

Sizes = Mapping[str, int]  # by name: B, T, C, H, K, F, V, as far as they are known

# The shapes that a Transformer has. S are keys, as many as T; N is B * T; 3C holds q, k and v.
FORMS = tuple(
    form.split()
    for form in (
        "B T C", "B T F", "B T V", "B T 3C", "B T 3 H K", "B H 3 T K", "B H T S", "B H T K",
        "B T H K", "B H K S", "B T", "B 1 1 S", "N V", "N", "T S", "T C", "T 1", "V C", "3C C",
        "C C", "F C", "C F", "V", "C", "F", "3C",
    )
)  # fmt: skip


def axes_of(shape: tuple[int, ...], sizes: Sizes) -> tuple[str, ...]:
    """Return a name for each axis; an axis of which two forms say different things has none.

    So no axis gets a wrong name where two sizes of a model are equal by chance.
    """
    known = {**sizes, "1": 1, "3": 3}
    if {"B", "T"} <= known.keys():
        known |= {"S": known["T"], "N": known["B"] * known["T"]}
    if "C" in known:
        known["3C"] = 3 * known["C"]
    fits = [form for form in FORMS if tuple(known.get(name) for name in form) == shape]
    columns = list(zip(*fits, strict=True)) if fits else [("",)] * len(shape)
    return tuple(names[0] if len(set(names)) == 1 else "" for names in columns)
