// What every screen gets: the walk, its arrays, its words, and where the reader stands.
//
// A screen is `export function nameScreen(scene, opened)`: it returns an element, and `opened` is the id
// of the op at which the reader stood. A link to an op is <a href="#id">; to a screen, `hashOf`.

import { numberText, visible } from "./numbers.js";
import { sayer } from "./words.js";

/** @typedef {import("./schema.js").Walk} Walk */
/** @typedef {import("./schema.js").Op} Op */
/** @typedef {import("./schema.js").Fact} Fact */
/** @typedef {import("./arrays.js").Unpacked} Unpacked */
/**
 * @typedef {object} Scene
 * @property {Walk} walk
 * @property {(ref: number) => Unpacked} array
 * @property {import("./words.js").Say} say
 * @property {(value: unknown, digits?: number) => string} number to three digits, as the language writes it
 * @property {(count: number) => string[]} characters of the first tokens; numbers where there is no text
 * @property {(character: string | undefined) => string} letter as one can see it; "" where there is none
 * @property {(op: string, kind: string) => Fact | undefined} fact
 * @property {(id: string) => Op | undefined} op
 * @property {(id: string) => void} present called by a screen that has turned to another op than the address's
 */

/**
 * @param {Walk} walk
 * @param {(ref: number) => Unpacked} array
 * @returns {Scene}
 */
export function sceneOf(walk, array) {
  const byId = new Map(walk.ops.map((op) => [op.id, op]));
  const tokens = walk.text?.tokens ?? [];
  return {
    walk,
    array,
    say: sayer(walk.language),
    number: (value, digits) => numberText(value, walk.language, digits),
    characters: (count) =>
      Array.from({ length: count }, (_, i) => (i < tokens.length ? visible(tokens[i]) : String(i))),
    letter: (character) => (character === undefined ? "" : visible(character)),
    fact: (op, kind) => walk.facts.find((one) => one.op === op && one.kind === kind),
    op: (id) => byId.get(id),
    present: () => {}, // the frame has more to do
  };
}
