import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { WORDS } from "../../crosscheck/walk/page/words.js";

const PAGE = new URL("../../crosscheck/walk/page/", import.meta.url);
const SOURCE = readdirSync(PAGE)
  .filter((file) => file.endsWith(".js") && !file.startsWith("words_"))
  .map((file) => readFileSync(new URL(file, PAGE), "utf8"))
  .join("\n");

const holes = (text) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort();

test("both languages say the same things with the same numbers", () => {
  const [english, portuguese] = [WORDS.en, WORDS["pt-BR"]];
  assert.deepEqual(Object.keys(portuguese), Object.keys(english));
  for (const key of Object.keys(english)) assert.deepEqual(holes(portuguese[key]), holes(english[key]), key);
});

test("every word is used, and every word that is used is there", () => {
  const said = new Set([...SOURCE.matchAll(/["`]((?:attention|verdict|norm|slope|weight|screens?|page|help|key|verdict-of|question|map|card|witness|source|explain|table|row)\.[\w${}.-]+)["`]/g)].map((m) => m[1]));
  const made = [...said].filter((key) => key.includes("${")).map((key) => new RegExp(`^${key.replace(/\$\{[\w.]+\}/g, "[\\w, -]+").replace(".", "\\.")}$`));
  for (const key of said) if (!key.includes("${")) assert.ok(key in WORDS.en, `${key} is not there`);
  for (const key of Object.keys(WORDS.en)) {
    assert.ok(said.has(key) || made.some((pattern) => pattern.test(key)), `${key} is not used`);
  }
});
