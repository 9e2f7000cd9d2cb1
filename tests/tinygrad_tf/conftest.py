"""The examinations of `support/op_checks.py` as fixtures."""

from typing import Any

import pytest
from support import op_checks


@pytest.fixture(scope="session")
def check_op() -> Any:
    return op_checks.check_op


@pytest.fixture(scope="session")
def check_values() -> Any:
    return op_checks.check_values
