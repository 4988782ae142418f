import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

// An effect that waits for the next picture runs after somebody has seen, and may have
// used, what it was to make ready: a key is lost, an answer of before stands as today's.
test("nothing is made ready after it is shown", () => {
  const src = new URL("..", import.meta.url).pathname;
  const late = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((f) => /\.tsx?$/.test(f) && /\buseEffect\b/.test(readFileSync(`${src}/${f}`, "utf8")));
  expect(late.filter((f) => !f.endsWith("effects.test.ts"))).toEqual([]);
});
