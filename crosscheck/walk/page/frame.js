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
 * @property {(stand: Stand, screen: HTMLElement, sentence: string) => void} show
 */

/**
 * @param {Scene} scene
 * @returns {Frame}
 */
export function frameOf(scene) {
  const map = mapPicture(scene);
  const film = filmOf(scene);
  const help = helpDialog(scene);
  const screens = make("nav", { class: "screens", "aria-label": scene.say("frame.screens") });
  const middle = make("main", { id: "screen", tabindex: -1 });
  const source = make("aside", { class: "source-side", "aria-label": scene.say("frame.source") });
  const heard = make("p", { class: "heard", "aria-live": "polite", role: "status" });
  const header = make("header", { class: "top" }, ...title(scene), screens, helpButton(scene, help));
  const spine = make("aside", { class: "spine-side", "aria-label": scene.say("frame.map") }, mapEnds(scene, "map.top"), map.picture, mapEnds(scene, "map.bottom"));
  return {
    parts: [header, make("div", { class: "columns" }, spine, middle, source), film.film, heard, help],
    help,
    show: (stand, screen, sentence) => {
      const op = scene.op(stand.op);
      screens.replaceChildren(...screenLinks(scene, stand));
      middle.replaceChildren(screen);
      middle.scrollTop = 0;
      source.replaceChildren(...(op ? sourceOf(scene, op) : []));
      document.body.dataset.screen = stand.screen;
      map.light(stand.op);
      film.light(stand.op);
      heard.textContent = sentence;
    },
  };
}

/**
 * @param {Scene} scene
 * @returns {HTMLElement[]}
 */
function title(scene) {
  const { outcome, model } = scene.walk;
  const verdict = outcome.agrees ? "agree" : outcome.disagrees ? "born" : "unpaired";
  return [
    make("h1", {}, scene.say("frame.title")),
    make("p", { class: `outcome ${verdict}`, title: model.title }, make("span", { "aria-hidden": "true" }, { agree: "✓ ", born: "✗ ", unpaired: "· " }[verdict]), scene.say(`frame.${verdict}`, { rows: outcome.rows, failing: outcome.failing })),
  ];
}

/**
 * @param {Scene} scene
 * @param {string} key
 * @returns {HTMLElement}
 */
function mapEnds(scene, key) {
  return make("p", { class: "map-end" }, scene.say(key));
}

/**
 * @param {Scene} scene
 * @param {Stand} stand
 * @returns {HTMLElement[]}
 */
function screenLinks(scene, stand) {
  return screensOf(scene.walk).map((screen) =>
    make("a", { href: hashOf({ op: stand.op, screen }), "aria-current": screen === stand.screen ? "page" : null }, scene.say(`screen.${screen}`)),
  );
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
