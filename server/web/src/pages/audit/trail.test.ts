import { expect, test } from "vitest";
import { askedOf, asLines, counted, instant, pathOf } from "./trail.ts";

test("an address asks for what it says, bounded", () => {
  expect(pathOf(askedOf(new URLSearchParams("from=2026-08-01&method=Seen&newest=99999&key=els_ab")))).toBe(
    "/v1/audit?newest=10000&fromTime=2026-08-01T00%3A00%3A00Z&key=els_ab&method=Seen",
  );
  expect(pathOf(askedOf(new URLSearchParams("newest=-3")))).toBe("/v1/audit?newest=500");
});

test("times are days, or days and times", () => {
  expect(instant("2026-08-01 12:30")).toBe("2026-08-01T12:30:00Z");
  expect(instant("2026-08-01T12:30:05Z")).toBe("2026-08-01T12:30:05Z");
  expect(instant("yesterday")).toBe("yesterday");
});

test("entries are saved a line each", () => {
  expect(asLines([{ number: "1" }, { number: "2", key: "a\nb" }])).toBe('{"number":"1"}\n{"number":"2","key":"a\\nb"}\n');
  expect(counted({ counts: { seen: "3", asked_for: "1200" } })).toBe("asked for 1,200, seen 3");
});
