// The arrays of a walk, out of their packed buffers.

/** @typedef {{shape: readonly number[], data: Float32Array}} Unpacked entries in C order */
/** @typedef {import("./schema.js").Packed} Packed */

/**
 * @param {string} base64 of float32 numbers, little endian, compressed without a header
 * @returns {Promise<Float32Array>}
 */
async function unpackBuffer(base64) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Float32Array(await new Response(stream).arrayBuffer());
}

/**
 * All arrays by their refs. Each is laid out once, when it is first asked for.
 * @param {{arrays: readonly Packed[], buffers: readonly string[]}} walk
 * @returns {Promise<(ref: number) => Unpacked>}
 */
export async function unpackedArrays({ arrays, buffers }) {
  const numbers = await Promise.all(buffers.map(unpackBuffer));
  /** @type {Map<number, Unpacked>} */
  const laidOut = new Map();
  return (ref) => {
    const found = laidOut.get(ref);
    if (found) return found;
    const array = inOrder(arrays[ref], numbers[arrays[ref].buffer]);
    laidOut.set(ref, array);
    return array;
  };
}

/**
 * @param {Packed} packed
 * @param {Float32Array} numbers its buffer
 * @returns {Unpacked}
 */
export function inOrder({ shape, strides }, numbers) {
  const size = shape.reduce((product, length) => product * length, 1);
  const data = new Float32Array(size);
  const index = shape.map(() => 0);
  let from = 0;
  for (let to = 0; to < size; to++) {
    data[to] = numbers[from];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis];
      if (++index[axis] < shape[axis]) break;
      from -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return { shape, data };
}
