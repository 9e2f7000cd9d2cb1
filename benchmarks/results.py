"""Results on the screen and on disk."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.duel import Result
from benchmarks.machine import describe_machine

FOLDER = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Duel:
    """What was run (size, threads, ...), what came of it, and who could not take part, and why."""

    labels: dict[str, Any]
    results: list[Result]
    absent: dict[str, str]


def show(duel: Duel) -> None:
    """Print one duel as a table."""
    title = ", ".join(f"{name} {value}" for name, value in duel.labels.items())
    table = Table("contender", "ms", "over PyTorch", "quartiles", "MiB", "error", title=title)
    for result in duel.results:
        table.add_row(
            result.name,
            f"{result.milliseconds:.3g}",
            f"{result.ratio:.2f}",
            f"{result.low:.2f} to {result.high:.2f}",
            f"{result.memory:.0f}",
            "" if result.error is None else f"{result.error:.0e}",
        )
    for name, reason in duel.absent.items():
        table.add_row(name, "", "", "", "", reason)
    Console(width=None if Console().is_terminal else 110).print(table)


def keep(name: str, duels: list[Duel]) -> None:
    """Write results/NAME.json, with the machine in words."""
    FOLDER.mkdir(exist_ok=True)
    content = {"machine": describe_machine(), "duels": [asdict(duel) for duel in duels]}
    (FOLDER / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def load(name: str) -> dict[str, Any]:
    """Read results/NAME.json."""
    content: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return content
