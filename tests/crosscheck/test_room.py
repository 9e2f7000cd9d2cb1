"""Sizes that no machine holds are refused with the memory they would need, and never tried."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from crosscheck import room
from crosscheck.cli import cli
from crosscheck.room import bytes_needed, require_room

SMALL = {"layers": 2, "width": 64, "feed_forward": 256, "heads": 4, "tokens": 32, "batch": 4}
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
    needed = bytes_needed(*SMALL.values())
    monkeypatch.setattr(room, "available", lambda: needed)
    require_room(**SMALL)
    monkeypatch.setattr(room, "available", lambda: needed - 1)
    with pytest.raises(ValueError, match=r"would need about 0\.00\d+ GB; this machine has"):
        require_room(**SMALL)
    monkeypatch.setattr(room, "available", lambda: None)
    require_room(**SMALL)


@pytest.mark.parametrize("option", ["--seed", "--seeds"])
@pytest.mark.parametrize("value", ["1" + "0" * 30, "-1"])
def test_seeds_beyond_the_range_are_a_usage_error(option: str, value: str) -> None:
    result = CliRunner().invoke(cli, ["flow", option, value], prog_name="crosscheck")
    assert result.exit_code == 2
    assert f"Invalid value for '{option}'" in result.output
