"""What the commands share: the exit codes, kinds of options, the text, and the progress bar."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from crosscheck.corpus import Corpus, load_corpus
from crosscheck.files import require_writable, write_json

AT_LEAST_ONE = click.IntRange(min=1)
SEED = click.IntRange(0, 2**32 - 1)  # what every generator takes, and the seeds after it too
MOST_RUNS = 10_000  # more would take days, and a list of 10**30 no machine holds
NEVER_FAST = "--fast computes float32 alone: with --dtype float64 it never runs"
DISAGREE, COULD_NOT_RUN, INTERRUPTED, CLOSED_PIPE = 1, 2, 130, 141  # as shells say: 128 + signal


def exit_codes(good: str, bad: str) -> str:
    """The end of a command's help: what 0 and 1 mean, and what the other codes always do."""
    return f"""\b
Exit code:
  0    {good}
  1    {bad}
  2    it could not run, or its result could not be written
  130  interrupted by Ctrl-C
  141  the reader of the output went away (a closed pipe)
"""


EXIT_CODES = exit_codes(
    "everything agrees",
    "something disagrees, or is not proved: a gradient vanishes, or rounding explains a difference",
)


class CouldNotRun(click.ClickException):
    """A mistake in the input: one line for the user, exit code 2."""

    exit_code = COULD_NOT_RUN


class FilePath(click.Path):
    """A path as pathlib knows it; but not the empty one, which pathlib takes for "here"."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The path, or a usage error."""
        if not value:
            self.fail("the path is empty", param, ctx)
        return super().convert(value, param, ctx)


threads_option = click.option(
    "--threads",
    type=click.IntRange(1, 64),
    help="Threads of BLAS, and of PyTorch. If not given, OMP_NUM_THREADS decides, or the size: one "
    "thread until more of them pay.",
)


fast_option = click.option(
    "--fast", is_flag=True, help="Compute our float32 by the fast forms of the rules."
)
json_option = click.option(
    "--json", "json_path", type=FilePath(), help="Write the full result here too."
)


@contextmanager
def user_mistakes() -> Iterator[None]:
    """Within this block, a ValueError or OSError is the user's to mend: exit code 2, no trace."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise CouldNotRun(str(error)) from error


@contextmanager
def saving(path: Path | None, write: Any = write_json) -> Iterator[Callable[[Any], None]]:
    """Find out before a long run whether its result can be written; yield what writes it.

    By default it writes JSON. Without a path nothing is written.
    """
    if path is not None:
        require_writable(path)
    yield lambda content: None if path is None else write(path, content)


def named_text(path: Path | None) -> Corpus:
    """The text of this file, or the usual one; what went wrong on the way is said on stderr."""
    corpus = load_corpus(path)
    if corpus.note:
        advice = "" if corpus.complete else " Or name a text of your own: --corpus FILE."
        click.echo(f"crosscheck: note: {corpus.note}{advice}", err=True)
    return corpus


@contextmanager
def progress_bar(what: str, unit: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on stderr, where that is a terminal; yields what is to be told of each advance."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("" if total is None else f"{{task.completed}} of {{task.total}} {unit}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        task = progress.add_task(what if total is not None else "Running", total=total)
        yield lambda amount: progress.advance(task, amount)
