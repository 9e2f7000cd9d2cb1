"""Which call of one tape is which of the other.

Mirrors have the same calls in the same order, and so the same keys. Where two models differ, the
calls of each module are aligned like the lines of two texts, and the reference's calls are renamed
after their partners: from then on, an equal key means the same call.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from crosscheck.tape.call import Call, Source


@dataclass(frozen=True)
class Alignment:
    """Which call of the reference is the partner of which of ours."""

    names: Mapping[str, str]  # for each of the reference's calls its new key
    instead: Mapping[str, tuple[str, ...]]  # for our calls without a partner, the reference's keys
    unlike: frozenset[str]  # the modules in which not every call has a partner

    def rename(self, tape: Mapping[str, Call]) -> dict[str, Call]:
        """The reference's tape under the new keys."""
        return {self._name(key): self._renamed(call) for key, call in tape.items()}

    def _name(self, key: str) -> str:
        return self.names.get(key, key)

    def _renamed(self, call: Call) -> Call:
        sources = [Source(self._name(source.origin), source.array) for source in call.inputs]
        return dataclasses.replace(call, key=self._name(call.key), inputs=sources)


def align(ours: Iterable[Call], theirs: Iterable[Call]) -> Alignment:
    """Align our calls with the reference's, each in the order in which they were made."""
    here, there = _by_path(ours), _by_path(theirs)
    taken = {call.key for calls in here.values() for call in calls}
    names: dict[str, str] = {}
    instead: dict[str, tuple[str, ...]] = {}
    unlike: set[str] = set()
    for path in [*here, *(path for path in there if path not in here)]:
        a, b = here[path], there[path]
        ops = [call.op for call in a], [call.op for call in b]
        for tag, i, i_end, j, j_end in difflib.SequenceMatcher(None, *ops, False).get_opcodes():
            if tag == "equal":
                pairs = zip(a[i:i_end], b[j:j_end], strict=True)
                names |= {other.key: call.key for call, other in pairs}
                continue
            unlike.add(path)
            for other in b[j:j_end]:
                names[other.key] = f"{other.key} (reference)" if other.key in taken else other.key
            for call in a[i:i_end]:
                instead[call.key] = tuple(names[other.key] for other in b[j:j_end])
    return Alignment(names, instead, frozenset(unlike))


def _by_path(calls: Iterable[Call]) -> dict[str, list[Call]]:
    by_path: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        by_path[call.path].append(call)
    return by_path
