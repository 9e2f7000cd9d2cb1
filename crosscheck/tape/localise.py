"""Where two runs first part: for each op, was it born here, or inherited?

A wrong array is *born here* if what the op was given agrees and what it made does not. Replay
confirms it: the rule alone, on the reference's own values, must be wrong again. So several bugs are
told apart in one run, however much each of them taints.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from crosscheck.engines import Array
from crosscheck.judge import FLOOR, frobenius
from crosscheck.runs import INPUT, Batch, Run
from crosscheck.tape.call import THE_INPUT, Call
from crosscheck.tape.finding import Finding, Kind, Localisation
from crosscheck.tape.fingerprints import Sizes, hint
from crosscheck.tape.gap import Gap, gap_between
from crosscheck.tape.numpy_recorder import Pair, Recorder
from crosscheck.tape.other_forms import other_form
from crosscheck.tape.replay import Replay, argument_name, replay
from crosscheck.tape.rounding import Rounding
from crosscheck.tape.taped_runs import TapedRuns


def localise(
    model: Any, reference: Any, batch: Batch, *, loss: str = "random cotangent", seed: int = 0
) -> Localisation:
    """Find every op where the NumPy model itself departs from the PyTorch one, forward or backward.

    Both hold the same weights, as for `compare`; loss and seed are as for `run`. float64 decides;
    if nothing is wrong there, each op's float32 form is held against its float64 page. An exception
    in the NumPy model's run is a finding too.
    """
    runs = TapedRuns(model, reference, batch, loss, seed)
    theirs, tape = runs.of_reference("float64")
    floor = FLOOR * _largest(theirs)
    ours, recorder, raised = runs.of_ours(tape, floor)
    accused = None if raised is None else _raised(raised, recorder, tape)
    if accused is not None and recorder.going_back is None:  # the rest has not been reached
        tape = {key: call for key, call in tape.items() if key in recorder.pairs}
    unlike = _unlike(recorder.pairs, tape)
    for pair in recorder.pairs.values():
        if pair.call.path in unlike:
            pair.part()
    search = _Search(recorder.pairs, tape, floor, _sizes(model, batch), runs, unlike)
    findings = [
        *search.forward(),
        *search.missing(),
        *search.backward(),
        *(search.sums(ours, theirs) if ours is not None else ()),
    ]
    if accused is not None and accused.key not in {finding.key for finding in findings}:
        findings.append(accused)
    if not findings:
        differ = ours is not None and not _agree(ours, theirs, floor)
        findings = list(search.unlike_modules() if differ else search.rounding.findings())
    return search.conclude(findings)


@dataclass
class _Search:
    """Goes through the pairs and says which are born wrong."""

    pairs: dict[str, Pair]
    tape: Mapping[str, Call]
    floor: float
    sizes: Sizes
    runs: TapedRuns
    unlike: Mapping[str, tuple[list[str], list[str]]]
    replays: dict[str, Replay] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.uses = _uses(self.tape.values())
        self.rounding = Rounding(self.pairs, self.tape, self.runs.of_reference)
        for key, pair in self.pairs.items():
            if pair.partner is not None and pair.same_count:
                self.replays[key] = replay(pair, pair.partner, self.floor)

    def forward(self) -> Iterator[Finding]:
        """Ops whose output is wrong alone; ops that are given something wrong by nobody."""
        for pair in self.pairs.values():
            if pair.partner is not None and not pair.same_count:
                given, expected = len(pair.positions), len(pair.partner.inputs)
                what = f"it is given {given} tensors, in the reference {expected}"
                yield self._finding(Kind.WIRING, pair, "", what, pair.output)
        for key, again in self.replays.items():
            pair = self.pairs[key]
            if not again.output.agrees:
                yield self._of_rule(pair, again)
                continue
            wrongly_given = [
                i for i, gap in enumerate(pair.inputs) if self._by_nobody(pair, i, gap)
            ]
            for i in wrongly_given:
                yield self._of_wiring(pair, i)
            given_right = all(gap.agrees for gap in pair.inputs)
            if given_right and pair.output is not None and not pair.output.agrees:
                yield self._finding(
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
                yield self._finding(Kind.MISSING, pair, "", what, None)

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
                    yield self._of_gradient(pair, again, i)
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
                yield self._finding(Kind.SUM, pair, "dout", what, pair.dout, pair.dout_hint)
        for name, right in theirs.gradients.items():
            wrong = ours.gradients.get(name)
            gap = gap_between(wrong, right, self.floor)
            arriving = users.get(THE_INPUT if name == INPUT else name, [])
            if not gap.agrees and self._all_agree(arriving):
                what = (
                    f"what {len(arriving)} ops send back agrees, and the .grad it ends in does not"
                )
                words = hint(f"{name}.grad", wrong, right, self.sizes)
                yield Finding(
                    Kind.SUM, "backward", name, name, f"{name}.grad", what, gap=gap, hint=words
                )

    def conclude(self, findings: list[Finding]) -> Localisation:
        """The findings, and what else the tapes say."""
        born = {finding.key for finding in findings}
        tainted = [
            key
            for key, pair in self.pairs.items()
            if key not in born and not all(gap.agrees for gap in _gaps(pair))
        ]
        unpaired = {
            "the model": tuple(key for key, pair in self.pairs.items() if pair.partner is None),
            "the reference": tuple(
                key
                for key, call in self.tape.items()
                if key not in self.pairs or call.path in self.unlike
            ),
        }
        ops = tuple(sorted({pair.call.op for pair in self.pairs.values()}))
        return Localisation(tuple(findings), len(tainted), len(self.replays), unpaired, ops)

    # One finding each

    def _of_rule(self, pair: Pair, again: Replay) -> Finding:
        if again.error:
            return self._finding(Kind.RAISED, pair, "", f"it raised {again.error}", None)
        kind, what, partner = Kind.FORWARD, "its output is wrong, on right inputs", pair.partner
        if partner is not None and len(pair.call.numbers) == len(partner.numbers):
            for ours, theirs in zip(pair.call.numbers, partner.numbers, strict=True):
                if ours != theirs:
                    what = f"called with {ours:.10g}, the reference with {theirs:.10g}"
                    kind = Kind.CONSTANT
                    break
        words = ""
        if again.alone is not None and partner is not None:
            words = self._hint(pair, "out", again.alone.output, partner.output)
        return self._finding(kind, pair, "out", what, again.output, words)

    def _of_gradient(self, pair: Pair, again: Replay, i: int) -> Finding:
        name = f"d{argument_name(pair, i)}"
        words = ""
        if again.alone is not None and pair.partner is not None:
            words = self._hint(pair, name, again.alone.dinputs[i], pair.partner.dinputs[i])
        what = f"its {name} is wrong, on right inputs and a right dout"
        return self._finding(Kind.BACKWARD, pair, name, what, again.dinputs[i], words)

    def _of_wiring(self, pair: Pair, i: int) -> Finding:
        name = argument_name(pair, i)
        ours = pair.call.inputs[i].origin
        theirs = "nothing" if pair.partner is None else pair.partner.inputs[i].origin
        what = f"its {name} comes from {ours}, the reference's from {theirs}"
        words = self._wiring_hint(pair, i, name)
        if ours == theirs and ours in self.pairs:
            what = f"its {name} is not what {ours} was when it was made"
            words = f"was {name} overwritten, by an op that computes in place?"
        return self._finding(Kind.WIRING, pair, name, what, pair.inputs[i], words)

    def _wiring_hint(self, pair: Pair, i: int, name: str) -> str:
        """What the reference calls the array that was given, or what it does before."""
        if pair.partner is None:
            return ""
        ours, source = pair.call.inputs[i].origin, pair.partner.inputs[i]
        between = self.tape.get(source.origin)
        if between is not None and ours in [s.origin for s in between.inputs]:
            return f"the {between.op} that the reference has between {ours} and this is left out"
        array = pair.arguments[pair.positions[i]]
        for key, call in self.tape.items():
            if call.output is not None and gap_between(array, call.output).agrees:
                return f"the reference has this array as {key}: are the two confused?"
        return hint(name, array, source.array, self.sizes)

    def _hint(self, pair: Pair, name: str, wrong: Array | None, right: Array | None) -> str:
        at_hand = _at_hand(pair)
        return other_form(pair.call.op, name, wrong, right, _given(pair)) or hint(
            name, wrong, right, self.sizes, at_hand
        )

    def _only_in_this_run(self, pair: Pair) -> Iterator[Finding]:
        if pair.overwritten:
            what = f"going back, it writes into {pair.overwritten}, which others hold"
            words = f"is {pair.overwritten} written to in place?"
            yield self._finding(Kind.STATE, pair, pair.overwritten, what, None, words)
        right_so_far = pair.dout is not None and pair.dout.agrees and _forward_agrees(pair)
        for i, gap in enumerate(pair.dinputs):
            if gap.agrees or not right_so_far:
                continue
            name = f"d{argument_name(pair, i)}"
            if gap.form == "missing here":
                what = f"no {name} is wanted: its input is cut off from the graph"
                words = f"{name} is missing: is there a detach, or data taken out of a tensor?"
                yield self._finding(Kind.WIRING, pair, name, what, gap, words)
            else:
                what = f"its {name} is right alone, wrong in this run: what it kept was changed"
                yield self._finding(Kind.STATE, pair, name, what, gap)

    def _by_nobody(self, pair: Pair, i: int, gap: Gap) -> bool:
        """Whether an input is wrong although what made it is right, or nothing made it."""
        maker = self.pairs.get(pair.call.inputs[i].origin)
        return not gap.agrees and (maker is None or maker.output is None or maker.output.agrees)

    def _all_agree(self, users: list[tuple[Pair, int]]) -> bool:
        gaps = [pair.dinputs[i] if i < len(pair.dinputs) else None for pair, i in users]
        return bool(gaps) and all(gap is not None and gap.agrees for gap in gaps)

    def _finding(
        self, kind: Kind, pair: Pair, argument: str, what: str, gap: Gap | None, words: str = ""
    ) -> Finding:
        code = pair.rule.rule.__code__
        ours, theirs = self.rounding.errors(pair.call.key, argument)
        return Finding(
            kind=kind,
            op=pair.call.op,
            path=pair.call.path,
            key=pair.call.key,
            argument=argument,
            what=what,
            rule=f"{code.co_filename}:{_line(code, argument)}",
            caller=pair.call.caller,
            gap=gap,
            rounding=ours,
            rounding_reference=theirs,
            hint=words,
        )


def _raised(error: Exception, recorder: Recorder, tape: Mapping[str, Call]) -> Finding:
    """The exception as a finding. Going back, the op whose backward was called last has failed, if
    it was not the walk itself. Going forward, our engine's messages begin with the op; else it is
    the one that comes next.
    """
    what = f"it raised {type(error).__name__}: {error}"
    pair = recorder.going_back
    if pair is not None and not str(error).startswith("backward:"):
        call = pair.call
        rule = f"{(code := pair.rule.rule.__code__).co_filename}:{_line(code, 'dinputs')}"
        return Finding(Kind.RAISED, call.op, call.path, call.key, "", what, rule, call.caller)
    path, (op, _, _) = recorder.places.current, str(error).partition(":")
    if not op.isidentifier():
        ahead = next((call for key, call in tape.items() if key not in recorder.pairs), None)
        op = ahead.op if ahead is not None and ahead.path == path else "unknown"
    return Finding(Kind.RAISED, op, path, recorder.places.key(op), "", what)


def _uses(calls: Iterable[Call]) -> dict[str, list[tuple[str, int]]]:
    """Of everything that goes into calls, by its origin: into which, and as which tensor."""
    uses: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for call in calls:
        for i, source in enumerate(call.inputs):
            uses[source.origin].append((call.key, i))
    return uses


def _unlike(
    pairs: Mapping[str, Pair], tape: Mapping[str, Call]
) -> dict[str, tuple[list[str], list[str]]]:
    """Modules that are written differently on the two sides: less than half of their calls have the
    same key. By path, the ops that they call here and there.
    """
    calls: dict[str, tuple[dict[str, str], dict[str, str]]] = defaultdict(lambda: ({}, {}))
    for side, all_calls in enumerate(([pair.call for pair in pairs.values()], tape.values())):
        for call in all_calls:
            calls[call.path][side][call.key] = call.op
    return {
        path: (list(ours.values()), list(theirs.values()))
        for path, (ours, theirs) in calls.items()
        if 2 * len(ours.keys() & theirs.keys()) < len(ours.keys() | theirs.keys())
    }


def _agree(ours: Run, theirs: Run, floor: float) -> bool:
    """Whether the runs agree in their output and in every gradient."""
    return gap_between(ours.output, theirs.output).agrees and all(
        gap_between(ours.gradients.get(name), right, floor).agrees
        for name, right in theirs.gradients.items()
    )


def _largest(run: Run) -> float:
    norms = [frobenius(g) for g in run.gradients.values() if g is not None]
    return max((norm for norm in norms if np.isfinite(norm)), default=0.0)


def _sizes(model: Any, batch: Batch) -> Sizes:
    """The sizes of this run, as far as the model tells them."""
    attention = next((m for m in model.modules() if hasattr(m, "num_heads")), None)
    B, T, *_ = (*batch.inputs.shape, None, None)
    if attention is None:
        return Sizes(B, T)
    return Sizes(B, T, attention.num_heads * attention.head_size, attention.num_heads)


def _gaps(pair: Pair) -> list[Gap]:
    return [*pair.inputs, *pair.dinputs, *(g for g in (pair.output, pair.dout) if g is not None)]


def _forward_agrees(pair: Pair) -> bool:
    return all(gap.agrees for gap in pair.inputs) and (pair.output is None or pair.output.agrees)


def _given(pair: Pair) -> dict[str, Any]:
    """What the rule was given on the reference's side: its tensors by name, dout, its numbers."""
    partner = pair.partner
    if partner is None:
        return {}
    tensors = {argument_name(pair, i): s.array for i, s in enumerate(partner.inputs)}
    return {**tensors, "dout": partner.dout, "numbers": partner.numbers}


def _at_hand(pair: Pair) -> dict[str, Array]:
    """The arrays among what the rule was given, and its output."""
    given = {**_given(pair), "out": pair.partner.output if pair.partner else None}
    return {name: a for name, a in given.items() if isinstance(a, np.ndarray)}


def _line(code: Any, argument: str) -> int:
    """The line where a rule's backward begins if a gradient is meant, else where the rule does."""
    nested = [c for c in code.co_consts if getattr(c, "co_name", "") == "backward"]
    is_gradient = argument.startswith("d") and argument != "dout" and nested
    return int(nested[0].co_firstlineno if is_gradient else code.co_firstlineno)
