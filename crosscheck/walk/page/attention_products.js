// The three products that give dq, dk and dv, each drawn as its matrices, with its transposes.

import { attentionProducts } from "./attention_math.js";
import { tickText } from "./charts.js";
import { make } from "./dom.js";
import { relativeGap, transposed } from "./matrix.js";
import { heatPicture } from "./screen_parts.js";

/** @typedef {import("./matrix.js").Matrix} Matrix */
/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {import("./attention_screen.js").Head} Head */

/**
 * @param {Scene} scene
 * @param {Head} head
 * @param {number} scale
 * @returns {HTMLElement}
 */
export function productsPanel(scene, head, scale) {
  const made = attentionProducts(head, scale);
  const factor = `${tickText(scene, scale)} *`;
  const rows = /** @type {const} */ ([
    ["dq", "T", factor, "dscores", head.dscores, "T", "S", "k", head.k],
    ["dk", "S", factor, "dscores^T", transposed(head.dscores), "S", "T", "q", head.q],
    ["dv", "S", "", "probs^T", transposed(head.probs), "S", "T", "dcontext", head.dcontext],
  ]);
  return make(
    "div",
    { class: "panel" },
    make("h3", {}, scene.say("attention.products")),
    make("p", {}, scene.say("attention.products-intro")),
    ...rows.map(([name, axis, times, leftName, left, up, across, rightName, right]) =>
      make(
        "div",
        { class: "product" },
        small(scene, `${name} (${axis}, K)`, made[name]),
        make("span", { class: "sign" }, times ? `= ${times}` : "="),
        small(scene, `${leftName} (${up}, ${across})`, left),
        make("span", { class: "sign" }, "@"),
        small(scene, `${rightName} (${across}, K)`, right),
        make("p", { class: "said" }, productSentence(scene, name, made[name], head[name])),
      ),
    ),
  );
}

/**
 * How far a product that is computed here is from the recorded array.
 * @param {Scene} scene
 * @param {string} name
 * @param {Matrix} made
 * @param {Matrix} recorded
 * @returns {string}
 */
export function productSentence(scene, name, made, recorded) {
  return scene.say("attention.computed", { name, gap: scene.number(relativeGap(made.data, recorded.data)) });
}

/**
 * @param {Scene} scene
 * @param {string} title
 * @param {Matrix} matrix
 * @returns {HTMLElement}
 */
function small(scene, title, matrix) {
  return heatPicture(scene, { title, matrix, small: true });
}
