"""The page on the backward of a block is that of a run: steps, formulas, links and norms.

Two tapes are held against it: what our engine visits, and what PyTorch sends back.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import backward
import fill
import numpy as np
import pytest
from backward_steps import FORWARD, WALKS
from scipy.special import erf

import torch
from crosscheck.sides import NUMPY, TORCH
from crosscheck.tape.torch_recorder import record_torch
from crosscheck.weights import copy_weights
from tinygrad_tf.autograd import newest_first
from torch_impl import TransformerBlock

DOCS = Path(backward.__file__).parent
TEXTS = {name: (DOCS / name).read_text(encoding="utf-8") for name in backward.PAGES}
ENGLISH, PORTUGUESE = TEXTS.values()
LINK = re.compile(r"\[`([^`]+)`\]\(\.\./([\w/.]+)#L(\d+)\)")
MARK = re.compile(
    r"<!--=\S+?-->.*?<!--/-->|<!--(step|steps|forward|walk):\S+?-->.*?<!--/\1-->", re.S
)
each_page = pytest.mark.parametrize("name", TEXTS)
each_walk = pytest.mark.parametrize("walk", WALKS)


def close(ours: Any, theirs: Any) -> bool:
    """Whether two arrays are one, to rounding."""
    return ours.shape == theirs.shape and np.allclose(ours, theirs, rtol=1e-9, atol=1e-12)


# What is shown is a run


@each_page
def test_the_page_shows_what_a_run_gives(name: str) -> None:
    text = TEXTS[name]
    now = backward.filled(text, fill.language(name))
    assert len(MARK.findall(text)) > 25
    for line, line_now in zip(text.splitlines(), now.splitlines(), strict=True):
        assert line == line_now, f"{name} has drifted: run python docs/backward.py"


@each_page
def test_no_decimal_is_by_hand(name: str) -> None:
    assert re.findall(r"\d[.,]\d|\de-?\d", MARK.sub("", TEXTS[name])) == []


@each_page
def test_the_sizes_are_those_of_the_run(name: str) -> None:
    said = dict(re.findall(r"\b([A-Z]) = (\d+)", TEXTS[name]))
    assert said == {letter: str(backward.SIZES[letter]) for letter in "BTSCHKF"}


def test_both_pages_show_the_same() -> None:
    """Only decimal commas and the names of steps in the table are translated."""
    marks = [re.findall(r"<!--(?!translates:)[=\w][^>]*-->", text) for text in TEXTS.values()]
    assert marks[0] == marks[1]
    shown = [
        [found.group().replace(",", ".") for found in MARK.finditer(text) if found[1] != "steps"]
        for text in TEXTS.values()
    ]
    assert shown[0] == shown[1]


# The order


@each_walk
def test_the_steps_are_in_the_order_in_which_the_engine_visits_the_ops(walk: str) -> None:
    run = backward.run_block(walk)
    visited = [key for step in WALKS[walk] for key in step.ops]
    assert visited == list(run.visits)
    assert run.out.node is not None
    names = [re.split("[/#]", key)[1] for key in visited]
    assert names == [node.op for node in newest_first(run.out.node)]


@each_page
def test_the_page_has_all_steps_under_their_numbers(name: str) -> None:
    found = re.findall(
        r"^\*\*(\d+)\. (?:(?!^\*\*).)*?^<!--step:(\S+?)-->$", TEXTS[name], re.S | re.M
    )
    assert found == [(str(i), step.name) for i, step in enumerate(WALKS["post"], 1)]


def test_what_arrives_at_a_step_was_sent_on_by_an_earlier_one() -> None:
    for steps in WALKS.values():
        sent = {"dout"}
        for step in steps:
            assert set(step.arrives) <= sent, step.name
            sent |= set(step.sends)
        assert "dx" in sent


# The numbers


@each_walk
def test_pytorch_sends_back_the_same(walk: str) -> None:
    run = backward.run_block(walk)
    reference = TransformerBlock(64, 4, 256, 0.0, "gelu", norm_first=walk == "pre").double()
    copy_weights(run.block, reference)
    x = torch.tensor(run.x.data, requires_grad=True)
    with record_torch(reference, x) as tape:
        out = reference(x)
    out.backward(torch.tensor(run.dout))
    assert close(run.out.data, TORCH.array(out))
    assert {*tape} == {*run.visits}
    for key, visit in run.visits.items():
        call = tape[key]
        assert close(visit.dout, call.dout), key
        for ours, theirs in zip(visit.dinputs, call.dinputs, strict=False):
            assert close(ours, theirs), key
    for name, parameter in NUMPY.parameters(run.block).items():
        theirs = reference.get_parameter(name).grad
        assert theirs is not None
        assert close(parameter.grad.data, TORCH.array(theirs)), name


class Norm:
    """A layer norm that keeps what its backward is written with."""

    def __init__(self, module: Any) -> None:
        self.weight, self.bias = module.weight.data, module.bias.data
        self.eps = module.eps
        self.kept: dict[str, Any] = {}

    def __call__(self, x: Any) -> Any:
        centered = x - x.mean(-1, keepdims=True)
        inv_std = 1 / np.sqrt(x.var(-1, keepdims=True) + self.eps)
        self.kept = {"x_hat": centered * inv_std, "inv_std": inv_std}
        return centered * inv_std * self.weight + self.bias


def words(run: Any) -> dict[str, Any]:
    """What the formulas are written with."""
    block, sizes = run.block, {letter: backward.SIZES[letter] for letter in "BTCHKF"}
    attention = block.self_attn
    split = sizes["B"], sizes["T"], 3, sizes["H"], sizes["K"]

    def softmax(scores: Any) -> Any:
        exponential = np.exp(scores)
        return exponential / exponential.sum(-1, keepdims=True)

    def cdf(a: Any) -> Any:
        return (1 + erf(a / np.sqrt(2))) / 2

    return {
        **sizes, "x": run.x.data, "dout": run.dout, "norm1": Norm(block.norm1),
        "norm2": Norm(block.norm2), "in_proj_weight": attention.in_proj_weight.data,
        "in_proj_bias": attention.in_proj_bias.data,
        **{
            name: SimpleNamespace(weight=module.weight.data, bias=module.bias.data)
            for name, module in (
                ("linear1", block.linear1), ("linear2", block.linear2),
                ("out_proj", attention.out_proj),
            )
        },
        **{f"d{name}": SimpleNamespace() for name in ("norm1", "norm2", "linear1", "linear2")},
        "dout_proj": SimpleNamespace(),
        "sqrt": np.sqrt, "stack": np.stack, "softmax": softmax, "cdf": cdf,
        "heads": lambda qkv: np.moveaxis(qkv.reshape(split), (2, 3), (0, 2)),
        "gelu": lambda a: a * cdf(a),
        "pdf": lambda a: np.exp(-a * a / 2) / np.sqrt(2 * np.pi),
        "mean": lambda a: a.mean(-1, keepdims=True), "sum": lambda a: a.sum(-1, keepdims=True),
        "tokens": lambda a: a.sum((0, 1)), "rows": lambda a: a.reshape(-1, a.shape[-1]),
    }  # fmt: skip


def sizes(shape: str) -> tuple[int, ...]:
    return tuple(backward.SIZES[letter] for letter in shape.split())


@each_walk
def test_every_formula_gives_what_the_engine_has(walk: str) -> None:
    run = backward.run_block(walk)
    known = words(run)
    for line in FORWARD[walk].splitlines():
        code, shape = re.split(r"   +\(", line)
        exec(code.replace("^T", ".mT"), known)
        for name in code.split("=")[0].split(","):
            assert known[name.strip()].shape == sizes(shape.strip(")").replace(",", "")), line
    assert close(known["out"], run.out.data)
    for step in WALKS[walk]:
        known |= known[step.name].kept if step.name.startswith("norm") else {}
        for formula in step.formulas:
            exec(f"{formula.name} = {formula.expression.replace('^T', '.mT')}", known)
            found = eval(formula.name, known)
            assert found.shape == sizes(formula.shape), formula
            if formula.op:
                assert close(found, run.gradient(formula)), formula
    for name, parameter in NUMPY.parameters(run.block).items():
        assert close(eval(f"d{name.removeprefix('self_attn.')}", known), parameter.grad.data), name


@each_walk
def test_only_what_stays_inside_of_a_rule_has_no_norm(walk: str) -> None:
    formulas = [formula for step in WALKS[walk] for formula in step.formulas]
    assert {formula.name for formula in formulas if not formula.op} == {"dx_hat"}


# The links


def function_at(file: str, line: int) -> str:
    """The function that is nearest to the margin and has this line."""
    tree = ast.parse((DOCS.parent / file).read_text("utf-8"))
    (found,) = (
        node.name for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.lineno <= line <= (node.end_lineno or 0)
    )  # fmt: skip
    return found


@each_page
def test_every_link_leads_to_the_line_that_computes_the_step(name: str) -> None:
    parts = re.findall(r"<!--step:(\S+?)-->\n(.*?)<!--/step-->", TEXTS[name], re.S)
    steps = {step.name: step for step in WALKS["post"]}
    for step_name, part in parts:
        functions = []
        for piece, file, number in LINK.findall(part):
            assert piece in (DOCS.parent / file).read_text("utf-8").splitlines()[int(number) - 1]
            functions.append(function_at(file, int(number)))
        ops = {re.split("[/#]", key)[1] for key in steps[step_name].ops}
        assert {*functions} - {"run_backward"} == ops, step_name
        assert ("run_backward" in functions) == ("join" in step_name or step_name == "qkv")


@each_page
def test_every_other_link_leads_to_a_file(name: str) -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", TEXTS[name]) if "#L" not in link]
    assert len(links) >= 2
    assert [link for link in links if not (DOCS / link).exists()] == []


# The words


@each_page
def test_the_first_line_switches_the_language(name: str) -> None:
    english, portuguese = backward.PAGES
    other = f"English · [Português]({portuguese})"
    here = other if name == english else f"[English]({english}) · Português"
    assert TEXTS[name].splitlines()[0] == here


def test_the_sentences_about_this_run_are_true() -> None:
    norms = backward.norms("post")
    by_squares = np.hypot(norms["dy_around"], norms["dy_through"])
    assert norms["dy"] == pytest.approx(by_squares, rel=0.05)  # step 6: almost at right angles
    assert norms["dcontext"] == pytest.approx(norms["dmerged"])  # step 10: only moved
    bias = backward.run_block("post").block.self_attn.in_proj_bias.grad.data.reshape(3, -1)
    assert np.abs(bias[1]).max() < 1e-15 < np.abs(bias[[0, 2]]).min()  # step 15: keys
    run = backward.run_block("pre")
    gradients = {f.name: run.gradient(f) for step in WALKS["pre"] for f in step.formulas if f.op}
    summands = run.dout, gradients["dy_through"], gradients["dx_through"]
    assert close(gradients["dx"], sum(summands))  # the identity path


@each_page
def test_the_answer_has_five_sentences_and_three_numbers(name: str) -> None:
    answer = TEXTS[name].split("\n## ")[-1]
    items = re.findall(r"^\d\. (.*?)(?=^\d\. |\Z)", answer, re.S | re.M)
    assert len(items) == 5
    for item in items:
        assert re.findall(r"[.?!](?=\s|$)", MARK.sub("", item)) == ["."]
        assert item.rstrip().endswith(".")
    assert len(re.findall("<!--=", answer)) == 3
