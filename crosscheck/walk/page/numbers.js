// How numbers and characters are written.

import { asNumber } from "./recorded.js";

const DIGITS = 3;
const MINUS = "\u2212";
/** @type {Record<string, string>} */
const SHOWN = { " ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍" };

/**
 * A number to so many significant digits, as the language writes it: 0.0123, 1.2e-16.
 * @param {unknown} value
 * @param {string} language
 * @param {number} [digits]
 * @returns {string} "–" where there is none
 */
export function numberText(value, language, digits = DIGITS) {
  if (value === null || value === undefined || value === "nan") return value === "nan" ? "NaN" : "–";
  const number = asNumber(value);
  if (!Number.isFinite(number)) return Number.isNaN(number) ? "NaN" : number < 0 ? `${MINUS}∞` : "∞";
  const size = Math.abs(number);
  const plain = size === 0 || (size >= 1e-3 && size < 1e6);
  const written = plain ? plainText(number, digits) : number.toExponential(digits - 1);
  const local = language === "pt-BR" ? written.replace(".", ",") : written;
  return local.replaceAll("-", MINUS);
}

/**
 * @param {number} number
 * @param {number} digits
 * @returns {string}
 */
function plainText(number, digits) {
  if (Number.isInteger(number)) return String(number);
  const whole = Math.floor(Math.log10(Math.abs(number))) + 1;
  return number.toFixed(Math.max(0, digits - whole));
}

/**
 * A character as something that one can see.
 * @param {string} character
 * @returns {string}
 */
export function visible(character) {
  return SHOWN[character] ?? character;
}
