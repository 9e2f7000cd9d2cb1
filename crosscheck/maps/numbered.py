"""What the words of a name mean beside the other names: which is the first, and whose it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from crosscheck.maps.words import jobs_meant, plain, words_of

_OF_ATTENTION, _OF_NETWORK = {"q", "k", "v", "qkv"}, {"fc1", "fc2"}


def understood(names: Iterable[str]) -> dict[str, list[str]]:
    """Return the words of each name of one block, without the number of the block.

    Names that differ in their numbers only are told apart by rank: of `norm_0` and `norm_1`, of
    `norm` and `norm_1`, and of `mlp.0` and `mlp.3`, the first has the word 1 and the second the
    word 2, and no other number. Where more than two differ so, their numbers are left out, since
    no word says what the third is. A number that stands in one name only is left as it is.
    """
    numbers: dict[str, tuple[int, ...]] = {}
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        words = words_of(name)
        numbers[name] = tuple(int(word) for word in words if word.isdigit())
        groups.setdefault(tuple(w for w in words if not w.isdigit()), []).append(name)
    ranks: dict[tuple[tuple[str, ...], tuple[int, ...]], str] = {}
    for members in groups.values():
        members.sort(key=lambda name: numbers[name])
        if len(members) == 2:
            for number, name in enumerate(members, 1):
                ranks[_stem(name), numbers[name]] = str(number)
    found = {}
    for bare, members in groups.items():
        is_plain = len(jobs_meant(members[0], True, False, said=bare)) == 1
        for name in members:
            rank = ranks.get((_stem(name), numbers[name]))
            if len(members) > 2:
                found[name] = [*bare] if is_plain else []
            else:
                found[name] = [*bare, rank] if rank else words_of(name)
    return found


def _stem(name: str) -> tuple[str, ...]:
    """Return the words before the last number, or before the leaf if there is none."""
    words = words_of(name)
    last = max((i for i, word in enumerate(words) if word.isdigit()), default=len(words) - 1)
    return tuple(word for word in words[:last] if not word.isdigit())


def owners_of_norms(parts: Mapping[str, str]) -> dict[str, str]:
    """Return "attn" or "mlp" for each norm that stands in one module with the one of them alone.

    parts: what each name is a part of, such as "q", "fc1" or "norm1".
    """
    paths = {name: plain(name).split(".") for name in parts}
    found = {}
    for name, part in parts.items():
        if not part.startswith("norm"):
            continue
        path = paths[name]
        for length in range(len(path) - 1, 0, -1):
            beside = {parts[n] for n, other in paths.items() if other[:length] == path[:length]}
            ours = bool(beside & _OF_ATTENTION), bool(beside & _OF_NETWORK)
            if any(ours):
                if not all(ours):
                    found[name] = "attn" if ours[0] else "mlp"
                break
    return found
