// Elements. Whatever is put into one is text: nothing that came from outside becomes markup.

/** @typedef {Node | string | null | undefined} Child */
/** @typedef {Record<string, string | number | boolean | null | undefined>} Attributes */

const SVG = "http://www.w3.org/2000/svg";

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} [attributes] false, null and undefined are left out
 * @param {...Child} children strings become text
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  fill(element, attributes, children);
  return element;
}

/**
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {SVGElementTagNameMap[Tag]}
 */
export function makeSvg(tag, attributes = {}, ...children) {
  const element = /** @type {SVGElementTagNameMap[Tag]} */ (document.createElementNS(SVG, tag));
  fill(element, attributes, children);
  return element;
}

/**
 * A name that may go on in the next line after a dot or an underscore.
 * @param {string} name
 * @returns {Child[]}
 */
export function breakable(name) {
  return name.split(/(?<=[._])/).flatMap((part) => [part, make("wbr")]);
}

/**
 * @param {Element} element
 * @param {Attributes} attributes
 * @param {readonly Child[]} children
 */
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) {
    if (child !== null && child !== undefined) element.append(child);
  }
}

/**
 * A text in an SVG picture.
 * @param {string} text
 * @param {Attributes} at
 * @returns {SVGTextElement}
 */
export function svgText(text, at) {
  return makeSvg("text", at, text);
}

/**
 * Whether the reader is writing or choosing, so that a key belongs to the element and not to the walk.
 * @param {EventTarget | null} target
 * @returns {boolean}
 */
export function takesKeys(target) {
  if (!(target instanceof HTMLElement)) return false;
  return target.closest("input, select, textarea, [data-keys]") !== null;
}
