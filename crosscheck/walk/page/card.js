// Screen 3: the card of an op. What it does, what it sends back, and who says so.

import { cardMaps } from "./card_maps.js";
import { WITNESS_MARKS, witnessTable, witnessTicks } from "./card_witnesses.js";
import { make } from "./dom.js";
import { TICKS } from "./map_picture.js";
import { hashOf } from "./state.js";
import { guiltyLine } from "./user_source.js";

/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {import("./schema.js").Op} Op */

/** @type {Record<string, string>} */
const SCREEN_OF = { softmax: "attention", norm: "norm", activation: "slope", linear: "weight", loss: "question" };

/**
 * @param {Scene} scene
 * @param {string} opened
 * @param {readonly string[]} screens that this walk has
 * @returns {HTMLElement}
 */
export function cardScreen(scene, opened, screens) {
  const op = scene.op(opened);
  if (!op) return make("section", {});
  const step = scene.walk.ops.length - op.index;
  const further = furtherScreen(scene, op);
  return make(
    "section",
    { class: `screen card ${op.verdict}` },
    make(
      "header",
      {},
      make("p", { class: "eyebrow" }, scene.say("card.step", { step, count: scene.walk.ops.length }), op.module ? make("span", { lang: "en" }, ` · ${op.module}`) : null),
      make("h2", {}, make("span", { lang: "en" }, op.op), " ", make("span", { class: `tick ${op.verdict}` }, TICKS[op.verdict] ?? "", make("span", { class: "tick-word" }, ` ${verdictWords(scene, op)}`))),
      make("p", { class: "lead" }, opSentence(scene, op)),
      witnessTicks(scene, op),
    ),
    formulas(scene, op),
    op.mark_text ? make("p", { class: "quoted", lang: "en" }, op.mark_text) : null,
    cardMaps(scene, op),
    make("h3", {}, scene.say("card.witnesses")),
    witnessTable(scene, op),
    witnessSentence(scene, op),
    joinSentence(scene, op),
    further && screens.includes(further) ? make("p", {}, make("a", { class: "button", href: hashOf({ op: op.id, screen: further }) }, scene.say(`card.see-${further}`))) : null,
  );
}

/**
 * @param {Scene} scene
 * @param {Op} op
 * @returns {string}
 */
function verdictWords(scene, op) {
  const line = guiltyLine(scene, op);
  return line ? scene.say("verdict-of.receives", { place: `${line.file}:${line.line}` }) : scene.say(`verdict-of.${op.verdict}`);
}

/**
 * @param {Scene} scene
 * @param {Op} op
 * @returns {string | undefined}
 */
function furtherScreen(scene, op) {
  if (op.verdict === "born") return "verdict"; // where both sides are shown with their difference
  const inAttention = scene.walk.attentions.some(({ module, softmax }) => op.id === softmax || (op.module === module && op.kind === "product"));
  return inAttention ? "attention" : SCREEN_OF[op.kind];
}

/**
 * What happens at this op, in one sentence: also what a screen reader hears at each step.
 * @param {Scene} scene
 * @param {Op} op
 * @returns {string}
 */
export function opSentence(scene, op) {
  const sends = op.inputs.flatMap(({ gradient, source, argument, kind }) =>
    gradient ? [scene.say("card.sends", { name: gradient.name, norm: scene.number(gradient.norm), to: kind === "constant" || !source ? argument : source })] : [],
  );
  const missing = scene.walk.kind === "brought" ? "card.gets-unmatched" : "card.gets-nothing";
  const came = op.kind === "loss" ? "card.begins" : op.dout ? "card.gets" : missing;
  const first = scene.say(came, { op: op.id, norm: scene.number(op.dout?.norm), loss: scene.number(scene.walk.loss.ours ?? scene.walk.loss.reference, 4) });
  if (sends.length === 0) return first;
  return `${first} ${scene.say(op.copies ? "card.copies" : "card.sends-back", { list: sends.join("; ") })}`;
}

/**
 * @param {Scene} scene
 * @param {Op} op
 * @returns {HTMLElement | null}
 */
function formulas(scene, op) {
  const rule = scene.walk.rules[op.op];
  if (!rule) return op.caller ? make("pre", { class: "formula", lang: "en", tabindex: 0, "data-keys": "" }, op.caller.text) : null;
  const options = Object.entries(op.options).map(([name, value]) => `${name} = ${value}`);
  const block = (/** @type {string} */ key, /** @type {readonly string[]} */ lines) =>
    make("div", { class: `formula-of ${key}` }, make("h3", {}, scene.say(`card.${key}`)), ...lines.map((line) => make("p", { class: "formula", lang: "en" }, line)));
  return make(
    "div",
    { class: "formulas" },
    rule.summary ? make("p", { lang: "en" }, rule.summary) : null,
    block("forward", options.length > 0 ? [...rule.forward, options.join(", ")] : rule.forward),
    block("backward", rule.backward),
  );
}

/**
 * @param {Scene} scene
 * @param {Op} op
 * @returns {HTMLElement | null}
 */
function witnessSentence(scene, op) {
  const measured = op.inputs.flatMap(({ gradient, finite_difference: witness }) => (gradient && witness ? [{ name: gradient.name, witness }] : []));
  if (measured.length === 0) return null;
  const said = measured.map(({ name, witness }) =>
    scene.say(witness.difference === null ? "witness.silent" : "witness.said", {
      name,
      rule: scene.number(witness.rule, 6),
      difference: scene.number(witness.difference, 6),
      mark: witness.agrees === null ? "·" : WITNESS_MARKS[witness.agrees ? "agree" : "disagree"],
    }),
  );
  return make("p", { class: "legend" }, `${scene.say("witness.intro")} ${said.join(" ")}`);
}

/**
 * Where the output is used more than once, what its uses send back is added up.
 * @param {Scene} scene
 * @param {Op} op
 * @returns {HTMLElement | null}
 */
function joinSentence(scene, op) {
  const join = scene.walk.joins.find(({ kind, source }) => kind === "op" && source === op.id);
  if (!join) return null;
  const parts = join.contributions.map(({ op: id, norm }) => `${id} (${scene.number(norm)})`).join(", ");
  return make("p", { class: "legend" }, scene.say("card.join", { count: join.contributions.length, parts, norm: scene.number(join.norm) }));
}
