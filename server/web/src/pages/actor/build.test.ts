import { expect, test } from "vitest";
import { buildPicture, openCase, openValue, sharedValues, type ValueClass } from "./build.ts";
import { type CaseFacts, caseId, factsOf, valueId } from "./facts.ts";
import { random } from "./random.test-data.ts";

function made(ref: string, values: readonly string[]): CaseFacts {
  const [tenant = "", id = ""] = ref.split("/");
  return factsOf({ tenant, id, findings: [{ technique: "T1114", observables: values.map((value) => ({ kind: "ip", value, firstSeen: "2023-02-20T07:10:00Z" })) }] });
}

/** Cases of a random actor, and its values by how many cases have them. */
function actor(next: () => number): CaseFacts[] {
  const values = Array.from({ length: 1 + Math.floor(next() * 60) }, (_, i) => `192.0.2.${i}`);
  return Array.from({ length: 1 + Math.floor(next() * 20) }, (_, i) => made(`t${i % 5}/case-${i}`, values.filter(() => next() < 0.2)));
}

const none: ReadonlyMap<string, ValueClass> = new Map();

test("the published pair shares what both have", () => {
  const cases = [made("alder/1", ["192.0.2.1", "192.0.2.2"]), made("birch/2", ["192.0.2.2", "192.0.2.3"])];
  const shared = sharedValues(cases);
  expect(shared.map((s) => [s.value, s.refs])).toEqual([["192.0.2.2", ["alder/1", "birch/2"]]]);
  const p = buildPicture(cases, shared, [{ a: "alder/1", b: "birch/2", tier: "TIER_STRONG" }], none, { generic: false, links: true });
  expect(p.nodes.map((n) => n.id)).toEqual(["c:alder/1", "c:birch/2", "v:ip:192.0.2.2"]);
  expect(p.edges.map((e) => `${e.from} ${e.sort} ${e.to}`)).toEqual([
    "c:alder/1 link c:birch/2",
    "c:alder/1 has v:ip:192.0.2.2",
    "c:birch/2 has v:ip:192.0.2.2",
  ]);
});

test("random actors: edges are exactly the uses of shared values, in any order of the cases", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const next = random(seed);
    const cases = actor(next);
    const shared = sharedValues(cases);
    const p = buildPicture(cases, shared, [], none, { generic: false, links: true });
    const ids = new Set(p.nodes.map((n) => n.id));
    expect(ids.size).toBe(p.nodes.length);
    expect(p.nodes.filter((n) => n.sort === "case").length).toBe(cases.length);
    const uses = cases.flatMap((c) => c.values.map((v) => [c.ref, valueId(v.kind, v.value)] as const));
    const often = new Map<string, number>();
    for (const [, v] of uses) often.set(v, (often.get(v) ?? 0) + 1);
    const want = uses.filter(([, v]) => (often.get(v) ?? 0) > 1).map(([ref, v]) => `${caseId(ref)} ${v}`);
    expect(p.edges.map((e) => `${e.from} ${e.to}`).toSorted()).toEqual(want.toSorted());
    for (const n of p.nodes) expect(n.degree).toBe(p.edges.filter((e) => e.from === n.id || e.to === n.id).length);
    const turned = cases.toReversed();
    expect(buildPicture(turned, sharedValues(turned), [], none, { generic: false, links: true })).toEqual(p);
  }
});

test("generic values are hidden until they are asked for, and counted", () => {
  const cases = [made("a/1", ["192.0.2.1", "192.0.2.2"]), made("b/1", ["192.0.2.1", "192.0.2.2"])];
  const generic: ValueClass = { class: "isp", generic: true, genericReason: "in half of all", tenants: undefined, cases: undefined };
  const classes = new Map([[valueId("ip", "192.0.2.1"), generic]]);
  const shared = sharedValues(cases);
  const hidden = buildPicture(cases, shared, [], classes, { generic: false, links: true });
  expect([hidden.hidden, hidden.nodes.length]).toEqual([1, 3]);
  const all = buildPicture(cases, shared, [], classes, { generic: true, links: true });
  expect([all.hidden, all.nodes.length]).toEqual([0, 4]);
});

test("what there is no room for is counted; those of most cases stay", () => {
  const cases = [made("a/1", ["192.0.2.1", "192.0.2.2"]), made("b/1", ["192.0.2.1", "192.0.2.2"]), made("c/1", ["192.0.2.2"])];
  const p = buildPicture(cases, sharedValues(cases), [], none, { generic: false, links: true, most: 4 });
  expect(p.left).toBe(1);
  expect(p.nodes.map((n) => n.label)).toContain("192.0.2.2");
});

test("a case opens to what it does not share, a value to where else it was seen", () => {
  const cases = [made("a/1", ["192.0.2.1", "192.0.2.2"]), made("b/1", ["192.0.2.1"])];
  const p = buildPicture(cases, sharedValues(cases), [], none, { generic: false, links: false });
  const drawn = new Set(p.nodes.map((n) => n.id));
  expect(openCase(cases[0]!, drawn, none).nodes.map((n) => n.label)).toEqual(["192.0.2.2"]);
  const o = openValue("v:ip:192.0.2.1", [{ tenant: "a", case: "1" }, { tenant: "z", case: "9" }], drawn, true);
  expect(o.nodes.map((n) => [n.label, n.outside])).toEqual([["z/9", true]]);
  expect(o.left).toBe(1);
});

test("values of private kinds, which have no text, are no values", () => {
  expect(factsOf({ tenant: "a", id: "1", findings: [{ observables: [{ kind: "phone", value: "" }, {}] }] }).values).toEqual([]);
});
