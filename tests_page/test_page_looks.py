"""Everybody can use the page: in either language, on a narrow screen, by a screen reader."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable

import pytest
from browsing import MARKUP, ROOT, WALKS, Open, Opened

AXE = ROOT / "node_modules/axe-core/axe.min.js"
WORDS = 'import("./crosscheck/walk/page/words.js").then(m => console.log(JSON.stringify(m.WORDS)))'
# All that is read or heard, but for what is quoted from the source.
READ = """() => {
  const page = document.getElementById("page").cloneNode(true);
  for (const quoted of page.querySelectorAll('[lang="en"]')) quoted.remove();
  const labels = [...page.querySelectorAll("[aria-label], [title]")];
  const heard = labels.flatMap(one => [one.getAttribute("aria-label"), one.getAttribute("title")]);
  return [page.textContent, ...heard].join("\\n");
}"""
CHANGES: dict[str, tuple[str, Callable[[Opened], None]]] = {
    "attention": (".pictures", lambda p: p.page.locator("[role=tab]").nth(2).click()),
    "norm": ("figure", lambda p: p.page.locator("[role=switch]").click()),
    "slope": ("figure", lambda p: p.page.locator(".chip").nth(5).click()),
    "weight": (".said", lambda p: p.page.locator("input[type=range]").press("End")),
    "question": (".bars-of.y", lambda p: p.page.locator(".chip").nth(2).click()),
}


def visits(page: Opened) -> list[tuple[str, str]]:
    """One op of each kind, and every screen."""
    kinds = {op["kind"]: op["id"] for op in page.walk["ops"]}
    last = page.walk["ops"][-1]["id"]
    return [*((op, "card") for op in kinds.values()), *((last, screen) for screen in page.screens)]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["ours", "bug", "brought", "torch"])
def test_axe_finds_nothing_serious(opened: Open, name: str, dark: bool) -> None:
    page = opened(name, dark=dark)
    page.page.add_script_tag(content=AXE.read_text("utf-8"))
    asked = {"runOnly": ["color-contrast"]} if dark else {}  # nothing else is another in the dark
    for op, screen in visits(page):
        page.go(op, screen)
        found = page.page.evaluate(f"axe.run({json.dumps(asked)})")["violations"]
        serious = [
            (one["id"], one["nodes"][0]["html"][:200], one["nodes"][0]["failureSummary"])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert serious == [], f"{op} {screen}"


@pytest.mark.parametrize("name", WALKS)
def test_nothing_is_wider_than_a_narrow_screen(opened: Open, name: str) -> None:
    page = opened(name, width=390)
    for op, screen in visits(page):
        page.go(op, screen)
        page.open_tables()
        assert page.page.evaluate("document.documentElement.scrollWidth") <= 390, f"{op} {screen}"


@pytest.mark.parametrize("name", ["portuguese", "portuguese-bug"])
def test_the_portuguese_page_is_whole(opened: Open, name: str) -> None:
    command = ["node", "-e", WORDS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    words = json.loads(done.stdout)
    parts = {
        part.strip(" .,:;")
        for key, said in words["en"].items()
        if said != words["pt-BR"][key]
        for part in re.split(r"\{\w+\}", said)
    }
    portuguese = "\n".join(words["pt-BR"].values())
    english = {part for part in parts if len(part) >= 8 and part not in portuguese}
    assert len(english) > 150
    page = opened(name)
    assert page.page.evaluate("document.documentElement.lang") == "pt-BR"
    for op, screen in visits(page):
        page.go(op, screen)
        page.open_tables()
        read = page.page.evaluate(READ)
        assert [part for part in english if part in read] == [], f"{op} {screen}"


@pytest.mark.parametrize("screen", CHANGES)
def test_a_switch_changes_the_pictures(opened: Open, screen: str) -> None:
    place, change = CHANGES[screen]
    page = opened()
    page.go(page.walk["ops"][-1]["id"], screen)
    shown = (
        "place => [...document.querySelectorAll(`main ${place}`)].map(one => one.outerHTML +"
        " [...one.querySelectorAll('canvas')].map(c => c.toDataURL()).join()).join()"
    )
    before = page.page.evaluate(shown, place)
    change(page)
    assert page.page.evaluate(shown, place) != before


def test_what_came_from_outside_is_text(opened: Open) -> None:
    page = opened("markup").page
    assert page.evaluate("document.querySelectorAll('#page :is(script, iframe, img)').length") == 0
    chips = page.locator("main .chip").all_text_contents()
    assert "".join(chips) == MARKUP[:-1].replace(" ", "␣")
    sources = (ROOT / "crosscheck/walk/page").glob("*.js")
    markup = re.compile("innerHTML|outerHTML|insertAdjacent|document.write")
    assert [source.name for source in sources if markup.search(source.read_text("utf-8"))] == []


def test_the_map_marks_where_the_reader_stands(opened: Open) -> None:
    page = opened()
    page.go("blocks.0/add~2")
    assert page.page.locator(".spine .dot-link.lit title").text_content() == "blocks.0/add~2 ✓"
    assert page.page.locator(".spine .edge.lit").count() == 2  # a sum copies the gradient


@pytest.mark.parametrize("width", [390, 760, 1024, 1440])
def test_no_column_lies_over_another(opened: Open, width: int) -> None:
    page = opened(width=width)
    page.go("blocks.1.self_attn/matmul")
    parts = page.page.locator("main, .source-side, .spine-side")
    boxes = [box for box in (part.bounding_box() for part in parts.all()) if box is not None]
    for i, one in enumerate(boxes):
        for other in boxes[i + 1 :]:
            beside = (
                one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
            )
            below = (
                one["y"] + one["height"] <= other["y"] or other["y"] + other["height"] <= one["y"]
            )
            assert beside or below
    inside = page.page.locator("main .screen").bounding_box()
    around = page.page.locator("main").bounding_box()
    assert inside is not None
    assert around is not None
    if width < 1200:  # one scrolls them together
        assert inside["height"] <= around["height"]
