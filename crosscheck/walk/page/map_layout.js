// Where the ops stand on the map: the residual stream downward from the loss, its branches as loops;
// for a model of somebody else's, columns.

import { asNumber } from "./recorded.js";

/** @typedef {import("./schema.js").Walk} Walk */
/** @typedef {import("./schema.js").Op} Op */
/** @typedef {{id: string, x: number, y: number, onStream: boolean}} Spot */
/** @typedef {{from: string, to: string, norm: number | null, normReference: number | null, leaves: boolean}} Edge the gradient goes from one op back to another; a norm is null where it is not known; leaves: to or from a branch */
/** @typedef {{spots: Spot[], edges: Edge[], width: number, height: number, titles: {text: string, x: number, y: number}[]}} MapLayout */

const MAP_HEIGHT = 740; // the whole map, where the steps are not too small or too large for it
const LANE = 16;
const STREAM = 34; // where the stream is, from the left
const LOOP = 46; // from the stream to a branch
const WIDTH = 190;
const LETTER = 6; // the width of one in the name of a column

/**
 * @param {number} count
 * @returns {number} from one op to the next, in units of the picture
 */
function stepOf(count) {
  return Math.max(12, Math.min(20, MAP_HEIGHT / (count + 1)));
}

/**
 * @param {Walk} walk
 * @returns {MapLayout}
 */
export function mapLayout(walk) {
  const { spine, kind } = walk;
  const layout = spine && kind === "language model" ? alongSpine(walk) : inColumns(walk);
  return { ...layout, edges: edgesOf(walk, new Set(layout.spots.filter((spot) => spot.onStream).map(({ id }) => id))) };
}

/**
 * @param {Walk} walk
 * @returns {Omit<MapLayout, "edges">}
 */
function alongSpine({ ops, spine }) {
  const stream = new Set(spine?.stream);
  /** @type {Map<string, number>} */
  const lanes = new Map((spine?.branches ?? []).flatMap(({ ops: ids, lanes: of }) => ids.map((id, i) => [id, of[i]])));
  const last = ops.length - 1;
  const step = stepOf(ops.length);
  const spots = ops.map(({ id, index }) => ({
    id,
    onStream: stream.has(id),
    x: stream.has(id) ? STREAM : STREAM + LOOP + LANE * (lanes.get(id) ?? 0),
    y: step * (last - index + 1),
  }));
  const titles = (spine?.branches ?? []).map(({ name, ops: ids }) => {
    const spot = spots.find(({ id }) => id === ids[ids.length - 1]);
    return { text: name, x: (spot?.x ?? 0) + 14, y: spot?.y ?? 0 };
  });
  return { spots, titles, width: WIDTH, height: step * (ops.length + 1) };
}

/**
 * @param {Walk} walk
 * @returns {Omit<MapLayout, "edges">}
 */
function inColumns({ ops, columns }) {
  const last = ops.length - 1;
  const step = stepOf(ops.length);
  const wide = Math.max(40, (WIDTH - 40) / columns.length);
  const top = 14 * columns.length + 14; // a line for the name of each column
  const column = new Map(columns.flatMap(({ ops: ids }, at) => ids.map((id) => [id, at])));
  const spots = ops.map(({ id, index }) => ({
    id,
    onStream: false,
    x: 20 + wide * (column.get(id) ?? 0),
    y: top + step * (last - index),
  }));
  const titles = columns.map(({ module }, at) => ({ text: module.replace(/\.forward$/, "") || "–", x: 14 + wide * at, y: 8 + 14 * at }));
  const width = Math.max(WIDTH, wide * columns.length + 40, ...titles.map(({ text, x }) => x + LETTER * text.length));
  return { spots, titles, width, height: top + step * ops.length };
}

/**
 * @param {Walk} walk
 * @param {ReadonlySet<string>} stream
 * @returns {Edge[]}
 */
function edgesOf({ ops }, stream) {
  const arrived = new Map(ops.map(({ id, dout }) => [id, dout]));
  return ops.flatMap((op) =>
    op.inputs
      .filter(({ kind, source }) => kind === "op" && source)
      .map(({ source, gradient }) => {
        const carried = gradient ?? arrived.get(source); // of a line it is not known what it sends itself
        return {
          from: op.id,
          to: source,
          norm: numberOf(carried?.norm),
          normReference: numberOf(carried?.norm_reference),
          leaves: stream.has(op.id) !== stream.has(source),
        };
      }),
  );
}

/**
 * @param {import("./schema.js").Recorded | null | undefined} recorded
 * @returns {number | null}
 */
function numberOf(recorded) {
  return recorded === null || recorded === undefined ? null : asNumber(recorded);
}

/**
 * The width of an edge: the logarithm of the norm that it carries.
 * @param {number | null} norm
 * @param {{low: number, high: number}} range of all norms that are not zero
 * @returns {number} from 1 to 7
 */
export function edgeWidth(norm, { low, high }) {
  if (norm === null || !(norm > 0)) return 1;
  const part = high > low ? Math.log(norm / low) / Math.log(high / low) : 0.5;
  return 1 + 6 * Math.max(0, Math.min(1, part));
}

/**
 * @param {readonly Edge[]} edges
 * @returns {{low: number, high: number}}
 */
export function normRange(edges) {
  const norms = edges.map(({ norm }) => norm ?? 0).filter((norm) => norm > 0 && norm < Infinity);
  return { low: Math.min(...norms), high: Math.max(...norms) };
}
