import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { random } from "../link/random.ts";
import { documentsOf, place } from "./documents.ts";
import { locate, Scanner, SyntaxFault } from "./json.ts";
import { headBytes, huntCommand, natureOf, quoted } from "./logs.ts";

const testdata = new URL("../../../../../testdata/", import.meta.url);
const bytes = (name: string) => new Uint8Array(readFileSync(new URL(name, testdata)));

test("a case of a file", () => {
  const [d, ...more] = documentsOf(new TextDecoder().decode(bytes("m365/alder-2023-0117.json")));
  expect(more).toEqual([]);
  expect(d).toMatchObject({ tenant: "alder", id: "2023-0117", start: { line: 1, column: 1 }, faults: [], findings: 9 });
});

test("places of fields, in the names of the schema or of JSON", () => {
  const text = '\n  {"tenant": "é", "id":"1",\n "findings": [\n  {"first_seen":"x"},\n  {"firstSeen": 3, "observables":[{"kind":"ip"}]}]}\n';
  const d = documentsOf(text)[0];
  expect(d?.start).toEqual({ line: 2, column: 3 });
  const at = (path: string) => d && place(d, path);
  expect(at("tenant")).toEqual({ line: 2, column: 14 });
  expect(at("id")).toEqual({ line: 2, column: 24 });
  expect(at("findings[1].first_seen")).toEqual({ line: 5, column: 17 });
  expect(at("findings[0].first_seen")).toEqual({ line: 4, column: 17 });
  expect(at("findings[1].observables[0].value")).toEqual({ line: 5, column: 35 });
  expect(at("findings[7].id")).toEqual({ line: 3, column: 14 });
});

test("a case a line, of which one is broken and one is none", () => {
  const text = ['{"tenant":"a","id":"1"}', '{"tenant":"a","id":}', '{"tenant":"a","id":"2","Operation":"New-InboxRule"}', "[1]", '{"tenant":"b","id":"3"}'].join("\n");
  expect(documentsOf(text).map((d) => [d.start.line, d.id, d.faults.map((f) => `${f.line}:${f.column} ${f.path} ${f.message}`)])).toEqual([
    [1, "1", []],
    [2, "", ["2:20  no JSON: this is no JSON"]],
    [3, "", ["3:24 Operation a case has no such field"]],
    [4, "", ["4:1  a case is an object"]],
    [5, "3", []],
  ]);
});

test("what broke over several lines ends the reading", () => {
  expect(documentsOf('{"tenant":"a",\n"id" 1}\n{"tenant":"a","id":"2"}')).toHaveLength(1);
});

test("a scanner takes what JSON.parse takes, and nothing else", () => {
  const r = random(7);
  const pieces = ['{', '}', '[', ']', ',', ':', '"a"', '"\\n"', '"\\x"', '"\n"', "1", "-0.5e3", "01", "+1", ".5", "1.", "true", "nul", "null", " ", "\n", '"', "\\", '"é\ud83d\ude00"'];
  const value = (depth: number): string => {
    const kind = r.int(0, depth > 3 ? 2 : 4);
    if (kind === 3) return `[${Array.from({ length: r.int(0, 3) }, () => value(depth + 1)).join(r.of([",", " , "]))}]`;
    if (kind === 4) return `{${Array.from({ length: r.int(0, 3) }, () => `${r.of(['"a"', '"b\\u0041"'])}:${value(depth + 1)}`).join(",")}}`;
    return r.of(["1", "-2.5", '"x"', "null", "true", '"\\\\"']);
  };
  let [good, bad] = [0, 0];
  for (let i = 0; i < 20_000; i++) {
    let text = i % 2 === 0 ? value(0) : Array.from({ length: r.int(1, 8) }, () => r.of(pieces)).join("");
    if (i % 4 === 0) {
      const cut = r.int(0, text.length);
      text = text.slice(0, cut) + r.of(pieces) + text.slice(cut);
    }
    let want = true;
    try {
      JSON.parse(text);
    } catch {
      want = false;
    }
    let got = true;
    try {
      const s = new Scanner(text);
      s.value();
      got = s.ended();
      if (got) locate(text, 0, "a[0].bA.a");
    } catch (e) {
      if (!(e instanceof SyntaxFault)) throw e;
      got = false;
    }
    if (got !== want) expect([text, got]).toEqual([text, want]);
    if (want) good++;
    else bad++;
  }
  expect(Math.min(good, bad)).toBeGreaterThan(1000);
});

test("deep nesting is a fault, no crash", () => {
  const d = documentsOf('{"tenant":"a","id":"1","labels":' + "[".repeat(100_000))[0];
  expect(d?.faults[0]?.message).toContain("deep in each other");
});

test("every log of the published cases is a log, every case a case", () => {
  for (const folder of ["m365/logs/alder/", "m365/logs/birch/"])
    for (const name of readdirSync(new URL(folder, testdata))) {
      const nature = natureOf(bytes(folder + name).slice(0, headBytes));
      expect([name, nature]).toEqual([name, name.endsWith(".gz") ? "archive" : "audit log"]);
    }
  for (const name of ["m365/alder-2023-0117.json", "m365/birch-2023-0142.json", ...readdirSync(new URL("unlinked/", testdata)).map((n) => `unlinked/${n}`)])
    expect([name, natureOf(bytes(name).slice(0, headBytes))]).toEqual([name, "case"]);
  for (const other of ["", "hello", "a,b\n1,2", '{"a":1}', "[1,2]", "\x00\x01", "name,subject,item\n"]) expect([other, natureOf(new TextEncoder().encode(other))]).toEqual([other, "unknown"]);
});

test("no record of a log has the form of a case that would be sent", () => {
  for (const folder of ["m365/logs/alder/", "m365/logs/birch/"])
    for (const name of readdirSync(new URL(folder, testdata)).filter((n) => /json$/.test(n)))
      for (const d of documentsOf(new TextDecoder().decode(bytes(folder + name)).replace(/^\s*\[/, ""))) expect([name, d.faults.length > 0]).toEqual([name, true]);
});

test("the command holds any name of a file", () => {
  expect(huntCommand(["audit.csv"], "alder", "2023-0117")).toBe("elsewhere hunt audit.csv --tenant alder --case 2023-0117 --submit");
  expect(huntCommand(["-rf x.csv", "it's; $(x).csv"], "", "")).toBe("elsewhere hunt './-rf x.csv' 'it'\\''s; $(x).csv' --tenant TENANT --case CASE --submit");
  expect(quoted("a\nb")).toBe("'a\nb'");
});
