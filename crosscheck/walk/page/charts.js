// Charts that several screens draw: signed bars, one a token, and axes for points.

import { make, makeSvg } from "./dom.js";

const BAR = 14; // width of a bar with its gap, in units of the picture
const BAR_PIXELS = 9; // pixels that a bar has at least, so that its letter can be read
const HEIGHT = 64; // of the part with bars

/**
 * @typedef {object} Bars
 * @property {readonly number[]} values one a token; what is not finite has no bar
 * @property {readonly string[]} labels one a token: its character
 * @property {string} said what the picture shows, for who cannot see it
 * @property {number} [limit] the value at full height; the largest magnitude if there is none
 * @property {number} [line] a value at which a line is drawn across
 * @property {number} [chosen] the token that is marked
 * @property {readonly boolean[]} [masked] hatched, without a bar
 */

/**
 * Bars from a zero line, up and down.
 * @param {Bars} bars
 * @returns {SVGElement}
 */
export function signedBars({ values, labels, said, limit, line, chosen = -1, masked }) {
  const most = limit || Math.max(...values.filter(Number.isFinite).map(Math.abs), 1e-300);
  const finite = values.filter((value, i) => Number.isFinite(value) && !masked?.[i]);
  const below = Math.min(0, ...finite, line ?? 0) < 0;
  const above = Math.max(0, ...finite, line ?? 0) > 0 || !below;
  const zero = above && below ? HEIGHT / 2 : above ? HEIGHT : 0;
  const scale = (above && below ? HEIGHT / 2 : HEIGHT) / most;
  const width = BAR * values.length;
  return makeSvg(
    "svg",
    { class: "bars", viewBox: `0 -2 ${width} ${HEIGHT + 20}`, role: "img", "aria-label": said, style: `min-width: ${BAR_PIXELS * values.length}px` },
    ...values.map((value, i) =>
      masked?.[i]
        ? makeSvg("rect", { class: "hidden-bar", x: i * BAR + 2, y: 0, width: BAR - 4, height: HEIGHT })
        : oneBar(value, i, zero, scale, i === chosen),
    ),
    makeSvg("line", { class: "axis", x1: 0, x2: width, y1: zero, y2: zero }),
    ...(line === undefined ? [] : [lineAcross(zero - line * scale, width)]),
    ...labels.map((label, i) => barLabel(label, i, i === chosen)),
  );
}

/**
 * Bars with their caption, which ends with the value at full height. Many bars scroll sideways.
 * @param {import("./scene.js").Scene} scene
 * @param {{name: string, said: string, limit: number}} bars name: of the figure's class
 * @param {SVGElement} picture
 * @returns {HTMLElement}
 */
export function barsFigure(scene, { name, said, limit }, picture) {
  const caption = `${said} (${scene.say("card.scale", { limit: scene.number(limit) })})`;
  const scrolled = make("div", { class: "bars-scroll", tabindex: 0, "data-keys": "", role: "group", "aria-label": said }, picture);
  return make("figure", { class: `bars-of ${name}` }, make("figcaption", {}, caption), scrolled);
}

/**
 * @param {number} value
 * @param {number} i
 * @param {number} zero
 * @param {number} scale
 * @param {boolean} chosen
 * @returns {SVGElement}
 */
function oneBar(value, i, zero, scale, chosen) {
  const height = Number.isFinite(value) ? Math.min(HEIGHT, Math.abs(value) * scale) : 0;
  const kind = value < 0 ? "bar negative" : "bar positive";
  return makeSvg("rect", {
    class: chosen ? `${kind} chosen` : kind,
    x: i * BAR + 2,
    y: value < 0 ? zero : zero - height,
    width: BAR - 4,
    height,
  });
}

/**
 * @param {number} y
 * @param {number} width
 * @returns {SVGElement}
 */
function lineAcross(y, width) {
  return makeSvg("line", { class: "level", x1: 0, x2: width, y1: y, y2: y });
}

/**
 * @param {string} label
 * @param {number} i
 * @param {boolean} chosen
 * @returns {SVGElement}
 */
function barLabel(label, i, chosen) {
  const text = makeSvg("text", { class: chosen ? "label chosen" : "label", x: i * BAR + BAR / 2, y: HEIGHT + 14 });
  text.textContent = label;
  return text;
}

/**
 * @typedef {object} Frame the axes of a picture of points
 * @property {number} size of both sides, in units of the picture
 * @property {readonly {at: number, label: string}[]} across ticks from 0, left, to 1, right
 * @property {readonly {at: number, label: string}[]} up ticks from 0, below, to 1, above
 * @property {string} acrossName
 * @property {string} upName
 * @property {string} said
 */

/**
 * A square picture with ticks on both axes; what is given is drawn inside, in units of `frame.size`.
 * @param {Frame} frame
 * @param {readonly SVGElement[]} inside
 * @returns {SVGElement}
 */
export function framed({ size, across, up, acrossName, upName, said }, inside) {
  const words = (/** @type {string} */ text, /** @type {Record<string, string | number>} */ at) => {
    const label = makeSvg("text", { class: "label", ...at });
    label.textContent = text;
    return label;
  };
  return makeSvg(
    "svg",
    { class: "points", viewBox: `-58 -12 ${size + 72} ${size + 60}`, role: "img", "aria-label": said },
    makeSvg("rect", { class: "frame", x: 0, y: 0, width: size, height: size }),
    ...across.flatMap(({ at, label }) => [
      makeSvg("line", { class: "tick", x1: at * size, x2: at * size, y1: 0, y2: size }),
      words(label, { x: at * size, y: size + 16 }),
    ]),
    ...up.flatMap(({ at, label }) => [
      makeSvg("line", { class: "tick", x1: 0, x2: size, y1: size * (1 - at), y2: size * (1 - at) }),
      words(label, { x: -22, y: size * (1 - at) + 4 }),
    ]),
    ...inside,
    words(acrossName, { x: size / 2, y: size + 38 }),
    words(upName, { x: -size / 2, y: -46, transform: "rotate(-90)" }),
  );
}

/**
 * Ticks at whole powers of ten, so few that their labels do not touch.
 * @param {{low: number, high: number}} decades exponents
 * @param {number} [most]
 * @returns {{at: number, label: string}[]}
 */
export function decadeTicks({ low, high }, most = 6) {
  const step = Math.max(1, Math.ceil((high - low) / most));
  const ticks = [];
  for (let power = low; power <= high; power += step) {
    ticks.push({ at: (power - low) / (high - low), label: `1e${power}` });
  }
  return ticks;
}

/**
 * A number with no more digits than it has: 0.25 and not 0.250.
 * @param {import("./scene.js").Scene} scene
 * @param {number} value
 * @returns {string}
 */
export function tickText(scene, value) {
  const digits = String(Math.abs(value)).replace(/^0\.0*|\./g, "").length;
  return scene.number(value, Math.min(3, digits));
}

/**
 * A labelled list to choose from.
 * @param {string} label
 * @param {readonly {value: string, text: string}[]} choices
 * @param {string} chosen
 * @param {(value: string) => void} onChoose
 * @returns {HTMLElement}
 */
export function chooser(label, choices, chosen, onChoose) {
  const select = /** @type {HTMLSelectElement} */ (
    make("select", {}, ...choices.map(({ value, text }) => make("option", { value }, text)))
  );
  select.value = chosen;
  select.addEventListener("change", () => onChoose(select.value));
  return make("label", { class: "chooser" }, `${label} `, select);
}
