// Where the page begins: it unpacks the walk, builds the frame, and follows the address and the keys.

import { unpackedArrays } from "./arrays.js";
import { attentionScreen } from "./attention_screen.js";
import { cardScreen, opSentence } from "./card.js";
import { takesKeys } from "./dom.js";
import { frameOf } from "./frame.js";
import { mapScreen } from "./map_screen.js";
import { normScreen } from "./norm_screen.js";
import { questionScreen } from "./question_screen.js";
import { sceneOf } from "./scene.js";
import { slopeScreen } from "./slope_screen.js";
import { hashOf, KEYS, moved, opening, screensOf, standOf } from "./state.js";
import { toggleTables } from "./tables.js";
import { verdictScreen } from "./verdict_screen.js";
import { weightScreen } from "./weight_screen.js";

/** @typedef {import("./scene.js").Scene} Scene */
/** @typedef {import("./state.js").Stand} Stand */

/** @type {Record<string, (scene: Scene, opened: string) => HTMLElement>} */
const SCREEN = {
  question: questionScreen,
  map: mapScreen,
  card: (scene, opened) => cardScreen(scene, opened, screensOf(scene.walk)),
  attention: attentionScreen,
  norm: normScreen,
  slope: slopeScreen,
  weight: weightScreen,
  verdict: verdictScreen,
};

/** @returns {Promise<void>} */
async function begin() {
  const walk = JSON.parse(document.getElementById("walk")?.textContent ?? "{}");
  const scene = sceneOf(walk, await unpackedArrays(walk));
  const frame = frameOf(scene);
  document.getElementById("page")?.replaceChildren(...frame.parts);
  const start = opening(walk);
  const now = () => standOf(location.hash, walk) ?? start; // keys may come faster than the page is drawn
  const show = () => {
    const stand = now();
    const op = scene.op(stand.op);
    frame.show(stand, () => SCREEN[stand.screen](scene, stand.op), op ? `${op.op}. ${opSentence(scene, op)}` : "");
  };
  window.addEventListener("hashchange", show);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  document.addEventListener("keydown", (event) => onKey(event, scene, now(), frame.help));
  document.addEventListener("click", leaveScrolled);
  show();
}

/** A click into what scrolls does not take the arrow keys away from the walk; the Tab key does. */
function leaveScrolled() {
  const present = document.activeElement;
  if (present instanceof HTMLElement && present.matches("[data-keys]:not(canvas, [role='tablist'])")) present.blur();
}

/**
 * @param {KeyboardEvent} event
 * @param {Scene} scene
 * @param {Stand} stand
 * @param {HTMLDialogElement} help
 */
function onKey(event, scene, stand, help) {
  if (event.ctrlKey || event.metaKey || event.altKey || help.open || takesKeys(event.target)) return;
  const move = KEYS[event.key];
  if (move) {
    const stays = stand.screen !== "card" && move !== "loss" && move !== "embedding";
    location.hash = hashOf({ op: stays ? stand.op : moved(scene.walk, stand.op, move), screen: "card" });
  } else if (event.key === "t" || event.key === "T") toggleTables(document);
  else if (event.key === "?") help.showModal();
  else return;
  event.preventDefault();
}

begin();
