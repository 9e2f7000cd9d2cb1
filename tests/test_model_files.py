"""Model files of PyTorch run on our engine after a change of their import lines, and agree."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import torch
from crosscheck import Batch, compare, randomize
from tinygrad_tf import Tensor

FOLDER = Path(__file__).parents[1] / "examples" / "model_files"
IMPORTS = {
    "import torch": "import tinygrad_tf as torch",
    "import torch.nn as nn": "import tinygrad_tf.nn as nn",
    "from torch.nn import functional as F": "from tinygrad_tf.nn import functional as F",
}
GROUPS = {"weight_decay": 0.1, "learning_rate": 1e-2, "betas": (0.9, 0.95)}

# What builds the model, and its optimiser, from the file as a module.
MODELS: dict[str, tuple[str, Callable[[Any], Any], Callable[[Any, Any], Any]]] = {
    name: (file, build, optimiser)
    for name, file, build, optimiser in (
        (
            f"nano_gpt{', written out' * (not flash)}{', no biases' * (not bias)}",
            "nano_gpt",
            lambda m, flash=flash, bias=bias: m.GPT(m.Config(flash=flash, bias=bias)),
            lambda m, gpt: gpt.configure_optimizers(**GROUPS, device_type="cpu"),
        )
        for flash, bias in ((True, True), (False, True), (True, False))
    )
}
MODELS["min_gpt"] = (
    "min_gpt", lambda m: m.GPT(), lambda m, gpt: gpt.configure_optimizers(**GROUPS)
)  # fmt: skip
MODELS["lecture_gpt"] = (
    "lecture_gpt", lambda m: m.GPT(), lambda m, gpt: m.make_optimizer(gpt)
)  # fmt: skip


def module(file: str, ours: bool) -> Any:
    """The file as a module; `ours` exchanges its import lines, and nothing else."""
    source = (FOLDER / f"{file}.py").read_text(encoding="utf-8")
    if ours:
        lines = [IMPORTS.get(line, line) for line in source.split("\n")]
        assert sum(a != b for a, b in zip(lines, source.split("\n"), strict=True)) == 3
        source = "\n".join(lines)
        assert not re.search(r"^\s*(import|from) torch", source, re.MULTILINE)
    made = ModuleType(f"{file}_{'ours' if ours else 'theirs'}")
    sys.modules[made.__name__] = made  # where a dataclass looks for its own module
    try:
        exec(compile(source, f"{file}.py", "exec"), vars(made))
    finally:
        del sys.modules[made.__name__]
    return made


def drawn() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    ids, targets = generator.integers(0, 13, (2, 3, 7))
    return ids, targets


@pytest.fixture(params=MODELS)
def pair(request: Any) -> Any:
    """The modules and models of both sides, in float64 and with equal weights, and optimisers."""
    file, build, optimiser = MODELS[request.param]
    sides = []
    for ours in (True, False):
        made = module(file, ours)
        sides.append((made, build(made).double()))
    (_, ours), (_, theirs) = sides
    randomize(theirs, seed=0)
    ours.load_state_dict(theirs.state_dict())
    return [(made, model, optimiser(made, model)) for made, model in sides]


def test_two_steps_of_training_agree_in_losses_gradients_and_weights(pair: Any) -> None:
    ids, targets = drawn()
    (_, ours, our_optimiser), (_, theirs, their_optimiser) = pair
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert repr(ours) == repr(theirs)
    losses = []
    for _ in range(2):
        for tensor, model, optimiser in (
            (Tensor, ours, our_optimiser),
            (torch.tensor, theirs, their_optimiser),
        ):
            logits, loss = model(tensor(ids), tensor(targets))
            assert logits.shape == (3, 7, 13)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            losses.append(loss.item())
        for (name, p), (other, q) in zip(
            ours.named_parameters(), theirs.named_parameters(), strict=True
        ):
            assert name == other
            expected = q.grad.numpy()
            assert np.abs(expected).max() > 0
            # What is zero by rights, as the gradient of the keys' biases, is rounding on each side.
            np.testing.assert_allclose(p.grad.data, expected, rtol=1e-10, atol=1e-14, err_msg=name)
        our_optimiser.step()
        their_optimiser.step()
    np.testing.assert_allclose(losses[::2], losses[1::2], rtol=1e-10)
    assert losses[2] < losses[0]
    for (name, p), (_, q) in zip(ours.named_parameters(), theirs.named_parameters(), strict=True):
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-8, atol=1e-8, err_msg=name)


def test_without_targets(pair: Any) -> None:
    ids, _ = drawn()
    (_, ours, _), (_, theirs, _) = pair
    (found, nothing), (expected, _) = ours(Tensor(ids)), theirs(torch.tensor(ids))
    assert nothing is None
    np.testing.assert_allclose(found.data, expected.detach().numpy(), rtol=1e-10, atol=1e-12)


def test_the_groups_hold_the_same_parameters(pair: Any) -> None:
    named = []
    for _, model, optimiser in pair:
        names = {id(p): name for name, p in model.named_parameters()}
        named.append([[names[id(p)] for p in g["params"]] for g in optimiser.param_groups])
    assert named[0] == named[1]


def test_the_likeliest_text_is_the_same() -> None:
    ours, theirs = (module("lecture_gpt", ours).GPT().double() for ours in (True, False))
    randomize(theirs, seed=0)
    ours.load_state_dict(theirs.state_dict())
    ids, _ = drawn()
    found = ours.generate(Tensor(ids), 12)
    assert not found.requires_grad
    assert found.tolist() == theirs.generate(torch.tensor(ids), 12).tolist()


def test_a_part_of_a_file_is_compared_as_it_is() -> None:
    """A block with a mask that is a buffer: nobody draws it, and all rows agree."""
    ours, theirs = (module("min_gpt", ours).Block(12, 3, 16, 0.0) for ours in (True, False))
    randomize(theirs, seed=0)
    ours.load_state_dict(theirs.state_dict())
    report = compare(ours, theirs, Batch(np.random.default_rng(0).standard_normal((2, 7, 12))))
    assert report.agrees, str(report)


def test_each_file_is_listed() -> None:
    page = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    files = {path.name for path in FOLDER.glob("*.py")}
    assert files == {f"{file}.py" for file, _, _ in MODELS.values()}
    assert set(re.findall(r"\]\(model_files/(\w+\.py)\)", page)) == files
    for lines in IMPORTS.items():
        assert all(line in page for line in lines)
