"""The file: one page that needs nothing else, in which nothing from outside can act."""

from __future__ import annotations

import base64
import dataclasses
import json
import re

import pytest
from support.walks import SMALL, TEXT, op_called, small_walk, unpacked

from crosscheck.corpus import Corpus
from crosscheck.models import ModelOptions
from crosscheck.mutants.catalogue import mutant_called
from crosscheck.walk import ours
from crosscheck.walk.ours import Request, walk_of_ours
from crosscheck.walk.rule_page import ROOT
from crosscheck.walk.schema import Walk
from crosscheck.walk.write import embedded, joined, page_of, plain

LIMIT = 4_000_000  # bytes of a page of the default model
NASTY = "</script><!--<script>\u2028\u2029 & 'é' \\u003c"


def data_of(page: str) -> dict[str, object]:
    """What the page's script would read."""
    (found,) = re.findall(r'<script type="application/json" id="walk">(.*?)</script>', page, re.S)
    data: dict[str, object] = json.loads(found)
    return data


def test_the_page_holds_the_walk_and_asks_for_nothing() -> None:
    page = page_of(small_walk()).decode("utf-8")
    assert data_of(page) == json.loads(json.dumps(plain(small_walk())))
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert policy[1].startswith("default-src 'none';")
    assert "connect-src" not in policy[1]
    without_data = re.sub(r'id="walk">.*?</script>', "", page, flags=re.S)
    assert not re.search(r'\b(?:src|href)="(?!data:|#)', without_data)
    assert "@import" not in without_data
    assert str(ROOT) not in page


@pytest.mark.parametrize("text", [NASTY, NASTY[::-1], "\x00\ud800"])
def test_what_comes_from_outside_stays_text(text: str) -> None:
    written = embedded({"name": text})
    assert written.isascii()
    assert not set("<>&") & set(written)
    assert json.loads(written) == {"name": text}


def test_a_text_that_would_end_the_script() -> None:
    nasty = Corpus(NASTY + "abc" * 40, "here", False)
    request = Request(
        ModelOptions(**{**SMALL, "context": len(NASTY) - 1}), nasty, NASTY, dtype="float64"
    )
    walk = walk_of_ours(request)
    bad = dataclasses.replace(walk, model=dataclasses.replace(walk.model, title=NASTY))
    page = page_of(bad).decode("utf-8")
    assert page.count("</script>") == page.count("<script") == 2
    assert walk.text is not None
    assert "".join(walk.text.tokens) == NASTY[:-1]
    assert data_of(page)["model"] == json.loads(json.dumps(plain(bad.model)))


def test_numbers_that_json_lacks_become_words() -> None:
    assert plain({"a": [float("nan"), 1.5], "b": (float("-inf"), None)}) == {
        "a": ["nan", 1.5], "b": ["-inf", None]
    }  # fmt: skip


def test_two_modules_cannot_declare_one_name() -> None:
    with pytest.raises(AssertionError, match="two modules of the page declare f"):
        joined({"a.js": "function f() {}\n", "b.js": "export const f = 1;\n"})


def test_modules_are_joined_after_what_they_import() -> None:
    modules = {
        "a.js": 'import { f } from "./b.js";\nimport {\n  g,\n} from "./c.js";\n\nf(g);\n',
        "b.js": 'import { g } from "./c.js";\nexport function f() {}\n',
        "c.js": "export const g = 1;\n",
    }
    text = joined(modules)
    assert text.index("const g") < text.index("function f") < text.index("f(g)")
    assert "import" not in text
    assert "export" not in text


@pytest.mark.parametrize(
    "text",
    [
        'import * as b from "./b.js";\n',
        "export default 1;\n",
        'const x = "</script>";\n',
        'import { f } from "./not_there.js";\n',
    ],
)
def test_a_spelling_that_would_not_be_joined_is_refused(text: str) -> None:
    with pytest.raises(AssertionError, match=r"a\.js: a page cannot hold|not there"):
        joined({"a.js": text})


def test_a_page_of_the_default_model_is_small() -> None:
    text = Corpus("".join(map(chr, range(33, 98))) * 3 + TEXT.text, "here", False)
    walk = walk_of_ours(Request(ModelOptions(context=24), text, dtype="float64"))
    assert len(walk.text.vocabulary if walk.text else ()) >= 65
    data = len(embedded(plain(walk)))
    assert 0.4 * LIMIT < data < 0.6 * LIMIT  # arrays that are wrong stand beside right ones
    assert data < len(page_of(walk)) < LIMIT


@pytest.mark.parametrize("bug", ["layer-norm-no-mean-term", "softmax-no-average"])
def test_a_finite_difference_is_what_was_expected(bug: str) -> None:
    found = small_walk(bug=bug).bug
    assert found is not None
    for finding in found.findings:
        assert finding.worst is not None
        assert finding.ours != pytest.approx(finding.expected, rel=1e-3)
        assert finding.finite_difference == pytest.approx(finding.expected, rel=1e-5)
        assert f"worst at {list(finding.worst)}" in finding.words


def test_a_bug_opens_where_it_was_born() -> None:
    walk = small_walk(bug="softmax-no-average")
    bug = walk.bug
    assert bug is not None
    assert (bug.id, bug.answers) == ("softmax-no-average", ("softmax",))
    first = bug.findings[0]
    assert (first.op, first.argument) == ("blocks.0.self_attn/softmax", "dx")
    assert "sum(dout * out) is missing" in first.hint
    assert first.place is not None
    assert first.place.file == "tinygrad_tf/ops/softmax.py"
    assert str(ROOT) not in first.words
    born = op_called(walk, first.op)
    gradient = born.inputs[0].gradient
    assert (born.verdict, gradient and gradient.verdict) == ("born", "disagree")
    assert gradient is not None
    worst = gradient.worst
    assert gradient.worst_ours == pytest.approx(unpacked(walk, gradient.ours)[worst], rel=1e-5)
    assert gradient.worst_reference == pytest.approx(
        unpacked(walk, gradient.reference)[worst], rel=1e-5
    )
    assert first.finite_difference == pytest.approx(gradient.worst_reference, rel=1e-5)
    assert first.op not in bug.inherited
    assert "blocks.0.self_attn/matmul" in bug.inherited
    assert not walk.outcome.agrees


def test_the_patch_is_there_and_not_to_be_read_by_accident() -> None:
    bug = small_walk(bug="softmax-no-average").bug
    assert bug is not None
    patch = base64.b64decode(bug.patch).decode("utf-8")
    assert patch == mutant_called("softmax-no-average").patch()
    page = page_of(small_walk(bug="softmax-no-average")).decode("utf-8")
    (new,) = [line[1:].strip() for line in patch.splitlines()[2:] if line.startswith("+")]
    assert "dx = " in new
    assert new not in page


def test_a_bug_is_shown_in_a_wiring_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def walked(request: Request) -> Walk:
        """Only with ReLU something is wrong."""
        has_relu = request.options.activation == "relu"
        walk = small_walk(bug="softmax-no-average") if has_relu else small_walk()
        return dataclasses.replace(walk, model=dataclasses.replace(walk.model, seed=request.seed))

    monkeypatch.setattr(ours, "_walked", walked)
    request = Request(ModelOptions(**SMALL), TEXT, seed=5, mutant=mutant_called("relu-no-cut"))
    with pytest.raises(ValueError, match="does not show in one window of a language model of this"):
        walk_of_ours(request)
    shown = walk_of_ours(dataclasses.replace(request, any_wiring=True))
    assert (shown.outcome.agrees, shown.model.seed) == (False, 5)


def test_a_rule_that_raises_leaves_a_walk_as_far_as_it_went() -> None:
    walk = small_walk(bug="order-of-arrival")
    assert walk.bug is not None
    assert walk.bug.raised
    assert walk.loss.ours is None
    assert any(op.dout is None or op.dout.ours is None for op in walk.ops)
    assert all(op.output.ours is not None for op in walk.ops)
    assert walk.parameters == ()
    page_of(walk)
