"""Cases of rules that move entries without changing them."""

from __future__ import annotations

import numpy as np

from crosscheck.ops.case import B, C, OpCase, T, plain_cases

MASK = np.arange(B * T).reshape(B, T) % 3 == 0

CASES = (
    *plain_cases("reshape", lambda e, x: x.reshape(C, B * T)),
    OpCase("reshape", "-1", lambda e, x: x.view(-1, C)),
    OpCase("reshape", "flatten and unflatten", lambda e, x: x.flatten(1).unflatten(1, (C, T))),
    OpCase("reshape", "squeeze", lambda e, x: x.unsqueeze(1).squeeze(1)),
    OpCase("reshape", "after a transpose", lambda e, x: x.transpose(0, 2).reshape(T, B * C)),
    *plain_cases("permute", lambda e, x: x.permute(2, 0, 1)),
    OpCase("permute", "the other rotation", lambda e, x: x.permute(1, 2, 0)),
    OpCase("permute", "a cube", lambda e, x: x.permute(1, 2, 0), ((4, 4, 4),)),
    OpCase("permute", "negative axes", lambda e, x: x.permute(-1, 0, -2)),
    OpCase("permute", "T", lambda e, x: x.T, ((T, C),)),
    *plain_cases("transpose", lambda e, x: x.transpose(0, -1)),
    OpCase("transpose", "a cube", lambda e, x: x.transpose(-2, -1), ((4, 4, 4),)),
    *plain_cases("expand", lambda e, x: x.unsqueeze(0).expand(3, -1, -1, -1)),
    OpCase("expand", "inner axes", lambda e, x: x.expand(4, T, C), ((T, 1),)),
    OpCase("expand", "a number of no axes", lambda e, x: x.expand(T, C), ((),)),
    *plain_cases("clone", lambda e, x: x.exp().clone()),
    OpCase("clone", "contiguous", lambda e, x: x.transpose(0, 2).contiguous()),
    *plain_cases("cat", lambda e, x: e.library.cat([x, x * 2, x[:, :, :1]], dim=-1)),
    OpCase(
        "cat", "three inputs", lambda e, x, y, z: e.library.cat([x, y, z], dim=1),
        ((2, 1, 3), (2, 4, 3), (2, 2, 3)),
    ),
    OpCase("cat", "an input twice", lambda e, x: e.library.cat([x, x], dim=0)),
    OpCase("cat", "stack", lambda e, x, y: e.library.stack([x, y], dim=1), ((T, C), (T, C))),
    *plain_cases("getitem", lambda e, x: x[:, [3, 0, 3], 1:]),
    OpCase("getitem", "slices", lambda e, x: x[:, 1:, ::2]),
    OpCase("getitem", "an integer, None and ...", lambda e, x: x[1, ..., None, -1]),
    OpCase("getitem", "repeated pairs", lambda e, x: x[[0, 1, 0, 0], [2, 2, 2, 4]]),
    OpCase("getitem", "negative and repeated", lambda e, x: x[:, [-1, 4, -1]]),
    OpCase("getitem", "a mask", lambda e, x: x[e.tensor(MASK)]),
    OpCase("getitem", "an integer before an array", lambda e, x: x[1, [3, 0, 3]]),
    OpCase("getitem", "unbind", lambda e, x: x.unbind(0)[1] * x.unbind(0)[0]),
    OpCase("getitem", "chunk", lambda e, x: e.library.cat(x.chunk(2, dim=-1), dim=1)),
    *plain_cases("tril", lambda e, x: x.tril(1)),
    OpCase("tril", "below the diagonal", lambda e, x: x.tril(-1)),
    OpCase("tril", "a square", lambda e, x: x.tril(), ((T, T),)),
    *plain_cases("triu", lambda e, x: x.triu(1)),
    OpCase("triu", "below the diagonal", lambda e, x: x.triu(-1)),
    OpCase("triu", "a square", lambda e, x: x.triu(), ((T, T),)),
)  # fmt: skip
