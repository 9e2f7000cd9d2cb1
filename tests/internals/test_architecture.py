"""The direction of imports: tinygrad_tf in layers, torch_impl beside it, crosscheck on top."""

import ast
import graphlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("tinygrad_tf", "torch_impl", "crosscheck")
THIRD_PARTY = {"tinygrad_tf": {"numpy", "scipy"}, "torch_impl": {"torch"}}

# Each layer may import those before it. A package may import its own files; files that share a
# layer may not import each other. The package's __init__ gathers what users need.
LAYERS = [
    {"graph", "dtypes"},
    {"machinery"},
    {"autograd"},
    {"ops"},
    {"operators", "reducing", "shaping", "conversions", "fields", "in_place"},
    {"tensor"},
    {"creation", "functions"},
    {"nn", "optim", "gradcheck"},
    {"__init__"},
    {"transformer"},
    {"fast"},
]

# What is imported against this order for the sake of types alone; at run time none of it is.
ONLY_TYPES = {
    ("graph", "machinery"),  # a node has Hooks
    ("graph", "tensor"),  # a `.grad` is a Tensor
    ("machinery", "tensor"),
    ("autograd", "tensor"),
    ("operators", "tensor"),
    ("shaping", "tensor"),
    ("fields", "tensor"),
    ("in_place", "tensor"),
    ("reducing", "tensor"),
    ("conversions", "tensor"),
}


def module_name(path: Path) -> str:
    """The dotted name of a file, as it is imported: the name of its folder for __init__.py."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(p): p for package in PACKAGES for p in (ROOT / package).rglob("*.py")}


def imports(source: str, types: bool = False) -> Iterator[str]:
    """Every module, or name in one, that a source imports when it runs, wherever it does so.

    types: also what it imports for its annotations.
    """
    pending: list[ast.AST] = [ast.parse(source)]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not types:
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


def dependencies(module: str, types: bool = False) -> set[str]:
    return {resolve(name) for name in imports(MODULES[module].read_text("utf-8"), types)}


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
    assert "tinygrad_tf.autograd" in dependencies("tinygrad_tf.ops.linear")


@pytest.mark.parametrize("package", THIRD_PARTY)
def test_each_side_stands_alone(package: str) -> None:
    """tinygrad_tf is NumPy and SciPy, torch_impl is PyTorch, and neither knows another package."""
    allowed = {package, *THIRD_PARTY[package], *sys.stdlib_module_names}
    for module in MODULES:
        if module.split(".")[0] == package:
            foreign = {name for name in dependencies(module) if name.split(".")[0] not in allowed}
            assert not foreign, f"{module} imports {sorted(foreign)}"


def upward(types: bool) -> set[tuple[str, str]]:
    """The imports within tinygrad_tf, by file or folder, of what stands above or beside."""
    found = set()
    for module in MODULES:
        if module.split(".")[0] == "tinygrad_tf":
            for used in dependencies(module, types):
                ours = used.split(".")[0] == "tinygrad_tf" and part(used) != part(module)
                if ours and layer(used) >= layer(module):
                    found.add((part(module).split(".")[-1], part(used).split(".")[-1]))
    return found


def test_layers() -> None:
    """Nothing in tinygrad_tf imports what stands above it, or beside it, but for types."""
    assert upward(types=False) == set()
    assert upward(types=True) == ONLY_TYPES


def test_no_page_and_no_part_of_the_core_knows_a_fast_form() -> None:
    for module in MODULES:
        if module.startswith("tinygrad_tf.") and part(module) != "tinygrad_tf.fast":
            assert not any(
                used.startswith("tinygrad_tf.fast") for used in dependencies(module, True)
            )


def test_only_what_asks_for_speed_loads_the_fast_forms() -> None:
    code = "import sys, tinygrad_tf.transformer, crosscheck.cli; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT, env={**os.environ, "TINYGRAD_TF_FAST": "0"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert not [name for name in run.stdout.split() if name.startswith("tinygrad_tf.fast")]


def test_the_core_is_read_in_minutes() -> None:
    files = (ROOT / "tinygrad_tf" / name for name in ("graph.py", "autograd.py"))
    assert sum(len(file.read_text("utf-8").splitlines()) for file in files) <= 165


# The same law for crosscheck: a file or folder imports only what stands in a row before its own.
CROSSCHECK_LAYERS = [
    {"choices"},
    {
        "answers",
        "draws",
        "files",
        "forms",
        "versions",
        "reception",
        "text",
        "printing",
        "room",
        "threads",
    },
    {"arrays", "download"},
    {"foreign", "weight_files"},
    {"sides"},
    {"distance", "in_projection", "given", "corpus", "masks", "movable"},
    {"slope", "linearized"},
    {"one_op"},
    {"runs", "judge"},
    {"weights"},
    {"models", "called_rightly", "amplification", "row", "traces"},
    {"zeros", "maps"},
    {"brought"},
    {"tape", "flow"},
    {"cuts"},
    {"four_runs", "report", "parity", "ops"},
    {"excuses"},
    {"located", "paired_runs"},
    {"comparison", "saved"},
    {"check", "mutants"},
    {"tables"},
    {"conclusion"},
    {"render", "render_compare"},
    {"walk"},
    {"commands", "pytest_plugin"},
    {"cli"},
    {"__main__"},
]
STAND_BESIDE = {"flow", "walk"}  # what nothing in crosscheck imports but a command


def crosscheck_part(module: str) -> str:
    return module.split(".")[1]


def crosscheck_layer(part: str) -> int:
    places = [i for i, parts in enumerate(CROSSCHECK_LAYERS) if part in parts]
    assert places, f"crosscheck.{part} has no place in CROSSCHECK_LAYERS"
    return places[0]


def test_layers_of_crosscheck() -> None:
    for module in MODULES:
        if not module.startswith("crosscheck."):
            continue
        ours = crosscheck_part(module)
        for used in dependencies(module):
            if not used.startswith("crosscheck.") or crosscheck_part(used) == ours:
                continue
            theirs = crosscheck_part(used)
            assert crosscheck_layer(theirs) < crosscheck_layer(ours), f"{module} imports {used}"
            assert theirs not in STAND_BESIDE or ours == "commands", f"{module} imports {used}"


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


def test_the_order_of_crosscheck_is_the_one_that_is_written_down() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    (written,) = re.findall(r"```text\n(choices .*?)```", page, re.S)
    rows = [{part.strip() for part in row.split(",")} for row in written.split("<")]
    assert rows == CROSSCHECK_LAYERS
