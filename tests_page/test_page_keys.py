"""By the keyboard alone one walks from the loss to the embedding, and hears each step."""

from __future__ import annotations

import re

from browsing import BUG, Open
from playwright.sync_api import expect


def test_every_op_is_visited_from_the_loss_to_the_embedding(opened: Open) -> None:
    page = opened()
    back = [op["id"] for op in reversed(page.walk["ops"])]
    visited, heard = [], []
    for _ in back:
        page.page.keyboard.press("ArrowRight")
        page.page.wait_for_function("op => document.body.dataset.op === op", arg=page.op)
        visited.append(page.op)
        heard.append(page.page.locator(".heard").text_content() or "")
        assert page.page.locator(".film [aria-current]").count() == 1
    assert visited == back  # the question is at the loss: the first key opens its card
    named = {op["id"]: op["op"] for op in page.walk["ops"]}
    assert all(said.startswith(named[op]) for op, said in zip(back, heard, strict=True))
    assert len(set(heard)) > 0.8 * len(heard)
    page.page.keyboard.press("ArrowRight")
    assert page.op == back[-1]
    page.page.keyboard.press("ArrowLeft")
    assert page.op == back[-2]


def test_home_end_and_blocks(opened: Open) -> None:
    page = opened()
    ops = [op["id"] for op in page.walk["ops"]]
    for key, op in (("End", ops[0]), ("Home", ops[-1])):
        page.page.keyboard.press(key)
        assert page.op == op
    groups = []
    for _ in range(8):
        found = next(op for op in page.walk["ops"] if op["id"] == page.op)
        groups.append(found["block"] or found["module"])
        page.page.keyboard.press("ArrowDown")
    assert groups[:4] == ["loss", "head", "blocks.1", "blocks.0"]
    page.page.keyboard.press("ArrowUp")
    assert page.op != ops[0]


def test_help_and_tables_open_by_key(opened: Open) -> None:
    page = opened()
    page.page.keyboard.press("?")
    assert page.page.locator("dialog.help").is_visible()
    page.page.keyboard.press("ArrowRight")  # the help has the keys now
    assert page.page.evaluate("document.body.dataset.screen") == "question"
    page.page.keyboard.press("Escape")
    expect(page.page.locator("dialog.help")).to_be_hidden()
    page.page.keyboard.press("t")
    page.page.wait_for_selector("details.numbers[open] td")
    page.page.keyboard.press("T")
    assert page.page.locator("details.numbers[open]").count() == 0


def test_a_picture_with_the_focus_takes_the_arrows_until_escape(opened: Open) -> None:
    page = opened()
    page.go("blocks.1.linear2/linear")
    picture = page.page.locator(".gradients figure", has_text="dx (").locator("canvas")
    picture.focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight"):
        page.page.keyboard.press(key)
    assert page.op == "blocks.1.linear2/linear"
    said = page.page.locator(".entry-sentence").text_content() or ""
    assert re.match(r"dx\[t=1 '.', f=2\] = sum over 64 of dout × weight = ", said)
    page.page.keyboard.press("Escape")
    page.page.keyboard.press("ArrowRight")
    assert page.op == "blocks.1/gelu"


def test_a_page_with_a_bug_opens_where_it_was_born_and_hides_the_patch(opened: Open) -> None:
    page = opened("bug")
    bug = page.walk["bug"]
    assert bug["id"] == BUG
    assert page.page.evaluate("document.body.dataset.screen") == "verdict"
    lit = page.page.locator(".film [aria-current]").get_attribute("title") or ""
    assert lit.startswith(bug["findings"][0]["op"] + ":")
    assert page.page.locator("pre.patch").count() == 0
    for name, shown in (("linear", 0), (bug["answers"][0], 1)):
        page.page.locator(".naming select").select_option(name)
        page.page.locator(".naming button").click()
        assert page.page.locator("pre.patch").count() == shown


def test_the_page_of_a_user_s_model_is_walked_too(opened: Open) -> None:
    page = opened("brought")
    page.page.keyboard.press("Home")
    visited = [page.op]
    for _ in page.walk["ops"][1:]:
        page.page.keyboard.press("ArrowRight")
        visited.append(page.op)
    assert visited == [op["id"] for op in reversed(page.walk["ops"])]
    expect(page.page.locator(".source-side .present")).to_have_count(1)
