// What the screen of the verdict computes: the order of rows, places on log axes, differences.

import { asNumber } from "./recorded.js";

/** @typedef {import("./schema.js").Recorded} Recorded */
/** @typedef {"name" | "norm" | "error" | "verdict"} SortKey */
/**
 * @typedef {object} VerdictRow what is sorted of a `Parameter`
 * @property {string} name
 * @property {Recorded | null} norm
 * @property {Recorded | null} error
 * @property {string} verdict
 * @property {boolean} good
 */
/** @typedef {{ours: number, reference: number, label: string, good: boolean}} DiagonalPoint */

/**
 * The rows in another order. What fails comes first, except by name.
 * @template {VerdictRow} R
 * @param {readonly R[]} rows in the order of the model
 * @param {SortKey} key
 * @returns {R[]}
 */
export function sortedRows(rows, key) {
  const copy = [...rows];
  if (key === "name") return copy.sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
  if (key === "verdict") return copy.sort((a, b) => Number(a.good) - Number(b.good));
  return copy.sort((a, b) => Number(a.good) - Number(b.good) || size(b[key]) - size(a[key]));
}

/**
 * Which powers of ten the points lie between; zeros and what is not finite are left out.
 * @param {readonly number[]} values
 * @param {number} most how many decades to show; what is smaller lies on the edge
 * @returns {{low: number, high: number}} exponents, at least one apart
 */
export function decadesOf(values, most) {
  const logs = values.filter((v) => Number.isFinite(v) && v !== 0).map((v) => Math.log10(Math.abs(v)));
  if (logs.length === 0) return { low: -1, high: 0 };
  const high = Math.ceil(Math.max(...logs));
  return { low: Math.max(high - most, Math.min(high - 1, Math.floor(Math.min(...logs)))), high };
}

/**
 * Where a value lies on a log axis, from 0 to 1; what is too small lies at 0.
 * @param {number} value
 * @param {{low: number, high: number}} decades
 * @returns {number}
 */
export function placeOnLog(value, decades) {
  if (!Number.isFinite(value)) return 1;
  if (value === 0) return 0;
  const place = (Math.log10(Math.abs(value)) - decades.low) / (decades.high - decades.low);
  return Math.min(1, Math.max(0, place));
}

/**
 * Points of two arrays against one another: the largest differences, and a spread of the others.
 * @param {ArrayLike<number>} ours
 * @param {ArrayLike<number>} reference
 * @param {number} most
 * @returns {number[]} indices
 */
export function spreadOf(ours, reference, most) {
  const indices = Array.from({ length: ours.length }, (_, i) => i);
  if (ours.length <= most) return indices;
  const gap = (/** @type {number} */ i) => Math.abs(ours[i] - reference[i]);
  const largest = [...indices].sort((a, b) => gap(b) - gap(a)).slice(0, Math.floor(most / 2));
  const step = Math.ceil(ours.length / (most - largest.length));
  return [...new Set([...largest, ...indices.filter((i) => i % step === 0)])];
}

/**
 * An index into an array, as one number.
 * @param {readonly number[]} shape
 * @param {readonly number[]} index
 * @returns {number}
 */
export function flatIndex(shape, index) {
  return index.reduce((place, at, axis) => place * shape[axis] + at, 0);
}

/**
 * Text that was written as base64 so that nobody reads it by accident.
 * @param {string} base64
 * @returns {string}
 */
export function unhidden(base64) {
  return new TextDecoder().decode(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)));
}

/**
 * The name of a side where there is little room: a file without its folders, and no explanation.
 * @param {string} name
 * @returns {string}
 */
export function shortName(name) {
  const first = name.split(",")[0];
  return first.slice(first.lastIndexOf("/") + 1);
}

/**
 * Whether the op that the reader names may rightly be named.
 * @param {readonly string[]} answers the names of ops, or their ids
 * @param {{id: string, op: string}} op
 * @returns {boolean}
 */
export function rightlyNamed(answers, op) {
  return answers.includes(op.op) || answers.includes(op.id);
}

/**
 * @param {Recorded | null} value
 * @returns {number}
 */
function size(value) {
  const number = asNumber(value);
  return Number.isNaN(number) ? -1 : Math.abs(number);
}
