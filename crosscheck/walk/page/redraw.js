// A part of a screen is drawn again without the reader noticing more than the change.

const FOCUSABLE = "button, select, input, summary, a[href], [tabindex]";

/**
 * Put other children into a panel. What had the focus has it again, and what was open is open.
 * @param {HTMLElement} panel
 * @param {readonly Node[]} children
 */
export function redraw(panel, children) {
  const inside = (/** @type {string} */ selector) => Array.from(panel.querySelectorAll(selector));
  const focused = inside(FOCUSABLE).findIndex((element) => element === document.activeElement);
  const opened = inside("details").map((element) => element.hasAttribute("open"));
  panel.replaceChildren(...children);
  inside("details").forEach((element, i) => element.toggleAttribute("open", opened[i] ?? element.hasAttribute("open")));
  const again = inside(FOCUSABLE)[focused];
  if (again instanceof HTMLElement) again.focus({ preventScroll: true });
}
