// What the screen of a weight computes: its gradient is a sum over tokens of rank-one matrices.

import { dot, flatRows, lengthOf, rowOf } from "./matrix.js";

/** @typedef {import("./matrix.js").Matrix} Matrix */

/**
 * How much each token taught the weight.
 * @param {Matrix} x (N, in), what went into the linear
 * @param {Matrix} dout (N, out), what came back
 * @param {Matrix} dweight (out, in), their sum as recorded
 * @returns {{norm: number, share: number}[]} for each token the norm of its matrix, and its part of
 *     dweight along dweight itself; the shares add up to 1
 */
export function lessonsOf(x, dout, dweight) {
  const whole = dot(dweight.data, dweight.data);
  return Array.from({ length: x.rows }, (_, token) => {
    const [given, came] = [rowOf(x, token), rowOf(dout, token)];
    let along = 0;
    for (let i = 0; i < came.length; i++) along += came[i] * dot(given, rowOf(dweight, i));
    return { norm: lengthOf(given) * lengthOf(came), share: whole ? along / whole : 0 };
  });
}

/**
 * The sum of the rank-one matrices of these tokens.
 * @param {Matrix} x (N, in)
 * @param {Matrix} dout (N, out)
 * @param {readonly number[]} tokens
 * @returns {Matrix} (out, in)
 */
export function lessonSum(x, dout, tokens) {
  const data = new Float64Array(dout.columns * x.columns);
  for (const token of tokens) addLesson(data, x, dout, token);
  return { rows: dout.columns, columns: x.columns, data };
}

/**
 * How much of dweight is missing after so many tokens, as a part of its norm.
 * @param {Matrix} x (N, in)
 * @param {Matrix} dout (N, out)
 * @param {Matrix} dweight (out, in)
 * @param {readonly number[]} order all tokens, as the slider adds them
 * @returns {number[]} for 0, 1, ... N tokens; the last is the rounding of float32
 */
export function missingAfter(x, dout, dweight, order) {
  const sum = new Float64Array(dweight.data.length);
  const whole = lengthOf(dweight.data) || 1;
  const missing = [gapTo(dweight, sum) / whole];
  for (const token of order) {
    addLesson(sum, x, dout, token);
    missing.push(gapTo(dweight, sum) / whole);
  }
  return missing;
}

/**
 * The tokens as the slider adds them: as they stand in the text, or those that taught most first.
 * @param {readonly {share: number}[]} lessons
 * @param {boolean} strongestFirst
 * @returns {number[]}
 */
export function lessonOrder(lessons, strongestFirst) {
  const order = lessons.map((_, token) => token);
  return strongestFirst ? order.sort((a, b) => lessons[b].share - lessons[a].share || a - b) : order;
}

/**
 * The arrays of a linear as matrices.
 * @param {{shape: readonly number[], data: Float32Array}} x
 * @param {{shape: readonly number[], data: Float32Array}} dout
 * @param {{shape: readonly number[], data: Float32Array}} dweight
 * @returns {{x: Matrix, dout: Matrix, dweight: Matrix}}
 */
export function linearMatrices(x, dout, dweight) {
  return {
    x: flatRows(x.shape, x.data),
    dout: flatRows(dout.shape, dout.data),
    dweight: flatRows(dweight.shape, dweight.data),
  };
}

/**
 * @param {Float64Array} sum
 * @param {Matrix} x
 * @param {Matrix} dout
 * @param {number} token
 */
function addLesson(sum, x, dout, token) {
  for (let i = 0; i < dout.columns; i++) {
    const factor = dout.data[token * dout.columns + i];
    for (let j = 0; j < x.columns; j++) {
      sum[i * x.columns + j] += factor * x.data[token * x.columns + j];
    }
  }
}

/**
 * @param {Matrix} whole
 * @param {Float64Array} sum
 * @returns {number}
 */
function gapTo(whole, sum) {
  let square = 0;
  for (let i = 0; i < sum.length; i++) square += (whole.data[i] - sum[i]) ** 2;
  return Math.sqrt(square);
}
