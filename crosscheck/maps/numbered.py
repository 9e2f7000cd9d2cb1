"""What the words of a name mean beside the other names: which is the first, and whose it is."""

from __future__ import annotations

from collections.abc import Mapping

from crosscheck.maps.words import jobs_meant, plain, words_of

_OF_ATTENTION, _OF_NETWORK = {"q", "k", "v", "qkv"}, {"fc1", "fc2"}


def understood(kinds: Mapping[str, object]) -> dict[str, list[str]]:
    """Return the words of each name of one block, without the number of the block.

    kinds: for each name, something that is unlike for what cannot have the same job.

    Names that differ in their numbers only are told apart by rank: of `norm_0` and `norm_1`, of
    `norm` and `norm_1`, and of `mlp.0` and `mlp.3`, the first has the word 1 and the second the
    word 2, and no other number. Where more than two differ so, their numbers are left out, since
    no word says what the third is. A number in a name without its like is left as it is, unless it
    is that of a list with named members, as in `layers.1.to_out`.
    """
    numbers: dict[str, tuple[int, ...]] = {}
    groups: dict[tuple[object, tuple[str, ...]], list[str]] = {}
    for name, kind in kinds.items():
        words = words_of(name)
        numbers[name] = tuple(int(word) for word in words if word.isdigit())
        bare = tuple(word for word in words if not word.isdigit())
        groups.setdefault((kind, bare), []).append(name)
    ranks: dict[tuple[tuple[str, ...], tuple[int, ...]], str] = {}
    for members in groups.values():
        members.sort(key=lambda name: numbers[name])
        if len(members) == 2:
            for number, name in enumerate(members, 1):
                ranks[_stem(name), numbers[name]] = str(number)
    found = {}
    for (_, bare), members in groups.items():
        is_plain = len(jobs_meant(members[0], True, False, said=bare)) == 1
        for name in members:
            rank = ranks.get((_stem(name), numbers[name]))
            if len(members) > 2:
                found[name] = [*bare] if is_plain else []
            elif rank:
                found[name] = [*bare, rank]
            else:
                found[name] = words_of(name) if _is_numbered(name) else [*bare]
    return found


def _stem(name: str) -> tuple[str, ...]:
    """Return the words before the last number, or before the leaf if there is none."""
    words = words_of(name)
    last = max((i for i, word in enumerate(words) if word.isdigit()), default=len(words) - 1)
    return tuple(word for word in words[:last] if not word.isdigit())


def _is_numbered(name: str) -> bool:
    """Whether a number stands at the end of a name, or before its leaf."""
    return any(word.isdigit() for word in words_of(name)[-2:])


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
