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
    ("name", "options"),
    [(name, o) for name, each in (("SGD", SGD), ("Adam", ADAMW), ("AdamW", ADAMW)) for o in each],
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


@EACH
def test_a_hundred_steps_of_a_network_beside_pytorch(name: str, options: Any) -> None:
    """The gradients depend on the parameters, so that no error goes unanswered."""
    options = {**options, "lr": 0.01}
    if options.get("betas") == (0.6, 0.0):
        options["betas"] = (0.6, 0.5)  # without memory, a gradient near 0 makes chaotic steps
    sides = []
    for kind, tensor in ((getattr(torch.optim, name), torch.tensor), (vars(optim)[name], Tensor)):
        generator = np.random.default_rng(0)
        drawn = [tensor(generator.normal(size=shape)) for shape in [(5, 4), (4,), (2, 4), ()]]
        weight, bias, out, shift = parameters = [p.requires_grad_() for p in drawn]
        groups = [{"params": [bias], "lr": 0.02}, {"params": [weight], "weight_decay": 0.03}]
        groups.append({"params": [out, shift]})
        sides.append((tensor, parameters, kind(groups, **options)))
    for step in range(100):
        for tensor, (weight, bias, out, shift), optimizer in sides:
            generator = np.random.default_rng(step)
            x = tensor(generator.normal(size=(7, 5)))
            hidden = x @ weight if step % 3 == 0 else x @ weight + bias
            optimizer.zero_grad()
            ((hidden.tanh() @ out.T + shift - x[:, :2].sin()) ** 2).mean().backward()
            assert (bias.grad is None) == (step % 3 == 0)  # it rests
            if step == 50:
                optimizer.param_groups[0]["lr"] *= 0.5
            optimizer.step()
        assert_twins(sides[1][1], sides[0][1], 1e-10)


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
        (
            lambda: optim.SGD([P * 2.0]),
            r"SGD: an op \('mul'\) made a parameter \(1,\); only leaves",
        ),
        (lambda: optim.Adam([P], betas=(0.9,)), r"Adam: betas are \(0.9,\), expected two"),
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


def test_one_tensor_is_no_list_of_parameters() -> None:
    with pytest.raises(TypeError, match=r"^AdamW: got one Tensor, expected a list of them"):
        optim.AdamW(P)


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


def test_clipping_takes_one_tensor_as_pytorch_does() -> None:
    ours, theirs = twins()
    give_gradients(ours, theirs, 0)
    norm = optim.clip_grad_norm_(ours[0], 0.1)
    assert norm == pytest.approx(torch.nn.utils.clip_grad_norm_(theirs[0], 0.1).item())
    np.testing.assert_allclose(ours[0].grad.data, theirs[0].grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_gradients_that_are_not_finite_do_what_they_do_in_pytorch(bad: float) -> None:
    """A norm of NaN spreads to every gradient; one of inf leaves zeros, and NaN where it was."""
    ours, theirs = twins()
    give_gradients(ours, theirs, 0)
    ours[0].grad.data[0, 1] = theirs[0].grad[0, 1] = bad
    with np.errstate(invalid="ignore"):
        norm = optim.clip_grad_norm_(ours, 1.0)
    np.testing.assert_array_equal(norm, torch.nn.utils.clip_grad_norm_(theirs, 1.0).item())
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(p.grad.data, q.grad.numpy())


@EACH
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_steps_along_them_are_pytorchs(name: str, options: Any, bad: float) -> None:
    ours, theirs = twins()
    sides = vars(optim)[name](ours, **options), getattr(torch.optim, name)(theirs, **options)
    for step in range(3):
        give_gradients(ours, theirs, step)
        if step == 1:
            ours[0].grad.data[0, 1] = theirs[0].grad[0, 1] = bad
        with np.errstate(invalid="ignore"):
            sides[0].step()
        sides[1].step()
        assert_twins(ours, theirs, 1e-12)
    assert np.count_nonzero(~np.isfinite(ours[0].data)) == 1
