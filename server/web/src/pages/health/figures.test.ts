import { expect, test } from "vitest";
import { amount, rate, since } from "./figures.ts";

test("figures of the service are short", () => {
  expect([amount("0"), amount("1023"), amount("1536"), amount("123456789"), amount(undefined)]).toEqual(["0 B", "1,023 B", "1.5 KiB", "118 MiB", "0 B"]);
  expect([rate("0", "0"), rate("3", "1")]).toEqual(["-", "75.0 %"]);
  const t = (s: number) => new Date(1.7e12 + s * 1000).toISOString();
  expect([30, 600, 7200, 864_000, -5].map((s) => since(t(0), t(s)))).toEqual(["30 s", "10 min", "2 h", "10 days", "0 s"]);
  expect(since(undefined, t(0))).toBe("-");
});
