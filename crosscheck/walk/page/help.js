// The help: which key leads where.

import { make } from "./dom.js";

/** @typedef {import("./scene.js").Scene} Scene */

const SHOWN_KEYS = [["→", "back"], ["←", "ahead"], ["↓", "block-back"], ["↑", "block-ahead"], ["Home", "loss"], ["End", "embedding"], ["T", "tables"], ["?", "help"]];

/**
 * @param {Scene} scene
 * @returns {HTMLDialogElement}
 */
export function helpDialog(scene) {
  const keys = SHOWN_KEYS.flatMap(([key, name]) => [make("dt", {}, make("kbd", {}, key)), make("dd", {}, scene.say(`key.${name}`))]);
  const close = make("button", { type: "button" }, scene.say("help.close"));
  const dialog = make(
    "dialog",
    { class: "help", "aria-label": scene.say("help.title") },
    make("h2", {}, scene.say("help.title")),
    make("p", {}, scene.say("help.direction")),
    make("dl", {}, ...keys),
    make("p", {}, scene.say("help.pictures")),
    make("p", {}, scene.say("help.address")),
    close,
  );
  close.addEventListener("click", () => dialog.close());
  return dialog;
}
