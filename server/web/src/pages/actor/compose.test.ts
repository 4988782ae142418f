import { expect, test } from "vitest";
import { layoutInput } from "./arrange.ts";
import { buildPicture, openCase, sharedValues } from "./build.ts";
import { compose } from "./compose.ts";
import { type CaseFacts, caseId, valueId } from "./facts.ts";
import { layout } from "./layout.ts";
import { random } from "./random.test-data.ts";

function actor(next: () => number): CaseFacts[] {
  return Array.from({ length: 2 + Math.floor(next() * 8) }, (_, i) => ({
    ref: `t/${i}`,
    tenant: "t",
    title: "",
    tlp: "",
    first: undefined,
    last: undefined,
    techniques: [],
    values: Array.from({ length: 40 }, (_, v) => ({ kind: "ip", value: `192.0.2.${v}`, roles: [], first: undefined, last: undefined })).filter(() => next() < 0.3),
  }));
}

test("what opens moves nothing, and every edge has both its ends", () => {
  for (let seed = 1; seed <= 60; seed++) {
    const next = random(seed);
    const cases = actor(next);
    const p = buildPicture(cases, sharedValues(cases), [], new Map(), { generic: false, links: true });
    const places = layout(layoutInput(p), 20);
    const before = compose(p, places, []);
    const drawn = new Set(p.nodes.map((n) => n.id));
    const opened = cases.slice(0, 2).map((c) => {
      const o = openCase(c, drawn, new Map());
      for (const n of o.nodes) drawn.add(n.id);
      return o;
    });
    const after = compose(p, places, opened);
    for (const n of before.nodes) expect(after.at.get(n.id)).toEqual(before.at.get(n.id));
    expect(new Set(after.nodes.map((n) => n.id)).size).toBe(after.nodes.length);
    for (const e of after.edges) expect(after.at.has(e.from) && after.at.has(e.to)).toBe(true);
    for (const c of cases.slice(0, 1)) for (const v of c.values) expect(after.edges.some((e) => e.from === caseId(c.ref) && e.to === valueId(v.kind, v.value))).toBe(true);
  }
});

test("a link decides the layout only where one of its cases shares nothing", () => {
  const one = (ref: string, ...values: string[]): CaseFacts => ({ ref, tenant: "t", title: "", tlp: "", first: undefined, last: undefined, techniques: [], values: values.map((value) => ({ kind: "ip", value, roles: [], first: undefined, last: undefined })) });
  const cases = [one("t/1", "192.0.2.1"), one("t/2", "192.0.2.1"), one("t/3")];
  const links = [{ a: "t/1", b: "t/2" }, { a: "t/2", b: "t/3" }];
  const p = buildPicture(cases, sharedValues(cases), links, new Map(), { generic: false, links: true });
  expect(p.edges.filter((e) => e.sort === "link").length).toBe(2);
  expect(layoutInput(p).edges.length / 2).toBe(3);
});
