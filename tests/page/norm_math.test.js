import assert from "node:assert/strict";
import { test } from "node:test";
import { normBars, partsOfToken, slopeCounts, slopePoints } from "../../crosscheck/walk/page/norm_math.js";
import { flatNumbers } from "../../crosscheck/walk/page/recorded.js";
import { close, drawn } from "./drawn.js";

test("the bars of a gradient that was taken apart add up to its square", () => {
  const next = drawn(4);
  const dx_hat = Array.from({ length: 6 }, next);
  const centred = Array.from({ length: 6 }, next);
  const mean = centred.reduce((sum, x) => sum + x, 0) / 6;
  const off = centred.map((x) => x - mean); // at right angles to ones
  const inner = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);
  const ones = inner(dx_hat, Array(6).fill(1)) / Math.sqrt(6);
  const along = inner(dx_hat, off) / Math.hypot(...off);
  const rest = Math.hypot(...dx_hat.map((x, i) => x - ones / Math.sqrt(6) - (along * off[i]) / Math.hypot(...off)));
  const parts = { dx_hat: Math.hypot(...dx_hat), along_ones: Math.abs(ones), along_x_hat: Math.abs(along), rest };
  const bars = normBars(parts);
  for (const { kept, lost, gone } of bars) close(kept + lost + gone, 1, 1e-15);
  close(bars[1].lost, ones ** 2 / parts.dx_hat ** 2, 1e-12);
  close(bars[2].lost, along ** 2 / parts.dx_hat ** 2, 1e-12);
  assert.deepEqual(bars[0], { kept: 1, lost: 0, gone: 0 });
});

test("with .sum() as the loss nothing is left", () => {
  const [, ones, last] = normBars({ dx_hat: 8, along_ones: 8, along_x_hat: 2e-16, rest: 3e-16 });
  assert.equal(ones.lost, 1);
  close(last.kept, 0, 1e-15);
});

test("a token's parts are found in nested lists, and words become numbers", () => {
  const numbers = { dx_hat: [[1, 2]], along_ones: [[3, 4]], along_x_hat: [[5, 6]], rest: [[7, "nan"]] };
  assert.deepEqual(partsOfToken(numbers, 1), { dx_hat: 2, along_ones: 4, along_x_hat: 6, rest: NaN });
  assert.deepEqual(flatNumbers([["inf"], [1, ["-inf"]]]), [Infinity, 1, -Infinity]);
});

test("the points of a slope stand in the order of x, with both ends", () => {
  const next = drawn(5);
  const x = Array.from({ length: 100 }, next);
  const points = slopePoints(x, x.map((value) => 2 * value), 20);
  assert.ok(points.length <= 22);
  assert.equal(points[0].x, Math.min(...x));
  assert.equal(points.at(-1).x, Math.max(...x));
  points.forEach((point, i) => assert.ok(i === 0 || points[i - 1].x <= point.x));
  points.forEach((point) => assert.equal(point.slope, 2 * point.x));
});

test("every slope is counted once", () => {
  assert.deepEqual(slopeCounts([0, 0.05, -0.05, -0.1, 0.1, 1, 1.01, 1.13]), {
    closed: 3,
    turned: 1,
    passed: 2,
    stretched: 2,
  });
});
