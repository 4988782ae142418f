import { expect, test } from "vitest";
import type { CaseFacts } from "./facts.ts";
import { random } from "./random.test-data.ts";
import { strip } from "./strip.ts";
import { ticks, timeline } from "./timeline.ts";

const day = 86_400_000;

test("marks are in order, few, and at beginnings of UTC days", () => {
  for (let seed = 1; seed <= 500; seed++) {
    const next = random(seed);
    const from = Math.floor((631_152_000_000 + next() * 1.2e12) / day) * day;
    const to = from + day * Math.ceil(10 ** (next() * 4));
    const all = ticks(from, to, 8);
    expect(all.length).toBeLessThanOrEqual(8);
    let before = -1;
    for (const t of all) {
      expect(t.at).toBeGreaterThan(before);
      expect(t.at).toBeLessThanOrEqual(1);
      before = t.at;
      expect(Date.parse(t.text.length === 7 ? `${t.text}-01` : t.text)).toBe(Math.round(from + t.at * (to - from)));
    }
    expect(all.length).toBeGreaterThan(0);
  }
});

function made(ref: string, first?: number, last?: number): CaseFacts {
  return { ref, tenant: "t", title: "", tlp: "", first, last, techniques: [], values: [] };
}

test("cases stand in order of their first day, within the axis", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const next = random(seed);
    const cases = Array.from({ length: 1 + Math.floor(next() * 30) }, (_, i) => {
      const first = 1.6e12 + next() * 1e11;
      return next() < 0.1 ? made(`t/${i}`) : made(`t/${i}`, first, first + next() * 1e10 - 1e9);
    });
    const line = timeline(cases, 8);
    expect(line.lanes.length + line.undated.length).toBe(cases.length);
    let before = 0;
    for (const l of line.lanes) {
      expect(l.from).toBeGreaterThanOrEqual(before);
      expect(l.to).toBeGreaterThanOrEqual(l.from);
      expect(l.to).toBeLessThanOrEqual(1);
      before = l.from;
    }
  }
});

test("a technique stands under each of its tactics, an unknown one last", () => {
  const columns = strip([{ name: "T1078.004", cases: 2 }, { name: "T1114", cases: 4 }, { name: "T9999", cases: 1 }, { name: "", cases: 3 }], 4);
  expect(columns.map((c) => [c.id, c.techniques.map((t) => [t.id, t.share])])).toEqual([
    ["initial-access", [["T1078.004", 0.5]]],
    ["persistence", [["T1078.004", 0.5]]],
    ["privilege-escalation", [["T1078.004", 0.5]]],
    ["defense-evasion", [["T1078.004", 0.5]]],
    ["collection", [["T1114", 1]]],
    ["", [["T9999", 0.25]]],
  ]);
});
