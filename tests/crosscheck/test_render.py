"""What is printed: at any width, of any text, and truly about what was found."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from crosscheck.check import Check, run_check
from crosscheck.corpus import Corpus
from crosscheck.judge import Verdict
from crosscheck.models import ModelOptions
from crosscheck.render import print_check
from crosscheck.tape.finding import Finding, Kind, Localisation

# As rich's markup: a style, an emoji, and a closing tag of nothing, which it takes for an error.
MARKUP = "[red]x[/red] :smile: [/bold] "
CORPUS = Corpus(MARKUP * 40, "file [b]x[/i].txt", False)


@pytest.fixture(scope="module")
def check() -> Check:
    """The default model, whose names and shapes are those that a reader meets."""
    return run_check(ModelOptions(), CORPUS)


def printed(check: Check, width: int = 110, *, terminal: bool = False) -> str:
    screen = io.StringIO()
    print_check(
        check, Console(file=screen, width=width, force_terminal=terminal, color_system=None)
    )
    return screen.getvalue()


def with_verdicts(check: Check, verdicts: dict[str, Verdict]) -> Check:
    """The same result, with other verdicts under its first loss."""
    first, *others = check.report.comparisons
    rows = tuple(
        replace(row, verdict=verdicts.get(row.name, row.verdict)) for row in first.gradients
    )
    comparisons = (replace(first, gradients=rows), *others)
    return replace(check, report=replace(check.report, comparisons=comparisons))


def last_line(text: str) -> str:
    return text.splitlines()[-1]


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("width", [40, 60, 80, 100, 120])
def test_every_name_is_whole_at_every_width(check: Check, width: int, terminal: bool) -> None:
    lines = printed(check, width, terminal=terminal).splitlines()
    heading = ""
    found = set()
    for line in lines:
        first, *rest = line.split()[:2] or [""]
        heading = heading if rest else first
        found |= {first, f"{heading}.{first}"}
    names = {row.name for row in check.report.comparisons[0].rows}
    assert names <= found, names - found
    assert {row.side for row in check.parity} <= found
    assert "…" not in "".join(lines)
    rows = len(check.report.comparisons[0].rows) + len(check.parity)
    assert sum(line.rstrip().endswith((" agree", " agree, zero")) for line in lines) == rows


@pytest.mark.parametrize(("width", "bar", "ratio"), [(120, 1, 1), (100, 0, 1), (80, 0, 0)])
def test_a_narrow_table_leaves_columns_out_and_fits(
    check: Check, width: int, bar: bool, ratio: bool
) -> None:
    lines = printed(check, width).splitlines()
    header = next(line for line in lines if "verdict" in line)
    assert ("f32" in header) == ratio
    assert ("█" in "".join(lines)) == bar
    assert any(line.startswith("f32 ") for line in lines) == ratio  # the legend says no more
    assert max(map(len, lines)) <= width


def test_a_text_that_looks_like_markup_is_printed_as_it_is(check: Check) -> None:
    text = " ".join(printed(check, 200).split())
    assert CORPUS.source in text
    assert repr(check.sample) in printed(check, 200)
    styles = io.StringIO()
    print_check(check, Console(file=styles, width=200, force_terminal=True, color_system="256"))
    assert CORPUS.source in styles.getvalue()


@pytest.mark.parametrize("width", [80, 110])
def test_no_line_ends_in_a_space(check: Check, width: int) -> None:
    assert [line for line in printed(check, width).split("\n") if line.endswith(" ")] == []


def test_the_legend_tells_the_limits_and_what_is_there(check: Check) -> None:
    text = printed(check)
    for line in (
        "error     |NumPy - PyTorch| / |PyTorch| in float64, at most 1e-10\n",
        "f32       our float32 rounding error over PyTorch's own, at most 8, "
        "or our error below 1e-06\n",
        "zero      moving it changes nothing: softmax does not see",
        "q, k, v   the three parts of the in-projection\n\n",
    ):
        assert line in text
    bare = printed(run_check(ModelOptions(layers=0), CORPUS, dtype="float64"))
    assert "in float64, at most 1e-10\n\n" in bare
    for word in ("f32", "zero", "q, k, v"):
        assert f"\n{word} " not in bare


def test_float32_alone_shows_its_errors() -> None:
    check = run_check(ModelOptions(layers=1), CORPUS, dtype="float32")
    text = printed(check)
    row = next(r for r in check.report.comparisons[0].rows if r.name == "head.weight")
    assert row.error is None
    line = next(
        line for line in text.splitlines() if line.startswith("   weight  ") and "x64" in line
    )
    assert line.endswith("agree")
    assert f"{row.rounding:.1e}" in text
    words = " ".join(text.split())
    assert "precision float32, seed 0" in words
    assert "error |NumPy in float32 - PyTorch in float64| / |PyTorch in float64|" in words
    assert "that error over PyTorch's own in float32, at most 8" in words
    assert "rows agree, largest error" in words
    assert "largest error in float32 " in last_line(text)
    zero = next(line for line in text.splitlines() if line.endswith("agree, zero"))
    assert len(zero.split()) == 6  # name, shape, two norms, and the two words: no error


def test_the_last_line_counts_every_row(check: Check) -> None:
    assert last_line(printed(check)).startswith("AGREE: 77 rows compared, all agree; largest")


@pytest.mark.parametrize(
    ("verdicts", "line"),
    [
        (
            {"head.bias": Verdict.VACUOUS},
            "NOT PROVED: 1 of 77 rows is too small to test (its gradient vanishes); "
            "the other 76 agree.",
        ),
        (
            {"head.bias": Verdict.VACUOUS, "head.weight": Verdict.VACUOUS},
            "NOT PROVED: 2 of 77 rows are too small to test (their gradients vanish); "
            "the other 75 agree.",
        ),
        (
            {"head.bias": Verdict.VACUOUS, "head.weight": Verdict.AMPLIFIED},
            "NOT PROVED: 1 of 77 rows is too small to test (its gradient vanishes); 1 more differs "
            "by no more than rounding explains; the other 75 agree.",
        ),
        (
            {"head.bias": Verdict.VACUOUS, "head.weight": Verdict.MISSING},
            "DISAGREE: 1 of 77 rows fails; 1 more is too small to test (its gradient vanishes).",
        ),
    ],
)
def test_too_small_to_test_is_not_to_disagree(check: Check, verdicts: Any, line: str) -> None:
    changed = with_verdicts(check, verdicts)
    assert " ".join(printed(changed).split()).endswith(line)
    assert not changed.agrees
    assert changed.disagrees == line.startswith("DISAGREE")
    # What is wrong is spelled out before what is not proved.
    said = printed(changed)
    wrong = [said.index(f"{n} (under") for n, v in verdicts.items() if v.wrong]
    unproved = [said.index(f"{n} (under") for n, v in verdicts.items() if v.unproved]
    assert max(wrong, default=0) < min(unproved)


def test_a_parity_that_fails_is_a_disagreement(check: Check) -> None:
    broken = replace(check.parity[0], gradient=float("inf"))
    changed = replace(check, parity=(broken, *check.parity[1:]))
    assert last_line(printed(changed)) == "DISAGREE: 1 of 77 rows fails."
    vacuous = replace(check, parity=tuple(replace(p, gradient=None) for p in check.parity))
    assert last_line(printed(vacuous)).startswith("NOT PROVED: 4 of 77 rows are too small")


def test_what_failed_in_the_parity_is_said_once(check: Check) -> None:
    broken = replace(check.parity[2], gradient=1.0, worst=("input", "linear1.bias"))
    found = Finding(Kind.BACKWARD, "gelu", "model", "model/gelu", "dx", "its dx is wrong")
    where = Localisation((found,), 0, 0, {})
    changed = replace(check, parity=(broken, *check.parity), parity_localisation=where)
    said = printed(changed)
    assert "block of tinygrad_tf, float64: it differs most in the gradient of input, the " in said
    assert said.count("born here: gelu in model: its dx is wrong") == 1
    told = with_verdicts(changed, {"head.bias": Verdict.DISAGREE})
    told = replace(told, report=replace(told.report, localisation=where))
    assert printed(told).count("born here: gelu in model: its dx is wrong") == 1
    assert changed.to_dict()["parity_localisation"]["findings"][0]["op"] == "gelu"
    assert "born here" not in printed(check)
