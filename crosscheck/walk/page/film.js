// The film: all ops in a row, from the loss on the left to the embedding on the right.

import { make } from "./dom.js";
import { TICKS } from "./map_picture.js";
import { hashOf } from "./state.js";

/** @typedef {import("./scene.js").Scene} Scene */

/**
 * @param {Scene} scene
 * @returns {{film: HTMLElement, light: (id: string) => void}}
 */
export function filmOf(scene) {
  const frames = new Map(
    [...scene.walk.ops].reverse().map((op) => {
      const said = `${op.id}: ${scene.say(`verdict-of.${op.verdict}`)}`;
      const frame = make(
        "a",
        { href: hashOf({ op: op.id, screen: "card" }), class: `frame-of ${op.verdict} kind-${op.kind}`, title: said, "aria-label": `${op.op}, ${said}`, tabindex: -1 },
        make("span", { class: "frame-op", lang: "en" }, op.op),
        make("span", { class: "frame-tick", "aria-hidden": "true" }, TICKS[op.verdict] ?? ""),
      );
      return /** @type {const} */ ([op.id, frame]);
    }),
  );
  const film = make("nav", { class: "film", "aria-label": scene.say("page.film") }, ...frames.values());
  const light = (/** @type {string} */ id) => {
    for (const [one, frame] of frames) {
      if (one === id) frame.setAttribute("aria-current", "step");
      else frame.removeAttribute("aria-current");
      frame.tabIndex = one === id ? 0 : -1;
    }
    const present = frames.get(id);
    if (present) film.scrollTo({ left: present.offsetLeft - film.clientWidth / 2 });
  };
  return { film, light };
}
