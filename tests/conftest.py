import gc
from collections.abc import Iterator

import pytest
from hypothesis import settings

import torch

pytest_plugins = ["pytester"]  # pytest within pytest, for the test of our plugin

settings.register_profile("deterministic", derandomize=True, deadline=None)
settings.load_profile("deterministic")
torch.set_num_threads(1)


@pytest.fixture
def without_collector() -> Iterator[None]:
    """Only reference counts free memory: what is in a cycle stays."""
    gc.disable()
    yield
    gc.enable()
