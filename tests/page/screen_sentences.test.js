// The sentences of the screens, on a run of one head and a few numbers that one can check by hand.

import assert from "node:assert/strict";
import { test } from "node:test";
import { productSentence } from "../../crosscheck/walk/page/attention_products.js";
import { querySentences } from "../../crosscheck/walk/page/attention_query.js";
import { worstSentence, wrongArray } from "../../crosscheck/walk/page/bug_screen.js";
import { normSentences } from "../../crosscheck/walk/page/norm_screen.js";
import { entryText } from "../../crosscheck/walk/page/screen_parts.js";
import { slopeSentences } from "../../crosscheck/walk/page/slope_screen.js";
import { diagonalSentence } from "../../crosscheck/walk/page/verdict_diagonal.js";
import { weightSentences } from "../../crosscheck/walk/page/weight_screen.js";
import { flatRows } from "../../crosscheck/walk/page/matrix.js";
import { SCREEN_WORDS } from "../../crosscheck/walk/page/words_screens.js";

const LAYER_NORM = {
  dx_hat: [[5, 8]],
  along_ones: [[3, 8]],
  along_x_hat: [[0, 0]],
  rest: [[4, 2e-16]],
  inv_std: [[0.5, 1]],
  dot_ones: [[1e-17, 0]],
  dot_x_hat: [[2e-9, 0]],
};
const FACTS = [
  { op: "softmax", kind: "row_sums", numbers: { sums: [[[0, 1e-17]]], sizes: [[[0, 0.375]]], scales: [[[1, 0.5]]], average: [[[1, 0.25]]] } },
  { op: "softmax", kind: "under_sum", numbers: { dx: [[[0, 5e-17]]] } },
  { op: "norm", kind: "parts", numbers: LAYER_NORM },
  { op: "norm", kind: "under_sum", numbers: LAYER_NORM },
  { op: "gelu", kind: "slope", numbers: {}, arrays: { slope: 1 } },
];
const ARRAYS = [
  { shape: [1, 2, 2], data: Float32Array.of(-3, 1, 2, -1) },
  { shape: [1, 2, 2], data: Float32Array.of(0.01, 1.1, 1, -0.12) },
];
const OPS = [
  { id: "gelu", inputs: [{ value: { ours: 0 } }] },
  { id: "norm", options: { eps: "1e-5" } },
];

function sceneIn(language) {
  const words = SCREEN_WORDS[language];
  return {
    walk: { facts: FACTS, ops: OPS, text: { tokens: ["a", "b"] } },
    array: (ref) => ARRAYS[ref],
    say: (key, values = {}) => words[key].replace(/\{(\w+)\}/g, (_, name) => String(values[name])),
    number: (value) => String(Number(value.toPrecision(3))),
    characters: (count) => ["a", "b"].slice(0, count),
    fact: (op, kind) => FACTS.find((fact) => fact.op === op && fact.kind === kind),
    op: (id) => OPS.find((op) => op.id === id),
  };
}
const SCENE = sceneIn("en");
const matrix = (rows, ...data) => ({ rows, columns: data.length / rows, data });

test("a query's sentences are its row, recomputed", () => {
  const head = {
    probs: matrix(2, 1, 0, 0.75, 0.25),
    dprobs: matrix(2, 1, 9, 0, 1),
    scores: matrix(2, 0, -Infinity, 1, 0),
    dscores: matrix(2, 0, 0, -0.1875, 0.1),
  };
  const said = querySentences(SCENE, { softmax: "softmax" }, { head, at: 0, query: 1 });
  assert.match(said[0], /t=1 b: .* is 0.25 \(recorded: 0.25\). Keys in sight: 2/);
  assert.match(said[1], /s=1 b\. Its dprobs is 1: dscores = 0.25 \* 0.75 = 0.188\. .* lowers/);
  assert.match(said[2], /adds up to 1e-17, and its magnitudes to 0.375/);
  assert.match(said[3], /norm of this row is 5e-17 /);
  assert.match(said[4], /differs from the last ones by 0.412 of its norm/);
  const first = querySentences(SCENE, { softmax: "softmax" }, { head, at: 0, query: 0 });
  assert.match(first[0], /Keys in sight: 1/);
  assert.match(first[1], /single key/);
  const silent = { ...head, dprobs: matrix(2, 0, 0, 0, 0), dscores: matrix(2, 0, 0, 0, 0) };
  const nothing = querySentences(SCENE, { softmax: "softmax" }, { head: silent, at: 0, query: 1 });
  assert.match(nothing[1], /Nothing arrives at this query/);
});

test("a product says how far it is from what is recorded", () => {
  const said = productSentence(SCENE, "dq", matrix(1, 3, 4), matrix(1, 3, 4.5));
  assert.match(said, /dq: .* by 0.0925 of its norm/);
});

test("a token's parts are said as recorded, and with .sum() that nothing is left", () => {
  const [parts, left] = normSentences(SCENE, { op: "norm", token: 0, summed: false });
  assert.match(parts, /t=0 a: \|dx_hat\| = 5; along ones 3, along x_hat 0; what is left is 4, .* inv_std = 0.5/);
  assert.match(left, /1e-17 along ones and 2e-9 along x_hat/);
  const [gone] = normSentences(SCENE, { op: "norm", token: 1, summed: true });
  assert.match(gone, /2e-16 is left/);
});

test("where a bug leaves what should be gone, no sentence says that it is gone", () => {
  const wrong = (op, kind) => {
    const numbers = kind === "row_sums" ? { sums: [[[0.1]]], sizes: [[[0.4]]], scales: [[[0.4]]], average: [[[1]]] } : { dx: [[[0.3]]] };
    const parts = { ...LAYER_NORM, rest: [[2, 2]], dot_ones: [[0.5, 0.5]] };
    return { op, kind, numbers: op === "norm" ? parts : numbers };
  };
  const scene = { ...SCENE, fact: wrong };
  const one = matrix(1, 1);
  const head = { probs: one, dprobs: one, scores: one, dscores: one };
  const said = querySentences(scene, { softmax: "softmax" }, { head, at: 0, query: 0 });
  assert.match(said[2], /adds up to 0.1, .* wrong: it should be zero/);
  assert.match(said[3], /is 0.3 .* wrong/);
  assert.match(normSentences(scene, { op: "norm", token: 0, summed: false })[1], /0.5 along ones .* wrong/);
  const along = { ...LAYER_NORM, dot_x_hat: [[0.1, 0]] };
  const other = { ...SCENE, fact: () => ({ numbers: along }) };
  assert.match(normSentences(other, { op: "norm", token: 0, summed: false })[1], /0.1 along x_hat .* wrong/);
  assert.match(normSentences(scene, { op: "norm", token: 0, summed: true })[0], /but 2 is left/);
});

test("slopes are counted for the text and for a token", () => {
  const [all, one] = slopeSentences(SCENE, { op: "gelu", token: 0 });
  assert.match(all, /The text: of 4 entries, 1 have .*, 1 pass .*, 1 make .*, and 1 reverse/);
  assert.match(one, /Token t=0 a: of 2 entries, 1 have .*, 0 pass .*, 1 make .*, and 0 reverse/);
});

test("the slider says what is missing, and when it is rounding", () => {
  const x = flatRows([2, 2], Float32Array.of(3, 4, 0, 1));
  const dout = flatRows([2, 1], Float32Array.of(2, 1));
  const added = { count: 1, strongest: false, order: [0, 1], missing: [1, 0.25, 3e-8] };
  const [said, last] = weightSentences(SCENE, { x, dout }, added);
  assert.match(said, /After 1 of 2 characters, 0.25 of the norm/);
  assert.match(last, /t=0 a: \|x\[t\]\| = 5, \|dout\[t\]\| = 2, .* 10\./);
  assert.match(weightSentences(SCENE, { x, dout }, { ...added, count: 2 })[0], /All 2 .* 3e-8 .* rounding/);
  assert.match(weightSentences(SCENE, { x, dout }, { ...added, count: 0 })[1], /Nothing/);
});

test("the diagonal names the point that is farthest off, and no rounding of zero", () => {
  const points = [
    { ours: 2, reference: -1, label: "off", good: false },
    { ours: 1, reference: 1, label: "on", good: true },
    { ours: 1e-17, reference: 1e-19, label: "zero", good: true },
  ];
  assert.match(diagonalSentence(SCENE, points), /3 points; .* is off, off by a factor of 2\./);
  assert.match(diagonalSentence(SCENE, points.slice(1)), /2 points, and all lie on the diagonal/);
});

test("a finding is about the array that it names", () => {
  const [x, dx, out, dout] = ["x", "dx", "out", "dout"].map((name) => ({ name }));
  const op = { inputs: [{ value: x, gradient: dx }], output: out, dout };
  assert.deepEqual(["x", "dx", "out", "dout", "dy"].map((name) => wrongArray(op, name)), [x, dx, out, dout, undefined]);
  out.verdict = "disagree";
  assert.equal(wrongArray(op, "a name of the user's"), out);
  const worst = { worst: [0, 2], worst_ours: 0.5, worst_reference: 0 };
  assert.equal(worstSentence(SCENE, worst), "In this run the worst entry is [0, 2]: ours 0.5, the reference 0.");
  assert.equal(worstSentence(SCENE, { ...worst, worst: null }), "");
});

test("an entry is said with its place", () => {
  const heat = { matrix: matrix(2, 1, 2, 3, -4.5678), rows: ["a", "b"], masked: [false, true, false, false] };
  assert.equal(entryText(SCENE, heat, { row: 1, column: 1 }), "[1 b, 1] = -4.57");
  assert.equal(entryText(SCENE, heat, { row: 0, column: 1 }), "[0 a, 1] = masked");
});

test("every sentence is there in Portuguese too", () => {
  const scene = sceneIn("pt-BR");
  const said = [
    ...normSentences(scene, { op: "norm", token: 0, summed: false }),
    ...slopeSentences(scene, { op: "gelu", token: 1 }),
  ];
  for (const sentence of said) assert.match(sentence, /Token t=|O que sobra|O texto/);
});
