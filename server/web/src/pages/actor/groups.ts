import type { PictureNode } from "./build.ts";

/** What nodes are coloured by. */
export type ColourBy = "tenant" | "class";

/** Shapes, one for each colour, so that no group is told by its colour alone. */
export const shapes = ["ellipse", "rectangle", "triangle", "diamond", "pentagon", "hexagon", "star", "tag"] as const;
export type Shape = (typeof shapes)[number];

/** Nodes of one colour and shape. */
export interface NodeGroup {
  /** Tenant or class; "" is of those that have none. */
  key: string;
  name: string;
  /** Number of the colour, from 1; 0 is the neutral one. */
  colour: number;
  shape: Shape;
  sort: "case" | "value";
  count: number;
}

/** The groups of a picture and to which each node belongs. */
export interface Grouping {
  groups: readonly NodeGroup[];
  of: (n: PictureNode) => NodeGroup;
}

/**
 * Groups cases by tenant, or values by class: the eight with most nodes have colours of
 * their own, the rest share the neutral one. What the choice says nothing about is
 * neutral, too.
 */
export function grouping(nodes: readonly PictureNode[], by: ColourBy): Grouping {
  const sort = by === "tenant" ? "case" : "value";
  const counts = new Map<string, number>();
  for (const n of nodes) if (n.sort === sort) counts.set(key(n), (counts.get(key(n)) ?? 0) + 1);
  const ordered = [...counts].toSorted(([x, nx], [y, ny]) => ny - nx || (x < y ? -1 : 1));
  const coloured = ordered.filter(([k]) => k !== "").slice(0, shapes.length);
  const groups: NodeGroup[] = coloured.map(([k, count], i) => ({ key: k, name: k.replaceAll("_", " "), colour: i + 1, shape: shapes[i] ?? "ellipse", sort, count }));
  const rest = ordered.reduce((sum, [, n]) => sum + n, 0) - coloured.reduce((sum, [, n]) => sum + n, 0);
  const other: NodeGroup = { key: "", name: by === "tenant" ? "other tenants" : "no class, or another", colour: 0, shape: "ellipse", sort, count: rest };
  const plain: NodeGroup = { key: "", name: by === "tenant" ? "shared value" : "case", colour: 0, shape: by === "tenant" ? "ellipse" : "rectangle", sort: by === "tenant" ? "value" : "case", count: nodes.filter((n) => n.sort !== sort).length };
  const byKey = new Map(groups.map((g) => [g.key, g]));
  return {
    groups: [...groups, other, plain].filter((g) => g.count > 0),
    of: (n) => (n.sort !== sort ? plain : (byKey.get(key(n)) ?? other)),
  };
}

function key(n: PictureNode): string {
  return n.sort === "case" ? n.tenant : n.class === "unknown" ? "" : n.class;
}
