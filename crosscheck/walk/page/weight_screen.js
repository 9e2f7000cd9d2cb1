// Screen 7: a weight learns. dW as a sum over characters of matrices of rank one.

import { chooser, signedBars } from "./charts.js";
import { make } from "./dom.js";
import { differenceOf, lengthOf, rowOf } from "./matrix.js";
import { redraw } from "./redraw.js";
import { heatPicture, numbersTable } from "./screen_parts.js";
import { lessonOrder, lessonSum, lessonsOf, linearMatrices, missingAfter } from "./weight_math.js";

/** @typedef {import("./matrix.js").Matrix} Matrix */
/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {{id: string, weight: string, x: number, dout: number, dweight: number}} LinearRefs */
/**
 * @typedef {object} Lesson a linear, and all that is computed of it once
 * @property {Matrix} x
 * @property {Matrix} dout
 * @property {Matrix} dweight
 * @property {{norm: number, share: number}[]} lessons
 */
/** @typedef {{count: number, strongest: boolean, order: number[], missing: number[]}} Added */

/**
 * @param {Scene} scene
 * @param {string} [opened] the id of the linear to open at
 * @returns {HTMLElement}
 */
export function weightScreen(scene, opened = "") {
  const linears = learningLinears(scene);
  const screen = make("section", { class: "screen weight" }, make("h2", {}, scene.say("weight.title")));
  if (linears.length === 0) {
    screen.append(make("p", {}, scene.say("weight.none")));
    return screen;
  }
  let linear = linears.find(({ id }) => id === opened) ?? linears[linears.length - 1];
  const names = linears.map(({ id, weight }) => ({ value: id, text: weight }));
  const body = make("div", {});
  const open = () => {
    scene.present(linear.id);
    body.replaceChildren(...lessonPanels(scene, linear));
  };
  const choose = chooser(scene.say("weight.which"), names, linear.id, (id) => {
    linear = linears.find((one) => one.id === id) ?? linear;
    open();
  });
  screen.append(make("p", {}, scene.say("weight.intro")), choose, body);
  open();
  return screen;
}

/**
 * The linears of the run of which all arrays are there.
 * @param {Scene} scene
 * @returns {LinearRefs[]}
 */
function learningLinears(scene) {
  return scene.walk.ops.flatMap((op) => {
    const weight = op.inputs.find(({ argument }) => argument === "weight");
    const [x, dout, dweight] = [op.inputs[0]?.value.ours, op.dout?.ours, weight?.gradient?.ours];
    const known = typeof x === "number" && typeof dout === "number" && typeof dweight === "number";
    return op.op === "linear" && weight && known ? [{ id: op.id, weight: weight.source, x, dout, dweight }] : [];
  });
}

/**
 * @param {Scene} scene
 * @param {LinearRefs} refs
 * @returns {HTMLElement[]}
 */
function lessonPanels(scene, refs) {
  const matrices = linearMatrices(scene.array(refs.x), scene.array(refs.dout), scene.array(refs.dweight));
  const lesson = { ...matrices, lessons: lessonsOf(matrices.x, matrices.dout, matrices.dweight) };
  const added = addedInOrder(lesson, false);
  added.count = Math.min(1, added.order.length);
  const pictures = make("div", {});
  const show = () => redraw(pictures, addedPanel(scene, lesson, added));
  const controls = lessonControls(scene, lesson, added, show);
  show();
  return [controls, pictures, whoTaught(scene, lesson)];
}

/**
 * @param {Lesson} lesson
 * @param {boolean} strongest
 * @returns {Added}
 */
function addedInOrder({ x, dout, dweight, lessons }, strongest) {
  const order = lessonOrder(lessons, strongest);
  return { count: 0, strongest, order, missing: missingAfter(x, dout, dweight, order) };
}

/**
 * @param {Scene} scene
 * @param {Lesson} lesson
 * @param {Added} added
 * @param {() => void} show
 * @returns {HTMLElement}
 */
function lessonControls(scene, lesson, added, show) {
  const slider = /** @type {HTMLInputElement} */ (
    make("input", { type: "range", min: 0, max: added.order.length, step: 1 })
  );
  slider.value = String(added.count);
  slider.addEventListener("input", () => {
    added.count = Number(slider.value);
    show();
  });
  const orders = [
    { value: "text", text: scene.say("weight.as-text") },
    { value: "strongest", text: scene.say("weight.strongest") },
  ];
  const order = chooser(scene.say("weight.order"), orders, "text", (value) => {
    Object.assign(added, addedInOrder(lesson, value === "strongest"), { count: added.count });
    show();
  });
  const label = make("label", { class: "slider" }, `${scene.say("weight.slider")} `, slider);
  return make("div", { class: "controls" }, label, order);
}

/**
 * @param {Scene} scene
 * @param {Lesson} lesson
 * @param {Added} added
 * @returns {HTMLElement[]}
 */
function addedPanel(scene, { x, dout, dweight }, added) {
  const so_far = added.order.slice(0, added.count);
  const last = lessonSum(x, dout, so_far.slice(-1));
  const sum = lessonSum(x, dout, so_far);
  const rest = { ...sum, data: differenceOf(dweight.data, sum.data) };
  const limit = Math.max(...Array.from(dweight.data, Math.abs));
  const picture = (/** @type {string} */ name, /** @type {Matrix} */ matrix, /** @type {number | undefined} */ most) =>
    heatPicture(scene, { title: scene.say(name), matrix, limit: most });
  return [
    ...weightSentences(scene, { x, dout }, added).map((sentence) =>
      make("p", { class: "said", "aria-live": "polite" }, sentence),
    ),
    make(
      "div",
      { class: "pictures" },
      picture("weight.lesson", last, undefined),
      picture("weight.sum", sum, limit),
      picture("weight.rest", rest, limit),
    ),
  ];
}

/**
 * What the slider has added, in words.
 * @param {Scene} scene
 * @param {{x: Matrix, dout: Matrix}} matrices
 * @param {Added} added
 * @returns {string[]}
 */
export function weightSentences(scene, { x, dout }, { count, order, missing }) {
  const total = order.length;
  const name = count === total ? "weight.rounding" : "weight.said";
  const said = scene.say(name, { count, total, missing: scene.number(missing[count]) });
  if (count === 0) return [said, scene.say("weight.none-added")];
  const t = order[count - 1];
  const [given, came] = [lengthOf(rowOf(x, t)), lengthOf(rowOf(dout, t))];
  const character = scene.characters(total)[t];
  const numbers = { x: scene.number(given), dout: scene.number(came), norm: scene.number(given * came) };
  return [said, scene.say("weight.added", { t, character, ...numbers })];
}

/**
 * @param {Scene} scene
 * @param {Lesson} lesson
 * @returns {HTMLElement}
 */
function whoTaught(scene, { lessons }) {
  const labels = scene.characters(lessons.length);
  const norms = lessons.map(({ norm }) => norm);
  const shares = lessons.map(({ share }) => share);
  const most = shares.indexOf(Math.max(...shares));
  const figure = (/** @type {string} */ name, /** @type {number[]} */ values) => {
    const said = scene.say(name);
    return make("figure", {}, make("figcaption", {}, said), signedBars({ values, labels, said, chosen: most }));
  };
  const said = scene.say("weight.who-said", {
    t: most,
    character: labels[most],
    norm: scene.number(norms[most]),
    share: scene.number(shares[most]),
    total: scene.number(shares.reduce((sum, share) => sum + share, 0)),
  });
  const table = { [scene.say("weight.bar-norm")]: norms, [scene.say("weight.bar-share")]: shares };
  return make(
    "div",
    { class: "panel" },
    make("h3", {}, scene.say("weight.who")),
    make("p", { class: "said" }, said),
    figure("weight.bar-share", shares),
    figure("weight.bar-norm", norms),
    numbersTable(scene, scene.say("screens.character"), labels, table),
  );
}
