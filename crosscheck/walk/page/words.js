// What the page says, in the reader's language.

import { ENGLISH_FRAME } from "./words_frame.js";
import { PORTUGUESE_FRAME } from "./words_frame_pt.js";
import { SCREEN_WORDS } from "./words_screens.js";

/** @typedef {(key: string, values?: Record<string, unknown>) => string} Say */

/** @type {Record<string, Record<string, string>>} */
export const WORDS = {
  en: { ...ENGLISH_FRAME, ...SCREEN_WORDS.en },
  "pt-BR": { ...PORTUGUESE_FRAME, ...SCREEN_WORDS["pt-BR"] },
};

/**
 * @param {string} language
 * @returns {Say} it replaces each name in braces by its value
 */
export function sayer(language) {
  const words = WORDS[language] ?? WORDS.en;
  return (key, values = {}) => {
    const said = words[key];
    if (said === undefined) throw new Error(`the page has no words for ${key}`);
    return said.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
  };
}
