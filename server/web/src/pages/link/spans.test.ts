import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { Schemas } from "../../app/service.ts";
import { columns } from "../../ui/wrap.ts";
import { random } from "./random.ts";
import { type Common, commonOf, lane, timeLine } from "./spans.ts";
import published from "./testdata/published.json" with { type: "json" };

const read = (name: string) => JSON.parse(readFileSync(new URL(`../../../../../testdata/m365/${name}.json`, import.meta.url), "utf8")) as Schemas["Case"];

test("what the published cases have in common, and when", () => {
  const all = commonOf(published as Schemas["Explanation"], read("alder-2023-0117"), read("birch-2023-0142"));
  expect(all.map((c) => c.label)).toEqual(["all of the case", "ip 104.161.20.102", "ip 185.241.149.122", "ip 20.232.202.245"]);
  expect(all[1]?.a).toEqual({ first: Date.parse("2022-12-02T00:00:00Z"), last: Date.parse("2023-02-22T00:00:00Z") });
  expect(all[1]?.b).toBeDefined();
});

test("values without a date have a row and no bar", () => {
  const c = (tenant: string): Schemas["Case"] => ({ tenant, id: "1", findings: [{ observables: [{ kind: "ip", value: "192.0.2.1" }] }] });
  const all = commonOf({ sharedGeneric: [{ kind: "ip", value: "192.0.2.1" }] }, c("a"), c("b"));
  expect(all).toHaveLength(2);
  expect(all[1]).toMatchObject({ a: undefined, b: undefined, generic: true });
  expect(timeLine(all, 360).rows.every((r) => r.a === undefined && r.b === undefined)).toBe(true);
});

test("no lane, label or tick leaves its place", () => {
  const faults: string[] = [];
  for (let seed = 0; seed < 300; seed++) {
    const r = random(seed);
    const begin = Date.UTC(r.int(1990, 2026), r.int(0, 11), r.int(1, 28));
    const span = r.of([0, 1, 30, 400, 9000]) * 86_400_000;
    const stretch = () => {
      if (r.int(0, 5) === 0) return undefined;
      const first = begin + r.int(0, span);
      return { first, last: first + r.int(0, span) };
    };
    const all: Common[] = Array.from({ length: r.int(1, 8) }, () => ({ label: r.text(120), kind: "ip", value: "x", a: stretch(), b: stretch(), generic: false }));
    for (const width of [320, 360, 619, 620, 1600]) {
      const t = timeLine(all, width);
      const fault = (what: string) => faults.push(`${what}: seed ${seed} at ${width}`);
      let below = 0;
      for (const row of t.rows) {
        if (row.y < below) fault("rows overlap");
        below = row.y + row.height;
        for (const l of [row.a, row.b]) {
          if (!l) continue;
          if (l.x < t.left - 1e-6 || l.x + l.width > width) fault("a lane leaves the picture");
          if (l.y < row.y || l.y + lane.height > below + 1e-6) fault("a lane leaves its row");
        }
        if (row.a && row.b && row.a.y + lane.height > row.b.y) fault("lanes overlap");
        for (const line of row.lines) if (columns(line.text) * lane.column > width || line.y > below) fault("a label is cut");
      }
      for (const [i, tick] of t.ticks.entries()) {
        if (tick.x + tick.label.length * lane.column > width + 1) fault("a tick leaves the picture");
        const before = t.ticks[i - 1];
        if (before && before.x + before.label.length * lane.column > tick.x) fault("ticks overlap");
      }
    }
  }
  expect(faults).toEqual([]);
});
