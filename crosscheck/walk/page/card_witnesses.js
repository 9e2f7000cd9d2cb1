// The three witnesses of an op: the rule, PyTorch and a finite difference, one line for each array.

import { make } from "./dom.js";
import { asNumber } from "./recorded.js";
import { plainTable } from "./tables.js";

/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {import("./schema.js").Op} Op */
/** @typedef {import("./schema.js").Compared} Compared */
/** @typedef {import("./schema.js").FiniteDifference} FiniteDifference */

/** @type {Record<string, string>} */
export const WITNESS_MARKS = { agree: "✓", disagree: "✗", missing: "✗", unpaired: "·" };

/**
 * @param {Scene} scene
 * @param {Op} op
 * @returns {HTMLElement}
 */
export function witnessTable(scene, op) {
  const [ours, reference] = [scene.say("witness.ours"), scene.say("witness.reference")];
  const heads = ["array", "shape"].map((key) => scene.say(`witness.${key}`));
  const rest = ["error", "difference", "rounding", "verdict"].map((key) => scene.say(`witness.${key}`));
  return make("div", { class: "witnesses" }, plainTable([...heads, ours, reference, ...rest], witnessRows(scene, op)));
}

/**
 * The three witnesses in one line, with the largest error of each.
 * @param {Scene} scene
 * @param {Op} op
 * @returns {HTMLElement | null} null where no gradient comes from this op
 */
export function witnessTicks(scene, op) {
  const sent = op.inputs.filter(({ gradient }) => gradient);
  const rule = scene.walk.rules[op.op];
  if (sent.length === 0 || !rule) return null;
  const measured = sent.flatMap(({ finite_difference: witness }) => (witness && witness.agrees !== null ? [witness] : []));
  const tick = (/** @type {boolean} */ good) => make("span", { class: `tick ${good ? "agree" : "born"}`, "aria-hidden": "true" }, good ? "✓ " : "✗ ");
  const part = (/** @type {string} */ who, /** @type {boolean} */ good, /** @type {number[]} */ errors) => {
    const error = Math.max(...errors);
    const zero = good && error > 1e-3; // the error of a number that is zero on both sides
    const key = errors.length === 0 ? "witness.nothing" : zero ? "witness.zero" : good ? "witness.agrees" : "witness.disagrees";
    return make("li", {}, tick(good), scene.say(key, { who, error: scene.number(error, 2) }));
  };
  const known = (/** @type {(import("./schema.js").Recorded | null | undefined)[]} */ all) =>
    all.flatMap((error) => (error === null || error === undefined ? [] : [asNumber(error)]));
  const parts = [
    make("li", {}, tick(op.verdict !== "born"), scene.say("witness.rule"), " ", make("code", { lang: "en" }, rule.file.split("/").slice(-1)[0])),
    part(scene.walk.model.reference, sent.every(({ gradient }) => gradient?.verdict === "agree"), known(sent.map(({ gradient }) => gradient?.error))),
  ];
  if (measured.length > 0) {
    parts.push(part(scene.say("witness.difference"), measured.every(({ agrees }) => agrees), known(measured.map(({ error }) => error))));
  }
  return make("ul", { class: "ticks" }, ...parts);
}

/**
 * @param {Scene} scene
 * @param {Op} op
 * @returns {string[][]} dout, what is sent back for it, and the output
 */
function witnessRows(scene, op) {
  const sent = op.inputs.flatMap(({ gradient, finite_difference: witness }) =>
    gradient ? [witnessRow(scene, gradient, witness)] : [],
  );
  return [...(op.dout ? [witnessRow(scene, op.dout, null)] : []), ...sent, witnessRow(scene, op.output, null)];
}

/**
 * @param {Scene} scene
 * @param {Compared} compared
 * @param {FiniteDifference | null} witness
 * @returns {string[]}
 */
function witnessRow(scene, compared, witness) {
  const { name, shape, axes, norm, norm_reference: reference, error, verdict } = compared;
  return [
    name,
    shape.length > 0 ? shape.map((length, i) => (axes[i] && axes[i] !== String(length) ? `${axes[i]} ${length}` : String(length))).join(" × ") : "1",
    scene.number(norm),
    scene.number(reference),
    scene.number(error, 2),
    witness ? `${witness.agrees === null ? "·" : witness.agrees ? "✓" : "✗"} ${scene.number(witness.error, 2)}` : "–",
    ratio(scene, compared),
    `${WITNESS_MARKS[verdict] ?? ""} ${scene.say(`verdict-of.${verdict}`)}`,
  ];
}

/**
 * Our error in float32 as a multiple of PyTorch's own.
 * @param {Scene} scene
 * @param {Compared} compared
 * @returns {string}
 */
function ratio(scene, { rounding, rounding_reference: reference }) {
  const [mine, theirs] = [Number(rounding), Number(reference)];
  if (rounding === null || reference === null || !Number.isFinite(mine / theirs)) return mine === 0 && rounding !== null ? "0" : "–";
  return `${scene.number(mine / theirs, 2)}×`;
}
