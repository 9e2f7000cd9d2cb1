"""How many threads BLAS and PyTorch have: one where the work is small, and restored after."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from threadpoolctl import threadpool_info, threadpool_limits

import torch
from crosscheck import check as check_module
from crosscheck.cli import cli
from crosscheck.models import ModelOptions
from crosscheck.threads import LARGE, VARIABLE, few_threads

assert np.__version__  # it is NumPy that brings BLAS along


@pytest.fixture(autouse=True)
def _three_threads(monkeypatch: pytest.MonkeyPatch) -> Any:
    """As a machine with three cores has it, where the environment says nothing."""
    monkeypatch.delenv(VARIABLE, raising=False)
    before = torch.get_num_threads()
    with threadpool_limits(3):
        torch.set_num_threads(3)
        yield
        torch.set_num_threads(before)


def threads() -> set[int]:
    """The numbers of threads of PyTorch, and of every BLAS."""
    pools = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    assert pools
    return {torch.get_num_threads(), *pools}


@pytest.mark.parametrize(
    ("wanted", "work", "environment", "expected"),
    [
        (None, 0, None, 1),
        (None, LARGE - 1, None, 1),
        (None, LARGE, None, 3),
        (None, 0, "3", 3),
        (None, 0, "", 1),
        (2, 0, None, 2),
        (2, LARGE, "3", 2),
    ],
)
def test_the_option_then_the_environment_then_the_work(
    monkeypatch: pytest.MonkeyPatch,
    wanted: int | None,
    work: int,
    environment: str | None,
    expected: int,
) -> None:
    if environment is not None:
        monkeypatch.setenv(VARIABLE, environment)
    assert threads() == {3}
    with few_threads(wanted, work):
        assert threads() == {expected}
    assert threads() == {3}


def test_they_are_restored_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), few_threads():
        raise ZeroDivisionError
    assert threads() == {3}


def test_pytorch_is_told_in_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not every build of it counts its threads by OpenMP, which threadpoolctl reaches."""
    told: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", told.append)
    with few_threads(2):
        pass
    assert told == [2, 3]


def test_the_work_is_that_of_the_products_of_a_block() -> None:
    """In-projection, out-projection, and the two layers of the feed-forward network."""
    options = ModelOptions(width=10, heads=2, feed_forward=7, context=5)
    assert options.multiply_adds(batch_size=3) == 15 * (10 * 30 + 10 * 10 + 10 * 7 + 7 * 10)


@pytest.mark.parametrize(("arguments", "expected"), [((), 1), (("--threads", "2"), 2)])
def test_a_check_runs_with_them(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], expected: int
) -> None:
    found = []

    def stop(*_: Any, **__: Any) -> Any:
        found.extend(threads())
        raise ValueError("enough")

    monkeypatch.setattr(check_module, "run_check", stop)
    CliRunner().invoke(cli, ["--layers", "0", *arguments])
    assert found == [expected]
