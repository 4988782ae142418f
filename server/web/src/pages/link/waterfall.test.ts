import { expect, test } from "vitest";
import type { Schemas } from "../../app/service.ts";
import { columns } from "../../ui/wrap.ts";
import { random } from "./random.ts";
import { stepsOf } from "./steps.ts";
import published from "./testdata/published.json" with { type: "json" };
import { extent, layout, type Row, size } from "./waterfall.ts";

const widths = [320, 340, 360, 480, 539, 540, 900, 1600];

/** An explanation as the service makes them: parts that add up, of any form. */
function explanation(seed: number): Schemas["Explanation"] {
  const r = random(seed);
  const prior = -r.int(0, 20_000);
  let total = prior;
  const families = ["infra", "deception", "tooling", "artifact", "behaviour"].slice(0, r.int(0, 5)).map((name) => {
    let raw = 0;
    const groups = Array.from({ length: r.int(1, 4) }, (_, i) => {
      let used = 0;
      const values = Array.from({ length: r.int(1, 6) }, () => {
        const weightMillibits = r.int(0, 14_000);
        const usedMillibits = r.int(0, 2) === 0 ? 0 : r.int(0, weightMillibits);
        used += usedMillibits;
        return { kind: r.of(["ip", "domain", "rule_name"]), value: r.text(300), weightMillibits, usedMillibits, m: 0.2, alpha: r.int(0, 3) / 2 };
      });
      raw += used;
      return { id: r.text(40), rank: i + 1, usedMillibits: used, values };
    });
    const cap = r.int(0, 20_000);
    total += Math.min(raw, cap);
    return { name, rawMillibits: raw, capMillibits: cap, usedMillibits: Math.min(raw, cap), groups };
  });
  const negative = -r.int(0, 1) * r.int(0, 4000);
  return { priorMillibits: prior, corpusN: 1024, families, negativeMillibits: negative, totalMillibits: total + negative };
}

const samples = [published as Schemas["Explanation"], ...Array.from({ length: 150 }, (_, i) => explanation(i))];

test("the published pair in steps", () => {
  const steps = stepsOf(published as Schemas["Explanation"]);
  expect(steps.map((s) => [s.label, s.used])).toEqual([
    ["prior: one in 1,024 cases", -10000],
    ["infra", 14216],
    ["ip 104.161.20.102", 9000],
    ["ip 185.241.149.122", 3546],
    ["ip 20.232.202.245", 1670],
    ["tooling", 2000],
    ["rule_name different names with words of security", 2000],
    ["behaviour", 3000],
    ["attack: 7 techniques in common, .611 of all by rarity", 1500],
    ["dwell: stayed 82 and 80 days", 500],
    ["timing: active at the same time", 1000],
    ["total: likelihood .993", 9216],
  ]);
  expect(steps[3]?.words).toEqual([
    "In both cases login_source.",
    "Class unknown.",
    "Two cases of one actor share such a value with a chance of .2 (m); 1.5 unrelated actors are expected on it whom nobody has seen (α), and 0 tenants have it and nothing else in common with the two (d).",
    "Seen on the same day in both.",
    "Worth +7.093 bits, counts +3.546: rank 2 in infra, so 1/2 of it.",
  ]);
  expect(steps.at(-1)?.words).toEqual(["+9.216 bits: likelihood of same actor (model 2, uncalibrated) .993, tier strong."]);
});

test("the parts add up to the total exactly", () => {
  for (const e of samples)
    for (const all of [false, true]) {
      const steps = stepsOf(e, all);
      const parts = steps.filter((s) => s.kind !== "family" && s.kind !== "total");
      expect(parts.reduce((n, s) => n + s.used, 0)).toBe(e.totalMillibits);
      expect(parts.some((s) => s.kind === "rest")).toBe(false);
      expect(parts.filter((s, i) => s.from !== (parts[i - 1]?.to ?? 0) || s.to !== s.from + s.used)).toEqual([]);
      for (const f of e.families ?? []) {
        const own = parts.filter((s) => s.id.startsWith(`${f.name}/`));
        expect(own.reduce((n, s) => n + s.used, 0)).toBe(f.usedMillibits);
      }
      expect(new Set(steps.map((s) => s.id)).size).toBe(steps.length);
    }
});

test("what does not add up is shown", () => {
  const steps = stepsOf({ priorMillibits: -10_000, totalMillibits: -9_000 });
  expect(steps.map((s) => s.kind)).toEqual(["prior", "rest", "total"]);
  expect(steps[1]?.used).toBe(1000);
});

test("all values are shown when they are asked for, and else none with weight is left out", () => {
  for (const e of samples) {
    const values = (e.families ?? []).flatMap((f) => (f.groups ?? []).flatMap((g) => g.values ?? []));
    const few = stepsOf(e).filter((s) => s.kind === "value");
    expect(stepsOf(e, true).filter((s) => s.kind === "value")).toHaveLength(values.length);
    expect(few.filter((s) => s.used > 0)).toHaveLength(values.filter((v) => v.usedMillibits !== 0).length);
    const gathered = stepsOf(e).filter((s) => s.kind === "more");
    expect(few.length + gathered.reduce((n, s) => n + Number.parseInt(s.label, 10), 0)).toBe(values.length);
  }
});

test("nothing in the picture overlaps or is cut off", () => {
  // An assertion for each of a million numbers would take longer than the layouts.
  const faults: string[] = [];
  for (const e of samples)
    for (const width of widths) {
      const l = layout(stepsOf(e), width);
      const fault = (what: string, row?: Row) => faults.push(`${what}: ${row?.step.label ?? ""} at ${width}`);
      let below = 0;
      for (const row of l.rows) {
        if (row.box.y < below) fault("rows overlap", row);
        below = row.box.y + row.box.height;
        const amount = row.amountX - columns(row.amount) * size.column;
        for (const line of row.lines) {
          const end = row.labelX + columns(line.text) * size.column;
          if (end > width || line.y > below) fault("a label is cut", row);
          if (line === row.lines[0] && end > amount) fault("a label meets a number", row);
        }
        for (const box of [row.bar, row.ghost]) {
          if (!box) continue;
          if (box.x < l.left - 1e-6 || box.x + box.width > l.right + 1e-6) fault("a bar leaves the picture", row);
          if (box.y < row.box.y || box.y + box.height > below) fault("a bar leaves its row", row);
          if (box.y < row.box.y + row.lines.length * size.line && box.x <= row.amountX) fault("a bar meets a number", row);
        }
      }
      if (l.height < below) fault("the picture is too low");
      for (const [i, t] of l.ticks.entries()) if (i > 0 && t.x - (l.ticks[i - 1]?.x ?? 0) < 30) fault("ticks are crowded");
    }
  expect(faults).toEqual([]);
});

test("bars are as long as what they add", () => {
  const faults: string[] = [];
  for (const e of samples) {
    const l = layout(stepsOf(e), 900);
    const [low, high] = extent(l.rows.map((r) => r.step));
    const per = (l.right - l.left - 1) / (high - low);
    for (const { step, bar } of l.rows) if (bar && Math.abs(bar.width - Math.max(1, Math.abs(step.used) * per)) > 1e-6) faults.push(step.label);
  }
  expect(faults).toEqual([]);
});

test("labels are whole at 360 units", () => {
  const steps = stepsOf(published as Schemas["Explanation"]);
  for (const row of layout(steps, 328).rows) expect(row.lines.map((l) => l.text).join("").replaceAll(" ", "")).toBe(row.step.label.replaceAll(" ", ""));
});
