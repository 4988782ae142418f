import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { attackVersion, tactics, technique } from "./attack.ts";

test("the page and the service know the same techniques", () => {
  const go = readFileSync(new URL("../../../export/attack.go", import.meta.url), "utf8");
  expect(go).toContain(`AttackVersion = "${attackVersion}"`);
  const rows = [...go.matchAll(/"(T[\d.]+)":\s*\{"([^"]*)", "([^"]*)"\}/g)];
  expect(rows.length).toBeGreaterThan(40);
  const ids = new Set(tactics.map(([id]) => id));
  for (const [, id = "", name, of = ""] of rows) {
    expect(technique(id), id).toEqual({ name, tactics: of.split(" ") });
    for (const t of of.split(" ")) expect(ids).toContain(t);
  }
});

test("a sub-technique is told by its technique, an unknown one not at all", () => {
  expect(technique("T1114.999")?.name).toBe("Email Collection");
  expect(technique("T9999")).toBeUndefined();
  expect(technique("constructor")).toBeUndefined();
});
