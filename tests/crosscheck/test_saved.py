"""What goes to disk: JSON that every reader takes, whole or not at all."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from crosscheck.files import write_json
from crosscheck.saved import changes


def test_numbers_that_json_lacks_become_words(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    content = {"a": [1.5, math.nan, (math.inf, -math.inf)], "b": {"c": math.nan}, "d": None}
    write_json(path, content)
    text = path.read_text(encoding="utf-8")
    strict = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert strict == {"a": [1.5, "nan", ["inf", "-inf"]], "b": {"c": "nan"}, "d": None}
    assert text.endswith("}\n")


def test_what_cannot_be_written_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def result(**verdicts: str) -> dict[str, object]:
    rows = [{"name": name, "verdict": v, "error": 1e-15} for name, v in verdicts.items()]
    comparison = {"loss": "cross-entropy", "outputs": rows[:1], "gradients": rows[1:]}
    return {"report": {"comparisons": [comparison]}}


def test_a_zero_that_theory_wants_is_as_good_as_agreement() -> None:
    before = result(output="agree", a="agree", b="agree, zero")
    assert changes(before, result(output="agree", a="agree, zero", b="agree")) == []


@pytest.mark.parametrize("verdict", ["disagree", "vacuous", "missing", "not finite", "rounding"])
def test_each_verdict_that_does_not_pass_is_worse(verdict: str) -> None:
    (change,) = changes(result(output="agree", a="agree"), result(output="agree", a=verdict))
    assert (change.name, change.loss, change.worse) == ("a", "cross-entropy", True)
    assert (change.before, change.after) == ("agree, 1.0e-15", f"{verdict}, 1.0e-15")
    (back,) = changes(result(output="agree", a=verdict), result(output="agree", a="agree"))
    assert not back.worse


def test_an_output_counts_too() -> None:
    (change,) = changes(result(output="agree"), result(output="disagree"))
    assert change.worse
