import { Tree } from "./tree.ts";

/** What is laid out: nodes by number, edges between them. */
export interface LayoutInput {
  /** Names of nodes; they decide where a node begins. */
  ids: readonly string[];
  /** Pairs of numbers of nodes: from, to, from, to. */
  edges: Uint32Array;
}

/** The distance that two nodes with one edge come to rest at, about. */
const apart = 60;

/** How strongly an edge pulls, for each unit of its length. */
const pull = 0.12;

/** How strongly all is drawn to the middle, for each unit of the way. */
const gravity = 0.02;

/** Squares that are smaller than their distance times this act as one. */
const theta = 1;

/**
 * Places of nodes, as x, y, x, y: those that share much stand together. It follows from
 * the input alone, so the same cases make the same picture. Nodes repel each other, edges
 * pull, and a weak pull leads to the middle.
 */
export function layout(input: LayoutInput, rounds = roundsFor(input.ids.length)): Float64Array {
  const n = input.ids.length;
  const at = new Float64Array(2 * n);
  if (n < 2) return at;
  const size = apart * Math.sqrt(n);
  input.ids.forEach((id, i) => {
    const [x, y] = start(id);
    at[2 * i] = x * size;
    at[2 * i + 1] = y * size;
  });
  const mass = new Float64Array(n).fill(1);
  for (const i of input.edges) mass[i]! += 0.25;
  const force = new Float64Array(2 * n);
  const tree = new Tree(at, mass);
  for (let round = 0; round < rounds; round++) {
    force.fill(0);
    tree.build();
    for (let i = 0; i < n; i++) repel(tree, i, mass[i]!, force);
    attract(at, mass, input.edges, force);
    // The steps grow smaller, so that it comes to rest.
    const longest = apart * 2 * (1 - round / rounds) ** 1.5;
    for (let i = 0; i < n; i++) {
      const fx = force[2 * i]! - at[2 * i]! * gravity;
      const fy = force[2 * i + 1]! - at[2 * i + 1]! * gravity;
      const length = Math.hypot(fx, fy);
      const k = length > longest ? longest / length : 1;
      at[2 * i]! += fx * k;
      at[2 * i + 1]! += fy * k;
    }
  }
  return at;
}

/** Places around a node for what opens on it, in turns of a sunflower. */
export function around(x: number, y: number, count: number, gap = 34): Float64Array {
  const at = new Float64Array(2 * count);
  const golden = Math.PI * (3 - Math.sqrt(5));
  for (let i = 0; i < count; i++) {
    const r = gap * Math.sqrt(i + 3);
    at[2 * i] = x + r * Math.cos(i * golden);
    at[2 * i + 1] = y + r * Math.sin(i * golden);
  }
  return at;
}

function roundsFor(n: number): number {
  return n <= 200 ? 500 : n <= 1_000 ? 300 : 160;
}

function repel(tree: Tree, i: number, mass: number, force: Float64Array): void {
  const k = (pull * apart * apart) / 2;
  let fx = 0;
  let fy = 0;
  tree.act(i, theta, (dx, dy, m) => {
    // Two nodes in one place part along a way that follows from their numbers.
    if (dx === 0 && dy === 0) {
      dx = Math.cos(i);
      dy = Math.sin(i);
    }
    const f = (k * mass * m) / Math.max(1, dx * dx + dy * dy);
    fx -= dx * f;
    fy -= dy * f;
  });
  force[2 * i]! += fx;
  force[2 * i + 1]! += fy;
}

function attract(at: Float64Array, mass: Float64Array, edges: Uint32Array, force: Float64Array): void {
  for (let e = 0; e + 1 < edges.length; e += 2) {
    const a = edges[e]!;
    const b = edges[e + 1]!;
    // Each of many edges of a node pulls less, or all would fall together.
    const k = pull / Math.sqrt(Math.min(mass[a]!, mass[b]!));
    const fx = (at[2 * b]! - at[2 * a]!) * k;
    const fy = (at[2 * b + 1]! - at[2 * a + 1]!) * k;
    force[2 * a]! += fx;
    force[2 * a + 1]! += fy;
    force[2 * b]! -= fx;
    force[2 * b + 1]! -= fy;
  }
}

/** A place in the square from -0.5 to 0.5 that follows from a name (FNV-1a, mixed). */
function start(id: string): [number, number] {
  let h = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) h = Math.imul(h ^ id.charCodeAt(i), 0x01000193);
  const one = mix(h);
  return [one / 2 ** 32 - 0.5, mix(one ^ 0x9e3779b9) / 2 ** 32 - 0.5];
}

function mix(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
