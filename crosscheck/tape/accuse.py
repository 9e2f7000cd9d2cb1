"""One finding at a time: what is said of an op that was born wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from crosscheck.distance import Gap, gap_between, largest_entry
from crosscheck.sides import Array
from crosscheck.tape.call import Call
from crosscheck.tape.finding import Finding, Kind
from crosscheck.tape.fingerprints import Sizes, hint
from crosscheck.tape.numpy_recorder import Pair
from crosscheck.tape.other_forms import other_form
from crosscheck.tape.replay import Replay, argument_name, gradient_name, line_of
from crosscheck.tape.rounding import Rounding
from crosscheck.tape.witness import finite_difference, is_reference_wrong
from tinygrad_tf import autograd

ROUNDED_AWAY = 1e-5  # of an array's largest entry: what float32 may round away


@dataclass(frozen=True)
class Accuser:
    """Puts a finding into numbers and words."""

    pairs: Mapping[str, Pair]  # our calls, each with the reference's call of the same key
    tape: Mapping[str, Call]  # the reference's, by key
    sizes: Sizes  # the sizes of the run, for hints
    rounding: Rounding  # tells the float32 errors of an op

    def of_rule(self, pair: Pair, again: Replay) -> Finding:
        """Report an output that is wrong on right inputs. The rule is wrong, or a constant is."""
        if again.error:
            found = self.finding(Kind.RAISED, pair, "", f"it raised {again.error}", None)
            return dataclasses.replace(found, rule=again.place)
        kind, partner = Kind.FORWARD, pair.partner
        what = f"its output is wrong, on right inputs{_as_called(pair)}"
        if partner is not None and len(pair.call.constants) == len(partner.constants):
            for ours, theirs in zip(pair.call.constants, partner.constants, strict=True):
                if ours != theirs:
                    what = f"called with {ours:.10g}, the reference with {theirs:.10g}"
                    kind = Kind.CONSTANT
                    break
        words = ""
        if again.alone is not None and partner is not None:
            words = self._hint(pair, "out", again.alone.output, partner.output)
        return self.finding(kind, pair, "out", what, again.output, words)

    def of_gradient(self, pair: Pair, again: Replay, i: int) -> Finding:
        """Report a gradient that is wrong on right inputs and a right dout."""
        name = gradient_name(pair, i)
        words = ""
        if again.alone is not None and pair.partner is not None:
            ours, theirs = again.alone.dinputs[i], pair.partner.dinputs
            words = self._hint(pair, name, ours, theirs[i])
            for j, other in enumerate(theirs):
                if j != i and other is not None and other.any() and gap_between(ours, other).agrees:
                    other_name = gradient_name(pair, j)
                    words = f"{name} is what {other_name} should be: are they exchanged?"
        what = f"its {name} is wrong, on right inputs and a right dout"
        gap = again.dinputs[i]
        found = self.finding(Kind.BACKWARD, pair, name, what, gap, words)
        if gap.form:
            return found
        slope = finite_difference(pair, i, gap.worst)
        if is_reference_wrong(gap.ours, gap.reference, slope):
            what = f"the reference is wrong here, in its {name}; a finite difference is with ours"
            found = dataclasses.replace(found, kind=Kind.REFERENCE, what=what, hint="")
        return dataclasses.replace(found, finite_difference=slope)

    def of_wiring(self, pair: Pair, i: int) -> Finding:
        """Report an input that is wrong although the op that made it is right, or no op made it."""
        name = argument_name(pair, i)
        ours = pair.call.inputs[i].origin
        theirs = "nothing" if pair.partner is None else pair.partner.inputs[i].origin
        what = f"its {name} comes from {ours}, the reference's from {theirs}"
        words = self._wiring_hint(pair, i, name)
        if ours == theirs and ours not in self.pairs:
            what = f"its {name} is {ours}, and not the same as the reference's"
        elif ours == theirs and self.pairs[ours].output is not None:
            what = f"its {name} is not what {ours} was when it was made"
            words = f"was {name} overwritten, by an op that computes in place?"
        return self.finding(Kind.WIRING, pair, name, what, pair.inputs[i], words)

    def of_sum(self, pair: Pair, what: str, words: str) -> Finding:
        """Report a dout that is wrong although all its summands are right: the walk is to blame."""
        words = pair.dout_hint or words
        found = self.finding(Kind.SUM, pair, "dout", what, pair.dout, words)
        code = autograd.run_backward.__code__
        place = f"{code.co_filename}:{code.co_firstlineno}"
        return dataclasses.replace(found, op=Kind.SUM.value, rule=place)

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

    def hint_in_float32(self, pair: Pair, name: str, wrong: Array, right: Array) -> str:
        """Say what a float32 array looks like; right is in float64. Rounding has no hint."""
        if wrong.dtype != np.float32 or wrong.shape != right.shape:
            return hint(name, wrong, right.astype(np.float32), self.sizes)
        wide, largest = wrong.astype(np.float64), largest_entry(right)
        is_rounding = np.abs(wide - right) <= ROUNDED_AWAY * largest
        if is_rounding.all():
            return ""
        return self._hint(pair, name, np.where(is_rounding, right, wide), right)

    def finding(
        self, kind: Kind, pair: Pair, argument: str, what: str, gap: Gap | None, words: str = ""
    ) -> Finding:
        """The finding, with where the rule stands, and the float32 errors."""
        code = pair.rule.rule.__code__
        ours, theirs = self.rounding.errors(pair.call.key, argument)
        return Finding(
            kind=kind,
            op=pair.call.op,
            path=pair.call.path,
            key=pair.call.key,
            argument=argument,
            what=what,
            rule=f"{code.co_filename}:{line_of(code, argument)}",
            caller=pair.call.caller,
            gap=gap,
            rounding=ours,
            rounding_reference=theirs,
            hint=words,
        )


def _as_called(pair: Pair) -> str:
    """Return the options of the call in words. Perhaps they are wrong, and not the rule."""
    options = [f"{name}={x!r}" for name, x in pair.options.items() if not hasattr(x, "random")]
    return f" (called with {', '.join(options)})" if options else ""


def _given(pair: Pair) -> dict[str, Any]:
    """Return what the reference's call was given: tensors by name, dout, constants; our options."""
    partner = pair.partner
    if partner is None:
        return {}
    tensors = {argument_name(pair, i): s.array for i, s in enumerate(partner.inputs)}
    others = {"constants": partner.constants, "options": pair.options}
    return {**tensors, "dout": partner.dout, **others}


def _at_hand(pair: Pair) -> dict[str, Array]:
    """Return the arrays that the reference's call was given, and its output."""
    given = {**_given(pair), "out": pair.partner.output if pair.partner else None}
    return {name: a for name, a in given.items() if isinstance(a, np.ndarray)}
