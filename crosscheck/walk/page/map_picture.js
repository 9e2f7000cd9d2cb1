// The map as a picture: a line downward for the stream, loops for its branches, a dot for each op.

import { make, makeSvg, svgText } from "./dom.js";
import { edgeWidth, mapLayout, normRange } from "./map_layout.js";
import { hashOf } from "./state.js";

/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {import("./map_layout.js").Spot} Spot */
/** @typedef {import("./map_layout.js").Edge} Edge */

/** @type {Record<string, string>} */
export const TICKS = { agree: "✓", born: "✗", inherited: "~", unpaired: "·" };

/**
 * @param {Scene} scene
 * @returns {{picture: HTMLElement, light: (id: string) => void}}
 */
export function mapPicture(scene) {
  const { spots, edges, titles, width, height } = mapLayout(scene.walk);
  const bySpot = new Map(spots.map((spot) => [spot.id, spot]));
  const range = normRange(edges);
  const lines = edges.flatMap((edge) => {
    const [from, to] = [bySpot.get(edge.from), bySpot.get(edge.to)];
    return from && to ? [edgeLine(scene, edge, from, to, edgeWidth(edge.norm, range))] : [];
  });
  const dots = new Map(spots.map((spot) => [spot.id, opDot(scene, spot)]));
  const labels = titles.map(({ text, x, y }) => svgText(branchName(scene, text), { class: "branch-name", x, y: y + 3 }));
  const picture = makeSvg(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, width, height, class: "spine", role: "group", "aria-label": scene.say("map.picture") },
    ...lines,
    ...labels,
    ...dots.values(),
  );
  const light = (/** @type {string} */ id) => {
    for (const [one, dot] of dots) dot.classList.toggle("lit", one === id);
    for (const line of lines) line.classList.toggle("lit", line.getAttribute("data-from") === id);
    dots.get(id)?.scrollIntoView({ block: "nearest", inline: "nearest" });
  };
  return { picture: make("div", { class: "spine-scroll" }, picture), light };
}

/**
 * @param {Scene} scene
 * @param {string} name as the walk has it, in English
 * @returns {string}
 */
function branchName(scene, name) {
  const known = { attention: "map.attention", "feed-forward": "map.feed-forward" };
  return name in known ? scene.say(known[/** @type {keyof typeof known} */ (name)]) : name;
}

/**
 * @param {Scene} scene
 * @param {Edge} edge
 * @param {Spot} from
 * @param {Spot} to
 * @param {number} width
 * @returns {SVGElement}
 */
function edgeLine(scene, edge, from, to, width) {
  const middle = (from.y + to.y) / 2;
  const curve =
    from.x === to.x
      ? `M${from.x} ${from.y} L${to.x} ${to.y}`
      : `M${from.x} ${from.y} C${from.x} ${middle} ${to.x} ${middle} ${to.x} ${to.y}`;
  const loop = edge.leaves
    ? `M${from.x} ${from.y} C${Math.max(from.x, to.x)} ${from.y} ${Math.max(from.x, to.x)} ${to.y} ${to.x} ${to.y}`
    : curve;
  const kind = `edge${edge.leaves ? " leaves" : ""}${edge.norm === null ? " unknown" : ""}`;
  const line = makeSvg("path", { class: kind, d: loop, "stroke-width": width.toFixed(2), "data-from": edge.from });
  line.append(makeSvg("title", {}, `${edge.from} → ${edge.to}: ${scene.number(edge.norm)}`));
  return line;
}

/**
 * @param {Scene} scene
 * @param {Spot} spot
 * @returns {SVGElement}
 */
function opDot(scene, { id, x, y, onStream }) {
  const op = scene.op(id);
  const verdict = op?.verdict ?? "unpaired";
  const title = makeSvg("title", {}, `${id} ${TICKS[verdict] ?? ""}`);
  const link = makeSvg("a", { href: hashOf({ op: id, screen: "card" }), class: `dot-link ${verdict}`, tabindex: -1, "aria-label": id }, title);
  link.append(makeSvg("circle", { cx: x, cy: y, r: 9, class: "reach" }));
  link.append(
    op?.kind === "sum" && onStream
      ? makeSvg("path", { d: `M${x - 5} ${y} H${x + 5} M${x} ${y - 5} V${y + 5}`, class: "plus" })
      : makeSvg("circle", { cx: x, cy: y, r: onStream ? 4.5 : 3.5, class: "spot" }),
  );
  if (verdict !== "agree") link.append(svgText(TICKS[verdict] ?? "", { x: x - 12, y: y + 4, class: "verdict-mark" }));
  return link;
}
