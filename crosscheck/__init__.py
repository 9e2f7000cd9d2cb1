"""Cross-check two engines: the same weights, the same batch, every output and gradient compared.

What is listed here is imported when it is first used: the pytest plugin is loaded with every run of
pytest, and must not bring PyTorch along until a test asks for it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crosscheck.comparison import compare as compare
    from crosscheck.foreign import ForeignModel as ForeignModel
    from crosscheck.judge import Verdict as Verdict
    from crosscheck.one_op import OpCheck as OpCheck
    from crosscheck.one_op import check_op as check_op
    from crosscheck.report import Report as Report
    from crosscheck.row import Comparison as Comparison
    from crosscheck.row import Row as Row
    from crosscheck.runs import Batch as Batch
    from crosscheck.tape import Finding as Finding
    from crosscheck.tape import Localisation as Localisation
    from crosscheck.tape import localise as localise
    from crosscheck.weights import copy_weights as copy_weights
    from crosscheck.weights import load_weights as load_weights
    from crosscheck.weights import randomize as randomize
    from crosscheck.weights import save_weights as save_weights

_NAMES = {
    "comparison": ("compare",),
    "judge": ("Verdict",),
    "one_op": ("OpCheck", "check_op"),
    "report": ("Report",),
    "row": ("Comparison", "Row"),
    "runs": ("Batch",),
    "foreign": ("ForeignModel",),
    "tape": ("Finding", "Localisation", "localise"),
    "weights": ("copy_weights", "load_weights", "randomize", "save_weights"),
}
_HOMES = {name: home for home, names in _NAMES.items() for name in names}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'crosscheck' has no attribute {name!r}")
    return getattr(importlib.import_module(f"crosscheck.{_HOMES[name]}"), name)
