"""What a pytest within a pytest runs: two models, a test that agrees, and one that does not."""

HEAD = """
import numpy as np
import torch
from crosscheck import Batch, copy_weights, randomize
from tinygrad_tf import nn
from tinygrad_tf import differentiable

X = np.random.default_rng(0).standard_normal((3, 5, 6))

@differentiable
def exp(x):
    out = np.exp(x)
    return out, lambda dout: (4.0 * dout * out,)

class Ours(nn.Module):
    def __init__(self, op):
        super().__init__()
        self.layer, self.op = nn.Linear(6, 4), op

    def forward(self, x):
        return self.op(self.layer(x))

class Theirs(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(6, 4)

    def forward(self, x):
        return self.layer(x).exp()

def pair(op=lambda x: x.exp()):
    ours, theirs = Ours(op), Theirs()
    randomize(theirs)
    copy_weights(theirs, ours)
    return ours, theirs
"""
GOOD = """
def test_honest(crosscheck):
    report = crosscheck.assert_agrees(*pair(), X)
    assert report.agrees
"""
BAD = """
def test_wrong(crosscheck):
    crosscheck.assert_agrees(*pair(exp), X)
    raise AssertionError("it went on")
"""
