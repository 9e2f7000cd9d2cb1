"""Sizes that no machine holds are refused with the memory they would need, and never tried."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from crosscheck import room
from crosscheck.cli import cli
from crosscheck.models import ModelOptions, build_language_models
from crosscheck.room import COMPARISON, WALK, Blocks, available, bytes_needed, require_room, study

SMALL = Blocks(layers=2, width=64, feed_forward=256, heads=4, tokens=32, batch=4)
MEASURED = Path(__file__).parents[2] / "benchmarks/results/room.json"
RUNS = json.loads(MEASURED.read_text("utf-8"))["runs"]
HUGE = str(2**31)


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "--width", HUGE],
        ["check", "--layers", HUGE],
        ["check", "--layers", "1" + "0" * 400],
        ["check", "--feed-forward", "1" + "0" * 20],
        ["check", "--batch", "1" + "0" * 20],
        ["check", "--width", HUGE, "--heads", HUGE],
        ["flow", "--depths", "1," + HUGE],
        ["flow", "--depths", "100000000"],
        ["flow", "--width", HUGE],
        ["flow", "--feed-forward", "1" + "0" * 20],
        ["flow", "--tokens", HUGE],
        ["compare", "nowhere.py:Block", "--width", HUGE],
        ["compare", "nowhere.py:Block", "--feed-forward", "1" + "0" * 20],
        ["compare", "nowhere.py:Block", "--shape", f"{HUGE},{HUGE},64"],
        ["compare", "nowhere.py:Block", "--shape", f"2,3,{HUGE},{HUGE},64"],
    ],
)
def test_sizes_beyond_the_machine(arguments: list[str]) -> None:
    result = CliRunner().invoke(cli, arguments, prog_name="crosscheck")
    assert result.exit_code == 2, result.output
    assert "would need about" in result.output
    assert "available: take smaller sizes" in result.output


@pytest.mark.parametrize("option", ["--layers", "--width", "--heads", "--seed", "--batch"])
@pytest.mark.parametrize("value", ["1e20", "-1", "nan"])
def test_what_is_no_size_is_a_usage_error(option: str, value: str) -> None:
    result = CliRunner().invoke(cli, ["check", option, value], prog_name="crosscheck")
    assert result.exit_code == 2
    assert f"Invalid value for '{option}'" in result.output


def test_the_limit_is_what_the_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    needed = bytes_needed(SMALL, COMPARISON)
    monkeypatch.setattr(room, "available", lambda: needed)
    require_room(SMALL, COMPARISON)
    monkeypatch.setattr(room, "available", lambda: needed - 1)
    with pytest.raises(ValueError, match=r"would need about 0\.0\d+ GB; this machine has"):
        require_room(SMALL, COMPARISON)
    monkeypatch.setattr(room, "available", lambda: None)
    require_room(SMALL, COMPARISON)


@pytest.mark.parametrize(
    ("wirings", "stacks"),
    [([], 12), (["--norm", "pre"], 4), (["--residual", "--engine", "numpy"], 3)],
)
def test_flow_needs_memory_for_every_wiring_on_each_side(
    wirings: list[str], stacks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "available", lambda: 0)
    sizes = ["--depths", "1,1000", "--width", "640", "--feed-forward", "1280", "--tokens", "8"]
    result = CliRunner().invoke(cli, ["flow", *sizes, *wirings], prog_name="crosscheck")
    blocks = Blocks(layers=1000, width=640, feed_forward=1280, heads=4, tokens=8, batch=1)
    needed = bytes_needed(blocks, study(stacks)) // 10**9
    assert result.exit_code == 2
    assert f"would need about {needed:,} GB; this machine has 0 GB" in result.output


def test_check_counts_the_characters_of_the_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "available", lambda: 10**9)
    text = tmp_path / "text.txt"
    text.write_text("".join(chr(0x4E00 + n) for n in range(20_000)), "utf-8")
    arguments = ["--corpus", str(text), "--width", "1024"]
    result = CliRunner().invoke(cli, arguments, prog_name="crosscheck")
    assert result.exit_code == 2
    assert "4 heads, 20,000 different characters" in result.output


@pytest.mark.parametrize("tied", [False, True])
def test_the_weights_are_those_of_the_model(tied: bool) -> None:
    options = ModelOptions(width=12, heads=3, feed_forward=20, context=7, norm="pre")
    options = replace(options, layers=3, tie_weights=tied)
    model, _ = build_language_models(options, vocab_size=11, seed=0)
    counted = options.blocks(batch_size=2, vocab_size=11).weights
    learned = sum(weight.numel() for weight in model.parameters())
    encodings = 7 * 12  # of the positions, which nobody learns here
    last = 11 + 2 * 12  # the bias of the head, and the norm before it
    assert counted == learned + encodings - last


@pytest.mark.parametrize("run", RUNS, ids=lambda run: f"{run['run']}, {run['name']}")
def test_the_estimate_is_near_what_was_measured(run: dict[str, Any]) -> None:
    held = {"flow": study(run["stacks"]), "walk": WALK}.get(run["run"], COMPARISON)
    needed = bytes_needed(Blocks(**run["blocks"]), held)
    assert 0.7 < needed / run["bytes"] < 1.5


def group(root: Path, folder: str, limit: str, used: str, stat: str = "") -> None:
    """Write the files of a control group: of version 1 if it is in the folder memory."""
    first = "memory" in Path(folder).parts
    place = root / "sys/fs/cgroup" / folder
    place.mkdir(parents=True, exist_ok=True)
    names = ("limit_in_bytes", "usage_in_bytes") if first else ("max", "current")
    for name, content in zip(names, (limit, used), strict=True):
        (place / f"memory.{name}").write_text(content + "\n")
    (place / "memory.stat").write_text(stat)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """The root of a machine that has 8,000 KiB available."""
    (tmp_path / "proc/self").mkdir(parents=True)
    lines = "MemTotal:  9000 kB\nMemFree: 100 kB\nMemAvailable:  8000 kB\n"
    (tmp_path / "proc/meminfo").write_text(lines)
    return tmp_path


def test_without_groups_it_is_what_the_machine_says(machine: Path) -> None:
    assert available(machine) == 8000 * 1024


def test_a_container_has_what_its_group_has_left(machine: Path) -> None:
    (machine / "proc/self/cgroup").write_text("0::/\n")
    group(machine, "", "5000", "3000", "anon 2000\ninactive_file 700\nactive_file 300\n")
    assert available(machine) == 5000 - 3000 + 700
    group(machine, "", "max", "3000")
    assert available(machine) == 8000 * 1024
    group(machine, "", "5000", "6000")
    assert available(machine) == 0


def test_the_outer_groups_count_too(machine: Path) -> None:
    (machine / "proc/self/cgroup").write_text("0::/one/two\n")
    group(machine, "one/two", "max", "10")
    group(machine, "one", "4000", "1000")
    assert available(machine) == 3000


@pytest.mark.parametrize("seen", ["docker/abc", "."])
def test_groups_of_version_1(machine: Path, seen: str) -> None:
    """A container sees its own group in the place of the outermost, under the host's name."""
    lines = "9:name=systemd:/\n4:cpu,memory:/docker/abc\n1:cpuset:/\n0::/\n"
    (machine / "proc/self/cgroup").write_text(lines)
    group(machine, f"memory/{seen}", "5000", "3000", "inactive_file 1\ntotal_inactive_file 20\n")
    assert available(machine) == 2020


def test_where_nobody_says_there_is_no_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sysconf", lambda name: {"SC_PAGE_SIZE": 4096}.get(name, 10))
    assert available(tmp_path) == 40960  # macOS: all of the memory
    monkeypatch.setattr(os, "sysconf", lambda name: -1)
    assert available(tmp_path) is None
    monkeypatch.delattr(os, "sysconf")
    assert available(tmp_path) is None  # Windows


@pytest.mark.parametrize("option", ["--seed", "--seeds"])
@pytest.mark.parametrize("value", ["1" + "0" * 30, "-1"])
def test_seeds_beyond_the_range_are_a_usage_error(option: str, value: str) -> None:
    result = CliRunner().invoke(cli, ["flow", option, value], prog_name="crosscheck")
    assert result.exit_code == 2
    assert f"Invalid value for '{option}'" in result.output
