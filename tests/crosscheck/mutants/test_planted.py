"""A planted bug is one text for another, and the lines to blame are those that differ."""

from __future__ import annotations

import linecache

import pytest

from crosscheck.mutants.foreign.bug import EXAMPLES, Bug, module_of, planted

SOURCE = "def f(x):\n    y = x + 1\n    y = y * 2\n    z = y - 3\n    return z\n"


@pytest.fixture
def examples(tmp_path, monkeypatch):
    monkeypatch.setattr("crosscheck.mutants.foreign.bug.EXAMPLES", tmp_path)
    (tmp_path / "own.py").write_text(SOURCE, "utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "to_blame"),
    [
        ("y - 3", "y - 4", {4}),
        ("    y = y * 2\n", "    t = y\n    y = t * 3\n", {3, 4}),
        # A line is taken away: its neighbours, as far as they are given.
        ("    y = y * 2\n    z = y - 3\n", "    z = y - 3\n", {3}),
        ("x + 1\n    y = y * 2\n    z = y - 3\n", "x + 1\n    z = y - 3\n", {2, 3}),
        ("    y = y * 2\n", "", {3}),
        # Two lines change places.
        ("    y = y * 2\n    z = y - 3\n", "    z = y - 3\n    y = y * 2\n", {3, 4}),
        # What is the same on both ends is not to blame.
        ("    y = y * 2\n    z = y - 3\n", "    y = y * 2\n    z = y\n", {4}),
    ],
)
def test_the_lines_that_differ_are_to_blame(examples, old, new, to_blame) -> None:
    source, lines = planted(Bug("a-bug", "own.py", old, new, ""))
    assert source == SOURCE.replace(old, new)
    assert lines == to_blame


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("y - 4", "y", "occurs 0 times"),
        ("y = ", "z = ", "occurs 2 times"),
    ],
)
def test_a_bug_that_does_not_fit_is_told(examples, old, new, said) -> None:
    with pytest.raises(ValueError, match=f"a-bug: .*{said}"):
        planted(Bug("a-bug", "own.py", old, new, ""))


def test_a_source_runs_under_the_examples_path_and_shows_its_own_lines() -> None:
    source = (EXAMPLES / "torch_bert.py").read_text("utf-8").replace("math.sqrt(2.0)", "1.0")
    module = module_of(source, "torch_bert.py")
    path = str(EXAMPLES / "torch_bert.py")
    code = module.BertIntermediate.forward.__code__
    assert code.co_filename == module.__file__ == path
    linecache.checkcache()
    assert any("torch.erf(hidden_states / 1.0)" in line for line in linecache.getlines(path))
