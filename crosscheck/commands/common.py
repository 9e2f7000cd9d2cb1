"""What the commands share: the exit codes, options of the same kind, and how results are saved."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

AT_LEAST_ONE = click.IntRange(min=1)
DISAGREE, COULD_NOT_RUN, INTERRUPTED, CLOSED_PIPE = 1, 2, 130, 141  # as shells say: 128 + signal
EXIT_CODES = """\b
Exit code:
  0    everything agrees
  1    something disagrees, or is not proved: a gradient vanishes and tests nothing
  2    the check could not run, or its result could not be written
  130  interrupted by Ctrl-C
  141  the reader of the output went away (a closed pipe)
"""


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


@contextmanager
def user_mistakes() -> Iterator[None]:
    """Within this block, a ValueError or OSError is the user's to mend: exit code 2, no trace."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise CouldNotRun(str(error)) from error
