// The frame without a browser: numbers, arrays, moves, the map, and what an entry came from.

import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateRawSync } from "node:zlib";
import { inOrder, unpackedArrays } from "../../crosscheck/walk/page/arrays.js";
import { cellsOf } from "../../crosscheck/walk/page/card_maps.js";
import { heatColour } from "../../crosscheck/walk/page/heat_colours.js";
import { edgeWidth, mapLayout } from "../../crosscheck/walk/page/map_layout.js";
import { entryName, indexAt, viewOf } from "../../crosscheck/walk/page/matrix_view.js";
import { numberText, visible } from "../../crosscheck/walk/page/numbers.js";
import { hashOf, moved, opening, standOf } from "../../crosscheck/walk/page/state.js";
import { close, drawn } from "./drawn.js";

test("numbers have three digits, in either language", () => {
  const of = (value) => numberText(value, "en");
  assert.deepEqual([0.0123456, -1.5, 108353, 1.25e-16, 0, 999.6].map(of), ["0.0123", "−1.50", "108353", "1.25e−16", "0", "1000"]);
  assert.deepEqual(["nan", "-inf", "inf", null].map(of), ["NaN", "−∞", "∞", "–"]);
  assert.equal(numberText(0.5, "pt-BR"), "0,500");
  assert.deepEqual([" ", "\n", "a"].map(visible), ["␣", "⏎", "a"]);
});

test("an array comes back from its buffer, transposed ones too", async () => {
  const next = drawn(1);
  const numbers = Float32Array.from({ length: 24 }, next);
  const buffer = deflateRawSync(Buffer.from(numbers.buffer)).toString("base64");
  const packed = { shape: [4, 3, 2], strides: [1, 8, 4], buffer: 0 };
  const array = await unpackedArrays({ arrays: [packed, { shape: [], strides: [], buffer: 0 }], buffers: [buffer] });
  const { data } = array(0);
  for (let i = 0; i < 4; i++) {
    for (let j = 0; j < 3; j++) {
      for (let k = 0; k < 2; k++) assert.equal(data[(i * 3 + j) * 2 + k], numbers[i + 8 * j + 4 * k]);
    }
  }
  assert.equal(array(0), array(0));
  assert.deepEqual([...array(1).data], [numbers[0]]);
  assert.equal(inOrder({ shape: [0, 3], strides: [3, 1], buffer: 0 }, numbers).data.length, 0);
});

test("tokens are rows, and an entry is called by its axes", () => {
  assert.deepEqual(viewOf([1, 24, 3, 4, 16], ["B", "T", "3", "H", "K"]), { count: 1, rows: 24, columns: 192, rowAxis: 1 });
  assert.deepEqual(viewOf([1, 4, 24, 16], ["B", "H", "T", "K"]), { count: 4, rows: 24, columns: 16, rowAxis: 2 });
  assert.deepEqual(viewOf([1, 4, 16, 24], ["B", "H", "K", "S"]), { count: 4, rows: 16, columns: 24, rowAxis: 2 });
  assert.deepEqual(viewOf([64], ["C"]), { count: 1, rows: 1, columns: 64, rowAxis: -1 });
  assert.deepEqual(viewOf([], []), { count: 1, rows: 1, columns: 1, rowAxis: -1 });
  assert.deepEqual(indexAt([2, 3, 4], 17), [1, 1, 1]);
  const array = { shape: [1, 24, 192], axes: ["B", "T", "3C"] };
  assert.equal(entryName("dx", array, [0, 3, 7], (axis) => (axis === "T" ? "e" : "")), "dx[t=3 'e', c=7]");
  assert.equal(entryName("out", { shape: [], axes: [] }, [], () => ""), "out");
});

test("entries are lit as rows, as columns, or one by one, in the matrix that is shown", () => {
  const shown = { compared: { name: "dx" }, view: viewOf([2, 3, 4], ["H", "T", "S"]) };
  const at = (...flats) => flats.map((flat) => ({ name: "dx", flat }));
  assert.deepEqual(cellsOf(shown, 0, at(4, 5, 6, 7)), [{ row: 1, column: null }]);
  assert.deepEqual(cellsOf(shown, 1, at(14, 18, 22)), [{ row: null, column: 2 }]);
  assert.deepEqual(cellsOf(shown, 0, at(1, 13)), [{ row: 0, column: 1 }]);
  assert.deepEqual(cellsOf(shown, 0, [{ name: "x", flat: 1 }]), []);
});

test("zero is paper, and the colours are symmetric", () => {
  const colours = { paper: [100, 100, 100], positive: [200, 100, 0], negative: [0, 100, 200], ink: "", light: "" };
  assert.deepEqual(heatColour(colours, 0, 2), [100, 100, 100]);
  assert.deepEqual(heatColour(colours, 5, 2), [200, 100, 0]);
  assert.deepEqual(heatColour(colours, -2, 2), [0, 100, 200]);
  assert.deepEqual(heatColour(colours, 0.5, 2), [150, 100, 50]);
  assert.deepEqual(heatColour(colours, -0.5, 2), [50, 100, 150]);
  assert.deepEqual(heatColour(colours, 1, 0), [100, 100, 100]);
});

const NAMES = [["a", "", "embedding"], ["b", "blocks.0", ""], ["c", "blocks.0", ""], ["d", "blocks.1", ""], ["e/f~2", "", "loss"]];
const input = (source, norm) => ({ kind: "op", source, gradient: { norm, norm_reference: norm }, value: {} });
const WALK = {
  kind: "language model",
  ops: NAMES.map(([id, block, module], index) => ({
    id, block, module, index, verdict: "agree", kind: "other",
    inputs: index ? [input(NAMES[index - 1][0], 10 ** index)] : [],
  })),
  spine: { stream: ["a", "d", "e/f~2"], branches: [{ name: "attention", leaves: "a", joins: "d", ops: ["b", "c"], lanes: [0, 1] }] },
  columns: [{ module: "x.forward", ops: ["a", "b"] }, { module: "y", ops: ["c", "d", "e/f~2"] }],
  outcome: { agrees: true },
  bug: null,
  text: null,
};

test("moves go back from the loss, and stop at the ends", () => {
  assert.equal(moved(WALK, "d", "back"), "c");
  assert.equal(moved(WALK, "d", "ahead"), "e/f~2");
  assert.equal(moved(WALK, "a", "back"), "a");
  assert.equal(moved(WALK, "e/f~2", "ahead"), "e/f~2");
  assert.equal(moved(WALK, "c", "loss"), "e/f~2");
  assert.equal(moved(WALK, "c", "embedding"), "a");
  assert.equal(moved(WALK, "e/f~2", "block-back"), "d");
  assert.equal(moved(WALK, "d", "block-back"), "c");
  assert.equal(moved(WALK, "c", "block-back"), "a");
  assert.equal(moved(WALK, "b", "block-ahead"), "c"); // the block's own end
  assert.equal(moved(WALK, "c", "block-ahead"), "d"); // there already
  assert.equal(moved(WALK, "e/f~2", "block-ahead"), "e/f~2");
});

test("an address names an op, and any op has an address", () => {
  for (const { id } of WALK.ops) {
    assert.deepEqual(standOf(hashOf({ op: id, screen: "card" }), WALK), { op: id, screen: "card" });
    assert.deepEqual(standOf(hashOf({ op: id, screen: "norm" }), WALK), { op: id, screen: "norm" });
  }
  const odd = { ops: [{ id: "é <b>?/%" }] };
  assert.deepEqual(standOf(hashOf({ op: "é <b>?/%", screen: "map" }), odd), { op: "é <b>?/%", screen: "map" });
  assert.equal(standOf("#nothing", WALK), undefined);
  assert.equal(standOf("#%", WALK), undefined);
  assert.equal(standOf("#a?nothing", WALK)?.screen, "card");
});

test("a page opens at the question, or where the error was born", () => {
  assert.deepEqual(opening(WALK), { op: "e/f~2", screen: "map" });
  assert.deepEqual(opening({ ...WALK, text: {} }), { op: "e/f~2", screen: "question" });
  const bug = { findings: [{ op: "" }, { op: "c" }] };
  assert.deepEqual(opening({ ...WALK, bug, outcome: { agrees: false } }), { op: "c", screen: "verdict" });
});

test("the map has every op once, the loss above, branches beside the stream", () => {
  const { spots, edges } = mapLayout(WALK);
  assert.deepEqual(spots.map(({ id }) => id), WALK.ops.map(({ id }) => id));
  for (let i = 1; i < spots.length; i++) assert.ok(spots[i].y < spots[i - 1].y);
  assert.deepEqual(spots.map(({ x }) => x > spots[0].x), [false, true, true, false, false]);
  assert.ok(spots[2].x > spots[1].x);
  assert.deepEqual(edges.map(({ from, to, leaves }) => [from, to, leaves]), [["b", "a", true], ["c", "b", false], ["d", "c", true], ["e/f~2", "d", false]]);
  const columns = mapLayout({ ...WALK, kind: "brought" });
  assert.deepEqual(new Set(columns.spots.map(({ x }) => x)).size, 2);
  assert.deepEqual(columns.titles.map(({ text }) => text), ["x", "y"]);
});

test("the width of an edge is the logarithm of its norm", () => {
  const range = { low: 1e-3, high: 1e3 };
  const [low, middle, high] = [1e-3, 1, 1e3].map((norm) => edgeWidth(norm, range));
  close(middle, (low + high) / 2, 1e-12);
  close(edgeWidth(10, range) - middle, middle - edgeWidth(0.1, range), 1e-12);
  assert.equal(edgeWidth(0, range), low);
});
