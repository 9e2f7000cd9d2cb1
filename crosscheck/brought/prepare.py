"""From a command line to two models, a batch, and the map between their weights."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crosscheck.answers import is_wrong_call
from crosscheck.brought.arguments import Arguments
from crosscheck.brought.asis import as_built
from crosscheck.brought.behaviour import require_finite_weights
from crosscheck.brought.bring import bring
from crosscheck.brought.construct import Maker, seeded
from crosscheck.brought.inputs import choose_input, read_input, with_input
from crosscheck.brought.load import OUR_FOLDER, Library, UserCodeError, user_library
from crosscheck.brought.ready import ready, runnable, shape_of_output
from crosscheck.brought.reference import choose_reference
from crosscheck.brought.sizes import Sizes
from crosscheck.brought.surroundings import noticing, settings_kept
from crosscheck.brought.target import Target
from crosscheck.called_rightly import require_sides
from crosscheck.maps.pairing import AUTO, NAME, VALUE
from crosscheck.maps.trial import Shared
from crosscheck.masks import CAUSAL
from crosscheck.runs import Batch
from crosscheck.sides import Array

RUNS_MODELS = {"construct.py", "sides.py", "foreign.py"}  # our files that call the user's code


@dataclass(frozen=True)
class Request:
    """What a command line asks for."""

    mine: str
    reference: str | None = None
    width: int | None = None
    heads: int | None = None
    feed_forward: int | None = None
    shape: tuple[int, ...] | None = None
    input: Path | None = None
    arguments: str = ""
    mask: str | None = None
    weights: str = AUTO
    output: str | None = None
    dtype: str = "both"
    seed: int = 0

    @property
    def given(self) -> frozenset[str]:
        """The sizes that were named."""
        named = ("width", "heads", "feed_forward")
        return frozenset(name for name in named if getattr(self, name) is not None)


@dataclass
class Prepared:
    """Two models that can be compared, and what the reader should know about them."""

    mine: Any
    reference: Any
    batch: Batch
    weights: Any  # what `compare` is given: the map that was found, or what was asked for
    how: str  # how that map was found, in words; empty if `compare` is to say it
    dtype: str
    called: list[str]  # such as "Block(n_embd=64, n_head=4)"
    reference_said: str  # which reference it is, and why
    notes: list[str] = field(default_factory=list)  # sentences, without a full stop


@contextmanager
def prepared(request: Request, shared: Shared | None = None) -> Iterator[Prepared]:
    """Load, construct and examine both models; they can run within this block.

    shared: how many of a reference's values a run of the model shows. Raises ValueError for the
    user's mistakes, and UserCodeError for what her own code raises, here and within the block.
    """
    sizes = Sizes.wanted(
        request.width, request.heads, request.feed_forward, request.shape,
        causal=None if request.mask is None else request.mask in CAUSAL, seed=request.seed,
    )  # fmt: skip
    target = Target.of(request.mine)
    other = None if request.reference is None else Target.of(request.reference)
    given = None if request.input is None else read_input(request.input)
    with (
        settings_kept(),
        user_library() as library,
        users_errors(library),
        noticing(target.module) as noticed,
    ):
        ready = _prepare(request, sizes, target, other, given, library, shared)
        yield ready
    ready.notes += noticed


def _prepare(
    request: Request,
    sizes: Sizes,
    target: Target,
    other: Target | None,
    given: Array | None,
    library: Library,
    shared: Shared | None,
) -> Prepared:
    arguments = Arguments.of(request.arguments)
    maker = Maker(sizes, arguments)
    with seeded(request.seed):  # a module may draw its parameters when it is imported
        mine = bring(library, target, maker)
        model, notes = runnable(mine)
        maker.sizes = sizes = as_built(model, sizes, request.given)
        theirs = bring(library, other, maker) if other is not None else None
    arguments.require_all_taken()
    if given is not None:
        sizes = with_input(sizes, given)
    inputs = choose_input(model, sizes) if given is None else given
    asked: Any = {"mask": request.mask, "seed": request.seed}
    model, dtype, more = ready(model, mine, inputs, request.dtype, **asked, output=request.output)
    notes += more
    batch = Batch(inputs)
    if request.weights in (NAME, VALUE):
        require_finite_weights(model, mine.who)
    if theirs is not None:
        require_sides(mine.model, theirs.model)
        reference, moved = runnable(theirs)
        like = shape_of_output(model, inputs)
        reference, dtype, more = ready(reference, theirs, inputs, dtype, **asked, like=like)
        called = mine.called + theirs.called
        notes += moved + more
        return Prepared(
            model, reference, batch, request.weights, "", dtype, called, theirs.who, notes
        )
    choice = choose_reference(
        model, batch, sizes, mask=request.mask, weights=request.weights,
        dtype="float32" if dtype == "float32" else "float64", shared=shared, who=mine.who,
    )  # fmt: skip
    pairing = choice.pairing
    notes += pairing.notes
    weights = pairing.map.to_dict() if pairing.redrawn else request.weights
    how = pairing.how if pairing.redrawn else ""
    return Prepared(
        model, choice.reference, batch, weights, how, dtype, mine.called, choice.said, notes
    )


@contextmanager
def users_errors(library: Library) -> Iterator[None]:
    """Turn what the user's own code raises in this block into UserCodeError.

    What our own code raises stays as it is; what a library raises when it makes or runs a model,
    without a line of the user's, becomes a ValueError.
    """
    try:
        yield
    except UserCodeError:
        raise
    except Exception as error:
        own = library.own_frames(error)
        if not own:
            if _ran_a_model(error):
                raise ValueError(f"{type(error).__name__}: {error}") from error
            if isinstance(error, TypeError) and is_wrong_call(error):
                raise ValueError(str(error)) from error
            raise
        names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
        way = "its backward" if "backward" in names else own[-1].name
        file = Path(own[-1].filename).name
        raise UserCodeError(
            f"{file} raised {type(error).__name__} in {way}; the last line of its own is shown "
            "above",
            f"{file}:{own[-1].lineno}, in {own[-1].name}\n    {own[-1].line}\n"
            f"{type(error).__name__}: {error}",
        ) from error


def _ran_a_model(error: Exception) -> bool:
    """Whether a library raised this while it made or ran a model, and none of our own code did."""
    files = [Path(f.filename).resolve() for f in traceback.extract_tb(error.__traceback__)]
    ours = [file.name for file in files if file.is_relative_to(OUR_FOLDER)]
    return not files[-1].is_relative_to(OUR_FOLDER) and bool({*ours} & RUNS_MODELS)
