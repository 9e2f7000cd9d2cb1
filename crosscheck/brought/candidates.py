"""The forms that a reference can have: of PyTorch's own layer, and of the language model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import torch
from crosscheck.brought.adapted import adapted
from crosscheck.brought.behaviour import output_of
from crosscheck.brought.masked import hidden_keys, is_causal, mixes_sequences
from crosscheck.brought.sizes import NAMES, Sizes
from crosscheck.masks import CAUSAL, layer_masks, model_masks
from crosscheck.sides import TORCH, Array, side_of
from crosscheck.weights import get_weights, ties
from torch.nn import functional as F

ACTIVATIONS: dict[str, Callable[..., Any]] = {
    "gelu": F.gelu,
    "relu": F.relu,
    "gelu-tanh": partial(F.gelu, approximate="tanh"),
}
EPSILON = 1e-5  # of PyTorch's layer norm
EPSILONS = (1e-6, 1e-12, 1e-8, 1e-3)  # others that people take


@dataclass(frozen=True)
class Candidate:
    """One form that the reference can have."""

    make: Callable[[tuple[int, ...]], Any]  # from the shape of the input
    words: str  # "pre-norm, gelu, causal"
    form: dict[str, Any]  # its options
    activation: str  # one of ACTIVATIONS
    is_likely: bool  # whether the model hides the future just as this form does


def candidates(
    model: Any, inputs: Array, sizes: Sizes, mask: str | None, epsilon: float | None = None
) -> Iterator[Candidate]:
    """Yield the forms that a reference can have, the likely ones first.

    mask: one of MASKS, or None, and then the model's own way is found. epsilon: of the layer norms;
    if it is None, what the model's norms say.
    """
    epsilon = epsilon_of(model) if epsilon is None else epsilon
    tokens = inputs.dtype.kind in "iu"
    if not tokens and (inputs.ndim != 3 or inputs.shape[-1] != sizes.width):
        return
    tokens_first = not tokens and mixes_sequences(model, inputs)
    likely = is_causal(model, inputs, {}) if mask is None else mask in CAUSAL
    causal = [likely, not likely] if mask is None else [likely]
    for hides_future, norm_first, activation in product(causal, (True, False), ACTIVATIONS):
        form: dict[str, Any] = {
            "norm_first": norm_first, "activation": activation, "layer_norm_eps": epsilon,
        }  # fmt: skip
        said = ["pre-norm" if norm_first else "post-norm", activation]
        said.append("causal" if hides_future else "not causal")
        if tokens_first:
            said.append("with the tokens on the first axis: (T, B, C)")
        if epsilon != EPSILON:
            said.append(f"eps {epsilon:g}")
        if not tokens:
            layer = partial(_layer, sizes, mask, hides_future, tokens_first, form)
            yield Candidate(layer, ", ".join(said), form, activation, hides_future == likely)
            continue
        for more, words in _language_forms(model, sizes, inputs):
            make = partial(_language_model, sizes, mask, hides_future, {**form, **more})
            said_of_it = ", ".join([*said, *words])
            yield Candidate(make, said_of_it, {**form, **more}, activation, hides_future == likely)


def epsilon_of(model: Any) -> float:
    """Return the eps of a PyTorch model's norms, where all say the same; else PyTorch's own."""
    if side_of(model) is not TORCH:
        return EPSILON
    said = {
        float(vars(module)[name])
        for module in model.modules()
        for name in (*NAMES["epsilon"], "variance_epsilon")
        if isinstance(vars(module).get(name), float)
    }
    return said.pop() if len(said) == 1 else EPSILON


def _layer(
    sizes: Sizes,
    mask: str | None,
    causal: bool,
    tokens_first: bool,
    form: dict[str, Any],
    shape: tuple[int, ...],
) -> Any:
    """Make PyTorch's layer, which is given its mask by itself."""
    layer = torch.nn.TransformerEncoderLayer(
        sizes.width,
        sizes.heads,
        sizes.feed_forward,
        dropout=0.0,
        activation=ACTIVATIONS[form["activation"]],
        norm_first=form["norm_first"],
        layer_norm_eps=form["layer_norm_eps"],
        batch_first=True,
    )
    sequences = (shape[1], shape[0]) if tokens_first else (shape[0], shape[1])  # (B, T)
    options = layer_masks(mask, sequences, sizes.seed) if mask is not None else {}
    if causal and "src_mask" not in options:
        options = {**options, "src_mask": hidden_keys("causal", sequences, 0)[0]}
    if not options and not tokens_first:
        return layer
    return adapted(layer, options=options, tokens_first=tokens_first)


def _language_model(
    sizes: Sizes, mask: str | None, causal: bool, form: dict[str, Any], shape: tuple[int, ...]
) -> Any:
    """Make the language model, which is given its mask by itself."""
    model = TORCH.models.TransformerLanguageModel(
        d_model=sizes.width,
        nhead=sizes.heads,
        dim_feedforward=sizes.feed_forward,
        dropout=0.0,
        **{**form, "context": form["context"] or shape[1]},
    )
    masks = model_masks(mask, (shape[0], shape[1]), sizes.seed) if mask is not None else {}
    return adapted(model, options={**masks, "is_causal": causal})


def _language_forms(
    model: Any, sizes: Sizes, inputs: Array
) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """Yield the options of a language model that its weights do not settle."""
    shapes = [array.shape for array in get_weights(model).values()]
    width = sizes.width
    vocabulary = output_of(model, inputs, {}, "float32").shape[-1]
    known = (vocabulary, sizes.feed_forward, width, 3 * width)
    rows = [s[0] for s in shapes if len(s) == 2 and s[1] == width and s[0] not in known]
    learned = [row for row in rows if row >= inputs.shape[1]]
    settled: dict[str, Any] = {
        "vocab_size": vocabulary,
        "context": min(learned) if learned else None,
        "num_layers": _blocks(shapes, sizes),
        "tie_weights": bool(ties(model)),
        "position": "learned" if learned else "sinusoidal",
        "head_bias": (vocabulary,) in shapes,
    }
    for scale in (True, False):
        words = [f"{settled['position']} positions", "embeddings scaled by sqrt(C)"]
        yield {**settled, "scale_embedding": scale}, words if scale else words[:1]


def _blocks(shapes: list[tuple[int, ...]], sizes: Sizes) -> int:
    """The number of blocks: each has two matrices with an axis of F."""
    ends = {(sizes.width, sizes.feed_forward), (sizes.feed_forward, sizes.width)}
    return max(sum(shape in ends for shape in shapes) // 2, 1)
