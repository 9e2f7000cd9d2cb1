// Screen 2: the map. All edges with their norms, and where a sum copies the gradient or a copy adds it up.

import { make } from "./dom.js";
import { mapPicture, TICKS } from "./map_picture.js";
import { edgeWidth, mapLayout, normRange } from "./map_layout.js";
import { hashOf } from "./state.js";
import { shortName } from "./verdict_math.js";

/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {import("./schema.js").Op} Op */
/** @typedef {import("./schema.js").Join} Join */

/**
 * @param {Scene} scene
 * @returns {HTMLElement}
 */
export function mapScreen(scene) {
  const { model, joins, ops, kind } = scene.walk;
  const intro = kind !== "language model" ? "map.intro-of-any" : model.options.residual ? "map.intro" : "map.intro-plain";
  const copies = ops.filter((op) => op.copies && op.inputs.filter(({ gradient }) => gradient).length > 1);
  return make(
    "section",
    { class: "screen map" },
    make("h2", {}, scene.say("map.title")),
    make("p", { class: "lead" }, scene.say(intro, { reference: shortName(model.reference) })),
    make("div", { class: "map-here" }, mapPicture(scene).picture),
    ...(copies.length > 0 ? [make("h3", {}, scene.say("map.copies")), make("ul", {}, ...copies.map((op) => copyItem(scene, op)))] : []),
    ...(joins.length > 0 ? [make("h3", {}, scene.say("map.joins")), make("ul", {}, ...joins.map((join) => joinItem(scene, join)))] : []),
    make("h3", {}, scene.say("map.edges")),
    edgeTable(scene),
  );
}

/**
 * @param {Scene} scene
 * @param {Op} op
 * @returns {HTMLElement}
 */
function copyItem(scene, op) {
  const sources = op.inputs.filter(({ gradient }) => gradient).map(({ source, argument }) => source || argument);
  return make("li", {}, opLink(op.id), `: ${scene.say("map.copy", { norm: scene.number(op.dout?.norm), to: sources.join(", ") })}`);
}

/**
 * @param {Scene} scene
 * @param {Join} join
 * @returns {HTMLElement}
 */
function joinItem(scene, { kind, source, contributions, norm, norm_reference: reference, verdict }) {
  const parts = contributions.map(({ op, norm: part }) => `${op} (${scene.number(part)})`).join(", ");
  const said = scene.say("map.join", { parts, norm: scene.number(norm), reference: scene.number(reference) });
  return make("li", {}, kind === "op" ? opLink(source) : make("code", {}, source), `: ${said} ${verdict === "agree" ? "✓" : "✗"}`);
}

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
function opLink(id) {
  return make("a", { href: hashOf({ op: id, screen: "card" }), lang: "en" }, id);
}

/**
 * @param {Scene} scene
 * @returns {HTMLElement}
 */
function edgeTable(scene) {
  const { edges } = mapLayout(scene.walk);
  const range = normRange(edges);
  const names = ["map.from", "map.to", "witness.ours", "witness.reference"].map((key) => scene.say(key));
  const heads = [...names, ""].map((head) => make("th", { scope: "col" }, head));
  const rows = [...edges].reverse().map(({ from, to, norm, normReference }) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, opLink(from), ` ${TICKS[scene.op(from)?.verdict ?? ""] ?? ""}`),
      make("td", {}, opLink(to)),
      make("td", { class: "number" }, scene.number(norm)),
      make("td", { class: "number" }, scene.number(normReference)),
      make("td", { class: "thickness", "aria-hidden": "true" }, make("span", { class: "bar-of", style: `width: ${norm === null ? 0 : (8 * edgeWidth(norm, range)).toFixed(0)}px` })),
    ),
  );
  const table = make("table", { class: "edges" }, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows));
  return make("div", { class: "scroll", tabindex: 0, "data-keys": "", role: "region", "aria-label": scene.say("map.edges") }, table);
}
