// Screen 6, second half: the activation. Its slope at every entry of the text, and at one token's.

import { chooser, framed, tickText } from "./charts.js";
import { make, makeSvg } from "./dom.js";
import { flatRows, rowOf } from "./matrix.js";
import { slopeCounts, slopePoints } from "./norm_math.js";
import { redraw } from "./redraw.js";
import { characterPicker, numbersTable } from "./screen_parts.js";

/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {import("./matrix.js").Matrix} Matrix */
/** @typedef {{op: string, token: number}} SlopeChoice token: -1 for all */

const SQUARE = 320; // the sides of the picture, in its units
const MOST_POINTS = 1500; // drawn of all entries

/**
 * @param {Scene} scene
 * @param {string} [opened] the id of the activation to open at
 * @returns {HTMLElement}
 */
export function slopeScreen(scene, opened = "") {
  const ops = scene.walk.facts.filter(({ kind }) => kind === "slope").map(({ op }) => op);
  const screen = make("section", { class: "screen slope" }, make("h2", {}, scene.say("slope.title")));
  if (ops.length === 0) {
    screen.append(make("p", {}, scene.say("slope.none")));
    return screen;
  }
  const choice = { op: ops.includes(opened) ? opened : ops[ops.length - 1], token: 0 };
  const panel = make("div", {});
  const show = () => {
    scene.present(choice.op);
    redraw(panel, slopePanel(scene, ops, choice, show));
  };
  screen.append(panel);
  show();
  return screen;
}

/**
 * @param {Scene} scene
 * @param {readonly string[]} ops
 * @param {SlopeChoice} choice
 * @param {() => void} show
 * @returns {HTMLElement[]}
 */
function slopePanel(scene, ops, choice, show) {
  const arrays = slopeArrays(scene, choice.op);
  if (!arrays) return [];
  const { x, slope } = arrays;
  const names = ops.map((op) => ({ value: op, text: op }));
  const inToken = { x: rowOf(x, choice.token), slope: rowOf(slope, choice.token) };
  const sentences = slopeSentences(scene, choice);
  return [
    chooser(scene.say("slope.which"), names, choice.op, (op) => {
      choice.op = op;
      show();
    }),
    characterPicker(scene, scene.say("slope.token"), choice.token, (token) => {
      choice.token = token;
      show();
    }),
    make("figure", {}, slopePicture(scene, x, slope, inToken, sentences[1])),
    make("p", { class: "legend" }, scene.say("slope.legend")),
    ...sentences.map((sentence) => make("p", { class: "said" }, sentence)),
    numbersTable(scene, "", inToken.x.map((_, i) => String(i)), inToken),
  ];
}

/**
 * @param {Scene} scene
 * @param {string} id
 * @returns {{x: Matrix, slope: Matrix} | undefined} (B*T, F)
 */
function slopeArrays(scene, id) {
  const fact = scene.fact(id, "slope");
  const ref = scene.op(id)?.inputs[0]?.value.ours;
  if (!fact || ref === null || ref === undefined) return undefined;
  const [x, slope] = [scene.array(ref), scene.array(fact.arrays.slope)];
  return { x: flatRows(x.shape, x.data), slope: flatRows(slope.shape, slope.data) };
}

/**
 * How the activation treats the gradient, in the whole text and in one token.
 * @param {Scene} scene
 * @param {SlopeChoice} choice
 * @returns {[string, string]}
 */
export function slopeSentences(scene, { op, token }) {
  const arrays = slopeArrays(scene, op);
  if (!arrays) return ["", ""];
  const say = (/** @type {string} */ who, /** @type {ArrayLike<number>} */ slopes) =>
    scene.say("slope.said", { who, count: slopes.length, ...slopeCounts(slopes) });
  const character = scene.characters(token + 1)[token];
  return [
    say(scene.say("slope.entries"), arrays.slope.data),
    say(scene.say("slope.of-token", { t: token, character }), rowOf(arrays.slope, token)),
  ];
}

/**
 * @param {Scene} scene
 * @param {Matrix} x
 * @param {Matrix} slope
 * @param {{x: number[], slope: number[]}} inToken
 * @param {string} said
 * @returns {SVGElement}
 */
function slopePicture(scene, x, slope, inToken, said) {
  const points = slopePoints(x.data, slope.data, MOST_POINTS);
  const [left, right] = [Math.floor(points[0].x), Math.ceil(points[points.length - 1].x)];
  const heights = points.map((point) => point.slope);
  const low = Math.floor(Math.min(...heights, 0) * 4) / 4;
  const high = Math.ceil(Math.max(...heights, 1) * 4) / 4;
  const at = (/** @type {number} */ value, /** @type {number} */ from, /** @type {number} */ to) =>
    ((value - from) / (to - from || 1)) * SQUARE;
  const dot = (/** @type {string} */ kind, /** @type {number} */ r) => (/** @type {{x: number, slope: number}} */ p) =>
    makeSvg("circle", { class: kind, cx: at(p.x, left, right), cy: SQUARE - at(p.slope, low, high), r });
  const ringed = inToken.x.map((value, i) => ({ x: value, slope: inToken.slope[i] }));
  return framed(
    {
      size: SQUARE,
      across: [left, 0, right].map((v) => ({ at: at(v, left, right) / SQUARE, label: tickText(scene, v) })),
      up: [low, 0, 0.5, 1, high].map((v) => ({ at: at(v, low, high) / SQUARE, label: tickText(scene, v) })),
      acrossName: scene.say("slope.axis-x"),
      upName: scene.say("slope.axis-y"),
      said,
    },
    [...points.map(dot("dot quiet", 1.5)), ...ringed.map(dot("dot ringed", 4))],
  );
}
