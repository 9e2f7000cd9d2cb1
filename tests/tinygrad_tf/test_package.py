"""What people type after `import tinygrad_tf`, without a second import."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import tinygrad_tf

ROOT = Path(__file__).parents[2]
NAMES = [
    *("Tensor", "differentiable", "float32", "arange", "cat", "where", "sum_to", "gradcheck"),
    *("no_grad", "is_grad_enabled", "observe", "optim.AdamW"),
    *("nn.Linear", "nn.functional.gelu", "nn.init.zeros_"),
]


def test_all_of_it_is_there_after_one_import() -> None:
    code = "import tinygrad_tf\n" + "\n".join(f"tinygrad_tf.{name}" for name in NAMES)
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=os.environ, check=True)


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'tinygrad_tf' has no attribute 'conv2d'"):
        _ = tinygrad_tf.conv2d
