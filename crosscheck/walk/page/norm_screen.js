// Screen 6, first half: layer norm. What the gradient of a token loses, as three stacked bars.

import { chooser } from "./charts.js";
import { make, makeSvg } from "./dom.js";
import { normBars, partsOfToken } from "./norm_math.js";
import { flatNumbers, isRounding } from "./recorded.js";
import { redraw } from "./redraw.js";
import { characterPicker, numbersTable } from "./screen_parts.js";

/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {import("./schema.js").Fact} Fact */
/** @typedef {import("./norm_math.js").NormBar} NormBar */
/** @typedef {{op: string, token: number, summed: boolean}} NormChoice summed: .sum() is the loss */

const WIDE = 600; // the whole of dx_hat, in units of the picture
const TALL = 34; // a bar with its gap
const LEAST = 3; // what is lost is drawn at least so wide

/**
 * @param {Scene} scene
 * @param {string} [opened] the id of the layer norm to open at
 * @returns {HTMLElement}
 */
export function normScreen(scene, opened = "") {
  const norms = scene.walk.facts.filter(({ kind }) => kind === "parts").map(({ op }) => op);
  const screen = make("section", { class: "screen norm" }, make("h2", {}, scene.say("norm.title")));
  if (norms.length === 0) {
    screen.append(make("p", {}, scene.say("norm.none")));
    return screen;
  }
  const op = norms.includes(opened) ? opened : norms[norms.length - 1];
  const choice = { op, token: mostLost(scene.fact(op, "parts")), summed: false };
  const panel = make("div", {});
  const show = () => {
    scene.present(choice.op);
    redraw(panel, normPanel(scene, norms, choice, show));
  };
  screen.append(make("p", {}, scene.say("norm.intro")), panel);
  show();
  return screen;
}

/**
 * @param {Fact | undefined} fact
 * @returns {number} the token that loses the largest part
 */
function mostLost(fact) {
  if (!fact) return 0;
  const kept = flatNumbers(fact.numbers.dx_hat).map((whole, token) => (whole > 0 ? normBars(partsOfToken(fact.numbers, token))[2].kept : 1));
  return kept.indexOf(Math.min(...kept));
}

/**
 * @param {Scene} scene
 * @param {readonly string[]} norms
 * @param {NormChoice} choice
 * @param {() => void} show
 * @returns {HTMLElement[]}
 */
function normPanel(scene, norms, choice, show) {
  const names = norms.map((op) => ({ value: op, text: op }));
  const fact = scene.fact(choice.op, choice.summed ? "under_sum" : "parts");
  if (!fact) return [];
  const change = (/** @type {Partial<NormChoice>} */ to) => {
    Object.assign(choice, to);
    show();
  };
  const bars = normBars(partsOfToken(fact.numbers, choice.token));
  const sentences = normSentences(scene, choice);
  return [
    chooser(scene.say("norm.which"), names, choice.op, (op) => change({ op })),
    characterPicker(scene, scene.say("norm.token"), choice.token, (token) => change({ token })),
    sumSwitch(scene, choice.summed, (summed) => change({ summed })),
    make("figure", {}, threeBars(scene, bars, sentences.join(" "))),
    ...sentences.map((sentence) => make("p", { class: "said" }, sentence)),
    make("p", { class: "legend" }, scene.say("norm.legend")),
    make("p", { class: "legend" }, scene.say("norm.computed")),
    normTable(scene, fact),
  ];
}

/**
 * @param {Scene} scene
 * @param {boolean} on
 * @param {(on: boolean) => void} onSwitch
 * @returns {HTMLElement}
 */
function sumSwitch(scene, on, onSwitch) {
  const box = /** @type {HTMLInputElement} */ (make("input", { type: "checkbox", role: "switch" }));
  box.checked = on;
  box.addEventListener("change", () => onSwitch(box.checked));
  return make("label", { class: "switch" }, box, ` ${scene.say("norm.switch")}`);
}

/**
 * What is recorded of a token, in words.
 * @param {Scene} scene
 * @param {NormChoice} choice
 * @returns {string[]}
 */
export function normSentences(scene, { op, token, summed }) {
  const fact = scene.fact(op, summed ? "under_sum" : "parts");
  if (!fact) return [];
  const parts = partsOfToken(fact.numbers, token);
  const at = (/** @type {string} */ name) => scene.number(flatNumbers(fact.numbers[name])[token]);
  if (summed) {
    const key = isRounding(parts.rest, parts.dx_hat) ? "norm.vanished" : "norm.vanished-wrong";
    return [scene.say(key, { rest: scene.number(parts.rest) })];
  }
  // Where the variance is no larger than eps, more is left: then the op's verdict decides.
  const gone = scene.op(op)?.verdict === "agree" || bothGone(fact, parts, token, Number(scene.op(op)?.options.eps ?? 0));
  return [
    scene.say("norm.said", {
      t: token,
      character: scene.characters(token + 1)[token],
      whole: scene.number(parts.dx_hat),
      ones: scene.number(parts.along_ones),
      xhat: scene.number(parts.along_x_hat),
      rest: scene.number(parts.rest),
      inv: at("inv_std"),
    }),
    scene.say(gone ? "norm.left" : "norm.left-wrong", { ones: at("dot_ones"), xhat: at("dot_x_hat") }),
  ];
}

/**
 * Whether what is left has no part along ones, and along x_hat only what eps leaves there.
 * @param {Fact} fact
 * @param {import("./norm_math.js").NormParts} parts
 * @param {number} token
 * @param {number} eps
 * @returns {boolean}
 */
function bothGone(fact, parts, token, eps) {
  const at = (/** @type {string} */ name) => flatNumbers(fact.numbers[name])[token];
  const leftByEps = eps * at("inv_std") ** 2 * parts.along_x_hat; // a factor eps / (variance + eps)
  const beyond = Math.max(0, Math.abs(at("dot_x_hat")) - 2 * leftByEps);
  return isRounding(at("dot_ones"), parts.dx_hat) && isRounding(beyond, parts.dx_hat);
}

/**
 * @param {Scene} scene
 * @param {readonly NormBar[]} bars
 * @param {string} said
 * @returns {SVGElement}
 */
function threeBars(scene, bars, said) {
  const names = ["norm.bar-whole", "norm.bar-ones", "norm.bar-x-hat"];
  return makeSvg(
    "svg",
    { class: "stack", viewBox: `0 0 ${WIDE} ${3 * (TALL + 18)}`, role: "img", "aria-label": said },
    ...bars.flatMap(({ kept, lost, gone }, i) => {
      const y = i * (TALL + 18);
      const wide = lost > 0 ? Math.max(LEAST, lost * WIDE) : 0;
      const solid = Math.max(0, Math.min(kept * WIDE, WIDE - wide));
      const label = makeSvg("text", { class: "label start", x: 0, y: y + 12 });
      label.textContent = scene.say(names[i]);
      return [
        label,
        makeSvg("rect", { class: "frame", x: 0, y: y + 18, width: WIDE, height: TALL - 8 }),
        makeSvg("rect", { class: "bar kept", x: 0, y: y + 18, width: solid, height: TALL - 8 }),
        makeSvg("rect", {
          class: "bar lost",
          x: Math.min(solid, WIDE - wide - (gone > 0 ? Math.max(LEAST, gone * WIDE) : 0)),
          y: y + 18,
          width: wide,
          height: TALL - 8,
        }),
      ];
    }),
  );
}

/**
 * @param {Scene} scene
 * @param {Fact} fact
 * @returns {HTMLElement}
 */
function normTable(scene, fact) {
  const names = ["dx_hat", "along_ones", "along_x_hat", "rest", "inv_std"];
  const columns = Object.fromEntries(names.map((name) => [name, flatNumbers(fact.numbers[name])]));
  return numbersTable(scene, scene.say("norm.token"), scene.characters(columns.dx_hat.length), columns);
}
