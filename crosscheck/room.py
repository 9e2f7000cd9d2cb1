"""How much memory a run needs, and whether the machine, or the container, has it left.

What a run holds at its peak is a sum: so many numbers for each weight and for each logit, and all
that the ops of the blocks make. `python -m benchmarks.room` measures runs of many sizes, and a test
holds the sum against them. Options that save a part of it, such as fused attention, do not count.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

FLOAT64 = 8  # bytes


@dataclass(frozen=True)
class Blocks:
    """Blocks of one size, and what runs through them."""

    layers: int  # the number of blocks
    width: int  # C
    feed_forward: int  # F
    heads: int  # H
    tokens: int  # T
    batch: int  # B
    vocabulary: int = 0  # V, of the embedding before the blocks and the head behind them
    tied: bool = False  # whether the embedding and the head share their weight

    @property
    def weights(self) -> int:
        """How many numbers are learned, and the encodings of the positions."""
        matrices = 4 * self.width**2 + 2 * self.width * self.feed_forward
        vectors = 9 * self.width + self.feed_forward  # the biases, and two norms
        tables = ((2 - self.tied) * self.vocabulary + self.tokens) * self.width
        return self.layers * (matrices + vectors) + tables

    @property
    def made(self) -> int:
        """How many numbers the ops of one block make, going forward.

        For each token there are 11 C: the input, q, k and v, the heads put together, the
        projection, the feed-forward network's result, two sums and two norms. Three F are in the
        network: before the activation, in it, and after it. The scores are three times as many as
        there are pairs of tokens: scaled, masked, and as probabilities. So is the mask itself,
        which all heads share.
        """
        of_tokens = self.batch * self.tokens * (11 * self.width + 3 * self.feed_forward)
        of_pairs = self.tokens**2 * 3 * (self.batch * self.heads + 1)
        return of_tokens + of_pairs

    @property
    def logits(self) -> int:
        """How many numbers come out of the head."""
        return self.batch * self.tokens * self.vocabulary


@dataclass(frozen=True)
class Held:
    """What one kind of run holds at its peak."""

    weights: int  # numbers in float64 for each weight
    passing: int  # what the way back makes at once, counted in blocks whose ops make as much
    logits: int = 0  # numbers in float64 for each logit
    objects: int = 0  # bytes for each block beside all numbers: modules, tensors, rows
    kept: int = 1  # how many times as much as its ops make is held of a block that has run


# While `compare` asks which gradients are zero by rights, there are two models in float32, a copy
# in float64, what that is put back from, the copy that runs, and its gradients; and the gradients
# of four runs, two of them in float32. That is eight numbers for a weight, and one that is freed
# too late. It is as many for a logit: four outputs, the one that runs, and what the loss makes.
# The bytes of the objects, here and below, are those of hundreds of blocks of width 4.
COMPARISON = Held(weights=9, passing=1, logits=8, objects=270_000)

# `walk` keeps the values and gradients of both sides, and makes a page of them: once as bytes, and
# four times as text of base64. These two factors are a fit to what was measured.
WALK = Held(weights=16, passing=1, logits=16, objects=270_000, kept=14)


def study(stacks: int) -> Held:
    """Return what `crosscheck flow` holds, which keeps so many stacks: each wiring on each side.

    A stack has its weights and their gradients; besides there is what was drawn for all of them.
    Of the pass before, something is freed too late.
    """
    return Held(weights=1 + 2 * stacks, passing=2, objects=32_000 * stacks)


def require_room(blocks: Blocks, held: Held) -> None:
    """Raise ValueError if a run of these blocks needs more memory than is left."""
    needed, free = bytes_needed(blocks, held), available()
    if free is not None and needed > free:
        vocabulary = f", {blocks.vocabulary:,} different characters" if blocks.vocabulary else ""
        raise ValueError(
            f"{blocks.layers} blocks of width {blocks.width} with feed-forward "
            f"{blocks.feed_forward}, {blocks.heads} heads{vocabulary}, and {blocks.batch} x "
            f"{blocks.tokens} tokens would need about {_gigabytes(needed)}; this machine has "
            f"{_gigabytes(free)} available: take smaller sizes"
        )


def bytes_needed(blocks: Blocks, held: Held) -> int:
    """Return the bytes that a run of these blocks adds to a process that is ready to begin."""
    numbers = (
        held.weights * blocks.weights
        + held.logits * blocks.logits
        + blocks.made * (held.kept * blocks.layers + held.passing)
    )
    return FLOAT64 * numbers + held.objects * blocks.layers


def available(root: Path = Path("/")) -> int | None:
    """Return the bytes that are free or can be freed, here or in the container; None: nobody says.

    root: where /proc and /sys are.
    """
    machine = _free(root)
    left = [*_left_to_groups(root), *([] if machine is None else [machine])]
    return min(left, default=None)


def _free(root: Path) -> int | None:
    """Return the memory that the machine can give; all of it where there is no /proc."""
    for line in _lines(root / "proc/meminfo"):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    try:
        size, pages = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError, AttributeError):  # Windows has no sysconf
        return None
    return size * pages if min(size, pages) > 0 else None


# The files of a control group, by which Linux limits a container: its limit, what it uses, and
# which line of memory.stat says what of this can be freed. Version 2 names no controller.
_FILES = {
    "": ("memory.max", "memory.current", "inactive_file"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def _left_to_groups(root: Path) -> Iterator[int]:
    """Yield what is left to each control group that this process is in, up to the outermost.

    A container may see its own group in the place of the outermost one.
    """
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, name = line.split(":", 2)
        for controller in {*controllers.split(",")} & _FILES.keys():
            group = PurePosixPath(name.lstrip("/"))
            for part in (group, *group.parents):
                yield from _left(root / "sys/fs/cgroup" / controller / part, *_FILES[controller])


def _left(folder: Path, limit: str, used: str, freeable: str) -> Iterator[int]:
    """Yield the bytes that are left to one control group, if it has a limit."""
    try:
        most, now = (int((folder / name).read_text("ascii")) for name in (limit, used))
    except (OSError, ValueError):  # no such file, or the limit is "max"
        return
    stat = dict(line.split(maxsplit=1) for line in _lines(folder / "memory.stat"))
    yield max(0, most - now + int(stat.get(freeable, 0)))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").splitlines()
    except (OSError, ValueError):
        return []


def _gigabytes(count: int) -> str:
    """Return a number of bytes in words; whole numbers alone can be as large as they like."""
    if count < 100 * 10**9:
        return f"{count / 1e9:.2g} GB"
    return f"{count // 10**9:,} GB" if count < 10**18 else "more than a billion GB"
