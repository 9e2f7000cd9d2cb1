// What the screen of attention computes: the backward of softmax for a query, and three products.

import { dot, matrixProduct, transposed } from "./matrix.js";

/** @typedef {import("./matrix.js").Matrix} Matrix */

/**
 * The backward of softmax in one row: dscores = probs * (dprobs - average).
 * @param {readonly number[]} probs
 * @param {readonly number[]} dprobs
 * @returns {{average: number, dscores: number[]}} average: what is subtracted, sum(dprobs * probs)
 */
export function softmaxBackward(probs, dprobs) {
  const average = dot(dprobs, probs);
  return { average, dscores: probs.map((p, i) => p * (dprobs[i] - average)) };
}

/**
 * Which entries the mask has taken out: those whose score is minus infinity, or so low that the
 * probability is zero. A mask of floats often adds -1e9.
 * @param {Matrix} scores after the mask
 * @returns {boolean[]}
 */
export function maskedEntries(scores) {
  return Array.from(scores.data, isHidden);
}

/**
 * @param {number} score after the mask
 * @returns {boolean}
 */
export function isHidden(score) {
  return score < -1e8;
}

/**
 * The three products behind q, k and v, for one head.
 * @param {{q: Matrix, k: Matrix, probs: Matrix, dscores: Matrix, dcontext: Matrix}} head
 *     q (T, K), k (S, K), probs and dscores (T, S), dcontext (T, K)
 * @param {number} scale what q @ k^T is multiplied by before the mask and softmax
 * @returns {{dq: Matrix, dk: Matrix, dv: Matrix}}
 */
export function attentionProducts({ q, k, probs, dscores, dcontext }, scale) {
  const scaled = { ...dscores, data: Float64Array.from(dscores.data, (value) => value * scale) };
  return {
    dq: matrixProduct(scaled, k),
    dk: matrixProduct(transposed(scaled), q),
    dv: matrixProduct(transposed(probs), dcontext),
  };
}

/**
 * The keys that a query is pulled to and pushed from: the score of a key grows when training goes
 * against the gradient, so a negative dscore pulls.
 * @param {readonly number[]} dscores
 * @returns {{pulled: number, pushed: number}} the index of the most negative and the most positive
 */
export function strongestKeys(dscores) {
  let pulled = 0;
  let pushed = 0;
  dscores.forEach((value, i) => {
    if (value < dscores[pulled]) pulled = i;
    if (value > dscores[pushed]) pushed = i;
  });
  return { pulled, pushed };
}
