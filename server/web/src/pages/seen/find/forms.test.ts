import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { guess } from "./forms.ts";

interface Reading {
  raw: string;
  kind: string;
  value: string;
}

// What the service reads, checked by its own tests.
const readings = JSON.parse(readFileSync(new URL("../../../../../../testdata/readings.json", import.meta.url), "utf8")) as Reading[];

const names = new Set(["domain", "hostname"]);
// Where the page differs, and why: it asks without a kind, so that what the service reads stands.
const left: Record<string, string> = {
  "invoice.zip": "the name of a file to people, a domain to the service",
  "fxp://evil.com/": "what the page itself copies defanged",
};

test("the page guesses kinds as the service does", () => {
  for (const r of readings) {
    const form = guess(r.raw);
    const kind = form?.kind ?? "rule_name";
    // Whether a name is registrable, and under any suffix at all, only the service knows.
    if (r.raw in left || (names.has(kind) && (names.has(r.kind) || r.kind === "rule_name"))) continue;
    expect.soft([r.raw, kind]).toEqual([r.raw, r.kind]);
  }
});

test("the page writes values near to how the service does", () => {
  for (const r of readings) {
    const form = guess(r.raw);
    if (!form || r.raw in left || r.kind === "rule_name") continue;
    expect.soft([r.raw, form.value]).toEqual([r.raw, r.value]);
  }
});
