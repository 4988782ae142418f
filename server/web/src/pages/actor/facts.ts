import type { Schemas } from "../../app/service.ts";

/** A value as one case has it. */
export interface ValueUse {
  kind: string;
  value: string;
  roles: readonly string[];
  /** Milliseconds since 1970; undefined where the case says no time. */
  first: number | undefined;
  last: number | undefined;
}

/** What the picture of an actor needs of a case; the rest of it is not kept. */
export interface CaseFacts {
  /** tenant/case */
  ref: string;
  tenant: string;
  title: string;
  tlp: string;
  /** When the intruder acted, by findings and observables. */
  first: number | undefined;
  last: number | undefined;
  /** In order of name, each once. */
  techniques: readonly string[];
  /** Each kind and value once. */
  values: readonly ValueUse[];
}

/** What a value is called in pictures and tables: equal for equal values. */
export function valueId(kind: string, value: string): string {
  return `v:${kind}:${value}`;
}

/** What a case is called in pictures and tables. */
export function caseId(ref: string): string {
  return `c:${ref}`;
}

/** Takes from a case what its actor's picture is made of. */
export function factsOf(c: Schemas["Case"]): CaseFacts {
  const values = new Map<string, ValueUse>();
  const techniques = new Set<string>();
  let first: number | undefined;
  let last: number | undefined;
  const seen = (at: string | undefined) => {
    const t = time(at);
    first = least(first, t);
    last = most(last, t);
  };
  for (const f of c.findings ?? []) {
    if (f.technique) techniques.add(f.technique);
    seen(f.firstSeen);
    seen(f.lastSeen);
    for (const o of f.observables ?? []) {
      // Values of private kinds are not answered.
      if (!o.kind || !o.value) continue;
      seen(o.firstSeen);
      seen(o.lastSeen);
      const id = valueId(o.kind, o.value);
      const before = values.get(id);
      const from = time(o.firstSeen) ?? time(f.firstSeen);
      const to = time(o.lastSeen) ?? time(f.lastSeen) ?? from;
      values.set(id, {
        kind: o.kind,
        value: o.value,
        roles: [...new Set([...(before?.roles ?? []), ...(o.roles ?? [])])].toSorted(),
        first: least(before?.first, from),
        last: most(before?.last, to),
      });
    }
  }
  return {
    ref: `${c.tenant ?? ""}/${c.id ?? ""}`,
    tenant: c.tenant ?? "",
    title: c.title ?? "",
    tlp: c.tlp ?? "",
    first,
    last,
    techniques: [...techniques].toSorted(),
    values: [...values.values()],
  };
}

function time(at: string | undefined): number | undefined {
  const t = at ? Date.parse(at) : Number.NaN;
  return Number.isNaN(t) ? undefined : t;
}

function least(x: number | undefined, y: number | undefined): number | undefined {
  return x === undefined ? y : y === undefined ? x : Math.min(x, y);
}

function most(x: number | undefined, y: number | undefined): number | undefined {
  return x === undefined ? y : y === undefined ? x : Math.max(x, y);
}
