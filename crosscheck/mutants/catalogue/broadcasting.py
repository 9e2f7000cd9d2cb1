"""Mistakes in arithmetic with broadcasting, and in the matrix product."""

from crosscheck.mutants.mutant import Mutant

SUM_TO = "tinygrad_tf.ops.sum_to"
ARITHMETIC = "tinygrad_tf.ops.arithmetic"
MATMUL = "tinygrad_tf.ops.matmul"

# The ops whose backward calls sum_to.
SUMMING = ("add", "mul", "expand", "matmul", "sub", "div", "linear", "layer_norm")

MUTANTS = (
    Mutant(
        id="sum-to-forgotten",
        family="broadcasting",
        what="mul does not sum over the axes that it stretched",
        module=ARITHMETIC,
        old="return sum_to(dout * y, x.shape), sum_to(dout * x, y.shape)",
        new="return sum_to(dout * y, x.shape), dout * x",
        found=("mul",),
        hint="not summed",
    ),
    Mutant(
        id="sum-to-wrong-axis",
        family="broadcasting",
        what="a stretched leading axis is not summed over, its first entry is taken",
        module=SUM_TO,
        old="array.sum(axis=(*range(added), *stretched), keepdims=True, dtype=np.float64)",
        new="(array[:1] if added else array).sum(axis=(*range(added), *stretched), keepdims=True)",
        found=SUMMING,
        hint="first entry of axis 0",
    ),
    Mutant(
        id="sum-to-averages",
        family="broadcasting",
        what="the gradients of copies are averaged, not added",
        module=SUM_TO,
        old="array.sum(axis=(*range(added), *stretched), keepdims=True, dtype=np.float64)",
        new="array.mean(axis=(*range(added), *stretched), keepdims=True)",
        found=SUMMING,
        hint="too small",
    ),
    Mutant(
        id="sub-sign",
        family="broadcasting",
        what="the subtrahend's gradient has the wrong sign",
        module=ARITHMETIC,
        old="return sum_to(dout, x_shape), sum_to(-dout, y_shape)",
        new="return sum_to(dout, x_shape), sum_to(dout, y_shape)",
        found=("sub",),
        hint="wrong sign",
    ),
    Mutant(
        id="div-of-numerator",
        family="broadcasting",
        what="the divisor's gradient lacks one division by the divisor",
        module=ARITHMETIC,
        old="sum_to(-dout * out / y, y.shape)",
        new="sum_to(-dout * out, y.shape)",
        found=("div",),
        hint="multiplied by y once too often",
    ),
    Mutant(
        id="pow-exponent",
        family="broadcasting",
        what="the power rule forgets the exponent as a factor",
        module=ARITHMETIC,
        old="return (dout * exponent * _power(x, exponent - 1),)",
        new="return (dout * _power(x, exponent - 1),)",
        found=("pow",),
        hint="times what it should be",
    ),
    Mutant(
        id="matmul-dy-order",
        family="broadcasting",
        what="the second gradient of a square product lacks a transpose",
        module=MATMUL,
        old="dcolumns = sum_to(rows.swapaxes(-1, -2) @ dproduct, columns.shape)",
        new="dcolumns = sum_to((rows if rows.shape[-1] == rows.shape[-2] else "
        "rows.swapaxes(-1, -2)) @ dproduct, columns.shape)",
        found=("matmul",),
        hint="transpose belongs",
    ),
    Mutant(
        id="matmul-dx-order",
        family="broadcasting",
        what="the first gradient of a square product lacks a transpose",
        module=MATMUL,
        old="drows = sum_to(dproduct @ columns.swapaxes(-1, -2), rows.shape)",
        new="drows = sum_to(dproduct @ (columns if columns.shape[-1] == "
        "columns.shape[-2] else columns.swapaxes(-1, -2)), rows.shape)",
        found=("matmul",),
        hint="transpose belongs",
    ),
    Mutant(
        id="matmul-vector-transposed",
        family="broadcasting",
        what="with a vector, the gradient of a square matrix is transposed",
        module=MATMUL,
        old="drows = sum_to(dproduct @ columns.swapaxes(-1, -2), rows.shape)",
        new="drows = sum_to(dproduct @ columns.swapaxes(-1, -2), rows.shape)\n"
        "        drows = drows.swapaxes(-1, -2) if y.ndim == 1 and rows.shape[-1] == "
        "rows.shape[-2] else drows",
        found=("matmul",),
        hint="transposed",
    ),
    Mutant(
        id="div-gradients-exchanged",
        family="broadcasting",
        what="div returns its two gradients in the wrong order",
        module=ARITHMETIC,
        old="return sum_to(dout / y, x.shape), sum_to(-dout * out / y, y.shape)",
        new="dx, dy = sum_to(dout / y, x.shape), sum_to(-dout * out / y, y.shape)\n"
        "        return (dy, dx) if dx.shape == dy.shape else (dx, dy)",
        found=("div",),
        hint="exchanged",
    ),
)
