"""Born here, or inherited? Each op in turn, forward and back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from crosscheck.runs import INPUT, Run
from crosscheck.tape.accuse import Accuser
from crosscheck.tape.call import THE_INPUT, Call
from crosscheck.tape.finding import Finding, Kind
from crosscheck.tape.fingerprints import hint
from crosscheck.tape.gap import Gap, gap_between
from crosscheck.tape.numpy_recorder import Pair
from crosscheck.tape.replay import Replay, argument_name, replay


@dataclass
class Search:
    """Goes through the pairs and finds those that are born wrong.

    tape: the reference's. floor: what a gradient may differ by, whatever its size. unlike: modules
    that are written differently on the two sides, with the ops that they call here and there.
    """

    pairs: Mapping[str, Pair]
    tape: Mapping[str, Call]
    floor: float
    unlike: Mapping[str, tuple[list[str], list[str]]]
    accuser: Accuser
    replays: dict[str, Replay] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.uses = _uses(self.tape.values())
        for key, pair in self.pairs.items():
            if pair.partner is not None and pair.same_count:
                self.replays[key] = replay(pair, pair.partner, self.floor)

    def forward(self) -> Iterator[Finding]:
        """Ops whose output is wrong alone; ops that are given something wrong by nobody."""
        for pair in self.pairs.values():
            if pair.partner is not None and not pair.same_count:
                given, expected = len(pair.positions), len(pair.partner.inputs)
                what = f"it is given {given} tensors, in the reference {expected}"
                yield self.accuser.finding(Kind.WIRING, pair, "", what, pair.output)
        for key, again in self.replays.items():
            pair = self.pairs[key]
            if not again.output.agrees:
                yield self.accuser.of_rule(pair, again)
                continue
            wrongly_given = [
                i for i, gap in enumerate(pair.inputs) if self._by_nobody(pair, i, gap)
            ]
            for i in wrongly_given:
                yield self.accuser.of_wiring(pair, i)
            given_right = all(gap.agrees for gap in pair.inputs)
            if given_right and pair.output is not None and not pair.output.agrees:
                yield self.accuser.finding(
                    Kind.STATE, pair, "out", "right alone, wrong in this run", pair.output
                )

    def missing(self) -> Iterator[Finding]:
        """Ops on one tape only, in modules that are written alike."""
        for key, call in self.tape.items():
            if key not in self.pairs and call.path not in self.unlike:
                what = f"the reference calls it at {call.caller}, this model does not"
                yield Finding(Kind.MISSING, call.op, call.path, key, "", what)
        for pair in self.pairs.values():
            if pair.partner is None and pair.call.path not in self.unlike:
                what = "this model calls it, the reference does not"
                yield self.accuser.finding(Kind.MISSING, pair, "", what, None)

    def unlike_modules(self) -> Iterator[Finding]:
        """Modules whose ops could not be paired, where all the others are right."""
        for path, (ours, theirs) in self.unlike.items():
            if ours:
                op, said = ours[0], ", ".join(theirs) or "nothing"
                what = (
                    f"all that could be paired is right, but here this model calls "
                    f"{', '.join(ours)}, the reference {said}"
                )
                yield Finding(Kind.MISSING, op, path, f"{path}/{op}", "", what)

    def backward(self) -> Iterator[Finding]:
        """Ops whose gradients are wrong alone, from the last to the first; or only in this run."""
        for key in reversed(self.replays):
            pair, again = self.pairs[key], self.replays[key]
            if not again.output.agrees:
                continue  # found on the way forward
            for i, gap in enumerate(again.dinputs):
                if not gap.agrees:
                    yield self.accuser.of_gradient(pair, again, i)
            if all(gap.agrees for gap in again.dinputs):
                yield from self._only_in_this_run(pair)

    def sums(self, ours: Run, theirs: Run) -> Iterator[Finding]:
        """Places where all that arrives agrees, and what it adds up to does not."""
        used = _uses(pair.call for pair in self.pairs.values())
        # What is used elsewhere than in the reference gets another sum, though the sum be right.
        users = {
            origin: [(self.pairs[key], i) for key, i in uses]
            for origin, uses in used.items()
            if uses == self.uses[origin]
        }
        for key, pair in self.pairs.items():
            arriving = users.get(key, [])
            if pair.dout is not None and not pair.dout.agrees and self._all_agree(arriving):
                what = f"the {len(arriving)} gradients of its output agree, their sum does not"
                yield self.accuser.finding(Kind.SUM, pair, "dout", what, pair.dout, pair.dout_hint)
        for name, right in theirs.gradients.items():
            wrong = ours.gradients.get(name)
            gap = gap_between(wrong, right, self.floor)
            arriving = users.get(THE_INPUT if name == INPUT else name, [])
            if not gap.agrees and self._all_agree(arriving):
                what = (
                    f"what {len(arriving)} ops send back agrees, and the .grad it ends in does not"
                )
                words = hint(f"{name}.grad", wrong, right, self.accuser.sizes)
                yield Finding(
                    Kind.SUM, "backward", name, name, f"{name}.grad", what, gap=gap, hint=words
                )

    def _only_in_this_run(self, pair: Pair) -> Iterator[Finding]:
        if pair.overwritten:
            what = f"going back, it writes into {pair.overwritten}, which others hold"
            words = f"is {pair.overwritten} written to in place?"
            yield self.accuser.finding(Kind.STATE, pair, pair.overwritten, what, None, words)
        right_so_far = pair.dout is not None and pair.dout.agrees and _forward_agrees(pair)
        for i, gap in enumerate(pair.dinputs):
            if gap.agrees or not right_so_far:
                continue
            name = f"d{argument_name(pair, i)}"
            if gap.form == "missing here":
                what = f"no {name} is wanted: its input is cut off from the graph"
                words = f"{name} is missing: is there a detach, or data taken out of a tensor?"
                yield self.accuser.finding(Kind.WIRING, pair, name, what, gap, words)
            else:
                what = f"its {name} is right alone, wrong in this run: what it kept was changed"
                yield self.accuser.finding(Kind.STATE, pair, name, what, gap)

    def _by_nobody(self, pair: Pair, i: int, gap: Gap) -> bool:
        """Whether an input is wrong although what made it is right, or nothing made it."""
        maker = self.pairs.get(pair.call.inputs[i].origin)
        return not gap.agrees and (maker is None or maker.output is None or maker.output.agrees)

    def _all_agree(self, users: list[tuple[Pair, int]]) -> bool:
        gaps = [pair.dinputs[i] if i < len(pair.dinputs) else None for pair, i in users]
        return bool(gaps) and all(gap is not None and gap.agrees for gap in gaps)


def _uses(calls: Iterable[Call]) -> dict[str, list[tuple[str, int]]]:
    """Of everything that goes into calls, by its origin: into which, and as which tensor."""
    uses: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for call in calls:
        for i, source in enumerate(call.inputs):
            uses[source.origin].append((call.key, i))
    return uses


def _forward_agrees(pair: Pair) -> bool:
    return all(gap.agrees for gap in pair.inputs) and (pair.output is None or pair.output.agrees)
