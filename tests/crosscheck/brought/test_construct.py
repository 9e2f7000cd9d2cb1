"""Constructors called with sizes by the names that they take."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import torch
from crosscheck.brought.arguments import Arguments
from crosscheck.brought.construct import Maker, seeded
from crosscheck.brought.sizes import Sizes
from crosscheck.brought.wrap import parameters_among

SIZES = Sizes(batch=2, tokens=5, width=12, heads=3, feed_forward=20, vocabulary=17, layers=2)
HERE = sys.modules[__name__]


def made(function: Any, arguments: str = "", sizes: Sizes = SIZES) -> tuple[dict[str, Any], str]:
    """What a function that returns its keywords was called with, and what was said."""
    maker = Maker(sizes, Arguments.of(arguments))
    given = maker.make(function, HERE)
    return given, maker.said[-1]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda d_model, nhead, dim_feedforward: locals(), (12, 3, 20)),
        (lambda n_embd, n_head, block_size: locals(), (12, 3, 5)),
        (lambda hidden_size, num_attention_heads, intermediate_size: locals(), (12, 3, 20)),
        (lambda dim, heads, dim_head, mlp_ratio: locals(), (12, 3, 4, 20 / 12)),
        (lambda embed_dim, num_heads, hidden_dim: locals(), (12, 3, 20)),
        (lambda num_heads, hidden_dim, mlp_dim: locals(), (3, 12, 20)),  # torchvision's
        (lambda hidden_dim, hidden: locals(), (12, 12)),
        (lambda dModel, nHead: locals(), (12, 3)),  # noqa: N803
        (lambda C, H, F, V, T: locals(), (12, 3, 20, 17, 5)),  # noqa: N803
        (lambda vocab_size, max_len, n_layers: locals(), (17, 5, 2)),
        (lambda d_model, dropout, eps, bias: locals(), (12, 0.0, 1e-5, True)),
    ],
)
def test_sizes_are_given_by_name(function: Any, expected: tuple[Any, ...]) -> None:
    given, said = made(function)
    assert tuple(given.values()) == expected
    assert said.startswith("<lambda>(")


def test_defaults_give_way_to_sizes_but_not_to_what_is_no_size() -> None:
    def block(
        d_model=512, dropout=0.1, d_ff=None, batch_first=False, bias=False, eps=1e-6, device=None,
        act="relu", seed=5, mlp_ratio=4.0,
    ):  # fmt: skip
        return locals()

    given, said = made(block)
    assert given == {
        "d_model": 12, "dropout": 0.0, "d_ff": 20, "batch_first": True, "bias": False, "eps": 1e-6,
        "device": None, "act": "relu", "seed": 5, "mlp_ratio": 20 / 12,
    }  # fmt: skip
    assert said == "block(d_model=12, dropout=0, d_ff=20, batch_first=True, mlp_ratio=1.66667)"


@pytest.mark.parametrize(("causal", "expected"), [(None, True), (False, False), (True, True)])
def test_causal_is_left_alone_unless_a_mask_is_asked_for(causal: Any, expected: bool) -> None:
    given, _ = made(lambda d_model, causal=True: locals(), sizes=Sizes(causal=causal))
    assert given["causal"] is expected
    assert made(lambda causal: locals(), sizes=Sizes(causal=causal))[0]["causal"] is bool(causal)


def test_a_ratio_that_is_whole_is_an_integer_where_it_may_count() -> None:
    sizes = Sizes(width=12, feed_forward=48)
    assert made(lambda d, expansion: locals(), sizes=sizes)[0]["expansion"] == 4
    assert isinstance(made(lambda d, expansion: locals(), sizes=sizes)[0]["expansion"], int)


def test_a_generator_draws_from_the_seed() -> None:
    given, said = made(lambda d_model, rng: locals(), sizes=Sizes(seed=3))
    assert given["rng"].random() == np.random.default_rng(3).random()
    assert "rng=default_rng(seed)" in said


def test_what_no_size_is_called_is_an_error_that_names_it() -> None:
    def block(d_model, window, groups):
        return locals()

    with pytest.raises(ValueError, match=r"block requires window, groups, which .*--args \"window"):
        made(block)
    with pytest.raises(ValueError, match="requires groups, which no size"):
        made(block, "window=2")
    assert made(block, "window=2, groups=None")[0] == {"d_model": 12, "window": 2, "groups": None}


def test_what_is_a_module_cannot_be_given() -> None:
    def layer(size, self_attn, feed_forward):
        return locals()

    with pytest.raises(ValueError, match="write a function without arguments that returns the who"):
        made(layer)


@dataclass
class OwnConfig:
    n_embd: int = 768
    n_head: int = 12
    dropout: float = 0.1
    window: int = 9
    extra: list[int] = field(default_factory=list)


def configured_by_annotation(config: OwnConfig):
    return config


def configured_by_text(cfg: OwnConfig, n_layer: int):
    return cfg


@pytest.mark.parametrize("function", [configured_by_annotation, configured_by_text])
def test_a_configuration_is_made_with_the_sizes_in_its_fields(function: Any) -> None:
    config, said = made(function, "window=4")
    assert config == OwnConfig(n_embd=12, n_head=3, dropout=0.0, window=4)
    assert said.startswith(f"{function.__name__}(OwnConfig(n_embd=12, n_head=3, dropout=0, window=")


def in_module(source: str) -> ModuleType:
    module = ModuleType("brought_for_a_test")
    exec(source, vars(module))
    return module


def test_a_configuration_of_class_attributes_is_filled() -> None:
    module = in_module(
        "class PlainConfig:\n    hidden_size = 768\n    window = 9\n"
        "def block(config): return config"
    )
    maker = Maker(SIZES, Arguments.of("window=4"))
    config = maker.make(module.block, module)
    assert (config.hidden_size, config.window, type(config).hidden_size) == (12, 4, 768)


def test_a_configuration_without_a_class_has_what_the_source_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "reads_its_config.py"
    path.write_text(
        "class Block:\n    def __init__(self, config):\n        self.config = config\n"
        "        self.n = config.n_embd // config.n_head\n        self.w = self.config.window\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    module = __import__("reads_its_config")
    block = Maker(SIZES, Arguments.of("window=4")).make(module.Block, module)
    assert block.config == SimpleNamespace(n_embd=12, n_head=3, window=4)
    with pytest.raises(ValueError, match="reads window of config, which no size is called"):
        Maker(SIZES, Arguments()).make(module.Block, module)


@pytest.mark.parametrize(
    ("function", "is_factory"),
    [
        (lambda: None, True),
        (lambda d_model, n_heads=2: None, True),
        (lambda config: None, True),
        (lambda x, params: None, False),
        (lambda inputs: None, False),
        (lambda d_model, x: None, False),
    ],
)
def test_a_factory_requires_sizes_alone(function: Any, is_factory: bool) -> None:
    assert Maker(SIZES, Arguments()).can_make(function) is is_factory


def test_the_users_random_numbers_are_those_of_the_seed_and_leave_no_trace() -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    with seeded(4):
        first = torch.randn(2).tolist(), np.random.randn()
    with seeded(4):
        assert (torch.randn(2).tolist(), np.random.randn()) == first
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("n_embd", "cannot be read: expected arguments by name"),
        ("n_embd=", "cannot be read"),
        ("64", "cannot be read"),
        ("**x", "cannot be read"),
        ("act=relu", "--args act=relu: expected a number, a text"),
        ("x=__import__('os')", r"--args x=__import__\('os'\): expected a number"),
    ],
)
def test_arguments_are_literals_by_name(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Arguments.of(text)


def test_an_argument_that_nothing_takes_is_told() -> None:
    arguments = Arguments.of("n_embed=64")
    Maker(SIZES, arguments).make(lambda n_embd: locals(), HERE)
    with pytest.raises(
        ValueError, match=r"takes n_embed \(did you mean 'n_embd'\?\); taken are n_"
    ):
        arguments.require_all_taken()


def test_what_only_has_the_name_of_parameters_is_none() -> None:
    """A module imported as init, and the path of a file, hold no arrays."""
    strangers = {"init": torch.nn.init, "weights": "weights.npz", "parameters": ["W", "b"]}
    assert parameters_among(strangers) == ("", None)
    held = {"W": np.ones((2, 3))}
    assert parameters_among({**strangers, "PARAMS": held}) == ("PARAMS", held)
