"""Which seat each weight of a model has: by a known layout, by the words of its name, by order."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from crosscheck.maps.layouts import LAYOUTS, SPELLINGS, Layout
from crosscheck.maps.spelling import Sizes, fitting, orientation
from crosscheck.maps.weight_map import Shape
from crosscheck.maps.words import jobs_meant, plain

OUTSIDE = -1  # the number of the block of what is in none
LAYOUT, WORDS, ORDER = "layout", "words", "order"  # what a seat was found by
_WHOLE = ("tokens", "positions", "norm", "head")  # parts outside of the blocks
_VECTORS_OF_CHANNELS = tuple(job for job, ways in SPELLINGS.items() if ways == ("C",))


@dataclass(frozen=True)
class Seat:
    """The seat of one weight."""

    block: int  # from 0, or OUTSIDE
    job: str  # a key of SPELLINGS
    found_by: str  # LAYOUT, WORDS or ORDER
    matrices: str = ""  # how a matrix lies here, if that is known
    spelling: str = ""  # how the entries lie, if the layout says so

    def spellings(self, shape: Shape, sizes: Sizes) -> list[str]:
        """Return how a weight of this shape may lie, the likelier first; empty if it cannot."""
        ways = fitting(self.job, shape, sizes)
        if self.matrices:
            ways = [way for way in ways if orientation(self.job, way) in ("", self.matrices)]
        return [self.spelling] if self.spelling in ways else ways


@dataclass(frozen=True)
class Anatomy:
    """The seats of a model's weights."""

    shapes: Mapping[str, Shape]
    seats: Mapping[str, Seat] = field(default_factory=dict)  # a weight without seat is lacking
    sizes: Sizes = field(default_factory=dict)
    layout: str = ""  # the layout of most names, in words; empty if there is none

    @property
    def blocks(self) -> int:
        """The number of blocks."""
        return 1 + max((seat.block for seat in self.seats.values()), default=OUTSIDE)


def anatomy(
    shapes: Mapping[str, Shape],
    heads: int,
    matrices: Mapping[str, str],
    like: Anatomy | None = None,
    taken: Collection[tuple[int, str]] = (),
) -> Anatomy:
    """Find the seats of weights of these shapes.

    heads: their number, 0 if unknown. matrices: how the matrix of a name lies, where its module
    says so. like: the reference's anatomy, if these are another model's: the sizes, and the seats
    to be filled, are the same. taken: blocks and jobs that are not free.
    """
    numbers = _block_numbers(shapes, like.blocks if like else None)
    best, most = Anatomy(shapes), 0
    for layout in LAYOUTS:
        seats = _by_layout(layout, shapes, numbers, matrices)
        sizes = like.sizes if like else sizes_of(seats, shapes, heads)
        fit = {name: seat for name, seat in seats.items() if seat.spellings(shapes[name], sizes)}
        count = 2 * len(fit) - len(seats)  # one that does not fit speaks against the layout
        if count > most:
            best, most = Anatomy(shapes, fit, sizes, layout.name), count
    if not best.sizes:
        best = replace(best, sizes=like.sizes if like else _guessed_sizes(shapes, heads))
    seats = _by_words(best, numbers, matrices, like, taken)
    style = best.layout if 2 * len(best.seats) > len(seats) else ""
    sizes = like.sizes if like else sizes_of(seats, shapes, heads)
    fit = {name: seat for name, seat in seats.items() if seat.spellings(shapes[name], sizes)}
    return Anatomy(shapes, fit, sizes, style)


def sizes_of(seats: Mapping[str, Seat], shapes: Mapping[str, Shape], heads: int) -> dict[str, int]:
    """Return the sizes that the shapes of weights with known seats show; 0 for what they do not."""
    numbers = {seat.job: math.prod(shapes[name]) for name, seat in seats.items()}
    channels = next((numbers[job] for job in _VECTORS_OF_CHANNELS if job in numbers), 0)
    if not channels and "out.weight" in numbers:
        channels = math.isqrt(numbers["out.weight"])
    if not channels:
        return {}

    def size(*jobs: str) -> int:
        """The size of the axis that a vector has, or a matrix beside the channels."""
        found = next((job for job in jobs if job in numbers), "")
        return numbers.get(found, 0) // (channels if found.endswith("weight") else 1)

    heads = heads if heads and channels % heads == 0 else 1
    return {
        "C": channels,
        "H": heads,
        "K": channels // heads,
        "F": size("fc1.bias", "fc1.weight", "fc2.weight"),
        "V": size("head.bias", "head.weight", "tokens.weight"),
        "T": size("positions.weight"),
        "3": 3,
    }


def _guessed_sizes(shapes: Mapping[str, Shape], heads: int) -> dict[str, int]:
    """Return sizes where no name is known: the commonest length of an axis is the channels."""
    lengths = [length for shape in shapes.values() for length in shape if length > 1]
    if not lengths:
        return {}
    channels = max(dict.fromkeys(lengths), key=lengths.count)
    others = [
        n for n in lengths if n not in (channels, 3 * channels, heads, channels // (heads or 1))
    ]
    wide = max(others, key=others.count) if others else channels
    heads = heads if heads and channels % heads == 0 else 1
    return {"C": channels, "H": heads, "K": channels // heads, "F": wide, "3": 3}


def _block_numbers(shapes: Mapping[str, Shape], blocks: int | None) -> dict[str, int]:
    """Return the number of the block of each name that has one: `h.1.mlp.weight` is in block 1.

    blocks: how many there are, if that is known.
    """
    groups: dict[str, dict[str, int]] = {}
    for name in shapes:
        for found in re.finditer(r"(\d+)(?=\.)", plain(name)):
            groups.setdefault(plain(name)[: found.start()], {})[name] = int(found[1])
    best: dict[str, int] = {}
    for group in groups.values():
        count = len(set(group.values()))
        if blocks in (None, count) and len(group) >= 6 * count and len(group) > len(best):
            best = group
    order = sorted(set(best.values()))
    return {name: order.index(number) for name, number in best.items()}


def _by_layout(
    layout: Layout,
    shapes: Mapping[str, Shape],
    numbers: Mapping[str, int],
    matrices: Mapping[str, str],
) -> dict[str, Seat]:
    """Return the seats of the names that end as this layout says; the longest ending counts."""
    endings, seats = layout.seats(), {}
    for name in shapes:
        parts = plain(name).split(".")
        ends = (".".join(parts[i:]) for i in range(len(parts)))
        job = next((endings[end] for end in ends if end in endings), None)
        is_outside = bool(job) and str(job).partition(".")[0] in _WHOLE
        if job is None or (numbers and is_outside == (name in numbers)):
            continue
        lies = "" if is_outside and job not in layout.spelling else layout.matrices
        seats[name] = Seat(
            OUTSIDE if is_outside else numbers.get(name, 0),
            job,
            LAYOUT,
            matrices.get(name, lies),
            layout.spelling.get(job, ""),
        )
    return seats


def _by_words(
    known: Anatomy,
    numbers: Mapping[str, int],
    matrices: Mapping[str, str],
    like: Anatomy | None,
    taken: Collection[tuple[int, str]],
) -> dict[str, Seat]:
    """Add seats for names of no layout: first those whose words leave one seat, then by order."""
    seats = dict(known.seats)
    wanted = _with_parts({(s.block, s.job) for s in like.seats.values()}) if like else None

    def allowed(name: str, any_job: bool) -> list[Seat]:
        """Return the free seats that a weight may have; those of its module, if that is known."""
        shape = known.shapes[name]
        full = _with_parts({*taken, *((seat.block, seat.job) for seat in seats.values())})
        free = [
            seat
            for seat in _meant(name, shape, numbers, matrices, any_job)
            if (seat.block, seat.job) not in full
            and (wanted is None or (seat.block, seat.job) in wanted)
            and seat.spellings(shape, known.sizes)
        ]
        mates = {_part(seat.job) for mate, seat in seats.items() if _are_mates(mate, name)}
        return [seat for seat in free if _part(seat.job) in mates] or free

    missing = [name for name in known.shapes if name not in seats]
    while missing:
        only = {n: free[0] for n in missing if len(free := allowed(n, any_job=False)) == 1}
        for name, seat in only.items():
            if seat in allowed(name, any_job=False):  # another may have taken it
                seats[name] = seat
        missing = [name for name in missing if name not in seats]
        if not only:
            break
    for name in missing:
        free = allowed(name, any_job=True)
        if free:
            # Of two seats that words allow, the numbers of a Sequential say which is which.
            certain = len(free) == 2 and re.search(r"\.\d+\.", name)
            seats[name] = replace(free[0], found_by=free[0].found_by if certain else ORDER)
    return seats


def _with_parts(seats: set[tuple[int, str]]) -> set[tuple[int, str]]:
    """Add q, k and v where they are stacked, and the stacked one where they are not."""
    parts = {
        (block, f"{letter}.{job[4:]}")
        for block, job in seats
        if job[:3] == "qkv"
        for letter in "qkv"
    }
    return (
        seats
        | parts
        | {(block, f"qkv.{job[2:]}") for block, job in seats if job[:2] in ("q.", "k.", "v.")}
    )


def _meant(
    name: str, shape: Shape, numbers: Mapping[str, int], matrices: Mapping[str, str], any_job: bool
) -> list[Seat]:
    """Return the seats that the words of a name allow; with any_job all, if they say nothing."""
    is_matrix = len([length for length in shape if length > 1]) > 1
    seats = []
    for outside in (False, True):
        if numbers and outside == (name in numbers):
            continue
        jobs, said = jobs_meant(name, is_matrix, outside), WORDS
        if not jobs and any_job:
            jobs, said = [job for job in SPELLINGS if (_part(job) in _WHOLE) == outside], ORDER
        block = OUTSIDE if outside else numbers.get(name, 0)
        seats += [Seat(block, job, said, matrices.get(name, "")) for job in jobs]
    return seats


def _are_mates(a: str, b: str) -> bool:
    """Whether two names are the weight and the bias of one module."""
    (module, _, leaf), (other, _, other_leaf) = a.rpartition("."), b.rpartition(".")
    return bool(module) and module == other and {leaf, other_leaf} == {"weight", "bias"}


def _part(job: str) -> str:
    return job.partition(".")[0]
