"""The chapters quote committed results: no decimal in them is by hand, save what is given.

Counts and sizes (64 blocks, 32 tokens, 24 stacks) are plain whole numbers, and are not looked at.
"""

from __future__ import annotations

import math
import re

import fill
import pytest
from click.testing import CliRunner
from support.pages import ROOT

from crosscheck.cli import cli
from crosscheck.commands.flow import flow_command
from crosscheck.flow.labels import ENGLISH, PORTUGUESE
from crosscheck.flow.stacks import WIRINGS

DOCS = ROOT / "docs"
CHAPTERS = ("gradient-flow.md", "gradient-flow.pt-BR.md")
MARK = re.compile(r"<!--=\S+?-->.*?<!--/-->|<!--table:\w+-->.*?<!--/table-->", re.S)
# What is not measured: sizes, constants of a definition, places in papers, the base of a thought.
GIVEN = {
    "0.02", "0.1", "1e-64", "1e-16", "1e-5", "1e-9", "1e-45", "1e-23", "-0.5", "-0.6", "1.5",
    "2002.04745",
    "2103.03404", "2206.03126", "2405.18781", "1512.03385", "4.1",
}  # fmt: skip


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_number_is_the_one_that_was_measured(name: str) -> None:
    text = (DOCS / name).read_text(encoding="utf-8")
    assert len(MARK.findall(text)) > 50
    for line, now in zip(
        text.splitlines(), fill.filled(text, fill.language(name)).splitlines(), strict=True
    ):
        assert line == now, f"{name} has drifted from docs/results: run python docs/fill.py"


@pytest.mark.parametrize("name", CHAPTERS)
def test_no_other_number_is_there(name: str) -> None:
    rest = MARK.sub("", (DOCS / name).read_text(encoding="utf-8"))
    found = re.findall(r"-?\b\d+(?:[.,]\d+)?e-?\d+|-?\b\d+[.,]\d+", rest)
    assert {number.replace(",", ".") for number in found} <= GIVEN


def test_both_chapters_quote_the_same() -> None:
    english, portuguese = (
        re.findall(r"<!--(?:=|table:)\S+?-->", (DOCS / name).read_text("utf-8"))
        for name in CHAPTERS
    )
    assert english == portuguese


@pytest.mark.parametrize(
    ("value", "form", "spoken", "text"),
    [
        (2.78e-67, ".2g", "en", "2.8e-67"),
        (2.17e9, ".2g", "en", "2.2e9"),
        (0.0934, ".2g", "pt-BR", "0,093"),
        (0.2526, "%", "en", "25 %"),
        (1.5e-9, ".2g", "pt-BR", "1,5e-9"),
        (3, ".2g", "en", "3"),
    ],
)
def test_how_numbers_are_printed(value: float, form: str, spoken: str, text: str) -> None:
    assert fill.printed(value, form, spoken) == text


def test_a_drifted_number_is_put_right() -> None:
    text = "so <!--=plain:0;.1f-->7.7<!--/--> it is"
    assert fill.filled(text, "en") == "so <!--=plain:0;.1f-->1.0<!--/--> it is"


def test_what_the_chapter_concludes_is_what_the_results_say() -> None:
    """The sentences rest on these: vanishing is rare with a norm, alike tokens are not."""
    study = fill.study("flow")
    assert len(study) == 24
    assert {(norm, residual) for _, norm, residual in study} == set(map(tuple, WIRINGS))
    for (initialisation, norm, residual), found in study.items():
        assert found["agrees"]
        assert found["difference"] <= 1e-9 or (norm == "none" and residual)
        if not residual:
            assert found["alike_from"] <= 3
            assert found["queries"] < 1e-15
            if norm != "none" and initialisation != "gpt2":
                assert found["ratio"] > 1e-3
        elif norm == "pre":
            assert found["variation"] > 0.2
    for paper in ("xiong2020", "dong2021", "noci2022", "plain", "training"):
        assert fill.results(paper)["holds"], paper
    pre, post, none, shallow = (fill.value(f"training:{claim}") for claim in (10, 12, 14, 16))
    assert pre == post == math.inf, "the plateau ends with a norm too"
    assert 300 < none <= 1000
    assert shallow < none


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_picture_is_in_the_language_of_its_page_and_has_a_sentence_in_its_place(
    name: str,
) -> None:
    pictures = re.findall(r"^!\[(.*)\]\((.*)\)$", (DOCS / name).read_text("utf-8"), re.M)
    folder = "pictures" if fill.language(name) == ENGLISH else f"pictures/{PORTUGUESE}"
    assert [path for _, path in pictures] == [
        f"{folder}/{drawn}.svg"
        for drawn in (
            "gradient-by-layer", "tokens-by-layer", "gradient-by-depth", "parameters-by-engine",
        )
    ]  # fmt: skip
    for sentence, _ in pictures:
        assert re.fullmatch(r"[A-Z].{60,}\.", sentence)


@pytest.mark.parametrize("name", CHAPTERS)
def test_links_lead_somewhere_and_commands_are_real(name: str) -> None:
    text = (DOCS / name).read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", text)
    assert len(links) >= 5
    assert [link for link in links if not (DOCS / link).exists()] == []
    known = {option for p in flow_command.params for option in (*p.opts, *p.secondary_opts)}
    commands = re.findall(r"crosscheck flow([^\n`#]*)", text)
    assert len(commands) >= 6
    assert {word for line in commands for word in re.findall(r"--[\w-]+", line)} <= known


def test_the_stack_of_the_last_section_is_shown() -> None:
    options = ["--norm", "post", "--no-residual", "--init", "xavier", "--depths", "12"]
    result = CliRunner().invoke(cli, ["flow", *options, "--seeds", "1"])
    assert result.exit_code == 0
    assert "Layer by layer: post-norm, no residual, xavier" in result.output
