import { expect, test } from "vitest";
import { around, layout } from "./layout.ts";
import { random } from "./random.test-data.ts";

function graph(next: () => number, n: number, edges: number) {
  return {
    ids: Array.from({ length: n }, (_, i) => `n${i}`),
    edges: Uint32Array.from(Array.from({ length: 2 * edges }, () => Math.floor(next() * n))),
  };
}

test("the same input makes the same picture, and all of it is finite", () => {
  for (let seed = 1; seed <= 30; seed++) {
    const next = random(seed);
    const g = graph(next, Math.floor(next() * 80), Math.floor(next() * 120) * Math.min(1, seed));
    if (g.ids.length === 0) g.edges = new Uint32Array();
    const at = layout(g, 60);
    expect(at).toEqual(layout(g, 60));
    expect(at.length).toBe(2 * g.ids.length);
    for (const v of at) expect(Number.isFinite(v)).toBe(true);
  }
});

test("what is linked stands nearer than what is not", () => {
  const n = 60;
  const edges: number[] = [];
  for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) if (Math.floor(i / 20) === Math.floor(j / 20) && (i + j) % 3 === 0) edges.push(i, j);
  const at = layout({ ids: Array.from({ length: n }, (_, i) => `n${i}`), edges: Uint32Array.from(edges) });
  const mean = (same: boolean) => {
    let sum = 0;
    let count = 0;
    for (let i = 0; i < n; i++) {
      for (let j = i + 1; j < n; j++) {
        if ((Math.floor(i / 20) === Math.floor(j / 20)) !== same) continue;
        sum += Math.hypot(at[2 * i]! - at[2 * j]!, at[2 * i + 1]! - at[2 * j + 1]!);
        count++;
      }
    }
    return sum / count;
  };
  expect(mean(true) * 2).toBeLessThan(mean(false));
});

test("nodes of one name, in one place, part", () => {
  const at = layout({ ids: ["same", "same", "same"], edges: new Uint32Array() });
  expect(new Set([at[0], at[2], at[4]]).size).toBe(3);
});

test("what opens lies around its node, nothing on another", () => {
  const at = around(100, 50, 300);
  const places = new Set<string>();
  for (let i = 0; i < 300; i++) {
    places.add(`${at[2 * i]!.toFixed(1)},${at[2 * i + 1]!.toFixed(1)}`);
    expect(Math.hypot(at[2 * i]! - 100, at[2 * i + 1]! - 50)).toBeLessThan(700);
  }
  expect(places.size).toBe(300);
});
