"""Cross-check two engines: the same weights, the same batch, every output and gradient compared."""

from crosscheck.compare import compare
from crosscheck.judge import Verdict
from crosscheck.report import Comparison, Report, Row
from crosscheck.runs import Batch
from crosscheck.weights import copy_weights, load_weights, randomize, save_weights

__all__ = [
    "Batch",
    "Comparison",
    "Report",
    "Row",
    "Verdict",
    "compare",
    "copy_weights",
    "load_weights",
    "randomize",
    "save_weights",
]
