import type { Schemas } from "../../app/service.ts";
import { type CaseFacts, caseId, type ValueUse, valueId } from "./facts.ts";

/** Nodes that a picture has at most. */
export const nodesMost = 5_000;

/** Links that a picture has at most. */
export const linksMost = 5_000;

/** Values of one case, or sightings of one value, that are shown when it is opened. */
export const openMost = 300;

/** What is known of a value beyond the cases of the actor. */
export interface ValueClass {
  class: string;
  generic: boolean;
  genericReason: string;
  tenants: Schemas["CountRange"] | undefined;
  cases: Schemas["CountRange"] | undefined;
}

/** A case or a value in the picture. */
export interface PictureNode {
  id: string;
  sort: "case" | "value";
  /** tenant/case, or the value. */
  label: string;
  /** Of cases. */
  tenant: string;
  /** Of values. */
  kind: string;
  class: string;
  generic: boolean;
  /** A case that is not one of the actor's, or a value that no two of its cases share. */
  outside: boolean;
  /** Cases of the actor that have the value; of cases the values they share. */
  degree: number;
  first: number | undefined;
  last: number | undefined;
}

/** That a case has a value, or that two cases are linked. */
export interface PictureEdge {
  from: string;
  to: string;
  sort: "has" | "link";
  tier: Schemas["Tier"];
  review: Schemas["Review"];
}

/** Who shares what: nodes in order of id, so that the same cases make the same picture. */
export interface Picture {
  nodes: readonly PictureNode[];
  edges: readonly PictureEdge[];
  /** Shared values that there is no room for. */
  left: number;
  /** Shared values that are hidden because they are generic. */
  hidden: number;
}

/** A value with the cases that share it. */
export interface Shared {
  id: string;
  kind: string;
  value: string;
  /** tenant/case, in order. */
  refs: readonly string[];
  first: number | undefined;
  last: number | undefined;
}

/** The values that two or more cases have, those of most cases first, then by id. */
export function sharedValues(cases: readonly CaseFacts[]): Shared[] {
  const by = new Map<string, { use: ValueUse; refs: string[]; first: number | undefined; last: number | undefined }>();
  for (const c of cases) {
    for (const v of c.values) {
      const id = valueId(v.kind, v.value);
      const s = by.get(id);
      if (!s) by.set(id, { use: v, refs: [c.ref], first: v.first, last: v.last });
      else {
        s.refs.push(c.ref);
        s.first = v.first === undefined ? s.first : Math.min(s.first ?? v.first, v.first);
        s.last = v.last === undefined ? s.last : Math.max(s.last ?? v.last, v.last);
      }
    }
  }
  return [...by]
    .filter(([, s]) => s.refs.length > 1)
    .map(([id, s]) => ({ id, kind: s.use.kind, value: s.use.value, refs: s.refs.toSorted(), first: s.first, last: s.last }))
    .toSorted((x, y) => y.refs.length - x.refs.length || (x.id < y.id ? -1 : 1));
}

/**
 * Draws who shares what: every case, and of the shared values as many as there is room
 * for, those of most cases first. Generic values are left out unless they are asked for.
 */
export function buildPicture(
  cases: readonly CaseFacts[],
  shared: readonly Shared[],
  links: readonly Schemas["Link"][],
  classes: ReadonlyMap<string, ValueClass>,
  show: { generic: boolean; links: boolean; most?: number },
): Picture {
  const room = (show.most ?? nodesMost) - cases.length;
  const wanted = shared.filter((s) => show.generic || !classes.get(s.id)?.generic);
  const drawn = wanted.slice(0, Math.max(0, room));
  const degrees = new Map<string, number>();
  const edges: PictureEdge[] = [];
  const nodes: PictureNode[] = [];
  for (const s of drawn) {
    const c = classes.get(s.id);
    nodes.push({
      id: s.id,
      sort: "value",
      label: s.value,
      tenant: "",
      kind: s.kind,
      class: c?.class ?? "",
      generic: c?.generic ?? false,
      outside: false,
      degree: s.refs.length,
      first: s.first,
      last: s.last,
    });
    for (const ref of s.refs) {
      degrees.set(ref, (degrees.get(ref) ?? 0) + 1);
      edges.push(has(ref, s.id));
    }
  }
  const known = new Set<string>();
  for (const c of cases) {
    known.add(c.ref);
    nodes.push(caseNode(c, degrees.get(c.ref) ?? 0, false));
  }
  if (show.links) {
    for (const l of links.slice(0, linksMost)) {
      if (l.a && l.b && known.has(l.a) && known.has(l.b)) {
        edges.push({ from: caseId(l.a), to: caseId(l.b), sort: "link", tier: l.tier ?? "TIER_UNSPECIFIED", review: l.review ?? "REVIEW_UNSPECIFIED" });
      }
    }
  }
  return {
    nodes: nodes.toSorted(byId),
    edges: edges.toSorted((x, y) => order(x.from, y.from) || order(x.to, y.to) || order(x.sort, y.sort)),
    left: wanted.length - drawn.length,
    hidden: shared.length - wanted.length,
  };
}

/** A case or a value that was opened, and what hangs on it. */
export interface Opened {
  id: string;
  nodes: readonly PictureNode[];
  edges: readonly PictureEdge[];
  /** What there is no room for. */
  left: number;
}

/** What opens on a case: its values that are not in the picture. */
export function openCase(c: CaseFacts, drawn: ReadonlySet<string>, classes: ReadonlyMap<string, ValueClass>): Opened {
  const all = c.values.map((v) => ({ v, id: valueId(v.kind, v.value) })).toSorted((x, y) => order(x.id, y.id));
  const fresh = all.filter((x) => !drawn.has(x.id));
  const shown = fresh.slice(0, openMost);
  return {
    id: caseId(c.ref),
    nodes: shown.map(({ v, id }) => ({
      id,
      sort: "value",
      label: v.value,
      tenant: "",
      kind: v.kind,
      class: classes.get(id)?.class ?? "",
      generic: classes.get(id)?.generic ?? false,
      outside: true,
      degree: 1,
      first: v.first,
      last: v.last,
    })),
    edges: shown.map(({ id }) => has(c.ref, id)),
    left: fresh.length - shown.length,
  };
}

/** What opens on a value: the cases that it was seen in and that are not in the picture. */
export function openValue(id: string, sightings: readonly Schemas["Sighting"][], drawn: ReadonlySet<string>, more: boolean): Opened {
  const by = new Map<string, Schemas["Sighting"]>();
  for (const s of sightings) if (s.tenant && s.case) by.set(`${s.tenant}/${s.case}`, s);
  const fresh = [...by].filter(([ref]) => !drawn.has(caseId(ref))).toSorted(([x], [y]) => order(x, y));
  const shown = fresh.slice(0, openMost);
  return {
    id,
    nodes: shown.map(([ref, s]) => {
      const first = s.firstSeen ? Date.parse(s.firstSeen) : undefined;
      const last = s.lastSeen ? Date.parse(s.lastSeen) : undefined;
      return caseNode({ ref, tenant: s.tenant ?? "", title: "", tlp: "", first, last, techniques: [], values: [] }, 1, true);
    }),
    edges: shown.map(([ref]) => has(ref, id)),
    left: fresh.length - shown.length + (more ? 1 : 0),
  };
}

function caseNode(c: CaseFacts, degree: number, outside: boolean): PictureNode {
  return { id: caseId(c.ref), sort: "case", label: c.ref, tenant: c.tenant, kind: "", class: "", generic: false, outside, degree, first: c.first, last: c.last };
}

function has(ref: string, value: string): PictureEdge {
  return { from: caseId(ref), to: value, sort: "has", tier: "TIER_UNSPECIFIED", review: "REVIEW_UNSPECIFIED" };
}

function byId(x: PictureNode, y: PictureNode): number {
  return order(x.id, y.id);
}

function order(x: string, y: string): number {
  return x < y ? -1 : x > y ? 1 : 0;
}
