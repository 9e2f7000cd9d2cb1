"""`crosscheck flow`: what becomes of the gradients in deep stacks, in both engines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.text import Text

from crosscheck.choices import DEPTHS, ENGINES, INITIALISATIONS, LANGUAGES, NORMS, PAPERS
from crosscheck.commands.common import (
    AT_LEAST_ONE,
    DISAGREE,
    INTERRUPTED,
    MOST_RUNS,
    SEED,
    FilePath,
    exit_codes,
    named_text,
    progress_bar,
    saving,
    threads_option,
    user_mistakes,
)
from crosscheck.files import require_writable, write_whole
from crosscheck.printing import make_console, print_sections
from tinygrad_tf.transformer.block import ACTIVATIONS

if TYPE_CHECKING:
    from crosscheck.corpus import Corpus
    from crosscheck.flow.stacks import Wiring
    from crosscheck.flow.study import Plan, Study

SEEDS = 5
EXIT_CODES = exit_codes(
    "the engines agree, and a paper's figures lie in their ranges",
    "the engines disagree, or a figure lies outside its range",
)


class Numbers(click.ParamType[tuple[int, ...]]):
    """Whole numbers from 1 on, with commas between them: 1,4,16."""

    name = "N,N,..."

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, ...]:
        """Return the numbers, each once, in ascending order."""
        if isinstance(value, tuple):
            return value
        try:
            numbers = sorted({int(part) for part in value.split(",")})
        except ValueError:
            self.fail(f"{value!r} is not a list of whole numbers such as 1,4,16", param, ctx)
        if numbers[0] < 1:
            self.fail(f"{numbers[0]} is not a depth: a stack has at least 1 block", param, ctx)
        return tuple(numbers)


@click.command(name="flow", epilog=EXIT_CODES)
@click.option(
    "--depths", type=Numbers(), default=",".join(map(str, DEPTHS)), help="Blocks in a stack."
)
@click.option("--norm", "norms", type=click.Choice(NORMS), multiple=True, help="Only these norms.")
@click.option("--residual/--no-residual", default=None, help="Only with them, or only without.")
@click.option(
    "--init",
    "initialisations",
    type=click.Choice(INITIALISATIONS),
    multiple=True,
    help="Only these initial weights.",
)
@click.option(
    "--paper",
    type=click.Choice(PAPERS),
    help="Reproduce a published result instead. It takes the seeds, the engine, the corpus, "
    "--threads and --json, and no other option. Ctrl-C keeps nothing of it.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1, MOST_RUNS),
    help="How many seeds; 5 if not given, or what the paper needs.",
)
@click.option("--seed", type=SEED, default=0, help="The first seed.")
@click.option(
    "--mask", type=click.Choice(["full", "causal"]), default="full", help="Attention's mask."
)
@click.option(
    "--input",
    "source",
    type=click.Choice(["gaussian", "text"]),
    default="gaussian",
    help="Noise, or embedded text.",
)
@click.option(
    "--engine",
    type=click.Choice(["both", *ENGINES]),
    help="Both if not given; the training runs in PyTorch.",
)
@click.option("--width", type=AT_LEAST_ONE, default=64, help="Channels C (d_model).")
@click.option("--heads", type=AT_LEAST_ONE, default=4, help="Attention heads H.")
@click.option("--feed-forward", type=AT_LEAST_ONE, default=256, help="Feed-forward width F.")
@click.option("--tokens", type=click.IntRange(min=2), default=32, help="Tokens T.")
@click.option("--activation", type=click.Choice(list(ACTIVATIONS)), default="relu")
@click.option("--corpus", type=FilePath(), help="A UTF-8 text file, instead of Tiny Shakespeare.")
@threads_option
@click.option("--json", "json_path", type=FilePath(), help="Write summaries and reading here.")
@click.option("--csv", "csv_path", type=FilePath(), help="Write every norm of every layer here.")
@click.option("--plots", "plots", type=FilePath(), help="Draw into this folder, SVG and PNG.")
@click.option(
    "--labels",
    "languages",
    type=click.Choice(LANGUAGES),
    multiple=True,
    default=LANGUAGES[:1],
    help="The language in the pictures; pt-BR goes into a folder of that name inside.",
)
@click.pass_context
def flow_command(
    context: click.Context,
    /,
    paper: str | None,
    json_path: Path | None,
    csv_path: Path | None,
    plots: Path | None,
    languages: tuple[str, ...],
    threads: int | None,
    **options: Any,
) -> None:
    """Study what becomes of the gradients in deep stacks: with and without residuals and norms.

    Stacks of blocks at their initial weights, in six wirings: layer norm before (pre), after (post)
    or none, with residual connections or without. Both engines run the same weights, and have to
    agree. Ctrl-C ends a run early and keeps what was done.
    """
    from crosscheck.commands.paper import run_paper
    from crosscheck.flow.export import study_to_csv, study_to_dict
    from crosscheck.flow.tables import study_sections

    if paper is not None:
        run_paper(context, paper, json_path, threads, **options)
    console = make_console()
    with user_mistakes(), saving(json_path) as save_json, saving(csv_path, write_whole) as save_csv:
        if plots is not None:
            try:
                plots.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ValueError(f"--plots needs a folder: {plots}: {error.strerror}") from error
            require_writable(plots / "picture")
        study = _run(_plan(**options), threads)
        save_json(study_to_dict(study))
        save_csv(study_to_csv(study).encode())
        pictures = [] if plots is None else _draw(study, plots, languages)
    sections = study_sections(study, console)
    if pictures:
        sections.insert(
            -1, Text(f"\n{len(pictures)} files, each picture as SVG and as PNG, are in {plots}.")
        )
    print_sections(sections, console)
    context.exit(_exit_code(study))


def _plan(
    depths: tuple[int, ...],
    norms: tuple[str, ...],
    residual: bool | None,
    initialisations: tuple[str, ...],
    seeds: int | None,
    seed: int,
    mask: str,
    source: str,
    engine: str | None,
    corpus: Path | None,
    tokens: int,
    **model: Any,
) -> Plan:
    from crosscheck.flow.stacks import sides_of
    from crosscheck.flow.study import Plan
    from crosscheck.models import ModelOptions
    from crosscheck.room import require_room, study

    options = ModelOptions(context=tokens, layers=max(depths), **model)
    text = _long_enough(named_text(corpus), tokens) if source == "text" else None
    sides = sides_of(engine)
    wirings = _wirings(norms, residual)
    require_room(options.blocks(batch_size=1, vocab_size=0), study(len(wirings) * len(sides)))
    return Plan(
        model=options,
        depths=depths,
        wirings=wirings,
        initialisations=tuple(i for i in INITIALISATIONS if i in (initialisations or [i])),
        seeds=tuple(range(seed, seed + (seeds or SEEDS))),
        sides=sides,
        causal=mask == "causal",
        corpus=text,
    )


def _wirings(norms: tuple[str, ...], residual: bool | None) -> tuple[Wiring, ...]:
    """Return the wirings that are asked for: of no norm, all norms; of None, with and without."""
    from crosscheck.flow.stacks import WIRINGS

    return tuple(
        wiring
        for wiring in WIRINGS
        if wiring.norm in (norms or NORMS) and residual in (None, wiring.residual)
    )


def _long_enough(corpus: Corpus, tokens: int) -> Corpus:
    if len(corpus.text) <= tokens:
        raise ValueError(
            f"--input text: the text has {len(corpus.text)} characters, but --tokens {tokens} "
            f"needs at least {tokens + 1}: name a longer one (--corpus), or take fewer tokens"
        )
    return corpus


def _run(plan: Plan, threads: int | None) -> Study:
    """Run the study, with a bar that counts blocks."""
    from crosscheck.flow.study import run_study
    from crosscheck.threads import few_threads

    with (
        few_threads(threads, plan.model.multiply_adds(batch_size=1)),
        progress_bar("Forward and backward", "blocks", plan.blocks) as advance,
    ):
        return run_study(plan, advance)


def _draw(study: Study, directory: Path, languages: tuple[str, ...]) -> list[Path]:
    """Draw all pictures. matplotlib takes a second to load, so only runs that draw load it."""
    from crosscheck.flow.labels import ENGLISH, words
    from crosscheck.flow.plots import draw_study
    from crosscheck.flow.positions import draw_positions

    drawn, width = [], study.plan.model.width
    for language in dict.fromkeys(languages):
        folder = directory if language == ENGLISH else directory / language
        folder.mkdir(exist_ok=True)
        drawn += draw_study(study, folder, words(language))
        drawn += draw_positions(folder, width, 64, words(language))
    return drawn


def _exit_code(study: Study) -> int:
    if not study.agrees:
        return DISAGREE
    return INTERRUPTED if study.interrupted else 0
