"""Each example runs, and says that all agrees."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
SCRIPTS = ["encoder_layer.py", "foreign_engine.py", "own_op.py"]
TESTED_ELSEWHERE = {"one_page.py"}


def finish(*command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_says_that_all_agrees(script: str) -> None:
    if script == "foreign_engine.py":
        pytest.importorskip("autograd")
    said = finish("-W", "error", f"examples/{script}")
    agreed = re.search(r"^(\d+) rows, all agree\n\Z", said, re.MULTILINE)
    assert agreed is not None, said
    # The output, the input's gradient, and those of all parameters, q, k and v apart.
    assert int(agreed[1]) == (3 if script == "own_op.py" else 18)


def test_the_one_for_pytest_passes() -> None:
    said = finish("-m", "pytest", "-q", "-p", "no:cacheprovider", "examples/test_with_pytest.py")
    assert "1 passed" in said
    assert "crosscheck: largest relative errors in float64" in said


def test_every_example_is_listed_and_tested() -> None:
    files = {path.name for path in EXAMPLES.glob("*.py")}
    assert files == {*SCRIPTS, *TESTED_ELSEWHERE, "test_with_pytest.py"}
    page = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    inner = {
        f"{folder}/{path.name}"
        for folder in ("brought", "model_files")
        for path in (EXAMPLES / folder).glob("*.py")
    }
    assert set(re.findall(r"\]\(([\w/]+\.py)\)", page)) == files | inner


def test_an_op_of_ones_own_is_short() -> None:
    source = (EXAMPLES / "own_op.py").read_text(encoding="utf-8")
    rule = source[source.index("@differentiable") : source.index("class RMSNorm")]
    check = source[source.index("if __name__") :]
    assert len([line for line in (rule + check).splitlines() if line.strip()]) <= 25
