// Where the reader stands: at an op, on a screen. The walk begins at the loss and goes back.

/** @typedef {import("./schema.js").Walk} Walk */
/** @typedef {{op: string, screen: string}} Stand screen: "card", or one of SCREENS */
/** @typedef {"back" | "ahead" | "block-back" | "block-ahead" | "loss" | "embedding"} Move */

const SCREENS = ["question", "map", "card", "attention", "norm", "slope", "weight", "verdict"];

/** @type {Record<string, Move>} */
export const KEYS = {
  ArrowRight: "back",
  ArrowLeft: "ahead",
  ArrowDown: "block-back",
  ArrowUp: "block-ahead",
  Home: "loss",
  End: "embedding",
};

/**
 * Where a page opens that no address names: at what is wrong, or at the question.
 * @param {Walk} walk
 * @returns {Stand}
 */
export function opening(walk) {
  const { ops, bug, outcome } = walk;
  const last = ops[ops.length - 1]?.id ?? "";
  if (bug || !outcome.agrees) {
    const born = bug?.findings.find(({ op }) => op)?.op ?? ops.find(({ verdict }) => verdict === "born")?.id;
    return { op: born ?? last, screen: "verdict" };
  }
  return { op: last, screen: asks(walk) ? "question" : "map" };
}

/**
 * @param {string} hash of the address: "#op", or "#op?screen"
 * @param {Walk} walk
 * @returns {Stand | undefined} undefined where it names no op of this walk
 */
export function standOf(hash, walk) {
  const written = readable(hash.replace(/^#/, ""));
  const [, id, screen] = /^(.*?)(?:\?(\w+))?$/s.exec(written) ?? [];
  if (!walk.ops.some((op) => op.id === id)) return undefined;
  return { op: id, screen: screen && SCREENS.includes(screen) ? screen : "card" };
}

/**
 * @param {string} encoded
 * @returns {string}
 */
function readable(encoded) {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded; // a stray percent sign
  }
}

/**
 * @param {Stand} stand
 * @returns {string} the hash of the address
 */
export function hashOf({ op, screen }) {
  const id = encodeURIComponent(op).replaceAll("%2F", "/");
  return screen === "card" ? `#${id}` : `#${id}?${screen}`;
}

/**
 * The op to which a move leads. The ends stay where they are.
 * @param {Walk} walk
 * @param {string} from
 * @param {Move} move
 * @returns {string}
 */
export function moved({ ops }, from, move) {
  const at = ops.findIndex(({ id }) => id === from);
  const last = ops.length - 1;
  const to = { back: at - 1, ahead: at + 1, loss: last, embedding: 0, "block-back": 0, "block-ahead": last }[move];
  const step = move === "block-back" ? -1 : move === "block-ahead" ? 1 : 0;
  return ops[step ? nextBlock(ops, at, step) : Math.max(0, Math.min(last, to))].id;
}

/**
 * Back: the next block, at its end that is nearer to the loss. Ahead: this block's own such end, and
 * from there that of the block before; so each of the two undoes the other.
 * @param {readonly {block: string, module: string}[]} ops
 * @param {number} at
 * @param {number} step -1 to walk back, 1 to go ahead
 * @returns {number}
 */
function nextBlock(ops, at, step) {
  const group = (/** @type {number} */ i) => ops[i].block || ops[i].module;
  const inside = (/** @type {number} */ i, /** @type {number} */ by) => ops[i + by] && group(i + by) === group(i);
  let to = at;
  if (step > 0) {
    if (!inside(to, 1) && ops[to + 1]) to += 1;
    while (inside(to, 1)) to += 1;
    return to;
  }
  while (inside(to, -1)) to -= 1;
  return Math.max(0, to - 1);
}

/**
 * Whether the walk begins with prediction minus truth: with a text, and no other loss.
 * @param {Walk} walk
 * @returns {boolean}
 */
function asks({ text }) {
  return text !== null && text.dlogits !== null;
}

/**
 * The screens that this walk has, and of them those that are about one kind of op.
 * @param {Walk} walk
 * @returns {string[]}
 */
export function screensOf(walk) {
  const facts = new Set(walk.facts.map(({ kind }) => kind));
  const learns = walk.ops.some((op) => op.op === "linear" && op.inputs.some((input) => input.argument === "weight" && input.gradient));
  const there = {
    question: asks(walk),
    attention: walk.attentions.length > 0,
    norm: facts.has("parts"),
    slope: facts.has("slope"),
    weight: learns,
  };
  return SCREENS.filter((name) => !(name in there) || there[/** @type {keyof typeof there} */ (name)]);
}
