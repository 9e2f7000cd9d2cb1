// The heat maps of a card: the gradients, and below them the values of the same arrays; one scale a row.

import { isHidden } from "./attention_math.js";
import { make } from "./dom.js";
import { chooser } from "./charts.js";
import { characterAt, explained, nameOfEntry } from "./explain.js";
import { heatMap } from "./heatmap.js";
import { viewOf } from "./matrix_view.js";
import { largest } from "./screen_parts.js";
import { foldedTable, matrixTable } from "./tables.js";

/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {import("./schema.js").Op} Op */
/** @typedef {import("./schema.js").Compared} Compared */
/** @typedef {import("./matrix_view.js").MatrixView} MatrixView */
/** @typedef {import("./explain_sums.js").Entry} Entry */
/** @typedef {{compared: Compared, view: MatrixView, data: Float32Array}} Shown */
/** @typedef {{key: string, shown: Shown[]}} MapRow */
/** @typedef {{shown: Shown, light: import("./heatmap.js").Light}} Drawn */

const MOST_FRAMES = 80; // single entries that are lit in one picture

/**
 * @param {Scene} scene
 * @param {Op} op
 * @returns {HTMLElement}
 */
export function cardMaps(scene, op) {
  const rows = mapRows(scene, op);
  const counts = [...new Set(rows.flatMap(({ shown }) => shown.map(({ view }) => view.count)))].filter((count) => count > 1);
  const point = scene.walk.kind === "brought" ? "card.point-only" : "card.point";
  const sentence = make("output", { class: "entry-sentence", tabindex: 0, "data-keys": "" }, scene.say(point));
  const pictures = make("div", { class: "map-rows" });
  const choice = { which: 0 };
  const draw = () => pictures.replaceChildren(...drawnRows(scene, op, rows, choice.which, sentence));
  const most = Math.max(1, ...counts);
  const parts = Array.from({ length: most }, (_, which) => ({ value: String(which), text: partName(rows, which, most) }));
  const choose = chooser(scene.say("card.part"), parts, "0", (value) => {
    choice.which = Number(value);
    draw();
  });
  draw();
  return make("div", { class: "card-maps" }, most > 1 ? choose : null, pictures, sentence);
}

/**
 * @param {readonly MapRow[]} rows
 * @param {number} which
 * @param {number} count
 * @returns {string} "H=2", of the first array that has so many parts
 */
function partName(rows, which, count) {
  const shown = rows.flatMap((row) => row.shown).find(({ view }) => view.count === count);
  if (!shown) return String(which);
  const { shape, axes } = shown.compared;
  let rest = which;
  const names = [];
  for (let axis = shown.view.rowAxis - 1; axis >= 0; axis--) {
    if (shape[axis] > 1) names.unshift(`${axes[axis] || axis} = ${rest % shape[axis]}`);
    rest = Math.floor(rest / shape[axis]);
  }
  return names.join(", ");
}

/**
 * @param {Scene} scene
 * @param {Op} op
 * @returns {MapRow[]} gradients above the values of the same arrays, and so of parameters; no empty rows
 */
function mapRows(scene, op) {
  const of = (/** @type {(Compared | null)[]} */ all) => {
    const names = new Set();
    return all.flatMap((compared) => {
      if (!compared || compared.ours === null || names.has(compared.name) || isNoPicture(compared)) return [];
      names.add(compared.name);
      return [{ compared, view: viewOf(compared.shape, compared.axes), data: scene.array(compared.ours).data }];
    });
  };
  const [learned, given] = [op.inputs.filter(({ kind }) => kind === "parameter"), op.inputs.filter(({ kind }) => kind !== "parameter")];
  const rows = [
    { key: "gradients", shown: of([op.dout, ...given.map(({ gradient }) => gradient)]) },
    { key: "values", shown: of([op.output, ...given.map(({ value }) => value)]) },
    { key: "parameter-gradients", shown: of(learned.map(({ gradient }) => gradient)) },
    { key: "parameters", shown: of(learned.map(({ value }) => value)) },
  ];
  return rows.filter(({ shown }) => shown.length > 0);
}

/**
 * A single number, or places in a vocabulary: neither is a picture, and its size would make all others pale.
 * @param {Compared} compared
 * @returns {boolean}
 */
function isNoPicture({ name, shape }) {
  return shape.length === 0 || name === "indices" || name === "targets";
}

/**
 * @param {Scene} scene
 * @param {Op} op
 * @param {readonly MapRow[]} rows
 * @param {number} which
 * @param {HTMLElement} sentence
 * @returns {HTMLElement[]}
 */
function drawnRows(scene, op, rows, which, sentence) {
  /** @type {Drawn[]} */
  const drawn = [];
  const point = (/** @type {string} */ name, /** @type {number} */ flat) => {
    const { sentence: said, from } = explained(scene, op, name, flat);
    sentence.textContent = said;
    for (const one of drawn) one.light(cellsOf(one.shown, which, [...from, { name, flat }]));
  };
  return rows.map(({ key, shown }) => {
    const seen = (/** @type {Float32Array} */ data) => (key === "values" ? data.filter((value) => !isHidden(value)) : data);
    const limit = Math.max(...shown.map(({ data }) => largest(seen(data))));
    const pictures = shown.map((one) => {
      const { figure, light } = oneMap(scene, one, which, limit, point);
      drawn.push({ shown: one, light });
      return figure;
    });
    const scale = scene.say("card.scale", { limit: scene.number(limit) });
    const heading = make("h3", {}, scene.say(`card.${key}`), " ", make("span", { class: "scale" }, scaleBar(scene, limit), scale));
    return make("section", { class: `map-row ${key}` }, heading, make("div", { class: "maps" }, ...pictures));
  });
}

/**
 * @param {Scene} scene
 * @param {number} limit
 * @returns {HTMLElement}
 */
function scaleBar(scene, limit) {
  return make("span", { class: "scale-bar", role: "img", "aria-label": scene.say("card.scale", { limit: scene.number(limit) }) });
}

/**
 * @param {Scene} scene
 * @param {Shown} shown
 * @param {number} chosen
 * @param {number} limit
 * @param {(name: string, flat: number) => void} point
 * @returns {ReturnType<typeof heatMap>}
 */
function oneMap(scene, { compared, view, data }, chosen, limit, point) {
  const { name, shape, axes, norm } = compared;
  const which = Math.min(chosen, view.count - 1);
  const size = view.rows * view.columns;
  const matrix = { rows: view.rows, columns: view.columns, data: data.subarray(which * size, (which + 1) * size) };
  const flatOf = (/** @type {{row: number, column: number}} */ cell) => which * size + cell.row * view.columns + cell.column;
  const labels = (/** @type {string} */ axis, /** @type {number} */ count) => {
    const all = Array.from({ length: count }, (_, at) => characterAt(scene, axis, at));
    return all.every(Boolean) && count <= 70 ? all : undefined;
  };
  const rows = view.rowAxis >= 0 ? labels(axes[view.rowAxis] ?? "", view.rows) : undefined;
  const columns = view.rowAxis === shape.length - 2 || view.rowAxis < 0 ? labels(axes[shape.length - 1] ?? "", view.columns) : undefined;
  const title = `${name} (${axes.map((axis, i) => axis || shape[i]).join(", ")})`;
  const picture = heatMap({
    title,
    matrix,
    limit,
    rows,
    columns,
    hint: scene.say("card.norm", { norm: scene.number(norm) }),
    onEntry: (cell) => point(name, flatOf(cell)),
    nameOf: (cell) => `${nameOfEntry(scene, name, compared, flatOf(cell))} = ${scene.number(data[flatOf(cell)])}`,
  });
  const table = foldedTable(scene.say("screens.table"), () => [matrixTable(scene, matrix, rows ?? [], columns ?? [])]);
  picture.figure.append(table);
  return picture;
}

/**
 * The cells of a shown matrix that hold these entries: whole rows and columns as such.
 * @param {{compared: {name: string}, view: MatrixView}} shown
 * @param {number} chosen
 * @param {readonly Entry[]} entries
 * @returns {{row: number | null, column: number | null}[]}
 */
export function cellsOf({ compared, view }, chosen, entries) {
  const which = Math.min(chosen, view.count - 1);
  const size = view.rows * view.columns;
  const places = entries
    .filter(({ name, flat }) => name === compared.name && Math.floor(flat / size) === which)
    .map(({ flat }) => ({ row: Math.floor((flat % size) / view.columns), column: flat % view.columns }));
  const rows = new Set(places.map(({ row }) => row));
  const columns = new Set(places.map(({ column }) => column));
  if (rows.size === 1 && columns.size === view.columns && view.columns > 1) return [{ row: [...rows][0], column: null }];
  if (columns.size === 1 && rows.size === view.rows && view.rows > 1) return [{ row: null, column: [...columns][0] }];
  return places.slice(0, MOST_FRAMES);
}
