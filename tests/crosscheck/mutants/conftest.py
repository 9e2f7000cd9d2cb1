"""The score of the whole catalogue, computed once."""

from __future__ import annotations

import pytest

from crosscheck.mutants.score import Score, score

HONEST_RUNS = 15  # each of the six trials twice, and three others; the command makes 200


@pytest.fixture(scope="session")
def scored() -> Score:
    """Every planted bug judged, and some honest runs."""
    return score(honest_runs=HONEST_RUNS)
