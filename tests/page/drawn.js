// What the tests of the page's arithmetic share: drawn numbers, and slopes by finite differences.

import assert from "node:assert/strict";

/** A generator of numbers from -1 to 1, the same for the same seed (a linear congruence). */
export function drawn(seed) {
  let state = seed * 7919 + 1;
  return () => {
    state = (state * 16807) % 2147483647;
    return (state / 2147483647) * 2 - 1;
  };
}

export function slopeOf(loss, step = 1e-5) {
  return (loss(step) - loss(-step)) / (2 * step);
}

export function close(value, expected, limit) {
  assert.ok(Math.abs(value - expected) <= limit, `${value} is not ${expected} to ${limit}`);
}
