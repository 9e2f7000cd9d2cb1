"""Each file makes one engine run the problem: `prepare(problem)` returns `(step, collect)`.

`step()` runs forward and backward once, and is what is timed; all gradients are in its result.
`collect(result)` turns that into float arrays: "out", "dx", and "d" + each weight's name; into none
if there is nothing to prove, as for the limit, which computes products and no gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from benchmarks.problem import Arrays, Problem

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

Contender = tuple[Callable[[], Any], Callable[[Any], Arrays]]

# name -> (file, options of its `prepare`)
CONTENDERS: dict[str, tuple[str, dict[str, Any]]] = {
    "ours, as it comes": ("ours", {"form": "as it comes"}),
    "ours, fast, packed": ("ours", {"form": "packed"}),
    "ours, fast, packed, own threads": ("ours", {"form": "packed"}),
    "ours, fast, fused": ("ours", {"form": "fused"}),
    "ours, fast, written out": ("ours", {"form": "written out"}),
    "PyTorch eager, SDPA": ("pytorch", {"form": "eager"}),
    "nn.TransformerEncoderLayer": ("pytorch", {"form": "layer"}),
    "torch.compile": ("pytorch", {"form": "compiled"}),
    "jax.jit": ("jax_jit", {}),
    "HIPS autograd": ("hips_autograd", {}),
    "mygrad": ("my_grad", {}),
    "NumPy's products alone": ("products", {}),
}
REFERENCE = "PyTorch eager, SDPA"


def environment(name: str, threads: int) -> dict[str, str]:
    """What a contender's process finds in its environment."""
    own = threads if name.endswith("own threads") else 1
    numbers = dict.fromkeys(THREAD_VARIABLES, str(threads if own == 1 else 1))
    return {**numbers, "TINYGRAD_TF_NUM_THREADS": str(own)}


def prepare(name: str, problem: Problem) -> Contender:
    """The contender's step and collect. Raises ImportError if its package is not installed."""
    file, options = CONTENDERS[name]
    contender: Contender = import_module(f"benchmarks.contenders.{file}").prepare(
        problem, **options
    )
    return contender
