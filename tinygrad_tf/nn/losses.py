"""The losses as modules. Each holds the options of one function in `nn.functional`."""

from __future__ import annotations

from tinygrad_tf.machinery.naming import named
from tinygrad_tf.nn import functional as F
from tinygrad_tf.nn.module import Module
from tinygrad_tf.tensor import Tensor


class CrossEntropyLoss(Module):
    """The cross-entropy of logits and class numbers, in nats."""

    @named
    def __init__(
        self,
        weight: None = None,
        *,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        if weight is not None:
            raise ValueError("CrossEntropyLoss: a weight for each class is not supported")
        self.ignore_index = ignore_index  # a target that does not count
        self.reduction = reduction  # "mean", "sum" or "none"
        self.label_smoothing = label_smoothing  # the share that all classes have of a target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss. Input (N, V) and target (N,), or (N, V, ...) and (N, ...)."""
        return F.cross_entropy(
            input,
            target,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class MSELoss(Module):
    """The mean of the squared differences."""

    @named
    def __init__(self, *, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction  # "mean", "sum" or "none"

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the loss. Both have one shape (...)."""
        return F.mse_loss(input, target, reduction=self.reduction)
