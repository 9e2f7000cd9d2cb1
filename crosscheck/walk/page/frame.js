// The frame: the map on the left, the screen in the middle, the source on the right, the film below.

import { make } from "./dom.js";
import { filmOf } from "./film.js";
import { helpDialog } from "./help.js";
import { mapPicture } from "./map_picture.js";
import { sourceOf } from "./source_panel.js";
import { hashOf, screensOf } from "./state.js";

/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {import("./state.js").Stand} Stand */
/**
 * @typedef {object} Frame
 * @property {HTMLElement[]} parts of the body
 * @property {HTMLDialogElement} help
 * @property {(stand: Stand, draw: () => HTMLElement, sentence: string) => void} show
 */

/**
 * @param {Scene} scene
 * @returns {Frame}
 */
export function frameOf(scene) {
  const map = mapPicture(scene);
  const film = filmOf(scene);
  const help = helpDialog(scene);
  const links = screenLinks(scene);
  const screens = make("nav", { class: "screens", "aria-label": scene.say("page.screens") }, ...links.values());
  const middle = make("main", { id: "screen", tabindex: -1 });
  const source = make("aside", { class: "source-side", "aria-label": scene.say("page.source") });
  const heard = make("p", { class: "heard", "aria-live": "polite", role: "status" });
  const header = make("header", { class: "top" }, ...title(scene), screens, helpButton(scene, help));
  const present = (/** @type {string} */ id) => {
    const op = scene.op(id);
    source.replaceChildren(...(op ? sourceOf(scene, op) : []));
    map.light(id);
    film.light(id);
  };
  scene.present = present;
  const spine = make("aside", { class: "spine-side", "aria-label": scene.say("page.map") }, mapEnd(scene, "top"), map.picture, mapEnd(scene, "bottom"));
  const columns = make("div", { class: "columns" }, spine, middle, source);
  return {
    parts: [header, columns, film.film, heard, help],
    help,
    show: (stand, draw, sentence) => {
      pointLinks(links, stand);
      present(stand.op);
      middle.replaceChildren(draw());
      for (const scrolled of [middle, columns, document.documentElement]) scrolled.scrollTop = 0; // by the window's width
      heard.textContent = sentence;
      Object.assign(document.body.dataset, stand); // the page is drawn for this place now
    },
  };
}

/**
 * @param {Scene} scene
 * @returns {HTMLElement[]}
 */
function title(scene) {
  const { outcome, model, bug } = scene.walk;
  const verdict = outcome.agrees ? "agree" : outcome.disagrees ? "born" : "unpaired";
  return [
    make("h1", {}, scene.say("page.title")),
    make("p", { class: `outcome ${verdict}`, title: model.title }, make("span", { "aria-hidden": "true" }, { agree: "✓ ", born: "✗ ", unpaired: "· " }[verdict]), scene.say(bug?.raised ? "page.raised" : `page.${verdict}`, { rows: outcome.rows, failing: outcome.failing })),
  ];
}

/**
 * @param {Scene} scene
 * @param {string} end "top" or "bottom"
 * @returns {HTMLElement}
 */
function mapEnd(scene, end) {
  return make("p", { class: "map-end" }, scene.say(scene.walk.text ? `map.${end}` : `map.${end}-of-any`));
}

/**
 * @param {Scene} scene
 * @returns {Map<string, HTMLAnchorElement>} by screen
 */
function screenLinks(scene) {
  return new Map(screensOf(scene.walk).map((screen) => [screen, make("a", {}, scene.say(`screen.${screen}`))]));
}

/**
 * Each link leads to its screen at the op where the reader stands.
 * @param {Map<string, HTMLAnchorElement>} links
 * @param {Stand} stand
 */
function pointLinks(links, stand) {
  for (const [screen, link] of links) {
    link.setAttribute("href", hashOf({ op: stand.op, screen }));
    if (screen === stand.screen) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

/**
 * @param {Scene} scene
 * @param {HTMLDialogElement} help
 * @returns {HTMLElement}
 */
function helpButton(scene, help) {
  const button = make("button", { type: "button", class: "help-button", "aria-label": scene.say("help.title") }, "?");
  button.addEventListener("click", () => help.showModal());
  return button;
}
