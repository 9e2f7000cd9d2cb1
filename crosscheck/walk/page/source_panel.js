// The source beside the card: the lines of the rule, its derivation, and the line that called it.

import { make } from "./dom.js";
import { guiltyLine, LINE_MARKS } from "./user_source.js";

/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {import("./schema.js").Op} Op */
/** @typedef {import("./schema.js").Rule} Rule */

/**
 * @param {Scene} scene
 * @param {Op} op
 * @returns {HTMLElement[]}
 */
export function sourceOf(scene, op) {
  const rule = scene.walk.rules[op.op];
  const parts = rule ? ruleParts(scene, rule) : userLines(scene, op);
  if (op.caller && rule) {
    parts.push(
      make("h3", {}, scene.say("source.caller")),
      make("p", { class: "place", lang: "en" }, `${op.caller.file}:${op.caller.line}`),
      make("pre", { class: "code", lang: "en", tabindex: 0, "data-keys": "" }, make("code", {}, op.caller.text)),
    );
  }
  return parts;
}

/**
 * @param {Scene} scene
 * @param {Rule} rule
 * @returns {HTMLElement[]}
 */
function ruleParts(scene, rule) {
  const first = rule.lines[0]?.number ?? 1;
  /** @type {HTMLElement[]} */
  const parts = [
    make("h2", {}, scene.say("source.rule")),
    make("p", { class: "place", lang: "en" }, `${rule.file}:${first}`),
    make(
      "div",
      { class: "code rule-lines", lang: "en", role: "region", "aria-label": rule.file, tabindex: 0, "data-keys": "" },
      ...rule.lines.map(({ number, text, steps, backward }) => ruleLine(scene, number, text, steps, backward)),
    ),
  ];
  if (rule.derivation) {
    parts.push(
      make(
        "details",
        { class: "derivation" },
        make("summary", {}, scene.say("source.derivation")),
        make("pre", { lang: "en", tabindex: 0, "data-keys": "" }, rule.derivation),
      ),
    );
  }
  if (rule.fact) parts.push(make("p", { class: "fact" }, `${scene.say("source.fact")} `, make("q", { lang: "en" }, rule.fact)));
  if (rule.source) parts.push(make("p", { class: "citation" }, `${scene.say("source.from")} `, make("span", { lang: "en" }, rule.source)));
  parts.push(make("p", { class: "citation" }, `${scene.say("source.mirrors")} `, make("code", {}, rule.mirrors)));
  return parts;
}

/**
 * @param {Scene} scene
 * @param {number} number
 * @param {string} text
 * @param {readonly number[]} steps
 * @param {boolean} backward
 * @returns {HTMLElement}
 */
function ruleLine(scene, number, text, steps, backward) {
  const present = backward && steps.length > 0;
  return make(
    "div",
    { class: `rule-line ${backward ? "backward" : "forward"}${present ? " present" : ""}`, "aria-current": present ? "step" : null },
    make("span", { class: "number", "aria-hidden": "true" }, String(number)),
    make("span", { class: "step", title: present ? scene.say("source.step", { steps: steps.join(", ") }) : null }, stepsText(steps)),
    make("code", {}, text.replace(/ {3,}#/, "  #") || " "), // columns of comments have no room here
  );
}

/**
 * @param {readonly number[]} steps
 * @returns {string} "4", "4,3", or "4–1" of more
 */
function stepsText(steps) {
  return steps.length > 2 ? `${steps[0]}–${steps[steps.length - 1]}` : steps.join(",");
}

/**
 * The lines around the one that made the array, or its wrong gradient, in a user's file.
 * @param {Scene} scene
 * @param {Op} op
 * @returns {HTMLElement[]}
 */
function userLines(scene, op) {
  const caller = guiltyLine(scene, op) ?? op.caller;
  if (!caller) return [make("p", {}, scene.say("source.none"))];
  const file = scene.walk.files.find(({ file: name }) => name === caller.file);
  const lines = file ? file.lines.map((text, i) => ({ number: file.first + i, text })) : [{ number: caller.line, text: caller.text }];
  return [
    make("h2", {}, scene.say("source.yours")),
    make("p", { class: "place", lang: "en" }, `${caller.file}:${caller.line}`),
    make(
      "div",
      { class: "code rule-lines", lang: "en", role: "region", "aria-label": caller.file, tabindex: 0, "data-keys": "" },
      ...lines.map(({ number, text }) => userLine(number, text, number === caller.line, file?.marks[String(number)]?.[0] ?? "")),
    ),
  ];
}

/**
 * @param {number} number
 * @param {string} text
 * @param {boolean} present
 * @param {string} mark
 * @returns {HTMLElement}
 */
function userLine(number, text, present, mark) {
  return make(
    "div",
    { class: `rule-line ${mark}${present ? " present" : ""}`, "aria-current": present ? "step" : null },
    make("span", { class: "number", "aria-hidden": "true" }, String(number)),
    make("span", { class: "step" }, LINE_MARKS[mark] ?? ""),
    make("code", {}, text || " "),
  );
}
