// Numbers as tables: behind every picture there is one, and the key T opens them all.

import { make } from "./dom.js";

const MOST_CELLS = 20_000; // of a table; more would make the page slow

/**
 * A table with a head, that scrolls by itself where it is too wide.
 * @param {readonly string[]} heads
 * @param {readonly (readonly string[])[]} rows the first of each row is its name
 * @param {string} [label] what the table is, for who cannot see it
 * @returns {HTMLElement}
 */
export function plainTable(heads, rows, label = heads.join(", ")) {
  const head = make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text)));
  const body = rows.map(([name, ...cells]) =>
    make("tr", {}, make("th", { scope: "row" }, name), ...cells.map((cell) => make("td", {}, cell))),
  );
  const table = make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
  return make("div", { class: "scroll", tabindex: 0, "data-keys": "", role: "region", "aria-label": label }, table);
}

/**
 * What is made only when the reader opens it. The key T opens and closes all of these.
 * @param {string} title
 * @param {() => readonly Node[]} content
 * @returns {HTMLElement}
 */
export function foldedTable(title, content) {
  const details = make("details", { class: "numbers" }, make("summary", {}, title));
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(...content());
  });
  return details;
}

/**
 * The entries of a matrix. Of a large one the first rows, and it says so.
 * @param {Pick<import("./scene.js").Scene, "say" | "number">} scene
 * @param {import("./matrix.js").Matrix} matrix
 * @param {readonly string[]} rowNames
 * @param {readonly string[]} columnNames
 * @returns {HTMLElement}
 */
export function matrixTable({ say, number }, matrix, rowNames, columnNames) {
  const shown = Math.min(matrix.rows, Math.max(1, Math.floor(MOST_CELLS / matrix.columns)));
  const rows = Array.from({ length: shown }, (_, row) => [
    rowNames[row] ?? String(row),
    ...Array.from({ length: matrix.columns }, (_unused, column) => number(matrix.data[row * matrix.columns + column])),
  ]);
  const heads = Array.from({ length: matrix.columns }, (_, column) => columnNames[column] ?? String(column));
  const table = plainTable(["", ...heads], rows, say("screens.table"));
  if (shown < matrix.rows) table.prepend(make("p", {}, say("table.first", { shown, count: matrix.rows })));
  return table;
}

/**
 * Open or close all tables of the page.
 * @param {ParentNode} page
 */
export function toggleTables(page) {
  const tables = /** @type {HTMLDetailsElement[]} */ ([...page.querySelectorAll("details.numbers")]);
  const open = tables.some((table) => !table.open);
  for (const table of tables) table.open = open;
}
