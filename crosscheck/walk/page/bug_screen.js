// With a bug: where it was born, both sides and their difference there, and the hidden patch.

import { namingPanel } from "./bug_naming.js";
import { make } from "./dom.js";
import { differenceOf, matrixOf } from "./matrix.js";
import { heatPicture } from "./screen_parts.js";
import { hashOf } from "./state.js";
import { guiltyLine } from "./user_source.js";
import { flatIndex } from "./verdict_math.js";

/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {import("./schema.js").Bug} Bug */
/** @typedef {import("./schema.js").Finding} Finding */
/** @typedef {import("./schema.js").Op} Op */
/** @typedef {import("./schema.js").Compared} Compared */

/**
 * @param {Scene} scene
 * @param {Bug} bug
 * @returns {HTMLElement[]}
 */
export function bugPanels(scene, bug) {
  const panels = bug.findings.map((finding, i) => findingPanel(scene, finding, i === 0));
  if (bug.raised && !scene.walk.outcome.said.includes(bug.raised)) panels.unshift(make("p", { class: "raised" }, scene.say("verdict.raised", { error: bug.raised })));
  if (bug.findings.length === 0) panels.push(make("p", {}, scene.say("verdict.no-place")));
  if (bug.inherited.length > 0) panels.push(inheritedPanel(scene, bug));
  if (bug.answers.length > 0) panels.push(namingPanel(scene, bug));
  return panels;
}

/**
 * @param {Scene} scene
 * @param {Finding} finding
 * @param {boolean} open
 * @returns {HTMLElement}
 */
function findingPanel(scene, finding, open) {
  const op = scene.op(finding.op);
  const compared = op ? wrongArray(op, finding.argument) : undefined;
  const byCaller = finding.kind === "wiring" || finding.kind === "constant"; // the rule itself is right
  const place = (byCaller && op?.caller) || finding.place;
  const born = place && finding.kind === "line" ? `${place.file}:${place.line}` : finding.op || finding.rule;
  const heading = `${scene.say("verdict.born")}: ${born}`;
  const said = [finding.rule ? `${finding.rule}: ${finding.what}` : finding.what, place ? `${place.file}:${place.line}  ${place.text}` : ""];
  const panel = make("details", { class: "panel born", open }, make("summary", {}, make("h3", {}, "✗ ", heading)));
  panel.append(...said.filter(Boolean).map((text) => make("p", { lang: "en", class: "quoted" }, text)));
  if (op) panel.append(goButton(scene, op.id, guiltyLine(scene, op) ? "verdict.go-receiver" : "verdict.go"));
  if (finding.hint && !finding.what.includes(finding.hint)) {
    panel.append(make("p", { class: "hint" }, `${scene.say("verdict.hint")}: `, make("q", { lang: "en" }, finding.hint)));
  }
  if (finding.worst !== null) {
    const numbers = { index: `[${finding.worst.join(", ")}]`, ours: scene.number(finding.ours), reference: scene.number(finding.expected) };
    panel.append(make("p", { class: "said" }, scene.say("verdict.worst-born", numbers)));
  }
  if (finding.finite_difference !== null) {
    const value = scene.number(finding.finite_difference);
    panel.append(make("p", { class: "said" }, scene.say("verdict.witness", { value })));
  }
  if (compared) panel.append(...sideBySide(scene, compared, finding.worst));
  if (finding.kind === "rounding") panel.append(make("p", {}, scene.say("verdict.rounding")));
  const words = make("summary", {}, scene.say("verdict.words"));
  panel.append(make("details", {}, words, make("pre", { lang: "en", tabindex: 0 }, finding.words)));
  return panel;
}

/**
 * The array that a finding is about; of a user's line, which has names of its own, the first of its
 * arrays that disagrees.
 * @param {Op} op
 * @param {string} argument "out", "dout", an input, or the gradient of one
 * @returns {Compared | undefined}
 */
export function wrongArray(op, argument) {
  if (argument === "out") return op.output;
  if (argument === "dout") return op.dout ?? undefined;
  const arrays = op.inputs.flatMap(({ value, gradient }) => (gradient ? [gradient, value] : [value]));
  const all = [...arrays, op.output, ...(op.dout ? [op.dout] : [])];
  return arrays.find(({ name }) => name === argument) ?? all.find(({ verdict }) => verdict === "disagree");
}

/**
 * Ours beside the reference beside their difference, on one scale.
 * @param {Scene} scene
 * @param {Compared} compared
 * @param {readonly number[] | null} said the index of which there is a sentence already
 * @returns {HTMLElement[]}
 */
function sideBySide(scene, compared, said) {
  const { name, ours, reference, worst } = compared;
  if (ours === null || reference === null) return [make("p", {}, scene.say("verdict.only-one"))];
  const [mine, theirs] = [scene.array(ours), scene.array(reference)];
  if (mine.data.length !== theirs.data.length) return [make("p", { lang: "en" }, compared.said)];
  const index = worst ?? mine.shape.map(() => 0);
  const which = flatIndex(mine.shape.slice(0, -2), index.slice(0, -2)); // the matrix with the worst
  const matrix = matrixOf(mine.shape, mine.data, which);
  const other = matrixOf(theirs.shape, theirs.data, which);
  const gap = { ...matrix, data: differenceOf(matrix.data, other.data) };
  const finite = [...Array.from(matrix.data), ...Array.from(other.data)].filter(Number.isFinite);
  const limit = Math.max(...finite.map(Math.abs), 0);
  const marked = worst === null ? undefined : flatIndex(mine.shape.slice(-2), index.slice(-2));
  const leading = index.slice(0, -2).join(", ");
  const label = leading ? `${name}[${leading}]` : name;
  const picture = (/** @type {string} */ title, /** @type {import("./matrix.js").Matrix} */ shown) =>
    heatPicture(scene, { title, matrix: shown, limit: limit || undefined, marked });
  return [
    ...(String(said) === String(worst) ? [] : [make("p", { class: "said" }, worstSentence(scene, compared))]),
    make(
      "div",
      { class: "pictures" },
      picture(scene.say("verdict.ours", { name: label }), matrix),
      picture(scene.say("verdict.reference", { name: label }), other),
      picture(scene.say("verdict.difference"), gap),
    ),
  ];
}

/**
 * @param {Scene} scene
 * @param {Compared} compared
 * @returns {string} "" where nothing is named as the worst
 */
export function worstSentence(scene, { worst, worst_ours: ours, worst_reference: reference }) {
  if (worst === null) return "";
  const index = `[${worst.join(", ")}]`;
  return scene.say("verdict.worst", { index, ours: scene.number(ours), reference: scene.number(reference) });
}

/**
 * @param {Scene} scene
 * @param {Bug} bug
 * @returns {HTMLElement}
 */
function inheritedPanel(scene, { inherited }) {
  return make(
    "details",
    { class: "panel inherited" },
    make("summary", {}, `~ ${scene.say("verdict.inherited")}: `, scene.say("verdict.inherited-said", { count: inherited.length })),
    make("ul", {}, ...inherited.map((id) => make("li", {}, make("a", { href: hashOf({ op: id, screen: "card" }) }, id)))),
  );
}

/**
 * @param {Scene} scene
 * @param {string} id
 * @param {string} words the key of what the button says
 * @returns {HTMLElement}
 */
function goButton(scene, id, words) {
  return make("p", {}, make("a", { class: "button", href: hashOf({ op: id, screen: "card" }) }, scene.say(words)));
}
