"""What the cross-check tests share: a module in both engines, the text, a server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from support.engines import NUMPY, TORCH
from support.inner_pytest import HEAD
from support.server import server as server

import torch
from crosscheck import Batch, compare, copy_weights, randomize
from crosscheck.corpus import Corpus, load_corpus
from tinygrad_tf import nn


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


@pytest.fixture(scope="session")
def everything_imported() -> None:
    """All that a comparison imports: what the inner pytest imports first, it takes out again.

    A comparison that fails imports more, when it measures what rounding does. PyTorch cannot
    import some of that twice.
    """
    ours, theirs = (side.library.nn.Linear(3, 2) for side in (NUMPY, TORCH))
    copy_weights(theirs, ours)
    assert compare(ours, theirs, Batch(np.ones((4, 3)))).agrees
    bent = torch.nn.Sequential(theirs, torch.nn.Tanh())
    assert compare(nn.Sequential(ours), bent, Batch(np.ones((4, 3)))).disagrees


@pytest.fixture
def no_other_tracer() -> Iterator[None]:
    """No trace function is set within the test, coverage's neither: a trace has a note on it."""
    before = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(before)


@pytest.fixture
def inner_pytest(pytester: pytest.Pytester, everything_imported: None) -> Any:
    """inner_pytest(tests, *options): the tests, after two models, in a pytest within this one."""

    def run(tests: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(test_it=HEAD + tests)
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", *options)

    return run
