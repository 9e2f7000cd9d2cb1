"""The arrays of attention that is written out in ops, found by what each op is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from crosscheck.sides import Array
from crosscheck.tape.numpy_recorder import Pair
from crosscheck.walk.array_table import ArrayTable
from crosscheck.walk.ops import op_id
from crosscheck.walk.schema_of_ops import Attention


def attentions_of(pairs: Mapping[str, Pair], table: ArrayTable) -> Iterator[Attention]:
    """Yield each softmax between two products of which our run has all arrays."""
    for key, pair in pairs.items():
        if pair.call.op == "softmax":
            product = _product_before(pair, pairs)
            context = next((p for p in pairs.values() if _reads(p, key)), None)
            if product is not None and context is not None:
                made = _attention(pair, product, context, pairs, table)
                if made is not None:
                    yield made


def _product_before(softmax: Pair, pairs: Mapping[str, Pair]) -> Pair | None:
    """Return q @ k^T: only a scale and a mask may stand between it and softmax."""
    pair: Pair | None = softmax
    while pair is not None and pair.call.op in ("softmax", "add", "div", "mul"):
        pair = pairs.get(pair.call.inputs[0].origin)
    return pair if pair is not None and pair.call.op == "matmul" else None


def _reads(pair: Pair, key: str) -> bool:
    return pair.call.op == "matmul" and pair.call.inputs[0].origin == key


def _attention(
    softmax: Pair, product: Pair, context: Pair, pairs: Mapping[str, Pair], table: ArrayTable
) -> Attention | None:
    (q, turned), (_, v) = product.call.inputs[:2], context.call.inputs[:2]
    turn = pairs.get(turned.origin)
    if turn is None or turn.call.op not in ("transpose", "permute"):
        return None
    (k,) = turn.call.inputs
    arrays = {
        "q": q.array, "k": k.array, "v": v.array,
        "scores": softmax.call.inputs[0].array, "probs": softmax.call.output,
        "context": context.call.output, "dcontext": context.call.dout,
        "dprobs": softmax.call.dout, "dscores": _first(softmax.call.dinputs),
        "dq": _first(product.call.dinputs), "dk": _first(turn.call.dinputs),
        "dv": _first(context.call.dinputs[1:]),
    }  # fmt: skip
    refs = {n: table.ref(a) for n, a in arrays.items() if a is not None and a.ndim == 4}
    if len(refs) < len(arrays):
        return None  # our run has ended before
    return Attention(
        module=softmax.call.path,
        product=op_id(product.call.key),
        masked=op_id(softmax.call.inputs[0].origin),
        softmax=op_id(softmax.call.key),
        scale=_scale(softmax, pairs),
        **refs,
    )


def _scale(softmax: Pair, pairs: Mapping[str, Pair]) -> float:
    """Return what stands between the product and softmax as a factor."""
    scale, pair = 1.0, pairs.get(softmax.call.inputs[0].origin)
    while pair is not None and pair.call.op in ("add", "div", "mul"):
        for number in pair.call.constants:
            scale = scale / number if pair.call.op == "div" else scale * number
        pair = pairs.get(pair.call.inputs[0].origin)
    return scale


def _first(arrays: list[Array | None]) -> Array | None:
    return arrays[0] if arrays else None
