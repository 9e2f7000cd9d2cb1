"""A planted bug as an exercise: the symptoms without the answer, and the answer."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

from crosscheck.mutants.mutant import Mutant
from crosscheck.mutants.score import first_alarm
from crosscheck.mutants.training import STAGES
from crosscheck.tape import Localisation

WITHOUT_ANSWER = 14  # lines of symptoms


@dataclass(frozen=True)
class Exercise:
    """What the reader is shown: first what disagrees, and after the answer everything."""

    mutant: Mutant  # the planted bug
    symptoms: str  # what disagrees, in words, without the place
    ops: tuple[str, ...]  # the ops that the reader may choose from
    hint: str  # on request; empty if there is none
    localisation: Localisation  # where the bug is: the answer
    derivation: str  # of the rule that the patch violates, from the rule's own page

    def accepts(self, answer: str) -> bool:
        """Return whether this op may rightly be blamed."""
        return answer.strip() in self.mutant.found


def set_exercise(mutant: Mutant) -> Exercise:
    """Plant the bug, run the trials until one fails, and undo the bug."""
    trial, outcome = first_alarm(mutant)
    where = outcome.localisation
    if where is None or not where.findings:
        raise ValueError(f"{mutant.id} shows in no trial: it cannot be an exercise")
    return Exercise(
        mutant=mutant,
        symptoms=f"In the {trial}:\n{_symptoms(outcome.said, where)}",
        ops=tuple(sorted({*(where.ops or STAGES), *mutant.found})),
        hint=next((f.hint for f in where.findings if f.hint), ""),
        localisation=where,
        derivation=_derivation(mutant),
    )


def _symptoms(said: str, where: Localisation) -> str:
    """Return the first lines of what was said, without the lines that say where."""
    answer = {line.strip() for line in str(where).split("\n")}
    lines = [line for line in said.split("\n") if line.strip() not in answer]
    return (
        "\n".join(lines[:WITHOUT_ANSWER])
        or "Something differs in training; no single gradient does."
    )


def _derivation(mutant: Mutant) -> str:
    """Return the docstrings of the functions that the patch changes."""
    pages = [inspect.getdoc(function) for function in mutant.touched()]
    return "\n\n".join(page for page in pages if page)
