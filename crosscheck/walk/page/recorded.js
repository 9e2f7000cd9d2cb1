// Numbers as Python has recorded them: nested lists, and words for what JSON cannot hold.

/**
 * A number that may be a word: "nan", "inf", "-inf".
 * @param {unknown} value
 * @returns {number} NaN where there is none
 */
export function asNumber(value) {
  if (typeof value === "number") return value;
  return value === "inf" ? Infinity : value === "-inf" ? -Infinity : NaN;
}

/**
 * All numbers of a list, however it is nested, in order.
 * @param {unknown} nested
 * @returns {number[]}
 */
export function flatNumbers(nested) {
  return [nested].flat(Infinity).map(asNumber);
}

/**
 * One number of a nested list.
 * @param {unknown} nested
 * @param {readonly number[]} index
 * @returns {number} NaN where there is none
 */
export function recordedAt(nested, index) {
  let found = nested;
  for (const at of index) found = Array.isArray(found) ? found[at] : undefined;
  return asNumber(found);
}

/**
 * Whether a number is no more than the rounding of float64 on numbers of this size.
 * @param {number} value
 * @param {number} size
 * @returns {boolean}
 */
export function isRounding(value, size) {
  return Math.abs(value) <= 1e-9 * size;
}
