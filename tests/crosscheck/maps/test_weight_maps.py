"""A weight map as a gather and its transpose: values one way, gradients the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crosscheck.maps.weight_map import WeightMap, places_of, read_expressions

REFERENCE = {
    "self_attn.in_proj_weight": (6, 2),
    "self_attn.in_proj_bias": (6,),
    "linear1.weight": (3, 2),
    "norm1.weight": (2,),
}
MODEL = {"qk": (2, 2, 2), "v": (2, 2), "bq": (2,), "w1": (2, 3), "again": (3, 2), "own": (5,)}
TEXTS = {
    "qk": "stack(in_proj_weight[q], in_proj_weight[k])",
    "v": "in_proj_weight[v].T",
    "bq": "in_proj_bias[q]",
    "w1": "linear1.weight.T",
    "again": "linear1.weight",
}


@pytest.fixture
def weight_map() -> WeightMap:
    return WeightMap.of(TEXTS, MODEL, places_of(REFERENCE))


def drawn(shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return {name: generator.standard_normal(shape) for name, shape in shapes.items()}


def test_values_are_taken_from_the_reference(weight_map: WeightMap) -> None:
    given = drawn(REFERENCE)
    q, k, v = np.split(given["self_attn.in_proj_weight"], 3)
    held = weight_map.to_model(given)
    np.testing.assert_array_equal(held["qk"], np.stack([q, k]))
    np.testing.assert_array_equal(held["v"], v.T)
    np.testing.assert_array_equal(held["again"], held["w1"].T)
    back = weight_map.taken_from(held | {"own": np.zeros(5)})
    np.testing.assert_array_equal(back["linear1.weight"], given["linear1.weight"])
    assert np.isnan(back["norm1.weight"]).all()


def test_the_way_back_is_the_transpose(weight_map: WeightMap) -> None:
    """<gradients, map of values> = <gradients taken back, values>, which defines a transpose."""
    values = drawn(REFERENCE)
    gradients = {name: np.cos(array) for name, array in weight_map.to_model(values).items()}
    there = sum(np.vdot(g, weight_map.to_model(values)[name]) for name, g in gradients.items())
    back = weight_map.to_reference(dict(gradients))
    here = 0.0
    for name, gradient in back.items():
        value = values["self_attn.in_proj_bias"][:2] if name.endswith("[q]") else values[name]
        assert gradient is not None
        here += np.vdot(gradient, value)
    assert here == pytest.approx(there, rel=1e-12)
    assert [*back] == [
        "self_attn.in_proj_weight", "self_attn.in_proj_bias[q]", "linear1.weight",
    ]  # fmt: skip


def test_none_stays_none_for_the_part_that_it_is_of(weight_map: WeightMap) -> None:
    gradients = {"qk": np.ones((2, 2, 2)), "v": None, "bq": None, "w1": None, "input": np.ones(3)}
    back = weight_map.to_reference(gradients)
    q, v = (back[f"self_attn.in_proj_weight[{letter}]"] for letter in "qv")
    assert q is not None
    np.testing.assert_array_equal(q, 1.0)
    assert v is None
    assert back["linear1.weight"] is None
    assert back["input"] is gradients["input"]


def test_a_gradient_of_another_type_changes_no_other(weight_map: WeightMap) -> None:
    single = {name: np.ones(MODEL[name], np.float32) for name in ("qk", "v", "bq", "w1")}
    back = weight_map.to_reference({**single, "w1": np.ones((2, 3))})
    types = {
        name: gradient.dtype.itemsize for name, gradient in back.items() if gradient is not None
    }
    assert types.pop("linear1.weight") == 8
    assert set(types.values()) == {4}


def test_it_knows_what_it_leaves_out(weight_map: WeightMap) -> None:
    assert weight_map.unmapped == ("own",)
    assert weight_map.left_out == (
        "self_attn.in_proj_bias[k]", "self_attn.in_proj_bias[v]", "norm1.weight",
    )  # fmt: skip
    part = WeightMap.of({"own": "cat(norm1.weight, linear1.weight[0:1].T[0], in_proj_bias[0:2])"},
                        {"own": (5,)}, places_of(REFERENCE))  # fmt: skip
    assert part.uncovered["linear1.weight"].sum() == 5
    assert "norm1.weight" not in part.uncovered


def test_rows_are_labelled_by_their_holders(weight_map: WeightMap) -> None:
    assert weight_map.labels["self_attn.in_proj_weight[k]"] == ("qk",)
    assert weight_map.labels["linear1.weight"] == ("w1", "again")
    assert weight_map.labels["norm1.weight"] == ()


def test_tied_names_are_one_row() -> None:
    shapes = {"token_embedding.weight": (3, 2), "head.weight": (3, 2)}
    tied = WeightMap.of(
        {"wte": "token_embedding.weight", "lm_head": "head.weight"},
        {"wte": (3, 2), "lm_head": (3, 2)},
        places_of(shapes, [("token_embedding.weight", "head.weight")]),
    )
    back = tied.to_reference({"wte": np.ones((3, 2)), "lm_head": np.full((3, 2), 2.0)})
    assert [*back] == ["token_embedding.weight"]
    gradient = back["token_embedding.weight"]
    assert gradient is not None
    np.testing.assert_array_equal(gradient, 3.0)


def test_a_file_gives_back_what_was_saved(weight_map: WeightMap, tmp_path: Path) -> None:
    weight_map.save(tmp_path / "map.json")
    assert read_expressions(tmp_path / "map.json") == TEXTS == weight_map.to_dict()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is not JSON"),
        ("[1]", "holds a list, expected an object"),
        ('{"w1": 3}', "gives 3 for 'w1', expected an expression"),
    ],
)
def test_a_wrong_file_is_named(content: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=words) as raised:
        read_expressions(path)
    assert str(path) in str(raised.value)


def test_what_does_not_fit_the_model_is_said() -> None:
    places = places_of(REFERENCE)
    with pytest.raises(ValueError, match="the model has no weight w2"):
        WeightMap.of({"w2": "linear1.weight"}, MODEL, places)
    with pytest.raises(ValueError, match=r"w1 has the shape \(2, 3\).*\(3, 2\): .* add \.T"):
        WeightMap.of({"w1": "linear1.weight"}, MODEL, places)
