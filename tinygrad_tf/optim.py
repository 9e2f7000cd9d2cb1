"""Optimizers, as in `torch.optim`: they use the gradients to change the parameters.

Parameters are changed in place, and no graph is built. Do not change them between a forward pass
and its backward pass: rules remember the arrays that they were given, and use them again.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tinygrad_tf.graph import Array
from tinygrad_tf.machinery.arrivals import clear_grad
from tinygrad_tf.machinery.naming import named
from tinygrad_tf.tensor import Tensor

Group = dict[str, Any]
NOT_NEGATIVE = {"lr", "momentum", "weight_decay", "eps"}


class Optimizer:
    """Base class. It has groups of parameters, each with its own options.

    params: a list of tensors, or a list of groups. A group is a mapping with the key "params"
    and with the options that differ from the defaults.
    Raises ValueError for no parameters, for a parameter given twice, for a parameter made by an op,
    and for unknown options.
    """

    @named
    def __init__(
        self, params: Iterable[Tensor] | Iterable[Mapping[str, Any]], defaults: Group
    ) -> None:
        if isinstance(params, Tensor):  # iterating would give its rows, which get no gradient
            raise TypeError(f"{type(self).__name__}: got one Tensor, expected a list of them")
        given: list[Any] = list(params)
        groups = given if given and isinstance(given[0], Mapping) else [{"params": given}]
        # All options of each group, and its tensors under "params". Changes take effect at once.
        self.param_groups: list[Group] = []
        for group in groups:
            unknown = set(group) - {"params", *defaults}
            if unknown:
                raise ValueError(f"{type(self).__name__}: unknown options {sorted(unknown)}")
            self.param_groups.append({**defaults, **group, "params": _in_order(group["params"])})
            for option in NOT_NEGATIVE & set(defaults):
                value: Any = self.param_groups[-1][option]
                if not isinstance(value, numbers.Real) or not float(value) >= 0:
                    name = type(self).__name__
                    raise ValueError(f"{name}: {option} is {value!r}, expected a number from 0 on")
        everything = [p for group in self.param_groups for p in group["params"]]
        if not everything:
            raise ValueError(f"{type(self).__name__}: got no parameters")
        if len({id(p) for p in everything}) < len(everything):
            raise ValueError(f"{type(self).__name__}: a parameter is given twice")
        for p in everything:
            if not isinstance(p, Tensor):
                kind = type(p)
                text = f"a parameter is {kind.__module__}.{kind.__name__}, expected a Tensor"
                raise TypeError(f"{type(self).__name__}: {text}")
            if p.node is not None:
                raise ValueError(
                    f"{type(self).__name__}: an op ('{p.node.op}') made a parameter {p.shape}; "
                    "only leaves collect gradients"
                )
        # What `update` remembers of each parameter from one step to the next.
        self.state: dict[int, dict[str, Any]] = {id(p): {} for p in everything}

    def step(self) -> None:
        """Change every parameter that has a gradient."""
        for job in self.jobs():
            self.update(*job)

    def jobs(self) -> list[tuple[Array, Array, Group, dict[str, Any]]]:
        """Return the arguments of `update` for each parameter that has a gradient."""
        return [
            (parameter.data, parameter.grad.data, group, self.state[id(parameter)])
            for group in self.param_groups
            for parameter in group["params"]
            if parameter.grad is not None
        ]

    def update(self, value: Array, gradient: Array, group: Group, state: dict[str, Any]) -> None:
        """Change the array of one parameter in place. Subclasses say how.

        It may write only to value and state, since several threads may call it at once.
        """
        raise NotImplementedError

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set every parameter's gradient to None, or fill it with zeros if not set_to_none."""
        for group in self.param_groups:
            for parameter in group["params"]:
                clear_grad(parameter, set_to_none)


def _in_order(params: Any) -> list[Any]:
    """Return the parameters of a group, which may be one tensor, as a list."""
    if isinstance(params, set | frozenset):
        raise TypeError(
            "a set of parameters has no order, in which they could be named; give a list"
        )
    return [params] if isinstance(params, Tensor) else list(params)


class SGD(Optimizer):
    """Gradient descent with momentum. value -= lr * velocity.

    velocity = momentum * velocity + (1 - dampening) * gradient; the first velocity is the gradient.
    With nesterov, gradient + momentum * velocity is used in place of velocity.
    Before this, weight_decay * value is added to the gradient.
    Source: Sutskever et al. (2013), "On the importance of initialization and momentum".
    Mirrors: torch.optim.SGD.
    """

    @named
    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("SGD: nesterov needs a momentum and no dampening")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
        }
        super().__init__(params, defaults)

    def update(self, value: Array, gradient: Array, group: Group, state: dict[str, Any]) -> None:
        """Take one step with one parameter."""
        momentum = group["momentum"]
        if group["weight_decay"]:
            gradient = gradient + group["weight_decay"] * value
        if momentum:
            if "velocity" not in state:
                state["velocity"] = gradient.copy()
            else:
                state["velocity"] *= momentum
                state["velocity"] += (1 - group["dampening"]) * gradient
            velocity = state["velocity"]
            gradient = gradient + momentum * velocity if group["nesterov"] else velocity
        value -= group["lr"] * gradient


class Adam(Optimizer):
    """Gradient descent with a step length for each entry. value -= lr * m_hat / sqrt(v_hat).

    m and v are running averages of the gradient and of its square; beta1 and beta2 say how long
    they remember. Both start at zero, so at step t they are too small. m_hat = m / (1 - beta1^t)
    and v_hat = v / (1 - beta2^t) correct this. eps is added to the root.
    Before this, weight_decay * value is added to the gradient, so v scales it as well.
    Source: Kingma, Ba (2015), arXiv:1412.6980, algorithm 1.   Mirrors: torch.optim.Adam.
    """

    @named
    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        if len(betas) != 2 or not all(0.0 <= beta < 1.0 for beta in betas):
            name = type(self).__name__
            raise ValueError(f"{name}: betas are {betas}, expected two numbers in [0, 1)")
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, defaults)

    def update(self, value: Array, gradient: Array, group: Group, state: dict[str, Any]) -> None:
        """Take one step with one parameter."""
        gradient = self.decayed(value, gradient, group)
        if not state:
            state.update(step=0, m=np.zeros_like(value), v=np.zeros_like(value))
        beta1, beta2 = group["betas"]
        lr, m, v = group["lr"], state["m"], state["v"]
        state["step"] += 1
        m *= beta1
        m += (1 - beta1) * gradient
        v *= beta2
        v += (1 - beta2) * (gradient * gradient)
        m_scale = 1 / (1 - beta1 ** state["step"])
        v_scale = 1 / math.sqrt(1 - beta2 ** state["step"])
        denominator = np.sqrt(v)
        denominator *= v_scale
        denominator += group["eps"]
        value -= (lr * m_scale) * (m / denominator)

    def decayed(self, value: Array, gradient: Array, group: Group) -> Array:
        """Return the gradient with the decay in it."""
        if group["weight_decay"]:
            gradient = gradient + group["weight_decay"] * value
        return gradient


class AdamW(Adam):
    """Adam with decoupled weight decay. value -= lr * (weight_decay * value + m_hat / sqrt(v_hat)).

    The decay acts on the value itself. If it were added to the gradient, v would scale it away.
    Source: Loshchilov, Hutter (2019), arXiv:1711.05101, algorithm 2.   Mirrors: torch.optim.AdamW.
    """

    @named
    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)

    def decayed(self, value: Array, gradient: Array, group: Group) -> Array:
        """Let the value itself decay, in place. Return the gradient as it is."""
        value *= 1 - group["lr"] * group["weight_decay"]
        return gradient


@named
def clip_grad_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float) -> float:
    """Scale all gradients down together, in place, so that their joint norm is at most max_norm.

    Returns the Frobenius norm of all gradients together, before scaling. As in PyTorch, 1e-6 is
    added to it in the division, and a norm of NaN makes every gradient NaN.
    Source: Pascanu et al. (2013), arXiv:1211.5063, section 3.2.
    Mirrors: torch.nn.utils.clip_grad_norm_.
    """
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    gradients = [p.grad.data for p in parameters if p.grad is not None]
    norm = math.sqrt(sum(float(np.vdot(g, g)) for g in gradients))
    scale = max_norm / (norm + 1e-6)
    if not scale >= 1.0:  # true for NaN as well
        for gradient in gradients:
            gradient *= scale
    return norm
