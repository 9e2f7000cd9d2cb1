from typing import Any

import numpy as np
import pytest

import torch
from tinygrad_tf import Tensor, nn, optim

SHAPES = [(3, 4), (5,), ()]
SGD: list[dict[str, Any]] = [
    {},
    {"lr": 0.1, "momentum": 0.9},
    {"lr": 0.1, "momentum": 0.9, "dampening": 0.3},
    {"lr": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1},
    {"lr": 0.1, "weight_decay": 0.2},
]
ADAMW: list[dict[str, Any]] = [
    {},
    {"lr": 0.1, "betas": (0.5, 0.7)},
    {"lr": 0.1, "eps": 0.3, "weight_decay": 0.5},
    {"lr": 0.05, "weight_decay": 0.0, "betas": (0.6, 0.0)},
]
EACH = pytest.mark.parametrize(
    ("name", "options"), [*(("SGD", o) for o in SGD), *(("AdamW", o) for o in ADAMW)]
)


def twins(dtype: str = "f8") -> tuple[list[Tensor], list[torch.Tensor]]:
    """The same parameters on both sides."""
    generator = np.random.default_rng(0)
    arrays = [generator.normal(size=shape).astype(dtype) for shape in SHAPES]
    ours = [Tensor(np.array(a), requires_grad=True) for a in arrays]
    return ours, [torch.tensor(a, requires_grad=True) for a in arrays]


def give_gradients(ours: list[Tensor], theirs: list[torch.Tensor], step: int) -> None:
    generator = np.random.default_rng(100 + step)
    for p, q in zip(ours, theirs, strict=True):
        drawn = np.asarray(generator.normal(size=p.shape)).astype(p.dtype)
        p.grad, q.grad = Tensor(drawn.copy()), torch.tensor(drawn)


def assert_twins(ours: list[Tensor], theirs: list[torch.Tensor], tolerance: float) -> None:
    for p, q in zip(ours, theirs, strict=True):
        assert str(p.dtype) == str(q.dtype).removeprefix("torch.")
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=tolerance, atol=tolerance)


@EACH
@pytest.mark.parametrize(("dtype", "tolerance"), [("f8", 1e-12), ("f4", 1e-6)])
def test_seven_steps_beside_pytorch(name: str, options: Any, dtype: str, tolerance: float) -> None:
    ours, theirs = twins(dtype)
    arrays = [p.data for p in ours]
    optimizer = vars(optim)[name](ours, **options)
    reference = getattr(torch.optim, name)(theirs, **options)
    for step in range(7):
        give_gradients(ours, theirs, step)
        if step == 3:
            ours[1].grad = theirs[1].grad = None  # this one rests
        optimizer.step()
        reference.step()
        assert_twins(ours, theirs, tolerance)
    assert all(p.data is array for p, array in zip(ours, arrays, strict=True))  # in place


@EACH
def test_a_step_leaves_the_gradients_as_they_are(name: str, options: Any) -> None:
    ours, theirs = twins()
    give_gradients(ours, theirs, 0)
    optimizer = vars(optim)[name](ours, **options)
    optimizer.step()
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(p.grad.data, q.grad.numpy())
    optimizer.zero_grad()
    assert all(p.grad is None for p in ours)


def test_groups_have_options_of_their_own_and_changes_take_effect() -> None:
    ours, theirs = twins()
    sides = []
    for kind, parameters in ((optim.AdamW, ours), (torch.optim.AdamW, theirs)):
        groups = [{"params": parameters[:1], "lr": 0.3}, {"params": iter(parameters[1:])}]
        sides.append(kind(groups, lr=0.1, weight_decay=0.2))
    for step in range(4):
        give_gradients(ours, theirs, step)
        for side in sides:
            if step == 2:
                side.param_groups[1]["lr"] = 0.7
            side.step()
        assert_twins(ours, theirs, 1e-12)


def test_training_goes_down() -> None:
    generator = np.random.default_rng(0)
    x, y = (Tensor(generator.normal(size=(20, n))) for n in (3, 2))
    model = nn.Linear(3, 2).double()
    optimizer = optim.AdamW(model.parameters(), lr=0.05)
    losses = []
    for _ in range(50):
        optimizer.zero_grad()
        loss = ((model(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: optim.SGD([]), "SGD: got no parameters"),
        (lambda: optim.AdamW([{"params": []}]), "AdamW: got no parameters"),
        (lambda: optim.SGD([P, P]), "SGD: a parameter is given twice"),
        (lambda: optim.SGD([{"params": [P]}, {"params": [P]}]), "SGD: a parameter is given twice"),
        (
            lambda: optim.AdamW([{"params": [P], "momentum": 0.9, "beta": 0.1}]),
            r"AdamW: unknown options \['beta', 'momentum'\]",
        ),
        (lambda: optim.AdamW([P], betas=(0.9, 1.0)), r"AdamW: betas are \(0.9, 1.0\), expected"),
        (lambda: optim.AdamW([P], betas=(-0.1, 0.9)), r"AdamW: betas are \(-0.1, 0.9\), expected"),
        (lambda: optim.SGD([P], nesterov=True), "SGD: nesterov needs a momentum and no dampening"),
        (
            lambda: optim.SGD([P], nesterov=True, momentum=0.9, dampening=0.1),
            "SGD: nesterov needs a momentum and no dampening",
        ),
    ],
)
def test_what_does_not_fit_is_named(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        call()


P = Tensor([1.0], requires_grad=True)


def test_an_optimizer_says_how_it_updates() -> None:
    optimizer = optim.Optimizer([P], {})
    P.grad = Tensor([1.0])
    with pytest.raises(NotImplementedError):
        optimizer.step()
    P.grad = None


@pytest.mark.parametrize("max_norm", [0.1, 2.0, 1e6, 0.0])
@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_clipping_the_joint_norm(dtype: str, max_norm: float) -> None:
    ours, theirs = twins(dtype)
    give_gradients(ours, theirs, 0)
    ours[1].grad = theirs[1].grad = None
    norm = optim.clip_grad_norm_(iter(ours), max_norm)
    expected = torch.nn.utils.clip_grad_norm_(theirs, max_norm)
    assert norm == pytest.approx(expected.item(), rel=1e-6)
    for p, q in zip(ours, theirs, strict=True):
        assert (p.grad is None) == (q.grad is None)
        if p.grad is not None:
            assert p.grad.dtype == p.dtype
            np.testing.assert_allclose(p.grad.data, q.grad.numpy(), rtol=1e-6)


def test_clipping_tiny_gradients_divides_as_pytorch_does() -> None:
    ours, theirs = twins()
    for p, q in zip(ours, theirs, strict=True):
        p.grad = Tensor(np.full(p.shape, 1e-6))
        q.grad = torch.full_like(q, 1e-6)
    optim.clip_grad_norm_(ours, 1e-7)
    torch.nn.utils.clip_grad_norm_(theirs, 1e-7)
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.grad.data, q.grad.numpy(), rtol=1e-9)


def test_clipping_nothing() -> None:
    assert optim.clip_grad_norm_([], 1.0) == 0.0
