import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { byTactic, nameOf, tacticName, tactics, tacticsOf, techniques } from "./tactics.ts";

test("the techniques are those that exports know", () => {
  const source = readFileSync(new URL("../../../../export/attack.go", import.meta.url), "utf8");
  const rows = [...source.matchAll(/"(T\d{4}(?:\.\d{3})?)":\s*\{"([^"]+)", "([^"]+)"\}/g)].map(([, id, name, of]) => [id, [name, of]]);
  expect(rows.length).toBeGreaterThan(40);
  expect(Object.entries(techniques).toSorted(([a], [b]) => (a < b ? -1 : 1))).toEqual(rows.toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1)));
  expect(source).toContain('AttackVersion = "16.1"');
});

test("every tactic of the table is one of the matrix", () => {
  for (const [id, [, of]] of Object.entries(techniques)) for (const t of of.split(" ")) expect([id, (tactics as readonly string[]).includes(t)]).toEqual([id, true]);
});

test("tactics follow the matrix", () => {
  expect(tacticsOf("T1078.004")).toEqual(["initial-access", "persistence", "privilege-escalation", "defense-evasion"]);
  expect(tacticsOf("T1114.001")).toEqual(["collection"]);
  expect(nameOf("T1114.001")).toBe("Email Collection");
  expect(tacticsOf("T9999")).toEqual(["other"]);
  expect(tacticsOf("")).toEqual(["other"]);
  expect(tacticsOf("constructor")).toEqual(["other"]);
  expect(tacticName("defense-evasion")).toBe("Defense evasion");
});

test("each finding stands once, under the first of its tactics", () => {
  const groups = byTactic(["T1114.003", "", "T1078.004", "T1566"], (t) => t);
  expect(groups).toEqual([
    { tactic: "initial-access", list: ["T1078.004", "T1566"] },
    { tactic: "collection", list: ["T1114.003"] },
    { tactic: "other", list: [""] },
  ]);
});
