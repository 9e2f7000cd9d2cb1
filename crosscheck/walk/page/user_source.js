// The source of a user's model, each line with its tick.

import { make } from "./dom.js";

/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {import("./schema.js").Op} Op */
/** @typedef {import("./schema.js").Place} Place */

/** @type {Record<string, string>} */
export const LINE_MARKS = { right: "✓", wrong: "✗", inherited: "~", none: " " };

/**
 * @param {Scene} scene
 * @returns {HTMLElement[]} a panel for each file; none for our own model
 */
export function sourcePanel(scene) {
  return scene.walk.files.map(({ file, first, lines, marks }) =>
    make(
      "details",
      { class: "panel" },
      make("summary", {}, `${scene.say("verdict.source")}: ${file}`),
      make(
        "div",
        { class: "source", role: "region", "aria-label": file, tabindex: 0, "data-keys": true },
        ...lines.map((text, i) => sourceLine(scene, first + i, text, marks[String(first + i)])),
      ),
    ),
  );
}

/**
 * The line that made the wrong gradient which this op is the first to receive.
 * @param {Scene} scene
 * @param {Op} op
 * @returns {Place | undefined} undefined where there is none, or it is the op's own line
 */
export function guiltyLine(scene, op) {
  const line = scene.walk.bug?.findings.find(({ kind, op: id }) => kind === "line" && id === op.id)?.place;
  const own = line && line.file === op.caller?.file && line.line === op.caller.line;
  return own ? undefined : line ?? undefined;
}

/**
 * @param {Scene} scene
 * @param {number} number
 * @param {string} text
 * @param {readonly [string, string] | undefined} mark its name and what the line makes, in words
 * @returns {HTMLElement}
 */
function sourceLine(scene, number, text, mark) {
  const [name, said] = mark ?? ["", ""];
  const sign = make("span", { class: "mark", "aria-hidden": "true" }, LINE_MARKS[name] ?? " ");
  const line = make("div", { class: name ? `line ${name}` : "line" }, sign);
  line.append(make("span", { class: "line-number" }, String(number)), make("code", {}, text || " "));
  if (name && name !== "none") {
    const words = [scene.say(`verdict.mark-${name}`), said].filter(Boolean).join(": ");
    line.append(make("span", { class: "mark-text" }, words));
  }
  return line;
}
