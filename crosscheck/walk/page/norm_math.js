// What the screens of layer norm and of the activation compute from recorded facts.

import { flatNumbers } from "./recorded.js";

/**
 * @typedef {object} NormParts the recorded norms of one token, made in float64
 * @property {number} dx_hat
 * @property {number} along_ones
 * @property {number} along_x_hat
 * @property {number} rest
 */
/** @typedef {{kept: number, lost: number, gone: number}} NormBar parts of |dx_hat|^2, adding up to 1 */

/**
 * The parts of one token, out of lists of (B, T) numbers.
 * @param {Record<string, unknown>} numbers of a `Fact`
 * @param {number} token counted over all of B and T
 * @returns {NormParts}
 */
export function partsOfToken(numbers, token) {
  return {
    dx_hat: flatNumbers(numbers.dx_hat)[token],
    along_ones: flatNumbers(numbers.along_ones)[token],
    along_x_hat: flatNumbers(numbers.along_x_hat)[token],
    rest: flatNumbers(numbers.rest)[token],
  };
}

/**
 * Three bars: dx_hat, then less its part along ones, then less its part along x_hat as well. The
 * parts stand at right angles, so the squares of their norms add up; the bars show the squares.
 * @param {NormParts} parts
 * @returns {[NormBar, NormBar, NormBar]} lost: by this step; gone: by the steps before
 */
export function normBars(parts) {
  const nothing = { kept: 0, lost: 0, gone: 0 };
  if (parts.dx_hat === 0) return [nothing, nothing, nothing]; // of padding
  const whole = parts.dx_hat ** 2;
  const ones = Math.min(1, parts.along_ones ** 2 / whole);
  const rest = Math.min(1 - ones, parts.rest ** 2 / whole);
  return [
    { kept: 1, lost: 0, gone: 0 },
    { kept: 1 - ones, lost: ones, gone: 0 },
    { kept: rest, lost: 1 - ones - rest, gone: ones },
  ];
}

/**
 * The points of a slope, in the order of x: so many that they are the curve themselves.
 * @param {ArrayLike<number>} x
 * @param {ArrayLike<number>} slope
 * @param {number} most how many points to keep
 * @returns {{x: number, slope: number}[]}
 */
export function slopePoints(x, slope, most) {
  const points = Array.from({ length: x.length }, (_, i) => ({ x: x[i], slope: slope[i] }));
  points.sort((a, b) => a.x - b.x);
  const step = Math.max(1, Math.ceil(points.length / most));
  return points.filter((_, i) => i % step === 0 || i === points.length - 1);
}

/**
 * How an activation treats the gradient of one token.
 * @param {ArrayLike<number>} slope
 * @returns {{closed: number, passed: number, stretched: number, turned: number}} how many slopes are
 *     nearly zero (below 0.1 in magnitude), up to 1, above 1, and negative (-0.1 and below)
 */
export function slopeCounts(slope) {
  const counts = { closed: 0, passed: 0, stretched: 0, turned: 0 };
  for (let i = 0; i < slope.length; i++) {
    if (Math.abs(slope[i]) < 0.1) counts.closed += 1;
    else if (slope[i] < 0) counts.turned += 1;
    else if (slope[i] <= 1) counts.passed += 1;
    else counts.stretched += 1;
  }
  return counts;
}
