"""A planted bug as an exercise: the symptoms without the answer, and the answer."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

from crosscheck.mutants.mutant import Mutant
from crosscheck.mutants.score import first_alarm
from crosscheck.mutants.training import OPTIMISERS
from crosscheck.tape import Localisation

WITHOUT_ANSWER = 14  # lines of symptoms
STAGES = ("zero_grad", "backward", "clip_grad_norm_", *OPTIMISERS)  # of training


@dataclass(frozen=True)
class Exercise:
    """symptoms: what disagrees. ops: those that the reader may choose from. derivation: of the
    rule that the patch violates, from its own page.
    """

    mutant: Mutant
    symptoms: str
    ops: tuple[str, ...]
    hint: str
    localisation: Localisation
    derivation: str

    def accepts(self, answer: str) -> bool:
        """Whether this op may rightly be blamed."""
        return answer.strip() in self.mutant.found


def set_exercise(mutant: Mutant) -> Exercise:
    """Plant the bug, run the trials until one fails, and take the bug out again."""
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
    """What was said, without the lines that say where."""
    answer = str(where).split("\n")
    lines = [line for line in said.split("\n") if line.strip() not in {a.strip() for a in answer}]
    shown = lines[:WITHOUT_ANSWER]
    return "\n".join(shown) or "Something differs in training; no single gradient does."


def _derivation(mutant: Mutant) -> str:
    """The docstrings of the functions that the patch changes."""
    pages = [inspect.getdoc(function) for function in mutant.touched()]
    return "\n\n".join(page for page in pages if page)
