import { expect, test } from "vitest";
import type { PictureNode } from "./build.ts";
import { grouping } from "./groups.ts";
import { random } from "./random.test-data.ts";
import { middle, walk, ways } from "./walk.ts";

test("an arrow key leads on in its direction, never to where one is", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const next = random(seed);
    const places = Array.from({ length: 1 + Math.floor(next() * 40) }, (_, i) => ({ id: `n${i}`, x: Math.floor(next() * 100), y: Math.floor(next() * 100) }));
    const from = middle(places)!;
    for (const [dx, dy] of Object.values(ways)) {
      const to = walk(from, [dx, dy], places);
      if (!to) continue;
      expect(to.id).not.toBe(from.id);
      expect((to.x - from.x) * dx + (to.y - from.y) * dy).toBeGreaterThan(0);
      expect(walk(from, [dx, dy], places.toReversed())).toEqual(to);
    }
  }
});

test("of two in the same direction the nearer one is next", () => {
  const places = ["a", "b", "c"].map((id, i) => ({ id, x: 10 * i, y: 0 }));
  expect(walk(places[0]!, [1, 0], places)?.id).toBe("b");
  expect(walk(places[2]!, [1, 0], places)).toBeUndefined();
});

test("every node has a group, coloured groups differ in shape, counts add up", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const next = random(seed);
    const nodes = Array.from({ length: Math.floor(next() * 60) }, (_, i): PictureNode => {
      const isCase = next() < 0.5;
      const name = next() < 0.1 ? "" : `g${Math.floor(next() * 14)}`;
      return { id: `${i}`, sort: isCase ? "case" : "value", label: "", tenant: isCase ? name : "", kind: "", class: isCase ? "" : name, generic: false, outside: false, degree: 1, first: undefined, last: undefined };
    });
    for (const by of ["tenant", "class"] as const) {
      const { groups, of } = grouping(nodes, by);
      expect(groups.reduce((s, g) => s + g.count, 0)).toBe(nodes.length);
      const coloured = groups.filter((g) => g.colour > 0);
      expect(new Set(coloured.map((g) => g.shape)).size).toBe(coloured.length);
      for (const g of groups) expect(nodes.filter((n) => of(n) === g).length).toBe(g.count);
    }
  }
});
