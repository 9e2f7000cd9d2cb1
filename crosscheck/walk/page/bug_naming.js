// The patch of a planted bug: it stays hidden until the reader has named the op.

import { make } from "./dom.js";
import { rightlyNamed, unhidden } from "./verdict_math.js";

/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {import("./schema.js").Bug} Bug */

const SUM = "sum of gradients"; // an answer that is no op: what several ops send back is added wrongly

/**
 * @param {Scene} scene
 * @param {Bug} bug
 * @returns {HTMLElement}
 */
export function namingPanel(scene, bug) {
  const names = [...new Set([...scene.walk.ops.map(({ op }) => op), SUM, ...bug.answers])].sort();
  const options = names.map((name) => make("option", { value: name }, name));
  const select = /** @type {HTMLSelectElement} */ (
    make("select", {}, make("option", { value: "" }, scene.say("verdict.choose")), ...options)
  );
  const answer = make("div", { role: "status" });
  const form = make("form", { class: "naming" }, make("label", {}, `${scene.say("verdict.name-it")} `, select));
  form.append(make("button", { type: "submit" }, scene.say("verdict.try")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (select.value) answer.replaceChildren(...answerTo(scene, bug, select.value));
  });
  return make("div", { class: "panel" }, form, answer);
}

/**
 * @param {Scene} scene
 * @param {Bug} bug
 * @param {string} op the name that the reader gave
 * @returns {HTMLElement[]}
 */
function answerTo(scene, bug, op) {
  if (!rightlyNamed(bug.answers, { id: op, op })) return [make("p", {}, scene.say("verdict.wrong", { op }))];
  return [
    make("p", {}, scene.say("verdict.right", { op, what: bug.what })),
    make("h4", {}, scene.say("verdict.patch")),
    make("pre", { class: "patch", lang: "en", tabindex: 0 }, ...patchLines(unhidden(bug.patch))),
  ];
}

/**
 * @param {string} patch a unified diff
 * @returns {HTMLElement[]}
 */
function patchLines(patch) {
  return patch.split("\n").map((line) => {
    const kind = line.startsWith("+") ? "added" : line.startsWith("-") ? "removed" : "context";
    return make("span", { class: kind }, `${line}\n`);
  });
}
