import assert from "node:assert/strict";
import { test } from "node:test";
import {
  attentionProducts,
  maskedEntries,
  softmaxBackward,
  strongestKeys,
} from "../../crosscheck/walk/page/attention_math.js";
import { dot, matrixProduct, rowOf, transposed } from "../../crosscheck/walk/page/matrix.js";
import { close, drawn, slopeOf } from "./drawn.js";

const [T, S, K] = [3, 4, 2];
const SCALE = 0.7;

/** Softmax of a row, written once more: the oracle knows nothing of the page. */
function softmaxOf(row) {
  const e = row.map((x) => Math.exp(x));
  const total = e.reduce((sum, x) => sum + x, 0);
  return e.map((x) => x / total);
}

/** All that one head holds, made forward and backward from its inputs. */
function headOf(q, k, v, dcontext) {
  const scores = matrixProduct(q, transposed(k));
  const probs = matrix(T, S, (i) => softmaxOf(rowOf(scores, i).map((x) => x * SCALE)));
  const dprobs = matrixProduct(dcontext, transposed(v));
  const dscores = matrix(T, S, (i) => softmaxBackward(rowOf(probs, i), rowOf(dprobs, i)).dscores);
  return { q, k, v, probs, dscores, dcontext };
}

function matrix(rows, columns, rowAt) {
  return { rows, columns, data: Array.from({ length: rows }, (_, i) => rowAt(i)).flat() };
}

function lossOf(q, k, v, dcontext) {
  const { probs } = headOf(q, k, v, dcontext);
  return dot(matrixProduct(probs, v).data, dcontext.data);
}

test("the backward of softmax is the slope of softmax", () => {
  const next = drawn(1);
  const scores = Array.from({ length: S }, next);
  const dprobs = Array.from({ length: S }, next);
  const { average, dscores } = softmaxBackward(softmaxOf(scores), dprobs);
  scores.forEach((_, i) => {
    const slope = slopeOf((h) => dot(softmaxOf(scores.map((x, j) => (i === j ? x + h : x))), dprobs));
    close(dscores[i], slope, 1e-7);
  });
  close(average, dot(softmaxOf(scores), dprobs), 1e-15);
  close(dscores.reduce((sum, x) => sum + x, 0), 0, 1e-15);
});

test("the three products are the slopes of attention", () => {
  const next = drawn(2);
  const some = (rows) => ({ rows, columns: K, data: Array.from({ length: rows * K }, next) });
  const given = { q: some(T), k: some(S), v: some(S) };
  const dcontext = some(T);
  const products = attentionProducts(headOf(given.q, given.k, given.v, dcontext), SCALE);
  for (const name of ["q", "k", "v"]) {
    const made = products[`d${name}`];
    assert.deepEqual([made.rows, made.columns], [given[name].rows, K]);
    made.data.forEach((value, i) => {
      const moved = (h) => ({ ...given[name], data: given[name].data.map((x, j) => (i === j ? x + h : x)) });
      const slope = slopeOf((h) => {
        const { q, k, v } = { ...given, [name]: moved(h) };
        return lossOf(q, k, v, dcontext);
      });
      close(value, slope, 1e-7);
    });
  }
});

test("the mask is where a score is minus infinity or hopeless, and nowhere else", () => {
  const scores = { rows: 1, columns: 5, data: Float32Array.of(1, -Infinity, -1e9, Infinity, -1e4) };
  assert.deepEqual(maskedEntries(scores), [false, true, true, false, false]);
});

test("the strongest keys are the most negative and the most positive", () => {
  assert.deepEqual(strongestKeys([0.1, -0.3, 0.2, -0.1]), { pulled: 1, pushed: 2 });
});
