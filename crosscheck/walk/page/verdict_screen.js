// Screen 5: the verdict. The gradients of all parameters on both sides; with a bug, that first.

import { bugPanels } from "./bug_screen.js";
import { chooser } from "./charts.js";
import { breakable, make, makeSvg, svgText } from "./dom.js";
import { asNumber } from "./recorded.js";
import { numbersTable } from "./screen_parts.js";
import { sourcePanel } from "./user_source.js";
import { diagonalPanel } from "./verdict_diagonal.js";
import { decadesOf, placeOnLog, shortName, sortedRows } from "./verdict_math.js";

/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {import("./schema.js").Parameter} Parameter */
/** @typedef {import("./verdict_math.js").SortKey} SortKey */

const BAR_WIDTH = 200; // of the largest norm, in units of the picture
const BAR_DECADES = 4; // on the axis of the norms; a smaller one has no bar

/**
 * @param {Scene} scene
 * @returns {HTMLElement}
 */
export function verdictScreen(scene) {
  const { outcome, bug } = scene.walk;
  const state = outcome.agrees ? "agrees" : outcome.disagrees ? "disagrees" : "not-proved";
  return make(
    "section",
    { class: `screen verdict ${state}` },
    make("h2", {}, scene.say("verdict.title")),
    make("p", { class: "state" }, scene.say(`verdict.${state}`)),
    make("p", { class: "quoted", lang: "en" }, outcome.said),
    ...outcome.notes.map((note) => make("p", { class: "quoted", lang: "en" }, note)),
    outcome.rows > 0 ? make("p", {}, verdictSentence(scene)) : null,
    make("p", { class: "legend" }, runSentence(scene)),
    ...(bug ? bugPanels(scene, bug) : []),
    ...sourcePanel(scene),
    parametersPanel(scene),
    diagonalPanel(scene),
  );
}

/**
 * What was run: what an engineer needs to run it again.
 * @param {Scene} scene
 * @returns {string}
 */
function runSentence(scene) {
  const { title, engines, seed, corpus } = scene.walk.model;
  const versions = Object.entries(engines).map(([name, version]) => `${name} ${version}`);
  return `${scene.say("verdict.run", { seed })} ${[title, corpus, ...versions].filter(Boolean).join("; ")}.`;
}

/**
 * @param {Scene} scene
 * @returns {string}
 */
export function verdictSentence(scene) {
  const { rows, failing, largest_error: error } = scene.walk.outcome;
  return scene.say("verdict.counts", { rows, failing, error: scene.number(error) });
}

/**
 * @param {Scene} scene
 * @returns {HTMLElement}
 */
function parametersPanel(scene) {
  const keys = /** @type {SortKey[]} */ (["name", "norm", "error", "verdict"]);
  const choices = keys.map((key) => ({ value: key, text: scene.say(`verdict.by-${key}`) }));
  const first = scene.walk.outcome.agrees ? "name" : "verdict";
  const body = make("tbody", {});
  const norms = scene.walk.parameters.flatMap((p) => [asNumber(p.norm), asNumber(p.norm_reference)]);
  const decades = decadesOf(norms, BAR_DECADES);
  const show = (/** @type {string} */ key) => {
    const rows = sortedRows(scene.walk.parameters, /** @type {SortKey} */ (key));
    body.replaceChildren(...rows.map((row) => parameterRow(scene, row, decades)));
  };
  show(first);
  const heads = ["verdict.parameter", "verdict.norms", "verdict.error", "verdict.outcome"];
  return make(
    "div",
    { class: "panel" },
    make("h3", {}, scene.say("verdict.all-parameters")),
    chooser(scene.say("verdict.sort"), choices, first, show),
    make("p", { class: "legend" }, ...sideLegend(scene)),
    make(
      "table",
      { class: "parameters" },
      make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, scene.say(head))))),
      body,
    ),
    parametersTable(scene),
  );
}

/**
 * @param {Scene} scene
 * @returns {[string, string]} ours and the reference
 */
function sideNames(scene) {
  return [shortName(scene.walk.model.ours), shortName(scene.walk.model.reference)];
}

/**
 * @param {Scene} scene
 * @returns {Node[]}
 */
function sideLegend(scene) {
  const [ours, reference] = sideNames(scene);
  return [
    make("span", { class: "swatch ours" }),
    document.createTextNode(` ${ours}   `),
    make("span", { class: "swatch reference" }),
    document.createTextNode(` ${reference}`),
  ];
}

/**
 * @param {Scene} scene
 * @param {Parameter} row
 * @param {{low: number, high: number}} decades
 * @returns {HTMLElement}
 */
function parameterRow(scene, row, decades) {
  const mark = row.good ? "✓" : "✗";
  return make(
    "tr",
    { class: row.good ? "good" : "bad" },
    make("th", { scope: "row" }, ...breakable(row.name)),
    make("td", {}, pairedBars(scene, row, decades)),
    make("td", { class: "number" }, scene.number(row.error)),
    make("td", {}, make("span", { "aria-hidden": "true" }, `${mark} `), scene.say(`row.${row.verdict}`), row.reason ? make("p", { class: "legend", lang: "en" }, row.reason) : null),
  );
}

/**
 * @param {Scene} scene
 * @param {Parameter} row
 * @param {{low: number, high: number}} decades
 * @returns {SVGElement}
 */
function pairedBars(scene, row, decades) {
  const [ours, reference] = sideNames(scene);
  const said = `${ours} ${scene.number(row.norm)}, ${reference} ${scene.number(row.norm_reference)}`;
  const wide = (/** @type {Parameter["norm"]} */ norm) =>
    norm === null || !Number.isFinite(asNumber(norm)) ? 0 : placeOnLog(asNumber(norm), decades) * BAR_WIDTH;
  const strange = [row.norm, row.norm_reference].map((norm, i) =>
    norm === null || Number.isFinite(asNumber(norm)) ? null : svgText(scene.number(norm), { class: "not-finite", x: 1, y: 7 + 8 * i }),
  );
  return makeSvg(
    "svg",
    { class: "pair", viewBox: `0 0 ${BAR_WIDTH} 16`, role: "img", "aria-label": said },
    makeSvg("rect", { class: "ours", x: 0, y: 1, width: wide(row.norm), height: 6 }),
    makeSvg("rect", { class: "reference", x: 0, y: 9, width: wide(row.norm_reference), height: 6 }),
    ...strange,
  );
}

/**
 * @param {Scene} scene
 * @returns {HTMLElement}
 */
function parametersTable(scene) {
  const rows = scene.walk.parameters;
  const [ours, reference] = sideNames(scene);
  return numbersTable(scene, scene.say("verdict.parameter"), rows.map(({ name }) => name), {
    [ours]: rows.map(({ norm }) => norm),
    [reference]: rows.map(({ norm_reference: norm }) => norm),
    [scene.say("verdict.error")]: rows.map(({ error }) => error),
  });
}
