// How an array of any number of axes is shown as matrices, and what an entry is called.

/**
 * @typedef {object} MatrixView an array as `count` matrices of `rows` by `columns`, in C order
 * @property {number} count
 * @property {number} rows
 * @property {number} columns
 * @property {number} rowAxis the axis that the rows are; -1 for a single row
 */

/**
 * Tokens are rows, and all that comes after them is one row. Without tokens the last axis are the
 * columns and the one before it the rows.
 * @param {readonly number[]} shape
 * @param {readonly string[]} axes
 * @returns {MatrixView}
 */
export function viewOf(shape, axes) {
  const size = (/** @type {readonly number[]} */ part) => part.reduce((product, length) => product * length, 1);
  const tokens = axes.findIndex((name) => name === "T" || name === "N");
  const rowAxis = tokens >= 0 && tokens < shape.length - 1 ? tokens : shape.length - 2;
  if (rowAxis < 0) return { count: 1, rows: 1, columns: size(shape), rowAxis: -1 };
  return {
    count: size(shape.slice(0, rowAxis)),
    rows: shape[rowAxis],
    columns: size(shape.slice(rowAxis + 1)),
    rowAxis,
  };
}

/**
 * @param {readonly number[]} shape
 * @param {number} flat a place in C order
 * @returns {number[]} its index, one number an axis
 */
export function indexAt(shape, flat) {
  const index = shape.map(() => 0);
  let rest = flat;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    index[axis] = rest % shape[axis];
    rest = Math.floor(rest / shape[axis]);
  }
  return index;
}

/**
 * An entry as it is written: `dx[t=3 e, c=7]`. An axis of size 1 is left out.
 * @param {string} name
 * @param {{shape: readonly number[], axes: readonly string[]}} array
 * @param {readonly number[]} index
 * @param {(axis: string, at: number) => string} character what stands at this place of an axis, or ""
 * @returns {string}
 */
export function entryName(name, { shape, axes }, index, character) {
  const places = index.flatMap((at, axis) => {
    if (shape[axis] === 1) return [];
    const letter = axes[axis].replace(/^\d+/, "").toLowerCase();
    const said = character(axes[axis], at);
    return [`${letter ? `${letter}=` : ""}${at}${said ? ` '${said}'` : ""}`];
  });
  return places.length > 0 ? `${name}[${places.join(", ")}]` : name;
}
