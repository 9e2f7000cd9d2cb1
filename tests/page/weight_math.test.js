import assert from "node:assert/strict";
import { test } from "node:test";
import { matrixProduct, relativeGap, transposed } from "../../crosscheck/walk/page/matrix.js";
import {
  lessonOrder,
  lessonSum,
  lessonsOf,
  linearMatrices,
  missingAfter,
} from "../../crosscheck/walk/page/weight_math.js";
import { close, drawn } from "./drawn.js";

const [T, IN, OUT] = [5, 3, 4];

function lessons() {
  const next = drawn(3);
  const array = (...shape) => {
    const size = shape.reduce((product, n) => product * n, 1);
    return { shape, data: Float32Array.from({ length: size }, next) };
  };
  const [x, dout] = [array(1, T, IN), array(1, T, OUT)];
  const sum = matrixProduct(transposed({ rows: T, columns: OUT, data: dout.data }), { rows: T, columns: IN, data: x.data });
  return linearMatrices(x, dout, { shape: [OUT, IN], data: Float32Array.from(sum.data) });
}

test("all characters together are dW, to the rounding of float32", () => {
  const { x, dout, dweight } = lessons();
  const order = [2, 0, 4, 1, 3];
  assert.ok(relativeGap(lessonSum(x, dout, order).data, dweight.data) < 1e-7);
  const missing = missingAfter(x, dout, dweight, order);
  assert.equal(missing.length, T + 1);
  assert.equal(missing[0], 1);
  assert.ok(missing[T] > 0 && missing[T] < 1e-7);
  assert.ok(missing[T - 1] > 1e-2);
});

test("what is missing after some is what the sum of the others holds", () => {
  const { x, dout, dweight } = lessons();
  const others = lessonSum(x, dout, [3, 4]);
  const gap = relativeGap(new Float64Array(others.data.length), others.data); // 1: the norm itself
  const norm = Math.hypot(...others.data) / Math.hypot(...dweight.data);
  assert.equal(gap, 1);
  close(missingAfter(x, dout, dweight, [0, 1, 2, 3, 4])[3], norm, 1e-6);
});

test("a lesson's norm is that of its matrix, and the shares add up to 1", () => {
  const { x, dout, dweight } = lessons();
  const all = lessonsOf(x, dout, dweight);
  all.forEach(({ norm }, token) => close(norm, Math.hypot(...lessonSum(x, dout, [token]).data), 1e-12));
  close(all.reduce((sum, { share }) => sum + share, 0), 1, 1e-6);
});

test("the order is that of the text, or the largest share first", () => {
  const some = [{ share: 0.2 }, { share: 0.5 }, { share: 0.5 }, { share: -0.2 }];
  assert.deepEqual(lessonOrder(some, false), [0, 1, 2, 3]);
  assert.deepEqual(lessonOrder(some, true), [1, 2, 0, 3]);
});
