// A heat map: a canvas with characters on its axes, an entry that one can point at, and a table.

import { make } from "./dom.js";
import { heatColour, heatColours } from "./heat_colours.js";

/** @typedef {import("./matrix.js").Matrix} Matrix */
/** @typedef {{row: number, column: number}} Cell */
/**
 * @typedef {object} HeatMap
 * @property {string} title
 * @property {Matrix} matrix
 * @property {number} limit the magnitude at full colour
 * @property {readonly string[]} [rows] labels, one a row
 * @property {readonly string[]} [columns] labels, one a column
 * @property {readonly boolean[]} [masked] entries that are hatched; what is not finite is so too
 * @property {number} [marked] an entry with a frame around it, in C order
 * @property {number} [chosenRow]
 * @property {boolean} [small]
 * @property {string} [hint] how one points at an entry, for who cannot see the picture
 * @property {(cell: Cell) => void} [onEntry] told when the reader points at an entry
 * @property {(cell: Cell) => string} [nameOf] what an entry is called, and its number
 */
/** @typedef {(cells: readonly {row: number | null, column: number | null}[]) => void} Light rows or columns to light; null: all */

const GAP = 6; // a cell that is at least so wide has a line around it
const SIGNED = 11; // and so wide, a minus in it where it is negative
const WIDEST = 26; // of one cell, in units of the page
const LABEL = 13; // room for a label
const READABLE = 6; // a smaller cell has no room for its character
/** @type {Record<string, readonly [number, number]>} */
const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

/**
 * @param {HeatMap} given
 * @returns {{figure: HTMLElement, light: Light}}
 */
export function heatMap(given) {
  const { title, matrix, small, onEntry, hint } = given;
  const side = cellSide(matrix, small);
  const rows = side.down >= READABLE ? given.rows : undefined;
  const columns = side.across >= READABLE ? given.columns : undefined;
  const heat = { ...given, rows, columns };
  const [left, top] = [rows ? LABEL : 0, columns ? LABEL : 0];
  const canvas = make("canvas", {
    width: Math.round(2 * (left + matrix.columns * side.across)),
    height: Math.round(2 * (top + matrix.rows * side.down)),
    style: `width: ${left + matrix.columns * side.across}px`,
    role: "img",
    "aria-label": hint ? `${title}. ${hint}` : title,
    tabindex: onEntry ? 0 : null,
    "data-keys": onEntry ? "" : null,
  });
  const place = { ...side, left, top };
  /** @type {Parameters<Light>[0]} */
  let lit = [];
  const draw = () => paint(canvas, heat, place, lit);
  if (onEntry) listen(canvas, heat, place);
  draw();
  return {
    figure: make("figure", { class: small ? "heat small" : "heat" }, make("figcaption", {}, title), canvas),
    light: (cells) => {
      lit = cells;
      draw();
    },
  };
}

/**
 * @param {Matrix} matrix
 * @param {boolean} [small]
 * @returns {{across: number, down: number}} the sides of a cell
 */
function cellSide({ rows, columns }, small = false) {
  const [wide, tall] = small ? [110, 110] : [300, 220];
  const across = Math.min(small ? 10 : WIDEST, wide / Math.max(columns, 1));
  const down = Math.min(small ? 10 : 14, tall / Math.max(rows, 1));
  return { across: Math.min(across, 2.2 * down), down: Math.max(down, rows === 1 ? 14 : 0) };
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {HeatMap} heat
 * @param {{across: number, down: number, left: number, top: number}} place
 * @param {Parameters<Light>[0]} lit
 */
function paint(canvas, heat, place, lit) {
  const context = canvas.getContext("2d");
  if (!context) return;
  context.setTransform(2, 0, 0, 2, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  const colours = heatColours();
  paintEntries(context, heat, place, colours);
  paintLabels(context, heat, place, colours.ink);
  const { rows, columns } = heat.matrix;
  const frame = (/** @type {number | null} */ row, /** @type {number | null} */ column, /** @type {string} */ style) => {
    context.strokeStyle = style;
    context.lineWidth = 1.5;
    context.strokeRect(
      place.left + (column ?? 0) * place.across + 0.5,
      place.top + (row ?? 0) * place.down + 0.5,
      Math.max((column === null ? columns : 1) * place.across - 1, 2),
      Math.max((row === null ? rows : 1) * place.down - 1, 2),
    );
  };
  for (const { row, column } of lit) frame(row, column, colours.light);
  if (heat.chosenRow !== undefined) frame(heat.chosenRow, null, colours.ink);
  if (heat.marked !== undefined) frame(Math.floor(heat.marked / columns), heat.marked % columns, colours.ink);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {HeatMap} heat
 * @param {{across: number, down: number, left: number, top: number}} place
 * @param {import("./heat_colours.js").HeatColours} colours
 */
function paintEntries(context, { matrix, masked, limit }, { across, down, left, top }, colours) {
  const gap = Math.min(across, down) >= GAP ? 0.5 : 0;
  for (let i = 0; i < matrix.data.length; i++) {
    const [x, y] = [left + (i % matrix.columns) * across, top + Math.floor(i / matrix.columns) * down];
    const value = matrix.data[i];
    if (masked?.[i] || !Number.isFinite(value)) {
      hatch(context, x, y, across, down, colours.ink);
      continue;
    }
    context.fillStyle = `rgb(${heatColour(colours, value, limit).join(" ")})`;
    context.fillRect(x, y, across - gap, down - gap);
    if (value < 0 && Math.min(across, down) >= SIGNED && Math.abs(value) > limit / 50) {
      context.fillStyle = colours.ink;
      context.fillRect(x + across * 0.35, y + down * 0.45, across * 0.3, 1); // a minus, besides the colour
    }
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 * @param {number} across
 * @param {number} down
 * @param {string} ink
 */
function hatch(context, x, y, across, down, ink) {
  context.strokeStyle = ink;
  context.globalAlpha = 0.35;
  context.lineWidth = 0.7;
  context.beginPath();
  context.moveTo(x, y + down);
  context.lineTo(x + across, y);
  context.stroke();
  context.globalAlpha = 1;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {HeatMap} heat
 * @param {{across: number, down: number, left: number, top: number}} place
 * @param {string} ink
 */
function paintLabels(context, { rows, columns }, { across, down, left, top }, ink) {
  context.fillStyle = ink;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.font = `${Math.min(11, Math.max(7, down - 1))}px ui-monospace, monospace`;
  rows?.forEach((label, i) => context.fillText(label, left / 2, top + (i + 0.5) * down));
  context.font = `${Math.min(11, Math.max(7, across))}px ui-monospace, monospace`;
  columns?.forEach((label, i) => context.fillText(label, left + (i + 0.5) * across, top / 2));
}

/**
 * @param {MouseEvent} event
 * @param {HTMLCanvasElement} canvas
 * @param {{across: number, down: number, left: number, top: number}} place
 * @returns {Cell} it may lie outside of the matrix
 */
function cellUnder(event, canvas, { across, down, left, top }) {
  const scale = canvas.width / 2 / (canvas.clientWidth || 1); // the picture may be shown smaller
  const [x, y] = [event.offsetX * scale - left, event.offsetY * scale - top];
  return { row: Math.floor(y / down), column: Math.floor(x / across) };
}

/**
 * Pointing by pointer, and by the arrow keys while the picture has the focus.
 * @param {HTMLCanvasElement} canvas
 * @param {HeatMap} heat
 * @param {{across: number, down: number, left: number, top: number}} place
 */
function listen(canvas, { matrix, onEntry, nameOf, chosenRow }, place) {
  const at = { row: chosenRow ?? 0, column: 0 };
  const move = (/** @type {number} */ row, /** @type {number} */ column) => {
    if (row < 0 || column < 0 || row >= matrix.rows || column >= matrix.columns) return;
    Object.assign(at, { row, column });
    if (nameOf) canvas.title = nameOf(at);
    onEntry?.({ ...at });
  };
  const pointed = (/** @type {PointerEvent} */ event) => {
    const { row, column } = cellUnder(event, canvas, place);
    move(row, column);
  };
  canvas.addEventListener("pointermove", pointed);
  canvas.addEventListener("pointerdown", pointed);
  canvas.addEventListener("keydown", (event) => {
    const step = MOVES[event.key];
    if (event.key === "Escape") canvas.blur();
    if (!step && event.key !== "Enter") return;
    event.preventDefault();
    event.stopPropagation();
    move(at.row + (step?.[0] ?? 0), at.column + (step?.[1] ?? 0));
  });
}
