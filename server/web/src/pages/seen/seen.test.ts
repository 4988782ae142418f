import { expect, test } from "vitest";
import { Problem, type Schemas } from "@elsewhere-project/client";
import { abuseText, countText, filterRows, othersText, type Row, rowsOf, scaleOf, sortRows } from "./answers.ts";
import { type Asking, askAll } from "./ask.ts";
import { cell, toCSV, toJSON } from "./export.ts";
import { extract } from "./find/extract.ts";
import { mayAsk } from "./find/kinds.ts";
import { type Item, itemId, maxAddress, pack, readItems, unpack, withKind, writeItems } from "./state.ts";

type Result = Schemas["SeenResult"];

const item = (value: string, kind = "", guess = "ip", part = false): Item => ({ kind, guess: kind || guess, value, part, times: 0 });

test("an address has the values again", { timeout: 120_000 }, async () => {
  const items = [item("1.2.3.4"), item("evil.com", "", "domain", true), item("x", "user_agent"), item("y z", "", "rule_name"), item("🦊.com", "domain", "", true)];
  for (const list of [items, Array.from({ length: 5000 }, (_, i) => item(`10.${i >> 8}.${i & 255}.7`))]) {
    const packed = await pack(writeItems(list));
    expect(packed.length).toBeLessThan(maxAddress);
    const text = await unpack(packed);
    expect(readItems(text ?? "")).toEqual(list);
  }
});

test("an address that somebody made up does no harm", { timeout: 120_000 }, async () => {
  for (const bad of ["", "x", "z", "z!!!", `z${"A".repeat(1000)}`, "zeJw"]) expect(await unpack(bad)).toBe(undefined);
  const deflated = new Blob(["\0".repeat(64 << 20)]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  const bomb = Buffer.from(await new Response(deflated).arrayBuffer()).toString("base64url");
  expect(await unpack(`z${bomb}`)).toBe(undefined);
  expect(readItems(`nonsense\tx\nip\t1.2.3.4\n\n${"x".repeat(5000)}\nip\t1.2.3.4`).map(itemId)).toEqual(["ip\t1.2.3.4"]);
});

test("private values have no place in an address", () => {
  expect(writeItems([item("alex", "account"), item("1.2.3.4")])).toBe("1.2.3.4");
});

test("a kind is corrected for some, and equals become one", () => {
  const items = [item("a.com", "", "domain"), item("a.com", "url"), item("1.2.3.4")];
  expect(withKind(items, new Set(items.slice(0, 1).map(itemId)), "url").map(itemId)).toEqual(["url\ta.com", "\t1.2.3.4"]);
  expect(withKind([item("1.2.3.4", "x_own")], new Set(["x_own\t1.2.3.4"]), "")[0]).toMatchObject({ kind: "", guess: "ip" });
});

test("a tenant's key asks for infrastructure only", () => {
  expect(["ip", "hostname", "email", "url", "rule_name", "phone", "x_own"].filter((k) => mayAsk("ROLE_TENANT", k))).toEqual(["ip", "hostname"]);
  expect(["email", "phone"].filter((k) => mayAsk("ROLE_ANALYST", k) && mayAsk(undefined, k))).toEqual(["email", "phone"]);
  expect(mayAsk("ROLE_SUBMITTER", "ip")).toBe(false);
});

/** Asks a service that answers as `answer` does; calls end in another order than they began. */
async function asked(n: number, answer: (values: Schemas["Observable"][], call: number) => Result[], targets = false) {
  const log = { order: [] as number[], values: [] as string[], also: 0, waits: [] as number[], running: 0, most: 0, calls: 0 };
  const asking: Asking = {
    signal: new AbortController().signal,
    targets,
    send: async (values) => {
      const call = log.calls++;
      log.most = Math.max(log.most, ++log.running);
      await new Promise((r) => setTimeout(r, call % 2 ? 0 : 5));
      log.running--;
      return { results: answer(values, call), attributions: [] };
    },
    sleep: async () => undefined,
    waiting: (s) => log.waits.push(s),
    answered: (from, answers) => {
      log.order.push(from);
      log.values.push(...answers.map((a) => a.result.observable?.value ?? ""));
      log.also += answers.filter((a) => a.also).length;
    },
  };
  await askAll(Array.from({ length: n }, (_, i) => ({ kind: "", value: `v${i}` })), asking);
  return log;
}

const echo = (values: Schemas["Observable"][]): Result[] => values.map((observable) => ({ observable, status: "SEEN_STATUS_NOT_SEEN" }));

test("answers come in the order of the values, two calls at a time", async () => {
  const log = await asked(3000, echo);
  expect(log.values).toEqual(Array.from({ length: 3000 }, (_, i) => `v${i}`));
  expect(log.order).toEqual(log.order.toSorted((a, b) => a - b));
  expect(log.most).toBe(2);
});

test("a service that is asked too often is left alone for as long as it says", async () => {
  const log = await asked(500, (values, call) => {
    if (call === 1) throw new Problem(429, { retryAfterSeconds: 3 });
    return echo(values);
  });
  expect([log.values.length, log.waits]).toEqual([500, [3, 0]]);
});

test("what does not fit into an answer is asked for in parts", async () => {
  const log = await asked(1000, (values) => {
    if (values.length > 100) throw new Problem(400, { errors: [{ path: "observables", reason: "ANSWER_TOO_LARGE", message: "" }] });
    return echo(values);
  });
  expect(log.values).toEqual(Array.from({ length: 1000 }, (_, i) => `v${i}`));
});

test("another refusal ends the questions", async () => {
  await expect(asked(5000, (_, call) => (call === 2 ? raise(new Problem(403, { reason: "ROLE" })) : []))).rejects.toThrow();
});

function raise(p: Problem): never {
  throw p;
}

test("addresses that were seen are asked for as targets of forwarding too", async () => {
  const answer = (values: Schemas["Observable"][]): Result[] =>
    values.map((o) => ({ observable: { kind: o.kind || "email", value: o.value ?? "" }, status: o.value?.endsWith("1") || o.kind ? "SEEN_STATUS_SEEN" : "SEEN_STATUS_NOT_SEEN" }));
  expect((await asked(30, answer, true)).also).toBe(3);
  expect((await asked(30, answer, false)).also).toBe(0);
});

const seen = (value: string, more: Partial<Result> = {}): Row => {
  const i = item(value);
  const result: Result = { observable: { kind: "ip", value }, status: "SEEN_STATUS_SEEN", ...more };
  return rowsOf([i], new Map([[itemId(i), { result }]]), () => true)[0] as Row;
};

test("lines are filtered and sorted", () => {
  const rows = [
    seen("10.0.0.2", { cases: { min: 3, max: 3 }, class: "hosting", sightings: [{ tenant: "alder", case: "1" }] }),
    seen("10.0.0.1", { cases: { min: 10 }, generic: true }),
    ...rowsOf([item("bob@x.com", "", "email")], new Map(), () => false),
  ];
  const none = { text: "", kind: "", status: "", tenant: "", class: "" };
  const values = (r: readonly Row[]) => r.map((x) => x.value);
  expect(values(filterRows(rows, { ...none, text: "10[.]0[.]0" }))).toEqual(["10.0.0.2", "10.0.0.1"]);
  expect(values(filterRows(rows, { ...none, status: "telling" }))).toEqual(["10.0.0.2"]);
  expect(values(filterRows(rows, { ...none, status: "unasked" }))).toEqual(["bob@x.com"]);
  expect(values(filterRows(rows, { ...none, tenant: "alder" }))).toEqual(["10.0.0.2"]);
  expect(values(filterRows(rows, { ...none, class: "none" }))).toEqual(["10.0.0.1"]);
  expect(values(sortRows(rows, "cases", true))).toEqual(["10.0.0.1", "10.0.0.2", "bob@x.com"]);
  expect(values(sortRows(rows, "constructor", false))).toEqual(values(rows));
});

test("counts as far as they are told", () => {
  expect([countText({ min: 3, max: 3 }), countText({ min: 3, max: 9 }), countText({ min: 10 }), countText(undefined)]).toEqual(["3", "3 to 9", "10 or more", ""]);
  expect([othersText({ min: 0, max: 0 }), othersText({ min: 1, max: 2 }), othersText(undefined)]).toEqual(["none", "1 to 2", ""]);
});

test("one scale for all lines", () => {
  const at = (a: string, b: string) => ({ firstSeen: { earliest: a, latest: a }, lastSeen: { earliest: b, latest: b } });
  expect(scaleOf([seen("a", at("2023-01-01T00:00:00Z", "2023-02-01T00:00:00Z")), seen("b", at("2022-01-01T00:00:00Z", "2022-02-01T00:00:00Z")), seen("c")])).toEqual([
    Date.parse("2022-01-01"),
    Date.parse("2023-02-01"),
  ]);
  expect(scaleOf([seen("c")])).toBe(undefined);
});

test("abuse is what one service says, not what a case states", () => {
  const field = (name: string, value: string, source: string, caseRef = "") => ({ name, value, source, caseRef, status: "LOOKUP_STATUS_OK" as const });
  const records = [{ fields: [field("reports", "1", "x", "alder/1"), field("reports", "7", "abuseipdb"), field("abuse_score", "90", "abuseipdb"), field("abuse_score", "1", "other")] }];
  expect(abuseText({ records })).toMatchObject({ text: "7 reports, score 90", score: 90 });
  expect(abuseText({ records: [{ fields: [{ name: "reports", source: "abuseipdb", status: "LOOKUP_STATUS_QUOTA" }] }] })).toMatchObject({ text: "", from: "abuseipdb: its quota is used up" });
});

test("nothing in the CSV is a formula", () => {
  for (const v of ["=1+1", "+1", "-1", "@x", "\t=1", " =1", "|cmd", "＝1", "\r=1"]) expect(cell(v).replace(/^"/, "")[0]).toBe("'");
  expect(cell('a"b,c')).toBe('"a""b,c"');
  const csv = toCSV([seen("=cmd|' /C calc'!A0", { genericReason: "a\nb" })]);
  expect(csv.split("\r\n")[0]).toMatch(/^kind,value,status,/);
  expect(csv).toContain(`ip,"'=cmd|' /C calc'!A0",seen`);
  // What was exported can be pasted again.
  expect(extract(csv).found.map((f) => [f.kind, f.value])).toEqual([["ip", "=cmd|' /C calc'!A0"]]);
  expect(JSON.parse(toJSON([seen("1.2.3.4")]))).toEqual({ results: [{ observable: { kind: "ip", value: "1.2.3.4" }, status: "SEEN_STATUS_SEEN" }] });
});
