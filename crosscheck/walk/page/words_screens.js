// The words of the screens of attention, of the verdict, of layer norm and of a weight.

import { ENGLISH_SCREENS } from "./words_screens_en.js";
import { PORTUGUESE_SCREENS } from "./words_screens_pt.js";

/** @type {Record<"en" | "pt-BR", Record<string, string>>} */
export const SCREEN_WORDS = { en: ENGLISH_SCREENS, "pt-BR": PORTUGUESE_SCREENS };
