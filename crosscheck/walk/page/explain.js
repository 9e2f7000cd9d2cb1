// The sentence of an entry: what it came from, with its numbers.

import { explainAdd, explainDiv, explainGetitem, explainMaskedFill, explainMul, explainReshape, explainSlope, explainTranspose } from "./explain_entries.js";
import { explainCrossEntropy, explainLayerNorm, explainSoftmax } from "./explain_rows.js";
import { explainEmbedding, explainLinear, explainMatmul } from "./explain_sums.js";
import { entryName, indexAt } from "./matrix_view.js";

/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {import("./schema.js").Op} Op */
/** @typedef {import("./schema.js").Compared} Compared */
/** @typedef {import("./explain_sums.js").Arrays} Arrays */
/** @typedef {import("./explain_sums.js").Entry} Entry */
/** @typedef {import("./explain_sums.js").Explanation} Explanation */

/** @type {Record<string, import("./explain_sums.js").Explain>} */
const EXPLAINED = {
  linear: explainLinear,
  matmul: explainMatmul,
  embedding: explainEmbedding,
  softmax: explainSoftmax,
  layer_norm: explainLayerNorm,
  cross_entropy: explainCrossEntropy,
  add: explainAdd,
  mul: explainMul,
  div: explainDiv,
  gelu: explainSlope,
  gelu_tanh: explainSlope,
  relu: explainSlope,
  masked_fill: explainMaskedFill,
  reshape: explainReshape,
  transpose: explainTranspose,
  getitem: explainGetitem,
};
const MOST_TERMS = 5;
const AFTER_SIGN = new Set(["average", "most", "mean", "xhat", "along", "weight", "bias", "factor", "y"]);

/**
 * Every array of an op that our side has, by name.
 * @param {Scene} scene
 * @param {Op} op
 * @returns {Arrays}
 */
export function arraysOf(scene, op) {
  const all = [op.output, op.dout, ...op.inputs.flatMap(({ value, gradient }) => [value, gradient])];
  /** @type {Arrays} */
  const arrays = {};
  for (const compared of all) {
    if (compared && compared.ours !== null) arrays[compared.name] = { ...scene.array(compared.ours), axes: compared.axes };
  }
  const slope = scene.fact(op.id, "slope");
  if (slope) arrays.slope = { ...scene.array(slope.arrays.slope), axes: op.output.axes };
  return arrays;
}

/**
 * @param {Scene} scene
 * @param {Op} op
 * @param {string} name
 * @param {number} flat
 * @returns {{sentence: string, from: Entry[], value: number | undefined}} value: computed here
 */
export function explained(scene, op, name, flat) {
  const arrays = arraysOf(scene, op);
  const called = (/** @type {string} */ array, /** @type {number} */ at) => nameOfEntry(scene, array, arrays[array], at);
  const recorded = scene.number(arrays[name].data[flat]);
  const found = scene.walk.kind === "language model" ? EXPLAINED[op.op]?.(arrays, name, flat, op.options) : undefined;
  if (!found) return { sentence: whence(scene, op, name, called(name, flat), recorded), from: [], value: undefined };
  const { kind, value, numbers = {}, terms = [], from } = found;
  const first = terms[0]?.factors.map((factor) => factor.name) ?? [];
  const values = Object.fromEntries(Object.entries(numbers).map(([key, one]) => [key, typeof one === "number" ? inFormula(scene, key, one) : one]));
  const sentence = scene.say(`explain.${kind}`, {
    ...values,
    entry: called(name, flat),
    count: String(numbers.count ?? terms.length),
    left: first[0] ?? "",
    right: first[1] ?? "",
    terms: largestTerms(scene, arrays, terms),
    from: from?.[0] ? called(from[0].name, from[0].flat) : "",
    value: scene.number(value),
  });
  const off = Math.abs(value - arrays[name].data[flat]) > 1e-3 * Math.abs(value) + 1e-9;
  const check = scene.say(op.verdict === "born" && off ? "explain.check-wrong" : "explain.check", { recorded });
  return { sentence: `${sentence} ${check}`, from: from ?? terms.flatMap((term) => term.factors), value };
}

/**
 * @param {Scene} scene
 * @param {string} key
 * @param {number} number
 * @returns {string} in brackets where a sign would stand beside a minus
 */
function inFormula(scene, key, number) {
  return number < 0 && AFTER_SIGN.has(key) ? `(${scene.number(number)})` : scene.number(number);
}

/**
 * @param {Scene} scene
 * @param {Arrays} arrays
 * @param {readonly import("./explain_sums.js").Term[]} terms
 * @returns {string}
 */
function largestTerms(scene, arrays, terms) {
  const most = [...terms].sort((a, b) => Math.abs(b.value) - Math.abs(a.value)).slice(0, MOST_TERMS);
  return most
    .map(({ factors, value }) => {
      const named = factors.map(({ name, flat }) => `${nameOfEntry(scene, name, arrays[name], flat)} ${scene.number(arrays[name].data[flat])}`);
      return factors.length > 1 ? `${named.join(" × ")} = ${scene.number(value)}` : named[0];
    })
    .join("; ");
}

/**
 * What is known of an entry that is not computed here.
 * @param {Scene} scene
 * @param {Op} op
 * @param {string} name
 * @param {string} entry
 * @param {string} value
 * @returns {string}
 */
function whence(scene, op, name, entry, value) {
  const input = op.inputs.find((one) => one.value.name === name);
  if (name === "dout") {
    const readers = scene.walk.ops.filter((one) => one.inputs.some(({ source, gradient }) => source === op.id && gradient));
    if (readers.length > 0) return scene.say("explain.arrived", { entry, value, ops: readers.map(({ id }) => id).join(", ") });
  }
  if (input?.source) return scene.say(input.kind === "parameter" ? "explain.parameter" : "explain.made", { entry, value, source: input.source });
  return scene.say("explain.recorded", { entry, value });
}

/**
 * @param {Scene} scene
 * @param {string} name
 * @param {{shape: readonly number[], axes: readonly string[]}} array
 * @param {number} flat
 * @returns {string}
 */
export function nameOfEntry(scene, name, array, flat) {
  return entryName(name, array, indexAt(array.shape, flat), (axis, at) => characterAt(scene, axis, at));
}

/**
 * @param {Scene} scene
 * @param {string} axis
 * @param {number} at
 * @returns {string}
 */
export function characterAt(scene, axis, at) {
  const { text } = scene.walk;
  if (!text) return "";
  if (axis === "V") return scene.letter(text.vocabulary[at]);
  return axis === "T" || axis === "S" || axis === "N" ? scene.letter(text.tokens[at]) : "";
}
