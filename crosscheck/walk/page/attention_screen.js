// Screen 4: attention. Three pictures for a head, the way of one query's row, and three products.

import { maskedEntries } from "./attention_math.js";
import { productsPanel } from "./attention_products.js";
import { queryPanel } from "./attention_query.js";
import { chooser } from "./charts.js";
import { make } from "./dom.js";
import { matrixOf } from "./matrix.js";
import { redraw } from "./redraw.js";
import { heatPicture, tabs } from "./screen_parts.js";

/** @typedef {import("./matrix.js").Matrix} Matrix */
/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {"q" | "k" | "v" | "probs" | "dprobs" | "dscores" | "scores" | "dcontext" | "dq" | "dk" | "dv"} HeadArray */
/** @typedef {Record<HeadArray, Matrix>} Head all matrices of one head */

/** @type {readonly HeadArray[]} */
const HEAD_ARRAYS = ["q", "k", "v", "scores", "probs", "dprobs", "dscores", "dcontext", "dq", "dk", "dv"];

/**
 * @param {Scene} scene
 * @param {string} [opened] the id of an op of the attention to open at
 * @returns {HTMLElement}
 */
export function attentionScreen(scene, opened = "") {
  const { attentions } = scene.walk;
  const screen = make("section", { class: "screen attention" });
  const title = make("h2", {}, scene.say("attention.title"));
  if (attentions.length === 0) {
    screen.append(title, make("p", {}, scene.say("attention.none")));
    return screen;
  }
  const choice = { which: openedAt(attentions, opened), head: 0, query: -1 };
  const panel = make("div", {});
  const show = () => redraw(panel, headPanels(scene, choice, show));
  screen.append(title, make("p", {}, scene.say("attention.intro")), panel);
  show();
  return screen;
}

/**
 * @param {readonly {module: string}[]} attentions
 * @param {string} opened
 * @returns {number} the attention of the op's module; the last where it has none
 */
function openedAt(attentions, opened) {
  const found = attentions.findIndex(({ module }) => opened.startsWith(`${module}/`));
  return found < 0 ? attentions.length - 1 : found;
}

/**
 * @param {Scene} scene
 * @param {{which: number, head: number, query: number}} choice
 * @param {() => void} show
 * @returns {HTMLElement[]}
 */
function headPanels(scene, choice, show) {
  const { attentions } = scene.walk;
  const attention = attentions[choice.which];
  scene.present(attention.softmax);
  const heads = scene.array(attention.probs).shape[1];
  const head = headOf(scene, attention, choice.head);
  if (choice.query < 0) choice.query = Math.min(head.probs.rows - 1, Math.floor(head.probs.rows / 2));
  const names = attentions.map(({ module }, i) => ({ value: String(i), text: module }));
  const modules = chooser(scene.say("attention.module"), names, String(choice.which), (value) => {
    choice.which = Number(value);
    show();
  });
  const labels = Array.from({ length: heads }, (_, i) => scene.say("attention.head", { head: i }));
  const headTabs = tabs(scene.say("attention.heads"), labels, choice.head, (at) => {
    choice.head = at;
    show();
  });
  const pick = (/** @type {number} */ query) => {
    choice.query = query;
    show();
  };
  return [
    modules,
    headTabs,
    threePictures(scene, head, choice.query, pick),
    queryPanel(scene, attention, { head, at: choice.head, query: choice.query }, pick),
    productsPanel(scene, head, attention.scale),
  ];
}

/**
 * @param {Scene} scene
 * @param {Record<HeadArray, number>} attention refs
 * @param {number} at which head
 * @returns {Head}
 */
function headOf(scene, attention, at) {
  const cut = HEAD_ARRAYS.map((name) => {
    const { shape, data } = scene.array(attention[name]);
    return [name, matrixOf(shape, data, at)];
  });
  return Object.fromEntries(cut);
}

/**
 * @param {Scene} scene
 * @param {Head} head
 * @param {number} query
 * @param {(query: number) => void} pick
 * @returns {HTMLElement}
 */
function threePictures(scene, head, query, pick) {
  const masked = maskedEntries(head.scores);
  const labels = scene.characters(head.probs.columns);
  const pictures = /** @type {const} */ (["probs", "dprobs", "dscores"]).map((name) =>
    heatPicture(scene, {
      title: scene.say(`attention.${name}`),
      matrix: head[name],
      rows: scene.characters(head[name].rows),
      columns: labels,
      masked,
      chosenRow: query,
      onRow: pick,
    }),
  );
  const hidden = masked.includes(true) ? make("p", { class: "legend" }, scene.say("attention.masked")) : null;
  return make("div", { class: "pictures" }, ...pictures, ...(hidden ? [hidden] : []));
}
