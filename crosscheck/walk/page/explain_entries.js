// Why an entry is what it is, where it came from one other entry.

import { indexAt } from "./matrix_view.js";
import { flatIndex } from "./verdict_math.js";

/** @typedef {import("./explain_sums.js").Explain} Explain */
/** @typedef {import("./explain_sums.js").Named} Named */

/** @type {Explain} a sum copies the gradient */
export function explainAdd({ x, y, out, dout }, name, flat) {
  if (name === "out" && x && out && x.data.length === out.data.length) {
    if (!y || out.data.length % y.data.length !== 0) return undefined;
    const right = flat % y.data.length; // it is broadcast over the leading axes
    const numbers = { x: x.data[flat], y: y.data[right] };
    return { kind: "add-out", value: numbers.x + numbers.y, numbers, from: [{ name: "x", flat }, { name: "y", flat: right }] };
  }
  const input = name === "dx" ? x : name === "dy" ? y : undefined;
  if (!dout || !input || input.data.length !== dout.data.length) return undefined;
  return { kind: "same", value: dout.data[flat], from: [{ name: "dout", flat }] };
}

/** @type {Explain} by a number */
export function explainMul({ x, dout }, name, flat, options) {
  return scaled({ x, dout }, name, flat, Number(options.y));
}

/** @type {Explain} by a number */
export function explainDiv({ x, dout }, name, flat, options) {
  return scaled({ x, dout }, name, flat, 1 / Number(options.y));
}

/**
 * @param {{x: Named | undefined, dout: Named | undefined}} arrays
 * @param {string} name
 * @param {number} flat
 * @param {number} factor
 * @returns {ReturnType<Explain>}
 */
function scaled({ x, dout }, name, flat, factor) {
  const [from, of] = name === "out" ? /** @type {const} */ ([x, "x"]) : /** @type {const} */ ([dout, "dout"]);
  if (!from || !Number.isFinite(factor) || (name !== "out" && name !== "dx")) return undefined;
  const numbers = { of, number: from.data[flat], factor };
  return { kind: "factor", value: from.data[flat] * factor, numbers, from: [{ name: of, flat }] };
}

/** @type {Explain} the array "slope" is recorded beside the op */
export function explainSlope({ slope, dout }, name, flat) {
  if (name !== "dx" || !slope || !dout) return undefined;
  const numbers = { number: dout.data[flat], factor: slope.data[flat] };
  return { kind: "slope", value: numbers.number * numbers.factor, numbers, from: [{ name: "dout", flat }, { name: "x", flat }] };
}

/** @type {Explain} */
export function explainMaskedFill({ x, mask, dout }, name, flat) {
  if (!x || !mask || !dout || name !== "dx" || mask.shape.length > x.shape.length) return undefined;
  const index = indexAt(x.shape, flat).slice(x.shape.length - mask.shape.length);
  const at = mask.shape.reduce((sum, length, axis) => sum * length + (length === 1 ? 0 : index[axis]), 0);
  if (mask.data[at]) return { kind: "masked", value: 0, from: [{ name: "mask", flat: at }] };
  return { kind: "same", value: dout.data[flat], from: [{ name: "dout", flat }] };
}

/** @type {Explain} */
export function explainReshape(arrays, name, flat) {
  const of = name === "dx" ? "dout" : name === "out" ? "x" : "";
  return arrays[of] ? { kind: "moved", value: arrays[of].data[flat], from: [{ name: of, flat }] } : undefined;
}

/** @type {Explain} */
export function explainTranspose(arrays, name, flat, options) {
  const of = name === "dx" ? "dout" : name === "out" ? "x" : "";
  const [to, from] = [arrays[name], arrays[of]];
  if (!to || !from) return undefined;
  const axis = (/** @type {string} */ text) => (Number(text) + to.shape.length) % to.shape.length;
  const [a, b] = [axis(options.dim0), axis(options.dim1)];
  const index = indexAt(to.shape, flat);
  [index[a], index[b]] = [index[b], index[a]];
  const at = flatIndex(from.shape, index);
  return { kind: "moved", value: from.data[at], from: [{ name: of, flat: at }] };
}

/** @type {Explain} of an index of colons, whole numbers and one ellipsis */
export function explainGetitem({ x, dout }, name, flat, options) {
  const parts = (options.index ?? "").split(", ");
  if (name !== "dx" || !x || !dout || parts.some((part) => !/^(?::|-?\d+|\.\.\.)$/.test(part))) return undefined;
  const missing = x.shape.length - parts.filter((part) => part !== "...").length;
  const whole = parts.includes("...") ? parts : [...parts, "..."];
  const picks = whole.flatMap((part) => (part === "..." ? Array.from({ length: missing }, () => ":") : [part]));
  const index = indexAt(x.shape, flat);
  const read = picks.every((pick, axis) => pick === ":" || (Number(pick) + x.shape[axis]) % x.shape[axis] === index[axis]);
  if (!read) return { kind: "unread", value: 0, from: [] };
  const at = flatIndex(dout.shape, index.filter((_, axis) => picks[axis] === ":"));
  return { kind: "moved", value: dout.data[at], from: [{ name: "dout", flat: at }] };
}
