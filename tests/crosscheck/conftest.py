"""What the cross-check tests share: a module in both engines, and the text."""

from __future__ import annotations

from typing import Any

import pytest
from support.engines import NUMPY, TORCH

from crosscheck import copy_weights, randomize
from crosscheck.corpus import Corpus, load_corpus


@pytest.fixture(scope="session")
def make_pair() -> Any:
    """build(engine) -> a module; makes it in both engines, with the same randomised weights."""

    def make(build: Any, seed: int = 0) -> tuple[Any, Any]:
        ours, theirs = build(NUMPY), build(TORCH)
        randomize(theirs, seed)
        copy_weights(theirs, ours)
        return ours, theirs

    return make


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    """The text: $CROSSCHECK_CORPUS, the cached copy, one try at a download, or the excerpt."""
    return load_corpus(attempts=1)
