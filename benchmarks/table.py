"""Writes the results into the page that shows them, between their markers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.contenders import CONTENDERS, REFERENCE
from benchmarks.problem import SIZES
from benchmarks.results import load
from crosscheck.files import replace_marked

ROOT = Path(__file__).parent.parent
OURS = "ours, fast, packed"


def main() -> None:
    """Rewrite docs/performance.md from results/*.json."""
    tables = {
        "block-full": block_table("full", *CONTENDERS),
        "block-causal": block_table("causal", *CONTENDERS),
        "training": plain_table("training", "threads"),
        "memory": memory_table(),
        "growth": growth_table(),
        "rules": plain_table("rules", "rule"),
        "machine": machine(),
    }
    for name, table in tables.items():
        replace_marked(ROOT / "docs" / "performance.md", name, table)


def block_table(mask: str, *names: str) -> str:
    """Time over PyTorch's, at 1 and at 2 threads, by contender and size."""
    found: dict[tuple[str, str], dict[int, str]] = {}
    for duel in load("block")["duels"]:
        labels = duel["labels"]
        for result in duel["results"]:
            if labels["mask"] == mask:
                cell = found.setdefault((result["name"], labels["size"]), {})
                cell[labels["threads"]] = f"{result['ratio']:.2f}"
    present = {name for name, _ in found}
    rows = [
        [name, *(" / ".join(found.get((name, size), {}).values()) or "none" for size in SIZES)]
        for name in names
        if name in present
    ]
    return markdown(["1 / 2 threads", *SIZES], rows)


def plain_table(name: str, label: str) -> str:
    """One row for each duel and contender: time, ratio, quartiles, memory."""
    rows = [
        [
            str(duel["labels"][label]),
            result["name"],
            f"{result['milliseconds']:.3g}",
            f"{result['ratio']:.2f}",
            f"{result['low']:.2f} to {result['high']:.2f}",
            f"{result['memory']:.0f}",
        ]
        for duel in load(name)["duels"]
        for result in duel["results"]
    ]
    return markdown([label, "contender", "ms", "over PyTorch", "quartiles", "MiB"], rows)


def memory_table() -> str:
    """Peak memory in MiB, and over PyTorch's; the few steps that are run are no timing."""
    rows = []
    for duel in load("memory")["duels"]:
        memory = {result["name"]: result["memory"] for result in duel["results"]}
        for name, peak in memory.items():
            rows.append(
                [duel["labels"]["mask"], name, f"{peak:.0f}", f"{peak / memory[REFERENCE]:.2f}"]
            )
    return markdown(["mask", "contender", "MiB", "over PyTorch"], rows)


def growth_table() -> str:
    """Ours over PyTorch's, in time and in memory, by depth and by length."""
    rows = []
    for duel in load("growth")["duels"]:
        ours, theirs = duel["results"]
        rows.append(
            [
                *(str(value) for value in duel["labels"].values()),
                f"{ours['milliseconds']:.3g}",
                f"{ours['ratio']:.2f}",
                f"{ours['memory']:.0f}",
                f"{theirs['memory']:.0f}",
            ]
        )
    return markdown(
        ["blocks", "tokens", "ours, ms", "over PyTorch", "ours, MiB", "PyTorch, MiB"], rows
    )


def machine() -> str:
    """The machine and the versions, in a sentence."""
    facts: dict[str, Any] = load("block")["machine"]
    packages = ", ".join(f"{name} {facts[name]}" for name in ("numpy", "scipy", "torch"))
    return (
        f"{facts['processor']}, {facts['cores']} cores, {facts['system']}; {packages}, "
        f"Python {facts['python']}.\n"
    )


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
