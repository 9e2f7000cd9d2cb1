"""The right answer, in float64 by PyTorch, and whether a contender has it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.problem import Arrays, Problem

LIMIT = 1e-4  # float32 against float64, relative; a wrong rule is far above it


def write_reference(problem: Problem, path: Path) -> None:
    """Compute "out", "dx" and every "d" + weight's name in float64, and keep them in a file."""
    import torch  # here, so that a worker that only checks does not load it

    size = problem.size
    layer = torch.nn.TransformerEncoderLayer(
        size.C, size.H, size.F, 0.0, "gelu", batch_first=True, dtype=torch.float64
    )
    layer.load_state_dict({name: torch.tensor(w) for name, w in problem.weights.items()})
    x = torch.tensor(problem.x.astype(np.float64), requires_grad=True)
    mask = torch.nn.Transformer.generate_square_subsequent_mask(size.T, dtype=torch.float64)
    out = layer(x, src_mask=mask if problem.causal else None)
    out.backward(torch.tensor(problem.dout.astype(np.float64)))
    gradients = {f"d{name}": p.grad.numpy() for name, p in layer.named_parameters()}  # type: ignore[union-attr]
    np.savez(path, out=out.detach().numpy(), dx=x.grad.numpy(), **gradients)  # type: ignore[union-attr]


def check(measured: Arrays, path: Path) -> float:
    """The largest relative error (Frobenius) of all arrays.

    Raises ValueError for a missing array, one that is not float32, or an error above LIMIT. The
    gradient of the key bias, which is zero, is left out: its third of the in-projection's bias.
    """
    worst = 0.0
    with np.load(path) as reference:
        for name in reference.files:
            truth, array = reference[name], measured.get(name)
            if array is None or array.dtype != np.float32:
                raise ValueError(f"{name}: {'missing' if array is None else array.dtype}")
            if name.endswith("in_proj_bias"):
                truth, array = (
                    np.delete(a, slice(len(a) // 3, 2 * len(a) // 3)) for a in (truth, array)
                )
            error = float(np.linalg.norm(array - truth) / np.linalg.norm(truth))
            if not error < LIMIT:
                raise ValueError(f"{name}: relative error {error:.1e}")
            worst = max(worst, error)
    return worst
