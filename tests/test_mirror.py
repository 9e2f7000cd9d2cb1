"""Laws 1 and 2: two sources that differ in their imports alone, and PyTorch's own weight names."""

import ast
import difflib
import itertools
from pathlib import Path
from typing import Any

import pytest
from support.engines import ENGINES, NUMPY, TORCH, Arrays, Engine, each_engine, load, random_weights

import tinygrad_tf.transformer
import torch
import torch_impl

OURS = Path(tinygrad_tf.transformer.__file__).parent
THEIRS = Path(torch_impl.__file__).parent
FILES = sorted(path.name for path in OURS.glob("*.py") if path.name != "__init__.py")

NORMS = {"pre": {"norm_first": True}, "post": {"norm_first": False}, "none": {"norm": False}}
SWITCHES = itertools.product(
    NORMS, (True, False), (True, False), ("sinusoidal", "learned"), (True, False)
)
CONFIGURATIONS = [
    {**NORMS[norm], "residual": residual, "bias": bias, "position": position, "tie_weights": tied}
    for norm, residual, bias, position, tied in SWITCHES
]


def without_imports(source: str) -> list[str]:
    """The lines of a source that belong to no import statement."""
    imports = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Import | ast.ImportFrom)]
    dropped = {line for node in imports for line in range(node.lineno, node.end_lineno + 1)}
    return [line for i, line in enumerate(source.splitlines(), start=1) if i not in dropped]


def test_without_imports_removes_imports_alone() -> None:
    source = "import a\nx = 1\nfrom c import (\n  d,\n)\n\nif x:\n  import e\n  y = 'import f'\n"
    assert without_imports(source) == ["x = 1", "", "if x:", "  y = 'import f'"]


def test_both_sides_have_the_same_files() -> None:
    assert FILES == ["attention.py", "block.py", "language_model.py", "positional_encoding.py"]
    assert {path.name for path in THEIRS.glob("*.py")} == {*FILES, "__init__.py"}


@pytest.mark.parametrize("file", FILES)
def test_sources_differ_in_imports_alone(file: str) -> None:
    ours, theirs = (
        without_imports((folder / file).read_text("utf-8")) for folder in (OURS, THEIRS)
    )
    assert len(ours) > 40
    names = f"tinygrad_tf/transformer/{file}", f"torch_impl/{file}"
    difference = "\n".join(difflib.unified_diff(ours, theirs, *names, lineterm=""))
    assert difference == "", f"\n{difference}"


def test_both_sides_export_the_same_names() -> None:
    assert tinygrad_tf.transformer.__all__ == torch_impl.__all__


def language_model(engine: Engine, **options: Any) -> Any:
    """Sizes pairwise distinct, so that no two axes can be confused."""
    sizes = {"vocab_size": 11, "context": 7, "d_model": 6, "nhead": 2, "dim_feedforward": 13}
    return engine.models.TransformerLanguageModel(**sizes, num_layers=3, **options)


@pytest.mark.parametrize("options", CONFIGURATIONS, ids=lambda o: "-".join(map(str, o.values())))
def test_models_have_the_same_parts(options: dict[str, Any]) -> None:
    """Printed form, parameters and state dict: names, order and shapes."""
    ours, theirs = (language_model(engine, **options) for engine in ENGINES)
    assert repr(ours) == repr(theirs)
    assert shapes(ours.named_parameters()) == shapes(theirs.named_parameters())
    assert shapes(ours.state_dict().items()) == shapes(theirs.state_dict().items())
    weights = random_weights(theirs)
    load(NUMPY, ours, weights).load_state_dict(load(TORCH, theirs, weights).state_dict())
    theirs.load_state_dict(to_torch(ours))


def shapes(named: Any) -> list[tuple[str, tuple[int, ...]]]:
    return [(name, tuple(tensor.shape)) for name, tensor in named]


def to_torch(model: Any) -> dict[str, torch.Tensor]:
    """A state dict's values as PyTorch's tensors, under the names they have."""
    return {n: torch.from_numpy(w.detach().numpy()) for n, w in model.state_dict().items()}


def encoder_layer(bias: bool) -> Any:
    return torch.nn.TransformerEncoderLayer(6, 2, 13, batch_first=True, bias=bias)


def arrays(state_dict: Any) -> Arrays:
    return {name: value.numpy() for name, value in state_dict.items()}


@each_engine
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
def test_weights_move_to_and_from_pytorch_with_no_map(engine: Engine, bias: bool) -> None:
    layer = encoder_layer(bias)
    block = engine.models.TransformerBlock(6, 2, 13, bias=bias)
    assert shapes(block.state_dict().items()) == shapes(layer.state_dict().items())
    assert shapes(block.named_parameters()) == shapes(layer.named_parameters())

    weights = random_weights(layer)
    load(TORCH, layer, weights, "float32")
    block.load_state_dict(layer.state_dict(), strict=True)
    assert_same(arrays(block.state_dict()), arrays(layer.state_dict()))

    fresh = encoder_layer(bias)
    fresh.load_state_dict(to_torch(block), strict=True)
    assert_same(arrays(fresh.state_dict()), arrays(layer.state_dict()))


def assert_same(actual: Arrays, expected: Arrays) -> None:
    assert list(actual) == list(expected)
    for name, value in expected.items():
        assert (actual[name] == value).all(), name
        assert value.any(), name


@each_engine
def test_strict_loading_names_everything_that_is_wrong(engine: Engine) -> None:
    """A layer with another width and no bias: every difference is listed in one error."""
    block = engine.models.TransformerBlock(6, 2, 13)
    state = torch.nn.TransformerEncoderLayer(6, 2, 12, bias=False).state_dict()
    state["extra"] = torch.zeros(1)
    with pytest.raises(RuntimeError) as error:
        block.load_state_dict(state)
    for name in (
        "norm1.bias",
        "self_attn.in_proj_bias",
        "linear1.weight",
        "linear2.weight",
        "extra",
    ):
        assert name in str(error.value)
