"""The door itself: nothing is fast before it is asked for, and the table is put back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_tf
from tinygrad_tf import Tensor, fast
from tinygrad_tf.machinery.forms import second_forms
from tinygrad_tf.nn import functional as F

ROOT = Path(__file__).parents[2]


def runs(code: str, **variables: str) -> str:
    """What a fresh process prints."""
    environment = {k: v for k, v in os.environ.items() if k != "TINYGRAD_TF_FAST"}
    run = subprocess.run(
        [sys.executable, "-c", f"import sys, tinygrad_tf\n{code}"],
        cwd=ROOT, env={**environment, **variables}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return run.stdout.strip()


TABLE = "from tinygrad_tf.machinery.forms import second_forms; print(len(second_forms))"


def test_it_is_loaded_on_first_use_and_loading_it_changes_nothing() -> None:
    loaded = "print('tinygrad_tf.fast' in sys.modules)"
    code = f"{loaded}; tinygrad_tf.fast.linear; {loaded}; print(tinygrad_tf.fast.buffers.SMALLEST)"
    assert runs(f"{code}\n{TABLE}").split() == ["False", "True", str(1 << 17), "0"]


@pytest.mark.parametrize(("value", "count"), [("1", len(fast.SECOND_FORMS)), ("0", 0), ("", 0)])
def test_the_variable_calls_it_at_import(value: str, count: int) -> None:
    assert int(runs(TABLE, TINYGRAD_TF_FAST=value)) == count


def test_another_value_is_ignored_with_a_warning() -> None:
    with pytest.raises(subprocess.CalledProcessError) as failure:
        runs(TABLE, TINYGRAD_TF_FAST="false", PYTHONWARNINGS="error::UserWarning")
    assert "TINYGRAD_TF_FAST is 'false', expected 1 or 0" in failure.value.stderr
    assert int(runs(TABLE, TINYGRAD_TF_FAST="false")) == 0


def module_of(x: Tensor) -> str:
    return F.gelu(x).node.backward.__module__


def test_as_a_context_manager_it_puts_the_table_back() -> None:
    x = Tensor(np.ones((2, 3), "f4"), requires_grad=True)
    second_forms.clear()  # the fixture of this folder puts them back
    assert module_of(x) == "tinygrad_tf.ops.gelu"
    with fast.on():
        assert module_of(x) == "tinygrad_tf.fast.gelu"
        with fast.on():
            pass
        assert second_forms == fast.SECOND_FORMS
    assert second_forms == {}
    with pytest.raises(KeyError), fast.on():
        raise KeyError
    assert second_forms == {}
    tinygrad_tf.fast.on()
    assert module_of(x) == "tinygrad_tf.fast.gelu"


def test_float64_stays_with_the_pages() -> None:
    assert module_of(Tensor(np.ones((2, 3)), requires_grad=True)) == "tinygrad_tf.ops.gelu"
