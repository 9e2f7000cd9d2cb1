// Each explanation of a gradient is held against a finite difference of the op's formula.

import assert from "node:assert/strict";
import { test } from "node:test";
import { explained } from "../../crosscheck/walk/page/explain.js";
import * as entries from "../../crosscheck/walk/page/explain_entries.js";
import * as rows from "../../crosscheck/walk/page/explain_rows.js";
import * as sums from "../../crosscheck/walk/page/explain_sums.js";
import { sceneOf } from "../../crosscheck/walk/page/scene.js";
import { close, drawn, slopeOf } from "./drawn.js";

const size = (shape) => shape.reduce((product, length) => product * length, 1);
const random = (seed, ...shape) => {
  const next = drawn(seed);
  return { shape, axes: shape.map(() => ""), data: Float64Array.from({ length: size(shape) }, next) };
};

/** Hold every entry of d`name` against the slope of <dout, forward> at it. */
function holds(explain, arrays, name, forward, options = {}) {
  const out = forward(arrays);
  const all = { ...arrays, out: { ...out, axes: [] }, [`d${name}`]: arrays[name], dout: { ...random(9, ...out.shape), shape: out.shape } };
  for (let flat = 0; flat < arrays[name].data.length; flat++) {
    const loss = (step) => {
      const data = Float64Array.from(arrays[name].data);
      data[flat] += step;
      return forward({ ...arrays, [name]: { ...arrays[name], data } }).data.reduce((sum, v, i) => sum + v * all.dout.data[i], 0);
    };
    const found = explain(all, `d${name}`, flat, options);
    assert.ok(found, `no explanation of d${name}`);
    close(found.value, slopeOf(loss), 1e-8);
  }
  return all;
}

const product = (x, y, [n, m, p]) =>
  Array.from({ length: n * p }, (_, at) => {
    const [i, j] = [Math.floor(at / p), at % p];
    return Array.from({ length: m }, (_unused, k) => x[i * m + k] * y[k * p + j]).reduce((a, b) => a + b);
  });

test("linear: dx, dweight, dbias and out", () => {
  const forward = ({ x, weight, bias }) => ({
    shape: [2, 3, 5],
    data: Float64Array.from({ length: 30 }, (_, at) => {
      const [n, o] = [Math.floor(at / 5), at % 5];
      return bias.data[o] + [0, 1, 2, 3].reduce((sum, i) => sum + x.data[n * 4 + i] * weight.data[o * 4 + i], 0);
    }),
  });
  const arrays = { x: random(1, 2, 3, 4), weight: random(2, 5, 4), bias: random(3, 5) };
  const all = ["x", "weight", "bias"].map((name) => holds(sums.explainLinear, arrays, name, forward))[0];
  for (const flat of [0, 7, 29]) close(sums.explainLinear(all, "out", flat, {}).value, all.out.data[flat], 1e-12);
});

test("matmul: two matrices at once", () => {
  const forward = ({ x, y }) => ({
    shape: [2, 3, 5],
    data: Float64Array.from([0, 1].flatMap((b) => product(x.data.slice(b * 12, b * 12 + 12), y.data.slice(b * 20, b * 20 + 20), [3, 4, 5]))),
  });
  const arrays = { x: random(1, 2, 3, 4), y: random(2, 2, 4, 5) };
  holds(sums.explainMatmul, arrays, "x", forward);
  const all = holds(sums.explainMatmul, arrays, "y", forward);
  close(sums.explainMatmul(all, "out", 17, {}).value, all.out.data[17], 1e-12);
  assert.equal(sums.explainMatmul({ ...arrays, y: random(2, 4, 5) }, "dx", 0, {}), undefined);
});

test("embedding: each use of a row adds up", () => {
  const indices = { shape: [1, 4], axes: [], data: Float64Array.of(2, 0, 2, 2) };
  const forward = ({ weight }) => ({
    shape: [1, 4, 3],
    data: Float64Array.from([2, 0, 2, 2].flatMap((row) => Array.from(weight.data.slice(row * 3, row * 3 + 3)))),
  });
  holds(sums.explainEmbedding, { indices, weight: random(1, 4, 3) }, "weight", forward);
});

test("softmax and layer norm: a whole row has a say", () => {
  const softmax = ({ x }) => ({
    shape: x.shape,
    data: Float64Array.from(x.data, (value, at) => {
      const row = x.data.slice(at - (at % 4), at - (at % 4) + 4).map(Math.exp);
      return Math.exp(value) / row.reduce((a, b) => a + b);
    }),
  });
  const all = holds(rows.explainSoftmax, { x: random(1, 3, 4) }, "x", softmax, { dim: "-1" });
  close(rows.explainSoftmax(all, "out", 5, { dim: "-1" }).value, all.out.data[5], 1e-12);
  assert.equal(rows.explainSoftmax(all, "dx", 5, { dim: "0" }), undefined);
  const norm = ({ x, weight, bias }) => ({
    shape: x.shape,
    data: Float64Array.from(x.data, (value, at) => {
      const row = x.data.slice(at - (at % 4), at - (at % 4) + 4);
      const mean = row.reduce((a, b) => a + b) / 4;
      const variance = row.reduce((sum, one) => sum + (one - mean) ** 2, 0) / 4;
      return ((value - mean) / Math.sqrt(variance + 1e-5)) * weight.data[at % 4] + bias.data[at % 4];
    }),
  });
  const arrays = { x: random(1, 2, 3, 4), weight: random(2, 4), bias: random(3, 4) };
  for (const name of ["x", "weight", "bias"]) {
    const { out } = holds(rows.explainLayerNorm, arrays, name, norm, { eps: "1e-05" });
    close(rows.explainLayerNorm(arrays, "out", 6, { eps: "1e-05" }).value, out.data[6], 1e-12);
    for (const given of [name, "dout"]) assert.equal(rows.explainLayerNorm({ ...arrays, dout: out }, given, 0, {}), undefined);
  }
});

test("cross entropy: prediction minus truth, over the rows that count", () => {
  const targets = [1, -100, 3];
  const loss = ({ logits }) => ({
    shape: [],
    data: Float64Array.of(
      targets.reduce((sum, target, n) => {
        const row = logits.data.slice(n * 4, n * 4 + 4);
        return target < 0 ? sum : sum - row[target] + Math.log(row.reduce((total, v) => total + Math.exp(v), 0));
      }, 0) / 2,
    ),
  });
  const logits = random(4, 3, 4);
  const arrays = { logits, targets: { shape: [3], axes: [], data: Float64Array.from(targets) } };
  const options = { reduction: "'mean'", label_smoothing: "0.0", ignore_index: "-100" };
  for (let flat = 0; flat < 12; flat++) {
    const at = (step) => loss({ logits: { ...logits, data: logits.data.map((v, i) => (i === flat ? v + step : v)) } }).data[0];
    close(rows.explainCrossEntropy(arrays, "dlogits", flat, options).value, slopeOf(at), 1e-8);
  }
  assert.equal(rows.explainCrossEntropy(arrays, "dlogits", 0, { ...options, label_smoothing: "0.1" }), undefined);
});

test("entries that are moved, scaled, read or masked", () => {
  const x = random(1, 2, 3, 4);
  const from = (shape, pick) => ({ x: one }) => ({ shape, data: Float64Array.from({ length: size(shape) }, (_, at) => pick(one.data, at)) });
  holds(entries.explainReshape, { x }, "x", from([6, 4], (data, at) => data[at]));
  const swapped = from([2, 4, 3], (data, at) => data[Math.floor(at / 12) * 12 + (at % 3) * 4 + (Math.floor(at / 3) % 4)]);
  holds(entries.explainTranspose, { x }, "x", swapped, { dim0: "-1", dim1: "1" });
  holds(entries.explainGetitem, { x }, "x", from([2, 4], (data, at) => data[Math.floor(at / 4) * 12 + 8 + (at % 4)]), { index: ":, -1, ..." });
  holds(entries.explainMul, { x }, "x", from(x.shape, (data, at) => 8 * data[at]), { y: "8.0" });
  holds(entries.explainDiv, { x }, "x", from(x.shape, (data, at) => data[at] / 4), { y: "4.0" });
  const mask = { shape: [3, 1], axes: [], data: Float64Array.of(0, 1, 0) };
  holds(entries.explainMaskedFill, { x, mask }, "x", from(x.shape, (data, at) => (Math.floor(at / 4) % 3 === 1 ? 0 : data[at])));
  const y = random(2, 3, 4);
  const all = holds(entries.explainAdd, { x, y }, "x", from(x.shape, (data, at) => data[at] + y.data[at % 12]));
  close(entries.explainAdd(all, "out", 20, {}).value, all.out.data[20], 1e-12);
  assert.equal(entries.explainAdd({ ...all, dy: y }, "dy", 0, {}), undefined); // it was broadcast
});

test("the sentence of an entry has its numbers, and the largest terms first", () => {
  const names = { x: [1, 2, 2], weight: [3, 2], out: [1, 2, 3], dout: [1, 2, 3], dx: [1, 2, 2] };
  const axes = { x: ["B", "T", "C"], weight: ["F", "C"], out: ["B", "T", "F"], dout: ["B", "T", "F"], dx: ["B", "T", "C"] };
  const data = { x: [1, 2, 3, 4], weight: [1, 2, 3, 4, 5, 6], out: Array(6).fill(0), dout: [0, 0, 0, 1, -2, 3], dx: [0, 0, 10, 12] };
  const keys = Object.keys(names);
  const compared = (name) => ({ name, shape: names[name], axes: axes[name], ours: keys.indexOf(name) });
  const op = {
    id: "linear", op: "linear", options: {}, output: compared("out"), dout: compared("dout"),
    inputs: [
      { argument: "x", kind: "op", source: "before", value: compared("x"), gradient: compared("dx") },
      { argument: "weight", kind: "parameter", source: "w", value: compared("weight"), gradient: null },
    ],
  };
  const text = { tokens: ["a", " "], vocabulary: [] };
  const walk = { language: "en", kind: "language model", text, ops: [op], facts: [] };
  const scene = sceneOf(walk, (ref) => ({ shape: names[keys[ref]], data: Float32Array.from(data[keys[ref]]) }));
  const { sentence, value } = explained(scene, op, "dx", 2);
  assert.equal(value, 10);
  assert.match(sentence, /^dx\[t=1 '␣', c=0\] = sum over 3 of dout × weight = 10\. The largest terms: dout\[t=1 '␣', f=2\] 3 × weight\[f=2, c=0\] 5 = 15; /);
  assert.match(sentence, /recorded: 10\.$/);
  assert.match(explained(scene, op, "x", 0).sentence, /made by before/);
  assert.match(explained(scene, op, "weight", 0).sentence, /an entry of w/);
});
