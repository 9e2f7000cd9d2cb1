// The diagonal: two sides' numbers for the same thing, on log axes. What agrees lies on it.

import { chooser, decadeTicks, framed } from "./charts.js";
import { make, makeSvg } from "./dom.js";
import { indexAt } from "./matrix_view.js";
import { asNumber } from "./recorded.js";
import { numbersTable } from "./screen_parts.js";
import { decadesOf, placeOnLog, shortName, spreadOf } from "./verdict_math.js";

/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {import("./verdict_math.js").DiagonalPoint} DiagonalPoint */
/** @typedef {{key: string, text: string, across: string, up: string, points: () => DiagonalPoint[]}} Diagonal */

const SIDE = 320; // of the picture, in its units
const MOST_ENTRIES = 600; // of one parameter
const DIAGONAL_DECADES = 8;

/**
 * @param {Scene} scene
 * @returns {HTMLElement}
 */
export function diagonalPanel(scene) {
  const diagonals = allDiagonals(scene);
  const body = make("div", {});
  const show = (/** @type {string} */ key) => {
    const diagonal = diagonals.find((one) => one.key === key) ?? diagonals[0];
    body.replaceChildren(...diagonalPicture(scene, diagonal));
  };
  const first = diagonals[0];
  show(first.key);
  const choices = diagonals.map(({ key, text }) => ({ value: key, text }));
  const [ours, reference] = [shortName(scene.walk.model.ours), shortName(scene.walk.model.reference)];
  return make(
    "div",
    { class: "panel" },
    make("h3", {}, scene.say("verdict.diagonal", { ours, reference })),
    chooser(scene.say("verdict.diagonal-show"), choices, first.key, show),
    body,
  );
}

/**
 * @param {Scene} scene
 * @returns {Diagonal[]} parameters by their norms, single ops, and the parameters that disagree
 */
function allDiagonals(scene) {
  const [ours, reference] = [shortName(scene.walk.model.ours), shortName(scene.walk.model.reference)];
  const sides = { across: reference, up: ours };
  const wrong = scene.walk.parameters.filter(
    (p) => !p.good && p.rows === null && p.gradient !== null && p.gradient_reference !== null,
  );
  return [
    { key: "norms", text: scene.say("verdict.diagonal-parameters"), ...sides, points: () => normPoints(scene) },
    ...(witnessPoints(scene).length === 0 ? [] : [{
      key: "witness",
      text: scene.say("verdict.diagonal-witness"),
      across: scene.say("verdict.finite-difference"),
      up: scene.say("verdict.rule"),
      points: () => witnessPoints(scene),
    }]),
    ...wrong.map(({ name, gradient, gradient_reference: other }) => ({
      key: `entries of ${name}`,
      text: scene.say("verdict.diagonal-entries", { name }),
      ...sides,
      points: () => entryPoints(scene, Number(gradient), Number(other)),
    })),
  ];
}

/**
 * @param {Scene} scene
 * @returns {DiagonalPoint[]}
 */
function normPoints(scene) {
  return scene.walk.parameters
    .filter(({ norm, norm_reference: other }) => norm !== null && other !== null)
    .map(({ name, norm, norm_reference: other, good }) => ({
      label: name,
      ours: asNumber(norm),
      reference: asNumber(other),
      good,
    }));
}

/**
 * @param {Scene} scene
 * @returns {DiagonalPoint[]}
 */
function witnessPoints(scene) {
  return scene.walk.ops.flatMap((op) =>
    op.inputs.flatMap(({ argument, finite_difference: witness }) =>
      witness && witness.difference !== null && witness.agrees !== null
        ? [
            {
              label: `${op.id} d${argument}`,
              ours: asNumber(witness.rule),
              reference: asNumber(witness.difference),
              good: witness.agrees,
            },
          ]
        : [],
    ),
  );
}

/**
 * @param {Scene} scene
 * @param {number} ours ref
 * @param {number} reference ref
 * @returns {DiagonalPoint[]}
 */
function entryPoints(scene, ours, reference) {
  const { shape, data } = scene.array(ours);
  const other = scene.array(reference).data;
  const most = Math.max(...Array.from(other, Math.abs));
  return spreadOf(data, other, MOST_ENTRIES).map((i) => ({
    label: `[${indexAt(shape, i).join(", ")}]`,
    ours: data[i],
    reference: other[i],
    good: Math.abs(data[i] - other[i]) <= 1e-6 * most, // float32 shows no less
  }));
}

/**
 * @param {Scene} scene
 * @param {Diagonal} diagonal
 * @returns {HTMLElement[]}
 */
function diagonalPicture(scene, { across, up, points }) {
  const all = points();
  const decades = decadesOf(all.flatMap(({ ours, reference }) => [ours, reference]), DIAGONAL_DECADES);
  const ticks = decadeTicks(decades);
  const said = diagonalSentence(scene, all);
  const drawn = all.map((point) => {
    const x = placeOnLog(point.reference, decades) * SIDE;
    const y = SIDE - placeOnLog(point.ours, decades) * SIDE;
    return point.good
      ? makeSvg("circle", { class: "dot", cx: x, cy: y, r: 4 })
      : makeSvg("path", { class: "cross", d: `M${x - 4} ${y - 4}l8 8m0 -8l-8 8` });
  });
  const line = makeSvg("line", { class: "level", x1: 0, y1: SIDE, x2: SIDE, y2: 0 });
  const frame = { size: SIDE, across: ticks, up: ticks, acrossName: across, upName: up, said };
  const table = { [up]: all.map(({ ours }) => ours), [across]: all.map(({ reference }) => reference) };
  return [
    make("figure", {}, framed(frame, [line, ...drawn])),
    make("p", { class: "legend" }, scene.say("verdict.diagonal-legend")),
    make("p", { class: "said" }, said),
    numbersTable(scene, "", all.map(({ label }) => label), table),
  ];
}

/**
 * The point that is farthest from the diagonal, of those that are not zero, in words.
 * @param {Scene} scene
 * @param {readonly DiagonalPoint[]} points
 * @returns {string}
 */
export function diagonalSentence(scene, points) {
  const off = points.map(({ ours, reference }) => Math.abs(Math.log(Math.abs(ours / reference))));
  const counted = points.map((point, i) => (Number.isFinite(off[i]) && significant(point) ? off[i] : -1));
  const far = counted.indexOf(Math.max(...counted));
  const label = points[far]?.label ?? "-";
  const most = Math.exp(Math.max(0, counted[far] ?? 0));
  if (most < 1.0005) return scene.say("verdict.diagonal-all", { count: points.length });
  const factor = scene.number(most);
  return scene.say("verdict.diagonal-said", { count: points.length, label, factor });
}

/**
 * Whether a point is more than the rounding of a zero.
 * @param {DiagonalPoint} point
 * @returns {boolean}
 */
function significant({ ours, reference }) {
  return Math.max(Math.abs(ours), Math.abs(reference)) > 1e-12;
}
