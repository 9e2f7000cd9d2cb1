// Matrices that are cut out of larger arrays, and the little arithmetic that the page does on them.
// It is in float64, on entries that are recorded in float32.

/** @typedef {{rows: number, columns: number, data: ArrayLike<number>}} Matrix entries in C order */

/**
 * One matrix of an array of matrices: head 1 of (1, H, T, S) is the second T by S.
 * @param {readonly number[]} shape
 * @param {Float32Array} data
 * @param {number} which
 * @returns {Matrix}
 */
export function matrixOf(shape, data, which = 0) {
  const columns = shape.at(-1) ?? 1;
  const rows = shape.at(-2) ?? 1;
  const size = rows * columns;
  return { rows, columns, data: data.subarray(which * size, (which + 1) * size) };
}

/**
 * An array whose last axis are the columns, and all others together the rows: (B, T, C) as B*T by C.
 * @param {readonly number[]} shape
 * @param {Float32Array} data
 * @returns {Matrix}
 */
export function flatRows(shape, data) {
  const columns = shape.at(-1) ?? 1;
  return { rows: columns ? data.length / columns : 0, columns, data };
}

/**
 * @param {Matrix} matrix
 * @param {number} row
 * @returns {number[]}
 */
export function rowOf(matrix, row) {
  const start = row * matrix.columns;
  return Array.from({ length: matrix.columns }, (_, j) => matrix.data[start + j]);
}

/**
 * @param {Matrix} matrix
 * @returns {Matrix}
 */
export function transposed({ rows, columns, data }) {
  const flipped = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) flipped[j * rows + i] = data[i * columns + j];
  }
  return { rows: columns, columns: rows, data: flipped };
}

/**
 * @param {Matrix} left
 * @param {Matrix} right
 * @returns {Matrix}
 */
export function matrixProduct(left, right) {
  if (left.columns !== right.rows) {
    throw new Error(`a product of ${left.rows} by ${left.columns} and ${right.rows} by ${right.columns}`);
  }
  const data = new Float64Array(left.rows * right.columns);
  for (let i = 0; i < left.rows; i++) {
    for (let k = 0; k < left.columns; k++) {
      const factor = left.data[i * left.columns + k];
      for (let j = 0; j < right.columns; j++) {
        data[i * right.columns + j] += factor * right.data[k * right.columns + j];
      }
    }
  }
  return { rows: left.rows, columns: right.columns, data };
}

/**
 * @param {ArrayLike<number>} left
 * @param {ArrayLike<number>} right
 * @returns {number}
 */
export function dot(left, right) {
  let sum = 0;
  for (let i = 0; i < left.length; i++) sum += left[i] * right[i];
  return sum;
}

/**
 * The Frobenius norm, over the finite entries.
 * @param {ArrayLike<number>} entries
 * @returns {number}
 */
export function lengthOf(entries) {
  let sum = 0;
  for (let i = 0; i < entries.length; i++) {
    if (Number.isFinite(entries[i])) sum += entries[i] * entries[i];
  }
  return Math.sqrt(sum);
}

/**
 * |one - other| / |other|; 0 where both are zero.
 * @param {ArrayLike<number>} one
 * @param {ArrayLike<number>} other
 * @returns {number}
 */
export function relativeGap(one, other) {
  const gap = lengthOf(differenceOf(one, other));
  return gap === 0 ? 0 : gap / lengthOf(other);
}

/**
 * @param {ArrayLike<number>} one
 * @param {ArrayLike<number>} other
 * @returns {Float64Array}
 */
export function differenceOf(one, other) {
  return Float64Array.from({ length: one.length }, (_, i) => one[i] - other[i]);
}
