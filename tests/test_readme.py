"""The pages tell the truth: what they show is what runs, and what they name is there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest
from markdown_it import MarkdownIt
from support.pages import PAGES, ROOT, SESSION, blocks

from crosscheck.check import run_check
from crosscheck.corpus import load_corpus
from crosscheck.models import ModelOptions
from crosscheck.mutants.mutant import Mutant
from tinygrad_tf.machinery.forms import second_forms

README = PAGES["README.md"]
HAS_FAST = find_spec("tinygrad_tf.fast") is not None


@pytest.fixture(autouse=True)
def _as_it_comes() -> Iterator[None]:
    """Compute every op by its page, whatever the environment asks for, and restore that."""
    forms = dict(second_forms)
    second_forms.clear()
    yield
    second_forms.clear()
    second_forms.update(forms)


def test_a_block_has_a_language_that_says_how_it_is_tested() -> None:
    for page, text in PAGES.items():
        fences = re.findall(r"^```(.*)$", text, re.M)
        assert set(fences[::2]) <= {"python", "sh", "text"}, page
        assert set(fences[1::2]) <= {""}, page


# Python

# The Portuguese pages have the same code, which test_translations.py sees to.
ALONE = [page for page in PAGES if "pt-BR" not in page and page != SESSION]
SNIPPETS = [(page, code) for page in ALONE for code in blocks(page, "python")]


@pytest.mark.parametrize(
    ("page", "code"), SNIPPETS, ids=[f"{page}-{i}" for i, (page, _) in enumerate(SNIPPETS)]
)
def test_a_snippet_runs_as_it_stands(
    page: str,
    code: str,
    crosscheck: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whatever a comment behind `print` says is what is printed. A test in it passes."""
    if "tinygrad_tf.fast" in code and not HAS_FAST:
        pytest.skip("there are no fast forms")
    names: dict[str, Any] = {}
    exec(compile(code, page, "exec"), names)
    lines = capsys.readouterr().out.splitlines()
    comments = re.findall(r"^print\(.*\)  # (.*)$", code, re.M)
    assert len(lines) == len(comments)
    for line, comment in zip(lines, comments, strict=True):
        shown, is_cut, _ = comment.partition("...")
        assert line == comment or (is_cut and line.startswith(shown)) or "the same" in comment
    for name, thing in names.items():
        if name.startswith("test_"):
            thing(crosscheck)


def test_there_are_snippets_of_every_kind() -> None:
    code = "\n".join(code for _, code in SNIPPETS)
    for word in ("backward()", "compare(", "def test_", "fast.on()"):
        assert word in code


def test_both_numbers_of_the_layer_norm_are_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = (code for code in blocks("docs/your-own.md", "python") if "F.layer" in code)
    exec(program, {})
    derived, measured = map(float, capsys.readouterr().out.split())
    assert measured == pytest.approx(derived, rel=1e-6)


# What `make run` prints


def plain(output: str) -> list[str]:
    """The lines of an output, without what depends on rounding, versions, or the text's place."""
    output = re.sub(r"( distinct: ).*?\n(?=batch)", r"\1#\n", output, flags=re.S)
    return [_plain_line(line) for line in output.splitlines()]


def _plain_line(line: str) -> str:
    pattern = r"(\s+\S+)\s+([\dx]+|scalar)\s+([\d.e+-]+)\s+([\d.e+-]+)\s.*?(agree.*)"
    if row := re.fullmatch(pattern, line):
        name, shape, *norms, verdict = row.groups()
        tiny = any("e-1" in norm for norm in norms)
        return " ".join([name, shape, *([] if tiny else norms), verdict])
    if line.startswith("engines"):
        return re.sub(r"\d+\.\d+[\w.+]*", "#", line)
    return re.sub(r"\d\.\de[+-]\d\d", "#", line).rstrip()


def test_the_output_it_shows_is_that_of_a_run() -> None:
    """The README leaves out rows where it has "..."; all other lines are those of the run."""
    if not (corpus := load_corpus(attempts=1)).complete:
        pytest.skip(f"the whole text is not here: {corpus.source}")
    done = subprocess.run(
        [sys.executable, "-m", "crosscheck"],
        env={**os.environ, "TINYGRAD_TF_FAST": "0"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    shown = re.search(r"## What `make run` prints\n\n<!-- run -->\n```text\n(.*?)```", README, re.S)
    assert shown is not None
    assert "65 distinct: cached copy data/tiny_shakespeare.txt\n" in shown[1]
    left = plain(done.stdout)
    first, *others = re.split(r"^ +\.\.\.\n", shown[1], flags=re.M)
    assert plain(first) == left[: len(plain(first))]
    left = left[len(plain(first)) :]
    for part in map(plain, others):
        start = next(i for i in range(len(left)) if left[i : i + len(part)] == part)
        assert start > 0, "nothing is left out here"
        left = left[start + len(part) :]
    assert left == []
    assert plain(shown[1])[-1].startswith("AGREE: ")
    assert sum("agree" in line for line in plain(shown[1])) > 10


def test_the_diagnosis_it_shows_is_that_of_a_run() -> None:
    """The words for a changed sign; numbers that depend on rounding are left out."""
    old, new = "(dx_hat - along_ones", "(dx_hat + along_ones"
    module = "tinygrad_tf.ops.layer_norm"
    mutant = Mutant(
        id="sign", family="layer norm", what="a sign",
        module=module, old=old, new=new, found=("layer_norm",),
    )  # fmt: skip
    with mutant.planted():
        check = run_check(ModelOptions(), load_corpus(None))
    (shown,) = (text for text in blocks("docs/judging.md", "text") if "born here" in text)
    rounded = r"-?\d\S*e\S+|-?\d+\.\d+|(?<=worst at )\[.*?\]"
    words = [re.sub(rounded, "#", line) for line in shown.splitlines()]
    said = [re.sub(rounded, "#", line) for line in str(check.report).splitlines()]
    assert words == said[1 : 1 + len(words)]
    page = PAGES["docs/judging.md"].replace("\n", " ")
    wrong = sum(verdict.wrong for verdict in check.verdicts)
    assert f"{wrong} of {len(check.verdicts)} rows fail" in page


# Links and files


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file(page: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", PAGES[page])
    assert links
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []
    assert not any("tinygrad_tf/fast/" in link for link in links)  # a copy without it is tested


@pytest.mark.parametrize("page", PAGES)
def test_every_file_in_code_font_is_there(page: str) -> None:
    """Those with a folder are named from the root of the repository."""
    named = re.findall(r"`((?:\w[\w.-]*/)+[\w.-]*)`", PAGES[page])
    named = [name for name in named if "/fast/" not in f"/{name}" or HAS_FAST]
    named = [name for name in named if "X.py" not in name]  # stands for several
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", ["README.md", "README.pt-BR.md"])
def test_the_layout_is_that_of_the_tree(page: str) -> None:
    (layout,) = (text for text in blocks(page, "text") if "tinygrad_tf/ " in text)
    folder = ROOT
    for line in layout.splitlines():
        names = re.findall(r"(?:^|(?<=  ))[\w.]+(?:/|\.py)", line)
        assert names, line
        for name in names:
            path = (folder if line.startswith("  ") else ROOT) / name
            assert path.exists() or (path.name == "fast" and not HAS_FAST), path
        if not line.startswith("  "):
            folder = ROOT / names[0]


@pytest.mark.parametrize("page", PAGES)
def test_a_mark_never_begins_a_line_of_a_sentence(page: str) -> None:
    """There Markdown would end the paragraph, and take the line as HTML."""
    for token in MarkdownIt("commonmark").enable("table").parse(PAGES[page]):
        if token.type == "html_block":
            assert re.fullmatch(r"(<!--[^>]*-->\s*)+", token.content), token.content


@pytest.mark.parametrize("page", ["README.md", "README.pt-BR.md"])
def test_a_readme_has_at_most_250_lines(page: str) -> None:
    assert len(PAGES[page].splitlines()) <= 250
