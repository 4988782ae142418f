import { expect, test } from "vitest";
import { ageDays } from "./age.ts";

test("ages are of days, or of the end of a month, never negative", () => {
  const now = Date.parse("2026-08-11T12:00:00Z");
  expect(ageDays("2026-08-01", now)).toBe(10);
  expect(ageDays("2026-07", now)).toBe(11);
  expect(ageDays("2026-08", now)).toBe(0);
  expect(ageDays("", now)).toBeUndefined();
  expect(ageDays("soon", now)).toBeUndefined();
  expect(ageDays(undefined, now)).toBeUndefined();
});
