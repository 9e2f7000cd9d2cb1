"""How much memory a run needs at the least, and whether the machine has it.

It counts what cannot be done without: the weights in both engines with their gradients, and the
scores and hidden values of one block's attention and feed-forward network for each block. What
else a comparison keeps comes on top, so a run that is refused here could not have ended well.
"""

from __future__ import annotations

import os
from pathlib import Path

FLOAT64 = 8  # bytes
COPIES = 4  # of every weight: in two engines, with its gradient


def require_room(
    *, layers: int, width: int, feed_forward: int, heads: int, tokens: int, batch: int
) -> None:
    """Raise ValueError if a stack of these sizes needs more memory than the machine has left."""
    needed = bytes_needed(layers, width, feed_forward, heads, tokens, batch)
    free = available()
    if free is not None and needed > free:
        raise ValueError(
            f"{layers} blocks of width {width} with feed-forward {feed_forward}, {heads} heads, "
            f"and {batch} x {tokens} tokens would need about {_gigabytes(needed)}; this machine "
            f"has {_gigabytes(free)} available: take smaller sizes"
        )


def bytes_needed(
    layers: int, width: int, feed_forward: int, heads: int, tokens: int, batch: int
) -> int:
    """Return the bytes of the weights and of what a forward keeps, in float64."""
    weights = layers * (4 * width**2 + 2 * width * feed_forward)
    embedded = (tokens + layers) * width  # the positions, and what the norms have
    kept = layers * batch * tokens * (heads * tokens + 6 * width + feed_forward)
    return FLOAT64 * (COPIES * (weights + embedded) + kept)


def available() -> int | None:
    """Return the bytes of memory that are free or can be freed; None where nobody says."""
    try:
        for line in Path("/proc/meminfo").read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return _of_the_machine()


def _of_the_machine() -> int | None:
    """Return all memory of the machine, where there is no /proc."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError, AttributeError):
        return None


def _gigabytes(count: int) -> str:
    """Return a number of bytes in words; whole numbers alone can be as large as they like."""
    if count < 100 * 10**9:
        return f"{count / 1e9:.2g} GB"
    return f"{count // 10**9:,} GB" if count < 10**18 else "more than a billion GB"
