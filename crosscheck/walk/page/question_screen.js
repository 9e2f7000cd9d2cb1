// Screen 1: the question. Prediction minus truth, at one character of the text.

import { make } from "./dom.js";
import { barsFigure, signedBars } from "./charts.js";
import { characterPicker, numbersTable } from "./screen_parts.js";
import { hashOf } from "./state.js";

/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {import("./schema.js").Text} Text */

/**
 * @param {Scene} scene
 * @returns {HTMLElement}
 */
export function questionScreen(scene) {
  const { text } = scene.walk;
  const screen = make("section", { class: "screen question" }, make("h2", {}, scene.say("question.title")));
  if (!text) return screen;
  const body = make("div", {});
  const choice = { token: hardest(text) };
  const show = () => {
    body.replaceChildren(
      characterPicker(scene, scene.say("question.pick"), choice.token, (token) => {
        choice.token = token;
        show();
        /** @type {HTMLElement | null} */ (body.querySelector('[aria-pressed="true"]'))?.focus();
      }),
      ...atToken(scene, text, choice.token),
    );
    const part = (text.target_ids[choice.token] + 0.5) / text.vocabulary.length;
    requestAnimationFrame(() => bringIntoSight(body.querySelectorAll(".bars-scroll"), part)); // once it is laid out
  };
  show();
  const last = scene.walk.ops[scene.walk.ops.length - 1].id;
  screen.append(
    make("p", { class: "lead" }, introSentence(scene, text)),
    body,
    make("h3", {}, scene.say("question.witnesses")),
    make("ol", { class: "three" }, ...["rule", "reference", "difference"].map((key) => make("li", {}, make("strong", {}, scene.say(`question.${key}`)), " ", scene.say(`question.${key}-said`)))),
    make("p", {}, make("a", { class: "button", href: hashOf({ op: last, screen: "card" }) }, scene.say("question.start"))),
  );
  return screen;
}

/**
 * Where a narrow window makes the bars scroll, the bar of the true character is in the middle.
 * @param {Iterable<Element>} scrolled
 * @param {number} part of the width, from 0 to 1
 */
function bringIntoSight(scrolled, part) {
  for (const one of scrolled) one.scrollLeft = part * one.scrollWidth - one.clientWidth / 2;
}

/**
 * @param {Scene} scene
 * @param {Text} text
 * @returns {string}
 */
function introSentence(scene, { tokens, counts }) {
  const { parameters, seed } = scene.walk.model;
  const counted = counts.filter(Boolean).length;
  const key = counted === tokens.length ? "question.intro" : "question.intro-some";
  return scene.say(key, { model: parameters.toLocaleString(scene.walk.language), seed, count: tokens.length, counted });
}

/**
 * @param {Text} text
 * @returns {number} the position with the largest loss
 */
function hardest({ losses, counts }) {
  const worth = losses.map((loss, i) => (counts[i] ? Number(loss) : -1));
  return worth.indexOf(Math.max(...worth));
}

/**
 * @param {Scene} scene
 * @param {Text} text
 * @param {number} token
 * @returns {{p: number[], y: number[], gap: number[]}} the row of p, of the truth, and of p - y
 */
function questionRows(scene, text, token) {
  const size = text.vocabulary.length;
  const probs = scene.array(text.probs).data;
  const p = Array.from({ length: size }, (_, v) => probs[token * size + v]);
  const y = Array.from({ length: size }, (_, v) => (v === text.target_ids[token] ? 1 : 0));
  return { p, y, gap: p.map((value, v) => (text.counts[token] ? value - y[v] : 0)) };
}

/**
 * @param {Scene} scene
 * @param {Text} text
 * @param {number} token
 * @returns {HTMLElement[]}
 */
function atToken(scene, text, token) {
  const rows = questionRows(scene, text, token);
  const labels = text.vocabulary.map(scene.letter);
  const figures = /** @type {const} */ (["p", "y", "gap"]).map((key) => {
    const said = scene.say(`question.${key}`);
    const limit = key === "p" ? Math.max(...rows.p) : 1;
    const picture = signedBars({ values: rows[key], labels, said, limit, chosen: text.target_ids[token] });
    return barsFigure(scene, { name: key, said, limit }, picture);
  });
  return [
    make("p", { class: "said", role: "status" }, questionSentence(scene, text, token)),
    ...figures,
    make("p", { class: "motto" }, scene.say("question.motto")),
    numbersTable(scene, scene.say("screens.character"), labels, { p: rows.p, y: rows.y, "p - y": rows.gap }),
  ];
}

/**
 * @param {Scene} scene
 * @param {Text} text
 * @param {number} token
 * @returns {string}
 */
function questionSentence(scene, text, token) {
  const { p, gap } = questionRows(scene, text, token);
  const goal = text.target_ids[token];
  const most = p.indexOf(Math.max(...p));
  const counted = text.counts.filter(Boolean).length;
  return scene.say(text.counts[token] ? "question.said" : "question.uncounted", {
    t: token,
    character: scene.letter(text.tokens[token]),
    target: scene.letter(text.targets[token]),
    p: scene.number(p[goal]),
    loss: scene.number(text.losses[token]),
    most: scene.letter(text.vocabulary[most]),
    mostp: scene.number(p[most]),
    gap: scene.number(gap[goal]),
    dlogit: scene.number(gap[goal] / counted),
    count: counted,
  });
}
