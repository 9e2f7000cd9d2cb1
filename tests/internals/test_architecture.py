"""The direction of imports: tinygrad_tf in layers, torch_impl beside it, crosscheck on top."""

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("tinygrad_tf", "torch_impl", "crosscheck")
THIRD_PARTY = {"tinygrad_tf": {"numpy", "scipy"}, "torch_impl": {"torch"}}

# Each layer may import those before it. A package may import its own files; files that share a
# layer may not import each other. The package's __init__ gathers all before it for the users.
LAYERS = [
    {"buffers", "hooks", "threads"},
    {"graph"},
    {"complaints"},
    {"differentiable", "kernels", "walk"},
    {"ops"},
    {"operators", "shaping"},
    {"tensor"},
    {"gradcheck", "nn"},
    {"optim"},
    {"__init__"},
    {"transformer"},
    {"packed"},
]


def module_name(path: Path) -> str:
    """The dotted name of a file, as it is imported: the name of its folder for __init__.py."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(p): p for package in PACKAGES for p in (ROOT / package).rglob("*.py")}


def imports(source: str) -> Iterator[str]:
    """Every module, or name in one, that a source imports when it runs, wherever it does so."""
    pending: list[ast.AST] = [ast.parse(source)]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            pending.extend(node.orelse)
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import: spell it out"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        pending.extend(ast.iter_child_nodes(node))


def resolve(name: str) -> str:
    """Our module that an imported name is, or is in; the name itself when it is not ours."""
    while name.split(".")[0] in PACKAGES and name not in MODULES:
        name = name.rpartition(".")[0]
    return name


def dependencies(module: str) -> set[str]:
    return {resolve(name) for name in imports(MODULES[module].read_text("utf-8"))}


def layer(module: str) -> int:
    """Where a module of tinygrad_tf stands. A new file must be given its place above."""
    name = module.split(".")[1] if "." in module else "__init__"
    places = [i for i, names in enumerate(LAYERS) if name in names]
    assert places, f"{module} has no place in LAYERS"
    return places[0]


def part(module: str) -> str:
    """The file or package of tinygrad_tf that a module belongs to."""
    return ".".join(module.split(".")[:2])


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import a.b as c, d", ["a.b", "d"]),
        ("from a import b, c as d", ["a.b", "a.c"]),
        ("def f():\n  import a", ["a"]),
        ("if TYPE_CHECKING:\n  import a\nelse:\n  import b", ["b"]),
        ("try:\n  import a\nexcept ImportError:\n  from b import *", ["a", "b.*"]),
        ("x = 'import a'", []),
    ],
)
def test_imports_finds_what_runs(source: str, expected: list[str]) -> None:
    assert sorted(imports(source)) == expected


def test_resolve_finds_the_file() -> None:
    assert resolve("tinygrad_tf.nn.functional") == "tinygrad_tf.nn.functional"
    assert resolve("tinygrad_tf.graph.Node") == "tinygrad_tf.graph"
    assert resolve("tinygrad_tf.Tensor") == "tinygrad_tf"
    assert resolve("numpy.typing.NDArray") == "numpy.typing.NDArray"


def test_every_module_is_seen() -> None:
    assert {"tinygrad_tf", "tinygrad_tf.graph", "tinygrad_tf.ops.linear", "torch_impl"} <= set(
        MODULES
    )
    assert "tinygrad_tf.differentiable" in dependencies("tinygrad_tf.ops.linear")


@pytest.mark.parametrize("package", THIRD_PARTY)
def test_each_side_stands_alone(package: str) -> None:
    """tinygrad_tf is NumPy and SciPy, torch_impl is PyTorch, and neither knows another package."""
    allowed = {package, *THIRD_PARTY[package], *sys.stdlib_module_names}
    for module in MODULES:
        if module.split(".")[0] == package:
            foreign = {name for name in dependencies(module) if name.split(".")[0] not in allowed}
            assert not foreign, f"{module} imports {sorted(foreign)}"


def test_layers() -> None:
    """Nothing in tinygrad_tf imports what stands above it, or beside it."""
    for module in MODULES:
        if module.split(".")[0] != "tinygrad_tf":
            continue
        for used in dependencies(module):
            if used.split(".")[0] == "tinygrad_tf" and part(used) != part(module):
                assert layer(used) < layer(module), f"{module} imports {used}"


def test_no_cycles() -> None:
    """static_order() raises CycleError, and names the cycle."""
    graph = {module: dependencies(module) & set(MODULES) for module in MODULES}
    assert set(graphlib.TopologicalSorter(graph).static_order()) == set(MODULES)


def test_our_engine_loads_without_pytorch() -> None:
    code = "import sys, tinygrad_tf, tinygrad_tf.transformer; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in run.stdout.split()}
    assert {"numpy", "tinygrad_tf"} <= loaded
    assert not loaded & {"torch", "torch_impl", "crosscheck"}
