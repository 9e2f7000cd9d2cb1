"""An op of one's own, RMS norm, as a rule: checked by finite differences, and by PyTorch."""

import numpy as np

import torch
from crosscheck import Batch, compare
from tinygrad_tf import Tensor, differentiable, gradcheck, nn


@differentiable
def rms_norm(x, weight, *, eps):
    """out = x / sqrt(mean(x^2) + eps) * weight.   x (..., C), weight (C,) -> out (..., C)."""
    inv_rms = 1.0 / np.sqrt((x * x).mean(axis=-1, keepdims=True) + eps)  # 1  (..., 1)
    x_hat = x * inv_rms  #                                                 2  (..., C)
    out = x_hat * weight  #                                                3  (..., C)

    def backward(dout):
        dweight = (dout * x_hat).sum(axis=tuple(range(dout.ndim - 1)))  #  3
        dx_hat = dout * weight  #                                          3
        dx = inv_rms * (dx_hat - x_hat * (dx_hat * x_hat).mean(axis=-1, keepdims=True))  # 2, 1
        return dx, dweight

    return out, backward


class RMSNorm(nn.Module):
    """The op with its weight, under PyTorch's name for it."""

    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(np.linspace(0.5, 1.5, channels, dtype=np.float32))

    def forward(self, x):
        """x (..., C) -> (..., C)."""
        return rms_norm(x, self.weight, eps=1e-6)


if __name__ == "__main__":
    x = np.random.default_rng(0).standard_normal((2, 3, 6))
    weight = Tensor(np.linspace(0.5, 1.5, 6), requires_grad=True)
    gradcheck(lambda x, w: rms_norm(x, w, eps=1e-6), (Tensor(x, requires_grad=True), weight))

    ours, theirs = RMSNorm(6), torch.nn.RMSNorm(6, eps=1e-6)
    theirs.load_state_dict({"weight": torch.tensor(ours.weight.detach().numpy())})
    print(compare(ours, theirs, Batch(x)))
