// The way of one query's row back through softmax: dprobs, less its average, times probs.

import { maskedEntries, softmaxBackward, strongestKeys } from "./attention_math.js";
import { barsFigure, chooser, signedBars } from "./charts.js";
import { make } from "./dom.js";
import { relativeGap, rowOf } from "./matrix.js";
import { isRounding, recordedAt } from "./recorded.js";
import { numbersTable } from "./screen_parts.js";

/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {import("./schema.js").Fact} Fact */
/** @typedef {import("./attention_screen.js").Head} Head */
/** @typedef {{head: Head, at: number, query: number}} QueryChoice at: which head */

/**
 * @param {Scene} scene
 * @param {{softmax: string}} attention
 * @param {QueryChoice} choice
 * @param {(query: number) => void} pick
 * @returns {HTMLElement}
 */
export function queryPanel(scene, attention, choice, pick) {
  const { head, query } = choice;
  const rows = queryRows(choice);
  const characters = scene.characters(head.probs.rows);
  const queries = characters.map((character, t) => ({ value: String(t), text: `t=${t} ${character}` }));
  const title = scene.say("attention.steps", { t: query, character: characters[query] });
  return make(
    "div",
    { class: "panel" },
    make("h3", {}, title),
    make("p", {}, scene.say("attention.pick")),
    chooser(scene.say("attention.query"), queries, String(query), (value) => pick(Number(value))),
    ...querySentences(scene, attention, choice).map((sentence) => make("p", { class: "said" }, sentence)),
    ...queryBars(scene, rows, scene.characters(head.probs.columns)),
    numbersTable(scene, scene.say("attention.key"), scene.characters(head.probs.columns), {
      probs: rows.probs,
      dprobs: rows.dprobs,
      "dprobs - average": rows.centred,
      dscores: rows.dscores,
    }),
  );
}

/**
 * @param {QueryChoice} choice
 * @returns {{probs: number[], dprobs: number[], centred: number[], dscores: number[], average: number, masked: boolean[]}}
 */
function queryRows({ head, query }) {
  const probs = rowOf(head.probs, query);
  const dprobs = rowOf(head.dprobs, query);
  const { average, dscores } = softmaxBackward(probs, dprobs);
  const keys = head.probs.columns;
  const masked = maskedEntries(head.scores).slice(query * keys, (query + 1) * keys);
  return { probs, dprobs, centred: dprobs.map((value) => value - average), dscores, average, masked };
}

/**
 * The sentences of a query: what the page computes, and what is recorded of its row.
 * @param {Scene} scene
 * @param {{softmax: string}} attention
 * @param {QueryChoice} choice
 * @returns {string[]}
 */
export function querySentences(scene, attention, choice) {
  const { head, at, query } = choice;
  const rows = queryRows(choice);
  const { average, masked } = rows;
  const recorded = scene.fact(attention.softmax, "row_sums");
  const vanished = scene.fact(attention.softmax, "under_sum");
  const numberIn = (/** @type {Fact} */ fact, /** @type {string} */ name) => recordedAt(fact.numbers[name], [0, at, query]);
  const keys = masked.filter((hidden) => !hidden).length;
  return [
    scene.say("attention.average", {
      t: query,
      character: scene.characters(head.probs.rows)[query],
      keys,
      average: scene.number(average),
      recorded: recorded ? scene.number(numberIn(recorded, "average")) : "–",
    }),
    keys === 1 ? scene.say("attention.alone") : strongestSentence(scene, rows, scene.characters(head.probs.columns)),
    ...(recorded ? [rowSumSentence(scene, (name) => numberIn(recorded, name))] : []),
    ...(vanished ? [underSumSentence(scene, numberIn(vanished, "dx"))] : []),
    scene.say("attention.query-computed", {
      gap: scene.number(relativeGap(rows.dscores, rowOf(head.dscores, query))),
    }),
  ];
}

/**
 * @param {Scene} scene
 * @param {(name: string) => number} recorded
 * @returns {string}
 */
function rowSumSentence(scene, recorded) {
  const sum = recorded("sums");
  // What is rounded has cancelled before: where softmax is saturated, the magnitudes are no larger.
  const key = isRounding(sum, recorded("scales")) ? "attention.row-sum" : "attention.row-sum-wrong";
  return scene.say(key, { sum: scene.number(sum), size: scene.number(recorded("sizes")) });
}

/**
 * @param {Scene} scene
 * @param {number} norm
 * @returns {string}
 */
function underSumSentence(scene, norm) {
  const key = isRounding(norm, 1) ? "attention.under-sum" : "attention.under-sum-wrong";
  return scene.say(key, { norm: scene.number(norm) });
}

/**
 * @param {Scene} scene
 * @param {ReturnType<typeof queryRows>} rows
 * @param {readonly string[]} characters of the keys
 * @returns {string}
 */
function strongestSentence(scene, { probs, dprobs, centred, dscores }, characters) {
  if (dscores.every((value) => value === 0)) return scene.say("attention.nothing");
  const { pulled, pushed } = strongestKeys(dscores);
  const s = Math.abs(dscores[pulled]) > Math.abs(dscores[pushed]) ? pulled : pushed;
  return scene.say("attention.strongest", {
    s,
    key: characters[s],
    probs: scene.number(probs[s]),
    dprobs: scene.number(dprobs[s]),
    centred: scene.number(centred[s]),
    dscores: scene.number(dscores[s]),
    moves: scene.say(dscores[s] < 0 ? "attention.raises" : "attention.lowers"),
  });
}

/**
 * @param {Scene} scene
 * @param {ReturnType<typeof queryRows>} rows
 * @param {readonly string[]} labels
 * @returns {HTMLElement[]}
 */
function queryBars(scene, rows, labels) {
  const { masked } = rows;
  const seen = (/** @type {number[]} */ values) => values.filter((_, i) => !masked[i]).map(Math.abs);
  const limit = Math.max(...seen(rows.dprobs), ...seen(rows.centred));
  const steps = [
    { name: "bar-dprobs", values: rows.dprobs, limit, line: rows.average },
    { name: "bar-average", values: rows.centred, limit, line: undefined },
    { name: "bar-dscores", values: rows.dscores, limit: Math.max(...seen(rows.dscores)), line: undefined },
  ];
  return steps.map(({ name, values, limit: most, line }) => {
    const said = scene.say(`attention.${name}`);
    const picture = signedBars({ values, labels, said, limit: most, line, masked });
    return barsFigure(scene, { name, said, limit: most }, picture);
  });
}
