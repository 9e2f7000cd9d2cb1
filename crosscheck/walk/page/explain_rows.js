// Why an entry is what it is, where a whole row has a say: softmax, layer norm, the loss.

/** @typedef {import("./explain_sums.js").Explain} Explain */
/** @typedef {import("./explain_sums.js").Entry} Entry */

/**
 * @param {string} name
 * @param {number} start
 * @param {number} count
 * @returns {Entry[]}
 */
function row(name, start, count) {
  return Array.from({ length: count }, (_, i) => ({ name, flat: start + i }));
}

/**
 * @param {ArrayLike<number>} data
 * @param {number} start
 * @param {number} count
 * @returns {number[]}
 */
function part(data, start, count) {
  return Array.from({ length: count }, (_, i) => data[start + i]);
}

/** @param {readonly number[]} values */
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** @type {Explain} along the last axis */
export function explainSoftmax({ x, out, dout }, name, flat, options) {
  const axes = out?.shape.length ?? 0;
  if (!out || (options.dim !== "-1" && options.dim !== String(axes - 1))) return undefined;
  const count = out.shape[axes - 1];
  const start = flat - (flat % count);
  if (name === "out" && x) {
    const scores = part(x.data, start, count);
    const most = Math.max(...scores);
    const sum = scores.reduce((total, score) => total + Math.exp(score - most), 0);
    const numbers = { x: x.data[flat], most, sum, count };
    return { kind: "softmax-out", value: Math.exp(x.data[flat] - most) / sum, numbers, from: row("x", start, count) };
  }
  if (name !== "dx" || !dout) return undefined;
  const probs = part(out.data, start, count);
  const average = part(dout.data, start, count).reduce((sum, value, i) => sum + value * probs[i], 0);
  const numbers = { out: out.data[flat], dout: dout.data[flat], average, count };
  const from = [...row("dout", start, count), ...row("out", start, count)];
  return { kind: "softmax", value: out.data[flat] * (dout.data[flat] - average), numbers, from };
}

/** @type {Explain} */
export function explainLayerNorm({ x, weight, bias, dout }, name, flat, options) {
  if (!x) return undefined;
  const count = x.shape[x.shape.length - 1];
  const xHat = (/** @type {number} */ start) => {
    const values = part(x.data, start, count);
    const middle = mean(values);
    const invStd = 1 / Math.sqrt(mean(values.map((value) => (value - middle) ** 2)) + Number(options.eps));
    return { invStd, xHat: values.map((value) => (value - middle) * invStd) };
  };
  const at = flat % count;
  const start = flat - at;
  if (name === "out") {
    const scaled = xHat(start).xHat[at] * (weight?.data[at] ?? 1);
    const numbers = { xhat: xHat(start).xHat[at], weight: weight?.data[at] ?? 1, bias: bias?.data[at] ?? 0 };
    return { kind: "norm-out", value: scaled + numbers.bias, numbers, from: row("x", start, count) };
  }
  if (!dout || !["dx", "dweight", "dbias"].includes(name)) return undefined;
  if (name === "dx") {
    const made = xHat(start);
    const dxHat = part(dout.data, start, count).map((value, i) => value * (weight?.data[i] ?? 1));
    const numbers = {
      inv: made.invStd,
      dxhat: dxHat[at],
      mean: mean(dxHat),
      xhat: made.xHat[at],
      along: mean(dxHat.map((value, i) => value * made.xHat[i])),
    };
    const value = numbers.inv * (numbers.dxhat - numbers.mean - numbers.xhat * numbers.along);
    return { kind: "norm", value, numbers, from: [...row("dout", start, count), ...row("x", start, count)] };
  }
  const starts = Array.from({ length: x.data.length / count }, (_, n) => n * count);
  const value = starts.reduce((sum, s) => sum + dout.data[s + at] * (name === "dweight" ? xHat(s).xHat[at] : 1), 0);
  const from = starts.map((s) => ({ name: "dout", flat: s + at }));
  return { kind: name === "dweight" ? "norm-weight" : "norm-bias", value, numbers: { count: starts.length }, from };
}

/** @type {Explain} */
export function explainCrossEntropy({ logits, targets }, name, flat, options) {
  if (name !== "dlogits" || !logits || !targets || options.reduction !== "'mean'" || Number(options.label_smoothing) !== 0) return undefined;
  const count = logits.shape[1];
  const [n, v] = [Math.floor(flat / count), flat % count];
  const scores = part(logits.data, n * count, count);
  const most = Math.max(...scores);
  const p = Math.exp(scores[v] - most) / scores.reduce((sum, score) => sum + Math.exp(score - most), 0);
  const ignored = Number(options.ignore_index);
  const counted = Array.from(targets.data).filter((target) => target !== ignored).length;
  const y = targets.data[n] === v ? 1 : 0;
  const value = targets.data[n] === ignored ? 0 : (p - y) / counted;
  return { kind: "loss", value, numbers: { p, y, count: counted }, from: row("logits", n * count, count) };
}
