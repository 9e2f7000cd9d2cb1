"""What one does on the screens of attention, layer norm, a weight and a bug."""

from __future__ import annotations

import pytest
from browsing import BUG, WRONG, Open
from playwright.sync_api import expect

from crosscheck.mutants.catalogue import mutant_called


def test_a_query_is_chosen_by_keyboard(opened: Open) -> None:
    page = opened()
    page.go("loss/cross_entropy", "attention")
    screen = page.page.locator("section.attention")
    tokens = page.walk["text"]["tokens"]
    picture = screen.locator("canvas").first
    picture.focus()
    for key in ("ArrowDown", "ArrowDown", "Enter"):
        page.page.keyboard.press(key)
    query = len(tokens) // 2 + 2
    expect(screen.locator("h3").first).to_contain_text(f"t={query} ")
    expect(screen.locator("select").nth(1)).to_have_value(str(query))
    expect(picture).to_be_focused()


def test_a_head_is_chosen_by_its_tab(opened: Open) -> None:
    page = opened()
    page.go("loss/cross_entropy", "attention")
    screen = page.page.locator("section.attention")
    before = screen.locator(".said").first.text_content()
    screen.get_by_role("tab").first.focus()
    page.page.keyboard.press("ArrowRight")
    expect(screen.get_by_role("tab").nth(1)).to_be_focused()
    assert screen.locator(".said").first.text_content() != before


def test_with_sum_as_the_loss_nothing_is_left(opened: Open) -> None:
    page = opened()
    page.go("loss/cross_entropy", "norm")
    kept = page.page.locator("svg.stack .kept").last
    assert float(kept.get_attribute("width") or 0) > 300
    page.page.get_by_role("switch").focus()
    page.page.keyboard.press("Space")
    assert float(kept.get_attribute("width") or 1) == 0
    expect(page.page.get_by_role("switch")).to_be_focused()


def test_all_characters_leave_rounding(opened: Open) -> None:
    page = opened()
    page.go("loss/cross_entropy", "weight")
    said = page.page.locator("section.weight .said").first
    expect(said).not_to_contain_text("rounding")
    page.page.get_by_role("slider").focus()
    page.page.keyboard.press("End")
    expect(said).to_contain_text("is the rounding of float32")


def test_the_patch_is_shown_to_who_names_the_op(opened: Open) -> None:
    page = opened("bug").page
    mutant = mutant_called(BUG)
    form = page.locator("form.naming")
    form.locator("select").select_option("gelu")
    form.locator("button").click()
    expect(page.locator("pre.patch")).to_have_count(0)
    form.locator("select").select_option(mutant.found[0])
    form.locator("button").click()
    expect(page.locator("pre.patch")).to_contain_text(mutant.new)


@pytest.mark.parametrize(
    ("screen", "file"),
    [
        ("attention", "softmax.py"),
        ("norm", "layer_norm.py"),
        ("slope", "gelu.py"),
        ("weight", "linear.py"),
        ("map", "cross_entropy.py"),
    ],
)
def test_the_source_is_that_of_the_op_on_the_screen(opened: Open, screen: str, file: str) -> None:
    page = opened()
    page.go("loss/cross_entropy", screen)
    expect(page.page.locator(".source-side .place").first).to_contain_text(f"/{file}:")


def test_what_is_not_known_of_a_user_s_model_is_no_zero(opened: Open) -> None:
    page = opened("brought")
    page.go(page.op, "map")
    norms = page.page.locator("table.edges td.number").all_text_contents()
    assert "–" in norms
    assert "0" not in norms
    assert page.page.locator(".spine-side .edge.unknown").count() == norms.count("–") // 2


def test_a_wrong_backward_of_a_user_is_born_at_its_line(opened: Open) -> None:
    page = opened("brought-bug")
    place = page.walk["bug"]["findings"][0]["place"]
    line = f"wrong.py:{place['line']}"
    expect(page.page.locator(".panel.born h3").first).to_contain_text(line)
    expect(page.page.locator(".source-side .present")).to_contain_text(WRONG[1])
    page.page.locator(".panel.born a.button").first.click()
    said = page.page.locator("h2 .tick-word")
    expect(said).to_contain_text(f"the first to receive the wrong gradient, which {line} makes")
    expect(page.page.locator(".source-side .present")).to_contain_text(WRONG[1])
