"""The steps of the way back through a block: what docs/backward.py runs and writes down.

A formula is NumPy, but that ^T swaps the last two axes. On both walks x is what the block is given,
y what stands between its two halves, and out what it returns. One gradient comes back `around` a
branch, and one `through` it. tests/test_backward.py evaluates every formula.
"""

from __future__ import annotations

from dataclasses import dataclass

LEAF = "x"  # where a gradient stands that has come to the input of the block
OPS = "tinygrad_tf/ops/"
JOIN = ("tinygrad_tf/autograd.py", "total = np.add(held, dsource, out=held if is_ours else None)")
LINEAR = (f"{OPS}linear.py", "dx = dout @ weight")
MOVED = (f"{OPS}shape.py", "dout.reshape(x.shape)")
SWAPPED = (f"{OPS}shape.py", "dout.swapaxes(dim0, dim1)")
LEFT = (f"{OPS}matmul.py", "dproduct @ columns.swapaxes(-1, -2)")
RIGHT = (f"{OPS}matmul.py", "rows.swapaxes(-1, -2) @ dproduct")
PROJECTIONS = {  # what tables call them
    "out_proj": {"en": "the out-projection", "pt-BR": "a projeção de saída"},
    "in_proj": {"en": "the in-projection", "pt-BR": "a projeção de entrada"},
}

_ATTENTION = """\
scores   = q @ k^T / sqrt(K)                             (B, H, T, S)
probs    = softmax(scores)                               (B, H, T, S)
context  = probs @ v                                     (B, H, T, K)
merged   = context.swapaxes(1, 2).reshape(B, T, C)       (B, T, C)
attended = merged @ out_proj.weight^T + out_proj.bias    (B, T, C)
"""
# What the steps undo: a line gives a value and its shape.
FORWARD = {
    "post": f"""\
qkv      = x @ in_proj_weight^T + in_proj_bias           (B, T, 3C)
q, k, v  = heads(qkv)                                    (B, H, T, K)
{_ATTENTION}\
sum1     = x + attended                                  (B, T, C)
y        = norm1(sum1)                                   (B, T, C)
inner    = y @ linear1.weight^T + linear1.bias           (B, T, F)
hidden   = gelu(inner)                                   (B, T, F)
fed      = hidden @ linear2.weight^T + linear2.bias      (B, T, C)
sum2     = y + fed                                       (B, T, C)
out      = norm2(sum2)                                   (B, T, C)
""",
    "pre": f"""\
normed1  = norm1(x)                                      (B, T, C)
qkv      = normed1 @ in_proj_weight^T + in_proj_bias     (B, T, 3C)
q, k, v  = heads(qkv)                                    (B, H, T, K)
{_ATTENTION}\
y        = x + attended                                  (B, T, C)
normed2  = norm2(y)                                      (B, T, C)
inner    = normed2 @ linear1.weight^T + linear1.bias     (B, T, F)
hidden   = gelu(inner)                                   (B, T, F)
fed      = hidden @ linear2.weight^T + linear2.bias      (B, T, C)
out      = y + fed                                       (B, T, C)
""",
}


@dataclass(frozen=True)
class Formula:
    """A gradient: how it is computed, and where the engine has it."""

    name: str
    expression: str
    shape: str  # the letters of its sizes, such as "B T C"
    op: str = ""  # the key of an op on the tape, or LEAF; "" for what stays inside of a rule
    # What the op sends back to the argument of this number; None: what arrives at the op.
    place: int | None = None


@dataclass(frozen=True)
class Step:
    """One stop on the way back."""

    name: str
    label: dict[str, str]  # what tables call it, by language
    arrives: tuple[str, ...]  # a gradient, or those that a join adds up
    sends: tuple[str, ...]
    formulas: tuple[Formula, ...]
    ops: tuple[str, ...]  # the keys of the ops that are visited, in this order
    rules: tuple[tuple[str, str], ...]  # a file, and a piece of its line that computes


def _same(name: str) -> dict[str, str]:
    """A label that is the same in both languages."""
    return {"en": name, "pt-BR": name}


def _norm(number: int, arrives: str, sends: str) -> Step:
    name = f"norm{number}"
    key = f"{name}/layer_norm"
    dx = "inv_std * (dx_hat - mean(dx_hat) - x_hat * mean(dx_hat * x_hat))"
    formulas = (
        Formula("dx_hat", f"{arrives} * {name}.weight", "B T C"),
        Formula(sends, dx, "B T C", key, 0),
        Formula(f"d{name}.weight", f"tokens({arrives} * x_hat)", "C", key, 1),
        Formula(f"d{name}.bias", f"tokens({arrives})", "C", key, 2),
    )
    rule = (f"{OPS}layer_norm.py", "dx = inv_std * (dx_hat - along_ones - x_hat * along_x_hat)")
    return Step(name, _same(name), (arrives,), (sends,), formulas, (key,), (rule,))


def _linear(name: str, key: str, prefix: str, shape: str, *names: str) -> Step:
    """A linear layer. shape: of its weight. names: what arrives, is sent on, and was its input."""
    arrives, sends, given = names
    wide, narrow = shape.split()
    formulas = (
        Formula(sends, f"{arrives} @ {prefix}weight", f"B T {narrow}", key, 0),
        Formula(f"d{prefix}weight", f"rows({arrives})^T @ rows({given})", shape, key, 1),
        Formula(f"d{prefix}bias", f"tokens({arrives})", wide, key, 2),
    )
    label = PROJECTIONS.get(name, _same(name))
    return Step(name, label, (arrives,), (sends,), formulas, (key,), (LINEAR,))


def _sum(number: int, arrives: str, around: str, through: str) -> Step:
    key = "model/add" if number == 1 else "model/add#2"
    formulas = tuple(
        Formula(name, arrives, "B T C", key, i) for i, name in enumerate((around, through))
    )
    rule = (f"{OPS}arithmetic.py", "sum_to(dout, x_shape), sum_to(dout, y_shape)")
    word = {1: ("first", "primeira"), 2: ("second", "segunda")}[number]
    label = {"en": f"the {word[0]} sum", "pt-BR": f"a {word[1]} soma"}
    return Step(f"sum{number}", label, (arrives,), (around, through), formulas, (key,), (rule,))


def _join(place: str, op: str) -> Step:
    """The join at x or y. op: where the sum arrives next."""
    total, ways = f"d{place}", (f"d{place}_around", f"d{place}_through")
    formula = Formula(total, " + ".join(ways), "B T C", op)
    label = {"en": f"the join at {place}", "pt-BR": f"o encontro em {place}"}
    return Step(f"join-{place}", label, ways, (total,), (formula,), (), (JOIN,))


def _gelu() -> Step:
    formula = Formula(
        "dinner", "dhidden * (cdf(inner) + inner * pdf(inner))", "B T F", "model/gelu", 0
    )
    rule = (f"{OPS}gelu.py", "dx = dout * (cdf + x * pdf)")
    return Step(
        "gelu", _same("GELU"), ("dhidden",), ("dinner",), (formula,), (formula.op,), (rule,)
    )


def _linear1(sends: str, given: str) -> Step:
    return _linear("linear1", "linear1/linear", "linear1.", "F C", "dinner", sends, given)


def _in_proj(sends: str, given: str) -> Step:
    return _linear("in_proj", "self_attn/linear", "in_proj_", "3C C", "dqkv", sends, given)


LINEAR2 = _linear("linear2", "linear2/linear", "linear2.", "C F", "dfed", "dhidden", "hidden")
OUT_PROJ = _linear(
    "out_proj", "self_attn.out_proj/linear", "out_proj.", "C C", "dattended", "dmerged", "merged"
)
# From the merged heads to queries, keys and values, stacked: the same on both walks.
ATTENTION = (
    Step(
        "merge", {"en": "the merge of heads", "pt-BR": "a junção das cabeças"},
        ("dmerged",), ("dcontext",),
        (
            Formula(
                "dcontext", "dmerged.reshape(B, T, H, K).swapaxes(1, 2)", "B H T K",
                "self_attn/transpose#3", 0,
            ),
        ),
        ("self_attn/reshape#2", "self_attn/transpose#3"),
        (MOVED, SWAPPED),
    ),
    Step(
        "context", _same("context"), ("dcontext",), ("dprobs", "dv"),
        (
            Formula("dprobs", "dcontext @ v^T", "B H T S", "self_attn/matmul#2", 0),
            Formula("dv", "probs^T @ dcontext", "B H S K", "self_attn/matmul#2", 1),
        ),
        ("self_attn/matmul#2",),
        (LEFT, RIGHT),
    ),
    Step(
        "probs", _same("probs"), ("dprobs",), ("dscores",),
        (
            Formula(
                "dscores", "probs * (dprobs - sum(dprobs * probs))", "B H T S",
                "self_attn/softmax", 0,
            ),
        ),
        ("self_attn/softmax",),
        ((f"{OPS}softmax.py", "dx = out * (dout - average)"),),
    ),
    Step(
        "scores", _same("scores"), ("dscores",), ("dq", "dk"),
        (
            Formula("dproducts", "dscores / sqrt(K)", "B H T S", "self_attn/div", 0),
            Formula("dq", "dproducts @ k", "B H T K", "self_attn/matmul", 0),
            Formula("dk", "dproducts^T @ q", "B H S K", "self_attn/transpose#2", 0),
        ),
        ("self_attn/div", "self_attn/matmul", "self_attn/transpose#2"),
        ((f"{OPS}arithmetic.py", "sum_to(dout / y, x.shape)"), LEFT, RIGHT, SWAPPED),
    ),
    Step(
        "qkv", _same("q, k, v"), ("dq", "dk", "dv"), ("dqkv",),
        (
            Formula(
                "dqkv", "stack((dq, dk, dv), 2).swapaxes(1, 3).reshape(B, T, 3 * C)", "B T 3C",
                "self_attn/reshape", 0,
            ),
        ),
        (
            "self_attn/getitem#3", "self_attn/getitem#2", "self_attn/getitem",
            "self_attn/transpose", "self_attn/reshape",
        ),
        ((f"{OPS}shape.py", "dx[index] = dout"), JOIN, SWAPPED, MOVED),
    ),
)  # fmt: skip
WALKS = {
    "post": (
        _norm(2, "dout", "dsum2"),
        _sum(2, "dsum2", "dy_around", "dfed"),
        LINEAR2,
        _gelu(),
        _linear1("dy_through", "y"),
        _join("y", "norm1/layer_norm"),
        _norm(1, "dy", "dsum1"),
        _sum(1, "dsum1", "dx_around", "dattended"),
        OUT_PROJ,
        *ATTENTION,
        _in_proj("dx_through", "x"),
        _join("x", LEAF),
    ),
    "pre": (
        _sum(2, "dout", "dy_around", "dfed"),
        LINEAR2,
        _gelu(),
        _linear1("dnormed2", "normed2"),
        _norm(2, "dnormed2", "dy_through"),
        _join("y", "model/add"),
        _sum(1, "dy", "dx_around", "dattended"),
        OUT_PROJ,
        *ATTENTION,
        _in_proj("dnormed1", "normed1"),
        _norm(1, "dnormed1", "dx_through"),
        _join("x", LEAF),
    ),
}  # fmt: skip
