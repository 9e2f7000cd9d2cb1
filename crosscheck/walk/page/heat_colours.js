// The colours of a heat map: paper at zero, one colour on each side of it.

/** @typedef {readonly [number, number, number]} Rgb each from 0 to 255 */
/** @typedef {{paper: Rgb, positive: Rgb, negative: Rgb, ink: string, light: string}} HeatColours */

/**
 * @param {string} text as a style sheet writes it: "#1d4ed8"
 * @returns {Rgb}
 */
function rgbOf(text) {
  const digits = text.trim().replace("#", "");
  const at = (/** @type {number} */ i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16) || 0;
  return [at(0), at(1), at(2)];
}

/**
 * The colours as the page's styles have them now.
 * @returns {HeatColours}
 */
export function heatColours() {
  const styles = getComputedStyle(document.documentElement);
  const of = (/** @type {string} */ name) => styles.getPropertyValue(name);
  return {
    paper: rgbOf(of("--heat-zero")),
    positive: rgbOf(of("--positive")),
    negative: rgbOf(of("--negative")),
    ink: of("--text"),
    light: of("--light-up"),
  };
}

/**
 * @param {HeatColours} colours
 * @param {number} value
 * @param {number} limit the magnitude at full colour
 * @returns {Rgb}
 */
export function heatColour({ paper, positive, negative }, value, limit) {
  const part = limit > 0 ? Math.max(-1, Math.min(1, value / limit)) : 0;
  const end = part < 0 ? negative : positive;
  const strength = Math.sqrt(Math.abs(part)); // small values are seen too; the scale stays symmetric
  const mixed = paper.map((from, i) => Math.round(from + (end[i] - from) * strength));
  return [mixed[0], mixed[1], mixed[2]];
}
