"""Born here, or inherited? Each op in turn, forward and back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from crosscheck.distance import Gap, gap_between
from crosscheck.runs import Run
from crosscheck.sides import INPUT
from crosscheck.tape.accuse import Accuser
from crosscheck.tape.call import THE_INPUT, Call
from crosscheck.tape.finding import Finding, Kind
from crosscheck.tape.fingerprints import hint
from crosscheck.tape.numpy_recorder import Pair, arrays_for_tensors
from crosscheck.tape.replay import Replay, gradient_name, replay
from crosscheck.tape.sums import Sums


@dataclass
class Search:
    """Goes through the pairs and finds the ops that are born wrong."""

    pairs: Mapping[str, Pair]  # our calls, each with the reference's call of the same key
    tape: Mapping[str, Call]  # the reference's
    floor: float  # what a gradient may differ by, whatever its size
    instead: Mapping[str, tuple[str, ...]]  # for our calls without a partner, the reference's
    accuser: Accuser  # makes the findings
    own_sums: Sums  # what was sent back in our run
    replays: dict[str, Replay] = field(default_factory=dict)  # by key, each op run alone
    # The wrong outputs of which it has been said who made them, or who wrote into them.
    said: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.uses = _uses(self.tape.values())  # of the reference's tape
        for key, pair in self.pairs.items():
            if pair.partner is not None and pair.same_count:
                self.replays[key] = replay(pair, pair.partner, self.floor)

    def forward(self) -> Iterator[Finding]:
        """Find ops whose output is wrong alone, and ops whose wrong inputs no wrong op has made."""
        for pair in self.pairs.values():
            if pair.partner is not None and not pair.same_count:
                given, expected = len(pair.positions), len(pair.partner.inputs)
                tensors = "tensor" if given == 1 else "tensors"
                what = f"it is given {given} {tensors}, in the reference {expected}"
                yield self.accuser.finding(Kind.WIRING, pair, "", what, pair.output)
        for key, again in self.replays.items():
            pair = self.pairs[key]
            if not again.output.agrees:
                yield self.accuser.of_rule(pair, again)
                continue
            for i, gap in enumerate(pair.inputs):
                if self._by_nobody(pair, i, gap) and not self._has_been_said(pair, i):
                    yield self._of_origin(pair, i)
            given_right = all(gap.agrees for gap in pair.inputs)
            if given_right and pair.output is not None and not pair.output.agrees:
                yield from self._not_repeated(pair)

    def unlike(self) -> Iterator[Finding]:
        """Find calls without a partner, when every call that has one is right."""
        for key, others in self.instead.items():
            there = ", ".join(self.tape[other].op for other in others) or "nothing"
            what = f"all that could be paired is right; here this model calls it, the other {there}"
            yield self.accuser.finding(Kind.MISSING, self.pairs[key], "", what, None)

    def backward(self) -> Iterator[Finding]:
        """Find ops whose gradients are wrong, alone or in this run only, from the last op on."""
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
        """Find places where all gradients that arrive agree, but their sum does not."""
        if any(pair.overwritten for pair in self.pairs.values()):
            return  # an op that writes into what others hold spoils the sums, and has been said
        used = _uses(pair.call for pair in self.pairs.values())
        # If other ops use an output than in the reference, its sum differs and can still be right.
        users = {
            origin: [(self.pairs[key], i) for key, i in uses]
            for origin, uses in used.items()
            if uses == self.uses[origin]
        }
        for key, pair in self.pairs.items():
            arriving = users.get(key, [])
            if pair.dout is None or pair.dout.agrees or not self.own_sums.are_wrong(key):
                continue
            if self._all_agree(arriving):
                place = f"at the output of {pair.call.key}"
                what = f"the {len(arriving)} gradients that arrive {place} agree, and their sum"
                words = ""
                if len(arriving) == 1:
                    what = f"the one gradient that arrives {place} agrees, and its dout"
                    words = "is something added in place to an array that others hold?"
                yield self.accuser.of_sum(pair, f"{what} does not", words)
        for name, right in theirs.gradients.items():
            wrong = ours.gradients.get(name)
            gap = gap_between(wrong, right, self.floor)
            leaf = THE_INPUT if name == INPUT else name
            arriving = users.get(leaf, [])
            if gap.agrees or self.own_sums.is_of_leaf(leaf, wrong):
                continue
            if self._all_agree(arriving):
                senders = f"{len(arriving)} ops send" if len(arriving) > 1 else "one op sends"
                what = f"what {senders} back agrees, and the .grad it ends in does not"
                words = hint(f"{name}.grad", wrong, right, self.accuser.sizes)
                yield Finding(
                    Kind.SUM, "backward", name, name, f"{name}.grad", what, gap=gap, hint=words
                )

    def _only_in_this_run(self, pair: Pair) -> Iterator[Finding]:
        if pair.overwritten:
            what = f"going back, it writes into {pair.overwritten}, which others hold"
            words = f"is {pair.overwritten} written to in place?"
            yield self.accuser.finding(Kind.STATE, pair, pair.overwritten, what, None, words)
        if pair.call.key in self.said:
            return  # its output was written into
        right_so_far = pair.dout is not None and pair.dout.agrees and _forward_agrees(pair)
        for i, gap in enumerate(pair.dinputs):
            if gap.agrees or not right_so_far:
                continue
            name = gradient_name(pair, i)
            if gap.form == "missing here":
                what = f"no {name} is wanted: its input is cut off from the graph"
                words = f"{name} is missing: is there a detach, or data taken out of a tensor?"
                yield self.accuser.finding(Kind.WIRING, pair, name, what, gap, words)
            elif pair.changed:
                what = (
                    f"its {name} is right alone, wrong in this run: {pair.changed}, which it kept "
                    "for the way back, has been changed since"
                )
                yield self.accuser.finding(Kind.STATE, pair, name, what, gap)

    def _not_repeated(self, pair: Pair) -> Iterator[Finding]:
        """Find an op that made something else in this run than it makes of the same inputs now.

        The gap alone proves nothing: its inputs differ from the reference's by as much as they may,
        and it may have made a little more of that.
        """
        partner = pair.partner
        try:
            out, _ = pair.rule.rule(*pair.arguments, **arrays_for_tensors(pair.options))
        except Exception:  # it did not raise in the run
            out = None
        if partner is not None and gap_between(out, partner.output).agrees:
            what = "right alone, wrong in this run: it gives something else on the same inputs"
            yield self.accuser.finding(Kind.STATE, pair, "out", what, pair.output)

    def _by_nobody(self, pair: Pair, i: int, gap: Gap) -> bool:
        """Whether an input is wrong although what made it is right, or has no partner."""
        maker = self.pairs.get(pair.call.inputs[i].origin)
        if gap.agrees or maker is None:
            return not gap.agrees
        return not self._is_tainted(maker) if maker.output is None else maker.output.agrees

    def _is_tainted(self, stranger: Pair) -> bool:
        """Whether an op without a partner was given what another op had made wrong."""
        pending, seen = [stranger], set()
        while pending:
            for source in pending.pop().call.inputs:
                maker = self.pairs.get(source.origin)
                if maker is None or source.origin in seen:
                    continue
                seen.add(source.origin)
                if maker.output is None:
                    pending.append(maker)
                elif not maker.output.agrees:
                    return True
        return False

    def _has_been_said(self, pair: Pair, i: int) -> bool:
        """Whether the first op that was given this array has been blamed, or what made the array.

        An array can be wrong for all that are given it: if an op wrote into it, that is the first
        of them; or if what made it has no partner.
        """
        ours = pair.call.inputs[i].origin
        maker = self.pairs.get(ours)
        is_overwritten = pair.partner is not None and ours == pair.partner.inputs[i].origin
        if maker is None or not (is_overwritten or maker.partner is None):
            return False
        known = ours in self.said
        self.said.add(ours)
        return known

    def _of_origin(self, pair: Pair, i: int) -> Finding:
        """Say who is to blame for a wrong input.

        It is the op that made the input, if the reference has another op in its place or has none.
        Otherwise it is the wiring.
        """
        maker = self.pairs.get(pair.call.inputs[i].origin)
        if maker is None or maker.partner is not None or pair.partner is None:
            return self.accuser.of_wiring(pair, i)
        theirs = pair.partner.inputs[i].origin
        if theirs in self.instead.get(maker.call.key, ()):
            what = f"this model calls {maker.call.op}, where the reference calls {theirs}"
            words = f"is {maker.call.op} written where {self.tape[theirs].op} belongs?"
        elif theirs in [source.origin for source in maker.call.inputs]:
            what, words = "this model calls it, the reference does not", ""
        else:
            return self.accuser.of_wiring(pair, i)
        return self.accuser.finding(Kind.MISSING, maker, "", what, None, words)

    def _all_agree(self, users: list[tuple[Pair, int]]) -> bool:
        gaps = [pair.dinputs[i] if i < len(pair.dinputs) else None for pair, i in users]
        return bool(gaps) and all(gap is not None and gap.agrees for gap in gaps)


def _uses(calls: Iterable[Call]) -> dict[str, list[tuple[str, int]]]:
    """For each origin, list the calls that use it, and as which of their tensors."""
    uses: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for call in calls:
        for i, source in enumerate(call.inputs):
            uses[source.origin].append((call.key, i))
    return uses


def _forward_agrees(pair: Pair) -> bool:
    return all(gap.agrees for gap in pair.inputs) and (pair.output is None or pair.output.agrees)
