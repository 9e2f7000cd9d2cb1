"""A test of one's own: run it with `pytest examples/test_with_pytest.py`."""

import numpy as np

from examples.encoder_layer import block, layer


def test_the_block_is_pytorchs_layer(crosscheck):
    x = np.random.default_rng(0).standard_normal((2, 8, 64))
    crosscheck.assert_agrees(block, layer, x)
