"""Which seat each weight of a model has: by a known layout, by the words of its name, by order."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from crosscheck.maps.layouts import LAYOUTS, OUT_IN, SPELLINGS, Layout
from crosscheck.maps.measures import block_numbers, guessed_sizes, sizes_of, with_width
from crosscheck.maps.numbered import owners_of_norms, understood
from crosscheck.maps.spelling import Sizes, fitting, orientation
from crosscheck.maps.weight_map import Shape
from crosscheck.maps.words import head_of, jobs_meant, plain

OUTSIDE = -1  # the number of the block of what is in none
LAYOUT, WORDS, ORDER = "layout", "words", "order"  # what a seat was found by
LINEAR, NORM = "linear", "norm"  # what kind of module a weight belongs to
_WHOLE = ("tokens", "positions", "norm", "head")  # parts outside of the blocks


@dataclass(frozen=True)
class Seat:
    """The seat of one weight."""

    block: int  # from 0, or OUTSIDE
    job: str  # a key of SPELLINGS
    found_by: str  # LAYOUT, WORDS or ORDER
    matrices: str = ""  # how a matrix lies here, if that is known
    spelling: str = ""  # how the entries lie, if the layout says so
    head: int | None = None  # the head that "one q" belongs to

    @property
    def key(self) -> tuple[int, str]:
        """What only one weight can have: the block, and the job, with the head."""
        return self.block, self.job if self.head is None else f"{self.job} {self.head}"

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
    numbers: Mapping[str, int] = field(default_factory=dict)  # the block of what is in one
    owners: Mapping[str, str] = field(default_factory=dict)  # LINEAR or NORM, of their weights

    def may_be(self, name: str, job: str) -> bool:
        """Whether the module that a weight belongs to may have this job."""
        return _suits(job, name, self.owners.get(name))

    @property
    def blocks(self) -> int:
        """The number of blocks."""
        return 1 + max((seat.block for seat in self.seats.values()), default=OUTSIDE)


def anatomy(
    shapes: Mapping[str, Shape],
    heads: int,
    owners: Mapping[str, str],
    like: Anatomy | None = None,
    taken: Collection[tuple[int, str]] = (),
) -> Anatomy:
    """Find the seats of weights of these shapes.

    heads: their number, 0 if unknown. owners: LINEAR or NORM for the weights of such a module.
    like: the reference's anatomy, if these are another model's: the sizes, and the seats
    to be filled, are the same. taken: blocks and jobs that are not free.
    """
    if ending := _shared_ending(shapes):
        cut = {name.removesuffix(ending): shape for name, shape in shapes.items()}
        owned = {name.removesuffix(ending): owner for name, owner in owners.items()}
        found = anatomy(cut, heads, owned, like, taken)
        seats = {f"{name}{ending}": seat for name, seat in found.seats.items()}
        inside = {f"{name}{ending}": number for name, number in found.numbers.items()}
        return replace(found, shapes=shapes, seats=seats, numbers=inside, owners=owners)
    numbers = block_numbers(shapes, like.blocks if like else None)
    wanted = with_parts_of({seat.key for seat in like.seats.values()}) if like else None

    def measured(seats: Mapping[str, Seat]) -> Sizes:
        if like:
            return like.sizes
        sizes = sizes_of({name: seat.job for name, seat in seats.items()}, shapes, heads)
        return with_width(sizes, shapes)

    best, most = Anatomy(shapes), 0
    for layout in LAYOUTS:
        seats = _by_layout(layout, shapes, numbers, owners)
        sizes = measured(seats)
        fit = {
            name: seat
            for name, seat in seats.items()
            if (wanted is None or seat.key in wanted) and seat.spellings(shapes[name], sizes)
        }
        count = 2 * len(fit) - len(seats)  # one that does not fit speaks against the layout
        if count > most:
            best, most = Anatomy(shapes, fit, sizes, layout.name), count
    if like and 3 * len(best.seats) < len(shapes):  # a few names are like its by chance
        best = Anatomy(shapes)
    if not best.sizes:
        best = replace(best, sizes=like.sizes if like else guessed_sizes(shapes, heads))
    seats = _by_words(best, numbers, owners, wanted, taken)
    style = best.layout if 2 * len(best.seats) > len(seats) else ""
    sizes = measured(seats)
    fit = {name: seat for name, seat in seats.items() if seat.spellings(shapes[name], sizes)}
    return Anatomy(shapes, fit, sizes, style, numbers, owners)


def _shared_ending(names: Collection[str]) -> str:
    """Return what all names end with that says nothing, as `.value` where a class holds arrays."""
    endings = {name[name.rfind(".") :] for name in names if "." in name}
    is_shared = len(endings) == 1 and all(name.endswith(tuple(endings)) for name in names)
    ending = endings.pop() if is_shared and len(names) > 1 else ""
    return "" if ending in (".weight", ".bias") else ending


def _by_layout(
    layout: Layout,
    shapes: Mapping[str, Shape],
    numbers: Mapping[str, int],
    owners: Mapping[str, str],
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
            OUT_IN if owners.get(name) == LINEAR else lies,
            layout.spelling.get(job, ""),
        )
    return seats


def _by_words(
    known: Anatomy,
    numbers: Mapping[str, int],
    owners: Mapping[str, str],
    wanted: Collection[tuple[int, str]] | None,
    taken: Collection[tuple[int, str]],
) -> dict[str, Seat]:
    """Add seats for names of no layout: first those whose words leave one seat, then by order."""
    seats = dict(known.seats)
    said = _said(known, numbers, owners)

    def allowed(name: str, any_job: bool) -> list[Seat]:
        """Return the free seats that a weight may have; those of its module, if that is known."""
        shape = known.shapes[name]
        full = with_parts_of({*taken, *(seat.key for seat in seats.values())})
        free = [
            seat
            for seat in _meant(name, shape, numbers, owners, any_job, said[name])
            if not full & {seat.key, (seat.block, seat.job.removeprefix("one "))}
            and (wanted is None or (seat.block, seat.job.removeprefix("one ")) in wanted)
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


def _said(
    known: Anatomy, numbers: Mapping[str, int], owners: Mapping[str, str]
) -> dict[str, list[str]]:
    """Return the words of each name as they are to be understood beside the others of its block."""
    said: dict[str, list[str]] = {}
    blocks: dict[int, dict[str, str]] = {}
    for name in known.shapes:
        blocks.setdefault(numbers.get(name, OUTSIDE), {})[name] = _own(name, numbers)
    for block in blocks.values():
        words = understood(
            {own: (owners.get(n), len(known.shapes[n]) > 1) for n, own in block.items()}
        )
        parts = {}
        for name, own in block.items():
            said[name] = words[own]
            is_norm = owners.get(name) == NORM
            if name in known.seats:
                jobs = [known.seats[name].job]
            else:
                is_matrix = len(known.shapes[name]) > 1
                jobs = jobs_meant(own, is_matrix, False, is_norm, said[name])
            if len({_part(job)[:-1] or _part(job) for job in jobs}) == 1:
                parts[own] = _part(jobs[0])
        of_norms = owners_of_norms(parts)
        for name, own in block.items():
            if own in of_norms:
                said[name] = [*said[name], of_norms[own]]
    return said


def _own(name: str, numbers: Mapping[str, int]) -> str:
    """Return a name without what stands before and in the number of its block."""
    return re.sub(r"^(.*?\.)?\d+\.", "", plain(name)) if name in numbers else name


def with_parts_of(seats: set[tuple[int, str]]) -> set[tuple[int, str]]:
    """Add q, k and v where they are stacked, and the stacked one where they are not."""
    added = set()
    for block, job in seats:
        part, _, kind = job.partition(".")
        if part == "qkv":
            added |= {(block, f"{letter}.{kind}") for letter in "qkv"}
        elif part in ("q", "k", "v"):
            added.add((block, f"qkv.{kind}"))
    return seats | added


def _meant(
    name: str,
    shape: Shape,
    numbers: Mapping[str, int],
    owners: Mapping[str, str],
    any_job: bool,
    words: list[str],
) -> list[Seat]:
    """Return the seats that a name's words allow; with any_job all, if they say nothing."""
    owner = owners.get(name)
    is_matrix = owner == LINEAR or len([n for n in shape if n > 1]) > 1
    own, seats = _own(name, numbers), []
    for outside in (False, True):
        if numbers and outside == (name in numbers):
            continue
        jobs, said = jobs_meant(own, is_matrix, outside, owner == NORM, words), WORDS
        jobs = [job for job in jobs if _suits(job, name, owner)]
        if not jobs and any_job:
            every = [job for job in SPELLINGS if (_part(job) in _WHOLE) == outside]
            jobs, said = [job for job in every if not job.startswith("one ")], ORDER
            jobs = [job for job in jobs if _suits(job, name, owner)]
        head = head_of(name)
        if head is not None and jobs and _part(jobs[0]) in ("q", "k", "v"):
            jobs = [f"one {job}" for job in jobs]
        else:
            head = None
        lies = OUT_IN if owner == LINEAR else ""
        block = OUTSIDE if outside else numbers.get(name, 0)
        seats += [Seat(block, job, said, lies, head=head) for job in jobs]
    return seats


def _suits(job: str, name: str, owner: str | None) -> bool:
    """Whether a weight of this name, of such a module, can have this job."""
    if owner is None:
        return True
    leaf = name.rpartition(".")[2]
    is_kind = leaf not in ("weight", "bias") or job.endswith(f".{leaf}")
    return is_kind and job.startswith("norm") == (owner == NORM)


def _are_mates(a: str, b: str) -> bool:
    """Whether two names are the weight and the bias of one module."""
    (module, _, leaf), (other, _, other_leaf) = a.rpartition("."), b.rpartition(".")
    leaves = {leaf.lower(), other_leaf.lower()}
    return bool(module) and module == other and leaves in ({"weight", "bias"}, {"w", "b"})


def _part(job: str) -> str:
    return job.partition(".")[0]
