"""Mistakes in gradients that are written by hand as functions of torch.autograd."""

from crosscheck.mutants.foreign.bug import Bug

FILE = "torch_functions.py"

BUGS = (
    Bug(
        id="functions-weight-mean-of-batch",
        file=FILE,
        old="dweight = rows.t() @ x.reshape(-1, x.shape[-1])",
        new="dweight = rows.t() @ x.reshape(-1, x.shape[-1]) / dy.shape[0]",
        why="the mean over the batch is the loss's affair",
    ),
    Bug(
        id="functions-bias-of-first-sequence",
        file=FILE,
        old="dbias = rows.sum(0)",
        new="dbias = dy[0].sum(0)",
        why="it was written for one sequence, and broadcasting hid the rest",
    ),
    Bug(
        id="functions-softmax-bracket",
        file=FILE,
        old="return p * (dp - inner)",
        new="return p * dp - inner",
        why="a bracket is missing",
    ),
    Bug(
        id="functions-softmax-diagonal",
        file=FILE,
        old="return p * (dp - inner)",
        new="return dp * p * (1 - p)",
        why="the derivative of the sigmoid: the diagonal of the Jacobian alone",
    ),
    Bug(
        id="functions-softmax-inner-axis",
        file=FILE,
        old="inner = (dp * p).sum(dim=-1, keepdim=True)",
        new="inner = (dp * p).sum(dim=-2, keepdim=True)",
        why="the sum runs over the queries",
    ),
    Bug(
        id="functions-softmax-keeps-exponentials",
        file=FILE,
        old="ctx.save_for_backward(p)",
        new="ctx.save_for_backward(e)",
        why="the forward keeps the wrong one of two arrays of a shape",
    ),
    Bug(
        id="functions-gelu-no-density",
        file=FILE,
        old="return dy * (cdf + x * pdf)",
        new="return dy * cdf",
        why="the product rule is forgotten",
    ),
    Bug(
        id="functions-gelu-density-without-x",
        file=FILE,
        old="return dy * (cdf + x * pdf)",
        new="return dy * (cdf + pdf)",
        why="half of the product rule",
    ),
    Bug(
        id="functions-gelu-in-place",
        file=FILE,
        old="""\
        return x * cdf
""",
        new="""\
        return x.mul_(cdf)
""",
        why="memory was saved, and the x that was kept is no longer x",
    ),
    Bug(
        id="functions-norm-no-gamma",
        file=FILE,
        old="dxhat = dy * gamma",
        new="dxhat = dy",
        why="gamma starts as ones, so nobody sees that it is missing",
    ),
    Bug(
        id="functions-norm-no-projection",
        file=FILE,
        old="dx = (dxhat - m1 - xhat * m2) * rstd",
        new="dx = (dxhat - m1) * rstd",
        why="the path through the variance is forgotten",
    ),
    Bug(
        id="functions-norm-bracket",
        file=FILE,
        old="dx = (dxhat - m1 - xhat * m2) * rstd",
        new="dx = dxhat * rstd - m1 - xhat * m2",
        why="only one of three terms is divided by the deviation",
    ),
    Bug(
        id="functions-norm-n-minus-one",
        file=FILE,
        old="m2 = (dxhat * xhat).mean(dim=-1, keepdim=True)",
        new="m2 = (dxhat * xhat).sum(dim=-1, keepdim=True) / (xhat.shape[-1] - 1)",
        why="the backward of another variance",
    ),
    Bug(
        id="functions-norm-in-place",
        file=FILE,
        old="m2 = (dxhat * xhat).mean(dim=-1, keepdim=True)",
        new="m2 = dxhat.mul_(xhat).mean(dim=-1, keepdim=True)",
        why="memory was saved, and dxhat is still needed",
    ),
    Bug(
        id="functions-norm-keeps-centered",
        file=FILE,
        old="ctx.save_for_backward(xhat, rstd, gamma)",
        new="ctx.save_for_backward(centered, rstd, gamma)",
        why="the forward keeps what is not normalised yet",
    ),
    Bug(
        id="functions-norm-results-swapped",
        file=FILE,
        old="return dx, dgamma, dbeta, None",
        new="return dx, dbeta, dgamma, None",
        why="two gradients of one shape are returned in another order",
    ),
    Bug(
        id="functions-residual-data",
        file=FILE,
        old="layer_norm(x1 + out,",
        new="layer_norm(x1.data + out,",
        why="`.data` cuts the residual connection on the way back",
    ),
    Bug(
        id="functions-hook-doubles",
        file=FILE,
        old="""\
        out = linear(hidden, self.w_down, self.b_down)
""",
        new="""\
        if hidden.requires_grad:
            hidden.register_hook(lambda g: 2 * g)
        out = linear(hidden, self.w_down, self.b_down)
""",
        why="a factor for one layer's gradient was left in",
    ),
    Bug(
        id="functions-context-detached",
        file=FILE,
        old="context = softmax(scores) @ v",
        new="context = softmax(scores) @ v.clone().detach()",
        why="a copy was to be safe, and it is cut off",
    ),
)
