// What screens are made of: a heat map with its table, tabs, the characters of the text, a table.

import { make } from "./dom.js";
import { heatMap } from "./heatmap.js";
import { foldedTable, matrixTable, plainTable } from "./tables.js";

/** @typedef {import("./matrix.js").Matrix} Matrix */
/** @typedef {import("./scene.js").Scene} Scene */
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
 * @returns {HTMLElement} a picture, with a table behind it
 */
export function heatPicture(scene, { onRow, limit, ...heat }) {
  const said = make("output", { class: "entry" });
  const { figure, light } = heatMap({
    ...heat,
    limit: limit ?? largest(heat.matrix.data),
    hint: scene.say(onRow ? "screens.hint-row" : "screens.hint"),
    onEntry: (cell) => {
      said.textContent = entryText(scene, heat, cell);
      light([cell]);
      row = cell.row;
    },
  });
  let row = heat.chosenRow ?? 0; // where the reader points
  const canvas = figure.querySelector("canvas");
  canvas?.addEventListener("click", () => onRow?.(row));
  canvas?.addEventListener("keydown", (event) => {
    if (event.key === "Enter") onRow?.(row);
  });
  const table = () => [matrixTable(scene, heat.matrix, heat.rows ?? [], heat.columns ?? [])];
  figure.append(said, foldedTable(scene.say("screens.table"), table));
  return figure;
}

/**
 * An entry with its place, as "[3 e, 7] = -0.0123".
 * @param {Scene} scene
 * @param {Pick<Heat, "matrix" | "rows" | "columns" | "masked">} heat
 * @param {{row: number, column: number}} cell
 * @returns {string}
 */
export function entryText(scene, { matrix, rows, columns, masked }, { row, column }) {
  const place = [`${row} ${rows?.[row] ?? ""}`.trim(), `${column} ${columns?.[column] ?? ""}`.trim()];
  const at = row * matrix.columns + column;
  const value = masked?.[at] ? scene.say("screens.masked") : scene.number(matrix.data[at]);
  return `[${place.join(", ")}] = ${value}`;
}

/**
 * @param {ArrayLike<number>} entries
 * @returns {number} the largest finite magnitude
 */
export function largest(entries) {
  let most = 0;
  for (let i = 0; i < entries.length; i++) {
    const size = Math.abs(entries[i]);
    if (size > most && size < Infinity) most = size;
  }
  return most;
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
    make("button", { type: "button", role: "tab", "aria-selected": String(i === chosen), tabindex: i === chosen ? 0 : -1 }, label),
  );
  const list = make("div", { role: "tablist", "aria-label": name, class: "tabs", "data-keys": "" }, ...buttons);
  const choose = (/** @type {number} */ at) => {
    const place = list.parentElement;
    const label = name;
    onChoose(at);
    if (!place) return; // the screen is drawn anew, and the focus goes to the new tab
    const again = [...place.querySelectorAll('[role="tablist"]')].find((one) => one.getAttribute("aria-label") === label);
    /** @type {HTMLElement | null | undefined} */ (again?.querySelector('[aria-selected="true"]'))?.focus();
  };
  buttons.forEach((button, i) => {
    button.addEventListener("click", () => choose(i));
    button.addEventListener("keydown", (event) => {
      const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
      if (step) choose((i + step + buttons.length) % buttons.length);
    });
  });
  return list;
}

/**
 * The characters of the text as chips to choose from.
 * @param {Scene} scene
 * @param {string} name
 * @param {number} chosen
 * @param {(token: number) => void} onChoose
 * @returns {HTMLElement}
 */
export function characterPicker(scene, name, chosen, onChoose) {
  const count = scene.walk.text?.tokens.length ?? 0;
  const chips = scene.characters(count).map((character, i) =>
    make("button", { type: "button", "aria-pressed": String(i === chosen), "aria-label": `t=${i} ${character}`, class: "chip" }, character),
  );
  chips.forEach((chip, i) => chip.addEventListener("click", () => onChoose(i)));
  return make("div", { role: "group", "aria-label": name, class: "chips" }, ...chips);
}

/**
 * Columns of numbers behind a picture, made when the reader opens them.
 * @param {Scene} scene
 * @param {string} rowName
 * @param {readonly string[]} labels
 * @param {Record<string, readonly unknown[]>} columns numbers, or null where there is none
 * @returns {HTMLElement}
 */
export function numbersTable(scene, rowName, labels, columns) {
  return foldedTable(scene.say("screens.table"), () => [
    plainTable(
      [rowName, ...Object.keys(columns)],
      labels.map((label, i) => [label, ...Object.values(columns).map((column) => scene.number(column[i]))]),
    ),
  ]);
}
