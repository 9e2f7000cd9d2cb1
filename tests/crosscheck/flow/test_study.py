"""The sweep: what is in it, how it ends early, and what is written of it."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from crosscheck.corpus import Corpus
from crosscheck.distance import norm
from crosscheck.flow.export import study_to_csv, study_to_dict
from crosscheck.flow.fit import geometric_mean
from crosscheck.flow.measure import token_variation
from crosscheck.flow.stacks import WIRINGS
from crosscheck.flow.study import Plan, Study, draw_cotangent, draw_input, run_study
from crosscheck.flow.summary import summarise
from crosscheck.in_projection import KEYS
from crosscheck.models import ModelOptions
from crosscheck.sides import NUMPY, TORCH


def test_every_pass_is_made_once_and_agrees(study: Study) -> None:
    made = [(f.initialisation, f.seed, f.depth, f.wiring) for f in study.flows]
    assert len(set(made)) == len(made) == 4 * 2 * 2 * 6
    assert study.agrees
    assert not study.interrupted
    assert all(f.agreement is not None and f.agreement.difference < 1e-9 for f in study.flows)
    assert all(f.profile.depth == f.depth for f in study.flows)
    assert study.plan.blocks == sum(f.depth for f in study.flows)


def test_ctrl_c_keeps_what_was_done(small: ModelOptions) -> None:
    told: list[int] = []

    def advance(blocks: int) -> None:
        told.append(blocks)
        if len(told) == 3:
            raise KeyboardInterrupt

    study = run_study(Plan(small, depths=(1, 2), seeds=(0,), sides=(NUMPY,)), advance)
    assert study.interrupted
    assert len(study.flows) == 3
    assert len(summarise(study)) == 3
    assert study_to_dict(study)["interrupted"] is True


def test_one_side_says_what_both_do(small: ModelOptions, study: Study) -> None:
    plan = replace(study.plan, sides=(TORCH,), initialisations=("xavier",), seeds=(1,))
    alone = run_study(plan).flows
    both = [f for f in study.flows if f.initialisation == "xavier" and f.seed == 1]
    assert [f.agreement for f in alone] == [None] * len(both)
    assert [f.profile for f in alone] == [f.profiles[TORCH] for f in both]


def test_the_gradient_starts_from_the_cotangent(study: Study) -> None:
    for flow in study.flows:
        if flow.wiring.norm != "pre":  # there, the last norm has had it first
            cotangent = draw_cotangent(study.plan, flow.seed)
            assert flow.profile.gradient[-1] == pytest.approx(norm(cotangent))
        assert flow.profile.activation[0] == pytest.approx(norm(draw_input(study.plan, flow.seed)))


def test_an_input_of_text_repeats_where_characters_do(small: ModelOptions) -> None:
    """Without positions equal characters are equal; with them, tokens of one character differ."""
    text = Corpus("a" * 50, "here", complete=False)
    x = draw_input(Plan(small, corpus=text), 0)
    assert x.shape == (1, 5, 8)
    assert 0.1 < token_variation(x) < 0.9
    waves = x[0] - x[0, 0]
    assert np.abs(waves[1:]).max() < 2.0  # differences of sines and cosines
    assert (x == draw_input(Plan(small, corpus=text), 0)).all()
    assert not (x == draw_input(Plan(small, corpus=text), 1)).any()


def test_input_and_cotangent_are_not_the_same_draws(small: ModelOptions) -> None:
    plan = Plan(small)
    x, cotangent = draw_input(plan, 0), draw_cotangent(plan, 0)
    assert abs((x * cotangent).sum()) < 4 * np.sqrt(x.size)


def test_a_summary_is_the_mean_of_its_seeds(study: Study) -> None:
    found = next(s for s in summarise(study) if (s.initialisation, s.depth) == ("default", 6))
    flows = [
        f.profile
        for f in study.flows
        if (f.initialisation, f.depth, f.wiring) == ("default", 6, found.wiring)
    ]
    assert len(flows) == len(found.factors) == 2
    ratios = [p.gradient[0] / p.gradient[-1] for p in flows]
    assert found.ratio == pytest.approx(geometric_mean(ratios))
    assert found.variation == pytest.approx(geometric_mean([p.variation[-1] for p in flows]))
    assert found.difference is not None
    assert found.difference < 1e-9


def test_the_csv_has_a_line_for_each_layer_and_engine(study: Study) -> None:
    rows = list(csv.DictReader(io.StringIO(study_to_csv(study))))
    assert len(rows) == sum(2 * (f.depth + 1) for f in study.flows)
    first = study.flows[0].profiles[NUMPY]
    assert float(rows[0]["gradient"]) == first.gradient[0]
    assert float(rows[0]["self_attn.in_proj_weight[k]"]) == first.parameters[KEYS][0]
    assert rows[2]["linear1.weight"] == ""  # the output of two blocks is no block's input
    assert {row["engine"] for row in rows} == {"numpy", "torch"}


def test_the_json_is_plain_and_has_a_version(study: Study) -> None:
    result = json.loads(json.dumps(study_to_dict(study), allow_nan=False))
    assert result["schema"] == 2
    assert result["agrees"] is True
    assert len(result["summaries"]) == 4 * 2 * 6
    assert list(result["reading"]) == [wiring.label for wiring in WIRINGS]
    assert result["plan"]["model"]["width"] == 8
    assert result["plan"]["engines"] == ["numpy", "torch"]
