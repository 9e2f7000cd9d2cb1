"""The walk of our own language model, with or without a planted bug."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from crosscheck.check import masked_batch, text_batch
from crosscheck.comparison import compare
from crosscheck.corpus import Corpus
from crosscheck.distance import relative_error
from crosscheck.forms import has_fast_forms
from crosscheck.models import ModelOptions, build_language_models
from crosscheck.mutants.mutant import Mutant
from crosscheck.render import model_in_words
from crosscheck.report import Report
from crosscheck.room import WALK, require_room
from crosscheck.runs import CROSS_ENTROPY, Batch
from crosscheck.sides import NUMPY
from crosscheck.tape.call import LOSS
from crosscheck.tape.paired_tapes import PairedTapes, paired_tapes
from crosscheck.text import CharacterTokenizer
from crosscheck.versions import versions
from crosscheck.walk.attention import attentions_of
from crosscheck.walk.bugs import born_in, bug_of
from crosscheck.walk.facts import facts_of
from crosscheck.walk.joins import joins_of
from crosscheck.walk.ops import Ops
from crosscheck.walk.outcome import loss_of, outcome_of
from crosscheck.walk.parameters import parameters_of, whole_gradients
from crosscheck.walk.reading import text_of
from crosscheck.walk.rule_page import rule_page
from crosscheck.walk.schema import Loss, Model, Text, Walk
from crosscheck.walk.shown import Shown
from crosscheck.walk.spine import columns_of, spine_of
from crosscheck.weights import copy_weights, randomize

# Together they run every op that a language model can have.
WIRINGS: tuple[dict[str, Any], ...] = (
    {},
    {"attention": "fused", "activation": "relu", "norm": "pre", "tie_weights": True},
    {"activation": "gelu-tanh", "position": "learned"},
    {"attention": "fused", "mask": "both"},
    *([{"attention": "packed"}] if has_fast_forms() else []),
)


@dataclass(frozen=True)
class Request:
    """What to walk through."""

    options: ModelOptions  # what the model is like; its context is the number of characters
    corpus: Corpus  # what the vocabulary is from, and the window if there is no text
    text: str = ""  # the characters to read and the one after them; "": a window of the corpus
    seed: int = 0  # of the weights, the window and the directions
    dtype: str = "both"  # as for `compare`
    mutant: Mutant | None = None  # the bug to plant
    any_wiring: bool = False  # whether a bug may be shown in another wiring than that of options
    language: str = "en"  # of the page


def walk_of_ours(request: Request) -> Walk:
    """Run both sides, with their tapes, and return what the page gets.

    Raises ValueError for a text that the vocabulary lacks, and for a bug that does not show.
    """
    mutant = request.mutant
    if mutant is None:
        return _walked(request)
    with mutant.planted():
        for wiring in WIRINGS if request.any_wiring else ({},):
            walk = _walked(replace(request, options=replace(request.options, **wiring)))
            if not walk.outcome.agrees:
                return walk
    raise ValueError(
        f"--bug {mutant.id} does not show in one window of a language model"
        f"{'' if request.any_wiring else ' of this wiring'}: `crosscheck lab --bug {mutant.id}` "
        "has it in another model"
    )


def _walked(request: Request) -> Walk:
    tokenizer = CharacterTokenizer(request.corpus.text)
    require_room(request.options.blocks(1, tokenizer.vocab_size), WALK)
    batch, seed = _batch(request, tokenizer), request.seed
    model, reference = build_language_models(request.options, tokenizer.vocab_size, seed)
    randomize(reference, seed)
    copy_weights(reference, model)
    report = compare(model, reference, batch, dtype=request.dtype, seed=seed)
    loss = loss_of(report, CROSS_ENTROPY)
    tapes = paired_tapes(model, reference, batch, loss, seed, keep=True)
    return _walk(request, tokenizer, batch, model, report, tapes)


def _batch(request: Request, tokenizer: CharacterTokenizer) -> Batch:
    if not request.text:
        return text_batch(tokenizer, request.corpus.text, request.options, 1, request.seed)
    try:
        tokens = tokenizer.encode(request.text)[None, :]
    except ValueError as error:
        raise ValueError(f"{error}; name a text that has it: --corpus FILE") from error
    return masked_batch(tokens[:, :-1], tokens[:, 1:], request.options, request.seed)


def _walk(
    request: Request,
    tokenizer: CharacterTokenizer,
    batch: Batch,
    model: Any,
    report: Report,
    tapes: PairedTapes,
) -> Walk:
    where, pairs = report.localisation, tapes.recorder.pairs
    shown = Shown(_sizes(request.options, tokenizer.vocab_size))
    ops = tuple(Ops(tapes, born_in(where), shown, request.seed).all())
    ours = {} if tapes.ours is None else tapes.ours.gradients
    gradients = whole_gradients(ours, tapes.theirs.gradients, tapes.floor, shown)
    rows = next((c.gradients for c in report.comparisons if c.loss == tapes.runs.loss), ())
    values = NUMPY.weights(model)
    return Walk(
        language=request.language,
        kind="language model",
        model=_model(request, tokenizer, model),
        text=_text(tokenizer, batch, tapes, shown),
        loss=_loss(tapes),
        outcome=outcome_of(report),
        ops=ops,
        joins=tuple(joins_of(ops, gradients)),
        attentions=tuple(attentions_of(pairs, shown.table)),
        parameters=tuple(parameters_of(rows, values, gradients, shown)),
        facts=tuple(facts_of(pairs, shown.table)),
        rules={pair.call.op: rule_page(pair.call.op, pair.rule.rule) for pair in pairs.values()},
        spine=spine_of(ops),
        columns=columns_of(ops),
        bug=None if report.agrees else bug_of(where, report.raised, ops, request.mutant),
        files=(),
        arrays=shown.table.arrays,
        buffers=shown.table.buffers(),
    )


def _sizes(options: ModelOptions, vocab_size: int) -> dict[str, int]:
    heads = options.heads
    return {
        "B": 1, "T": options.context, "C": options.width, "H": heads, "K": options.width // heads,
        "F": options.feed_forward, "V": vocab_size,
    }  # fmt: skip


def _model(request: Request, tokenizer: CharacterTokenizer, model: Any) -> Model:
    return Model(
        title=model_in_words(request.options),
        engines=versions(),
        ours="NumPy",
        reference="PyTorch",
        options=asdict(request.options),
        sizes=_sizes(request.options, tokenizer.vocab_size),
        heads=request.options.heads,
        parameters=sum(p.numel() for p in model.parameters()),
        seed=request.seed,
        corpus=_name_of(request.corpus),
    )


def _name_of(corpus: Corpus) -> str:
    """Return what a text is called, without its path, which is this machine's."""
    return "Tiny Shakespeare" if corpus.complete else f"a text of {len(corpus.text):,} characters"


def _text(tokenizer: CharacterTokenizer, batch: Batch, tapes: PairedTapes, shown: Shown) -> Text:
    last = [call for call in tapes.tape.values() if call.path != LOSS][-1]
    dlogits = last.dout if tapes.runs.loss == CROSS_ENTROPY else None
    ours = tapes.ours
    said = ours if ours is not None and np.isfinite(ours.output).all() else tapes.theirs
    return text_of(batch, tokenizer.characters, said.output, dlogits, shown.table)


def _loss(tapes: PairedTapes) -> Loss:
    ours, theirs = tapes.ours, tapes.theirs
    return Loss(
        name=tapes.runs.loss,
        ours=None if ours is None else float(ours.loss),
        reference=float(theirs.loss),
        error=None if ours is None else relative_error(ours.loss, theirs.loss),
    )
