// Explain entries of every array of a page, and print as JSON how far each array is from its explanation.

import { readFileSync } from "node:fs";
import { unpackedArrays } from "../crosscheck/walk/page/arrays.js";
import { arraysOf, explained } from "../crosscheck/walk/page/explain.js";
import { sceneOf } from "../crosscheck/walk/page/scene.js";

const ENTRIES = 40; // of each array, evenly spread
const walk = JSON.parse(readFileSync(process.argv[2], "utf8").match(/id="walk">(.*?)<\/script>/s)[1]);
const scene = sceneOf(walk, await unpackedArrays(walk));
const found = walk.ops.flatMap((op) =>
  Object.entries(arraysOf(scene, op)).map(([name, { data }]) => {
    const made = { op: op.id, name, gap: 0, size: 0, explained: 0, left: 0 };
    const step = Math.max(1, Math.floor(data.length / ENTRIES));
    for (let flat = 0; flat < data.length; flat += step) {
      const { sentence, value } = explained(scene, op, name, flat);
      if (/\{\w+\}|undefined|NaN/.test(sentence)) made.left += 1;
      if (value === undefined) continue;
      made.explained += 1;
      if (value === data[flat]) continue; // both may be -Infinity, of which there is no difference
      made.gap = Math.max(made.gap, Math.abs(value - data[flat]));
      made.size = Math.max(made.size, Math.abs(data[flat]));
    }
    return made;
  }),
);
console.log(JSON.stringify(found));
