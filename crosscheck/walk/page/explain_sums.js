// Why an entry is what it is, where it is a sum: of products of two arrays, or of entries of one.

/** @typedef {{shape: readonly number[], axes: readonly string[], data: ArrayLike<number>}} Named */
/** @typedef {Record<string, Named>} Arrays of an op, by their names: x, weight, out, dout, dx ... */
/** @typedef {{name: string, flat: number}} Entry flat: its place in C order */
/** @typedef {{factors: Entry[], value: number}} Term */
/**
 * @typedef {object} Explanation
 * @property {string} kind the sentence that says it: a key of the words, after "explain."
 * @property {number} value computed here
 * @property {Record<string, number | string>} [numbers] for the sentence
 * @property {Term[]} [terms] of a sum
 * @property {Entry[]} [from] the entries that it came from, where it is no sum
 */
/** @typedef {(arrays: Arrays, name: string, flat: number, options: Record<string, string>) => Explanation | undefined} Explain */

/**
 * @param {Arrays} arrays
 * @param {readonly Entry[][]} products the factors of each term
 * @returns {Explanation | undefined}
 */
function sumOf(arrays, products) {
  if (products.some((factors) => factors.some(({ name }) => !arrays[name]))) return undefined;
  const terms = products.map((factors) => ({
    factors,
    value: factors.reduce((product, { name, flat }) => product * arrays[name].data[flat], 1),
  }));
  const value = terms.reduce((sum, term) => sum + term.value, 0);
  return { kind: products[0]?.length === 1 ? "sum-plain" : "sum", value, terms };
}

/**
 * @param {number} count
 * @param {(at: number) => Entry[]} factors
 * @returns {Entry[][]}
 */
function each(count, factors) {
  return Array.from({ length: count }, (_, at) => factors(at));
}

/** @type {Explain} out = x @ weight.T + bias */
export function explainLinear(arrays, name, flat) {
  const { x, weight, dout, out } = arrays;
  if (!x || !weight) return undefined;
  const [outputs, inputs] = weight.shape;
  const rows = x.data.length / inputs;
  const across = name === "out" || name === "dbias" ? outputs : inputs;
  const [row, column] = [Math.floor(flat / across), flat % across];
  if (name === "out" && out) {
    const products = each(inputs, (i) => [{ name: "x", flat: row * inputs + i }, { name: "weight", flat: column * inputs + i }]);
    const sum = sumOf(arrays, products);
    if (!sum || !arrays.bias) return sum;
    const bias = arrays.bias.data[column];
    return { ...sum, kind: "sum-bias", value: sum.value + bias, numbers: { bias } };
  }
  if (!dout) return undefined;
  if (name === "dx") {
    return sumOf(arrays, each(outputs, (o) => [{ name: "dout", flat: row * outputs + o }, { name: "weight", flat: o * inputs + column }]));
  }
  if (name === "dweight") {
    return sumOf(arrays, each(rows, (n) => [{ name: "dout", flat: n * outputs + row }, { name: "x", flat: n * inputs + column }]));
  }
  return name === "dbias" ? sumOf(arrays, each(rows, (n) => [{ name: "dout", flat: n * outputs + column }])) : undefined;
}

/** @type {Explain} out = x @ y over the last two axes */
export function explainMatmul(arrays, name, flat) {
  const { x, y } = arrays;
  if (!x || !y || x.shape.length !== y.shape.length || x.shape.length < 2) return undefined;
  if (x.shape.slice(0, -2).join() !== y.shape.slice(0, -2).join()) return undefined;
  const [n, m] = x.shape.slice(-2);
  const p = y.shape[y.shape.length - 1];
  const columns = { out: p, dx: m, dy: p }[name];
  const rows = { out: n, dx: n, dy: m }[name];
  if (!columns || !rows) return undefined;
  const which = Math.floor(flat / (rows * columns));
  const [row, column] = [Math.floor(flat / columns) % rows, flat % columns];
  const at = (/** @type {string} */ array, /** @type {number} */ i, /** @type {number} */ j) => {
    const [tall, wide] = { x: [n, m], y: [m, p], dout: [n, p] }[array] ?? [0, 0];
    return { name: array, flat: which * tall * wide + i * wide + j };
  };
  if (name === "out") return sumOf(arrays, each(m, (i) => [at("x", row, i), at("y", i, column)]));
  if (name === "dx") return sumOf(arrays, each(p, (i) => [at("dout", row, i), at("y", column, i)]));
  return sumOf(arrays, each(n, (i) => [at("x", i, row), at("dout", i, column)]));
}

/** @type {Explain} out = weight[indices] */
export function explainEmbedding(arrays, name, flat) {
  const { indices, weight, dout } = arrays;
  if (!indices || !weight) return undefined;
  const channels = weight.shape[1];
  const [row, column] = [Math.floor(flat / channels), flat % channels];
  if (name === "out") {
    const from = { name: "weight", flat: indices.data[row] * channels + column };
    return { kind: "moved", value: weight.data[from.flat], from: [from] };
  }
  if (name !== "dweight" || !dout) return undefined;
  const uses = Array.from(indices.data, (id, n) => ({ id, n })).filter(({ id }) => id === row);
  if (uses.length === 0) return { kind: "unread", value: 0, from: [] };
  return sumOf(arrays, uses.map(({ n }) => [{ name: "dout", flat: n * channels + column }]));
}
