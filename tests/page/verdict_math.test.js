import assert from "node:assert/strict";
import { test } from "node:test";
import {
  decadesOf,
  flatIndex,
  placeOnLog,
  rightlyNamed,
  shortName,
  sortedRows,
  spreadOf,
  unhidden,
} from "../../crosscheck/walk/page/verdict_math.js";
import { asNumber, recordedAt } from "../../crosscheck/walk/page/recorded.js";
import { close } from "./drawn.js";

const ROWS = [
  { name: "blocks.10.bias", norm: 1, error: 1e-16, verdict: "agree", good: true },
  { name: "blocks.2.bias", norm: 3, error: null, verdict: "agree, zero", good: true },
  { name: "blocks.2.weight", norm: 2, error: 0.5, verdict: "disagree", good: false },
];
const names = (rows) => rows.map(({ name }) => name.slice(7));

test("rows are sorted by what the reader asks for, and failures come first", () => {
  assert.deepEqual(names(sortedRows(ROWS, "name")), ["2.bias", "2.weight", "10.bias"]);
  assert.deepEqual(names(sortedRows(ROWS, "norm")), ["2.weight", "2.bias", "10.bias"]);
  assert.deepEqual(names(sortedRows(ROWS, "error")), ["2.weight", "10.bias", "2.bias"]);
  assert.deepEqual(names(sortedRows(ROWS, "verdict")), ["2.weight", "10.bias", "2.bias"]);
  assert.deepEqual(names(ROWS), ["10.bias", "2.bias", "2.weight"], "the model's order is kept");
});

test("numbers that JSON cannot hold come back from words", () => {
  assert.deepEqual(["nan", "inf", "-inf", null, 2].map(asNumber), [NaN, Infinity, -Infinity, NaN, 2]);
  assert.equal(recordedAt([[1, ["inf"]]], [0, 1, 0]), Infinity);
  assert.ok(Number.isNaN(recordedAt([1], [0, 3])));
});

test("a log axis holds the values, down to so many decades", () => {
  assert.deepEqual(decadesOf([0.02, -300, 0, NaN], 8), { low: -2, high: 3 });
  assert.deepEqual(decadesOf([1e-17, 50], 4), { low: -2, high: 2 });
  assert.deepEqual(decadesOf([1], 4), { low: -1, high: 0 });
  assert.deepEqual(decadesOf([0], 4), { low: -1, high: 0 });
  const decades = { low: -2, high: 2 };
  close(placeOnLog(1, decades), 0.5, 1e-15);
  assert.deepEqual([0, 1e-9, 1e9, Infinity, -100].map((v) => placeOnLog(v, decades)), [0, 0, 1, 1, 1]);
});

test("of many points the largest differences are always drawn", () => {
  const reference = Float32Array.from({ length: 5000 }, (_, i) => i);
  const ours = Float32Array.from(reference);
  ours[4321] += 7;
  const drawn = spreadOf(ours, reference, 100);
  assert.ok(drawn.includes(4321));
  assert.ok(drawn.length <= 101 && drawn.length > 50);
  assert.deepEqual(spreadOf([1, 2], [1, 2], 10), [0, 1]);
});

test("an index is a place in C order", () => {
  assert.equal(flatIndex([2, 3, 4], [1, 2, 3]), 23);
  assert.equal(flatIndex([], []), 0);
});

test("a hidden patch comes back whole, accents too", () => {
  const patch = "-dx = out\n+dx = 1 # água\n";
  assert.equal(unhidden(Buffer.from(patch, "utf8").toString("base64")), patch);
});

test("a side has a short name", () => {
  assert.equal(shortName("folder/my_block.py:block"), "my_block.py:block");
  assert.equal(shortName("torch.nn.TransformerEncoderLayer, post-norm"), "torch.nn.TransformerEncoderLayer");
});

test("an op is rightly named by its rule or its id", () => {
  const op = { id: "blocks.0/softmax", op: "softmax" };
  assert.deepEqual([["softmax"], ["blocks.0/softmax"], ["gelu"]].map((a) => rightlyNamed(a, op)), [true, true, false]);
});
