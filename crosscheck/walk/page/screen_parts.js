// STUB in part: what the screens share, until the frame is there.

import { make, makeSvg } from "./dom.js";

/** @typedef {import("./matrix.js").Matrix} Matrix */
/** @typedef {{op: string, kind: string, numbers: Record<string, unknown>, arrays: Record<string, number>}} Fact */
/** @typedef {{name: string, shape: number[], axes: string[], ours: number | null, reference: number | null, verdict: string, said: string, worst: number[] | null, worst_ours: number | null, worst_reference: number | null}} Compared */
/** @typedef {{rule: number, difference: number | null, agrees: boolean | null}} Witness */
/** @typedef {{argument: string, kind: string, source: string, value: Compared, gradient: Compared | null, finite_difference: Witness | null}} Input */
/** @typedef {{id: string, op: string, kind: string, module: string, inputs: Input[], output: Compared, dout: Compared | null, verdict: string}} Op */
/** @typedef {{name: string, parameter: string, rows: number[] | null, shape: number[], gradient: number | null, gradient_reference: number | null, norm: number | null, norm_reference: number | null, error: number | null, verdict: string, good: boolean}} Parameter */
/** @typedef {{op: string, rule: string, argument: string, what: string, hint: string, place: {file: string, line: number, text: string} | null, finite_difference: number | null, words: string}} Finding */
/** @typedef {{id: string, findings: Finding[], inherited: string[], raised: string, answers: string[], what: string, patch: string}} Bug */
/** @typedef {{module: string, softmax: string, scale: number, q: number, k: number, v: number, scores: number, probs: number, dprobs: number, dscores: number, dcontext: number, dq: number, dk: number, dv: number}} Attention */
/** @typedef {{language: string, model: {ours: string, reference: string}, text: {tokens: string[]} | null, outcome: {agrees: boolean, disagrees: boolean, rows: number, failing: number, largest_error: number | null, said: string}, ops: Op[], facts: Fact[], attentions: Attention[], parameters: Parameter[], bug: Bug | null, files: {file: string, first: number, lines: string[], marks: Record<string, [string, string]>}[]}} Walk */
/**
 * @typedef {object} Scene
 * @property {Walk} walk
 * @property {(ref: number) => {shape: readonly number[], data: Float32Array}} array
 * @property {(key: string, values?: Record<string, unknown>) => string} say
 * @property {(value: unknown) => string} number
 * @property {(count: number) => string[]} characters
 * @property {(op: string, kind: string) => Fact | undefined} fact
 * @property {(id: string) => Op | undefined} op
 */

/**
 * @typedef {object} Heat
 * @property {string} title
 * @property {Matrix} matrix
 * @property {readonly string[]} [rows]
 * @property {readonly string[]} [columns]
 * @property {readonly boolean[]} [masked]
 * @property {number} [limit]
 * @property {number} [marked]
 * @property {number} [chosenRow]
 * @property {(row: number) => void} [onRow]
 * @property {boolean} [small]
 */

/**
 * @param {Scene} scene
 * @param {Heat} heat
 * @returns {HTMLElement}
 */
export function heatPicture(scene, { title, matrix, rows, columns, masked, limit, marked, chosenRow, onRow, small }) {
  const most = limit ?? Math.max(...Array.from(matrix.data).filter(Number.isFinite).map(Math.abs), 1e-300);
  const canvas = /** @type {HTMLCanvasElement} */ (make("canvas", { width: matrix.columns * 4, height: matrix.rows * 4, role: "img", "aria-label": title }));
  const c = canvas.getContext("2d");
  for (let i = 0; c && i < matrix.data.length; i++) {
    const v = Math.max(-1, Math.min(1, matrix.data[i] / most)), y = Math.floor(i / matrix.columns), x = i % matrix.columns;
    const f = Math.round(255 * (1 - Math.abs(v)));
    c.fillStyle = masked?.[i] ? "#ccc" : v < 0 ? `rgb(${f},${f},255)` : `rgb(255,${f},${f})`;
    c.fillRect(x * 4, y * 4, 4, 4);
    if (i === marked) { c.strokeStyle = "#000"; c.strokeRect(x * 4 - 4, y * 4 - 4, 12, 12); }
    if (y === chosenRow) { c.fillStyle = "#0006"; c.fillRect(x * 4, y * 4 + 3, 4, 1); }
  }
  canvas.addEventListener("click", (e) => onRow?.(Math.floor((e.offsetY / canvas.clientHeight) * matrix.rows)));
  return make("figure", { class: small ? "heat small" : "heat" }, make("figcaption", {}, title), canvas, (rows ?? []).join("") + (columns ? "" : ""));
}

/**
 * A row of tabs; the arrow keys move between them.
 * @param {string} name
 * @param {readonly string[]} labels
 * @param {number} chosen
 * @param {(at: number) => void} onChoose
 * @returns {HTMLElement}
 */
export function tabs(name, labels, chosen, onChoose) {
  const buttons = labels.map((label, i) =>
    make("button", { type: "button", role: "tab", "aria-selected": i === chosen ? "true" : "false" }, label),
  );
  buttons.forEach((b, i) => b.addEventListener("click", () => onChoose(i)));
  return make("div", { role: "tablist", "aria-label": name, class: "tabs" }, ...buttons);
}

/**
 * @param {Scene} scene
 * @param {string} name
 * @param {number} chosen
 * @param {(token: number) => void} onChoose
 * @returns {HTMLElement}
 */
export function characterPicker(scene, name, chosen, onChoose) {
  const n = scene.walk.text?.tokens.length ?? 0;
  const b = scene.characters(n).map((ch, i) => make("button", { type: "button", "aria-pressed": i === chosen ? "true" : "false", class: "chip" }, ch));
  b.forEach((one, i) => one.addEventListener("click", () => onChoose(i)));
  return make("div", { role: "group", "aria-label": name, class: "chips" }, ...b);
}

/**
 * Columns of numbers behind a picture, made when the reader opens them.
 * @param {Scene} scene
 * @param {string} rowName
 * @param {readonly string[]} labels
 * @param {Record<string, readonly number[]>} columns
 * @returns {HTMLElement}
 */
export function numbersTable(scene, rowName, labels, columns) {
  const details = make("details", { class: "numbers" }, make("summary", {}, scene.say("screens.table")));
  details.addEventListener("toggle", () => {
    if (details.childElementCount > 1) return;
    const heads = [rowName, ...Object.keys(columns)].map((h) => make("th", { scope: "col" }, h));
    const body = labels.map((label, i) =>
      make("tr", {}, make("th", { scope: "row" }, label), ...Object.values(columns).map((c) => make("td", {}, scene.number(c[i])))),
    );
    details.append(make("div", { class: "scroll", tabindex: 0 }, make("table", {}, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...body))));
  });
  return details;
}
void makeSvg;
