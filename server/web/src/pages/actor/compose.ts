import type { Opened, Picture, PictureEdge, PictureNode } from "./build.ts";
import { around } from "./layout.ts";

/** A picture with what was opened in it, each node in its place. */
export interface Composed {
  nodes: readonly PictureNode[];
  edges: readonly PictureEdge[];
  at: ReadonlyMap<string, readonly [x: number, y: number]>;
}

/**
 * Adds to a picture what was opened, in that order, around what it hangs on; nothing
 * that is there already moves.
 */
export function compose(picture: Picture, places: Float64Array, opened: readonly Opened[]): Composed {
  const at = new Map<string, readonly [number, number]>();
  picture.nodes.forEach((n, i) => at.set(n.id, [places[2 * i] ?? 0, places[2 * i + 1] ?? 0]));
  const nodes = [...picture.nodes];
  const edges = [...picture.edges];
  for (const o of opened) {
    const [x, y] = at.get(o.id) ?? [0, 0];
    const fresh = o.nodes.filter((n) => !at.has(n.id));
    const ring = around(x, y, fresh.length);
    fresh.forEach((n, i) => {
      at.set(n.id, [ring[2 * i] ?? 0, ring[2 * i + 1] ?? 0]);
      nodes.push(n);
    });
    edges.push(...o.edges);
  }
  return { nodes, edges, at };
}
