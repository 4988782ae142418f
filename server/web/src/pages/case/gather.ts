import type { Schemas } from "../../app/service.ts";

type Case = Schemas["Case"];
type Finding = Schemas["Finding"];

/** An observable of a case with all that its findings say of it. */
export interface Gathered {
  kind: string;
  value: string;
  roles: string[];
  /** Milliseconds since 1970; NaN without a date. */
  first: number;
  last: number;
  /** Records behind it; 0 where no finding says. */
  count: number;
  facts: Schemas["Fact"][];
  /** Where it stands: findings[0], findings[7]. */
  findings: { index: number; id: string; technique: string }[];
}

/** What tells an observable from others. */
export function keyOf(kind: string, value: string): string {
  return `${kind} ${value}`;
}

/** The observables of a case, each once, in the order in which they are first named. */
export function gather(c: Case): Gathered[] {
  const all = new Map<string, Gathered>();
  (c.findings ?? []).forEach((f, index) => {
    for (const o of f.observables ?? []) {
      const key = keyOf(o.kind ?? "", o.value ?? "");
      let g = all.get(key);
      if (!g) all.set(key, (g = { kind: o.kind ?? "", value: o.value ?? "", roles: [], first: Number.NaN, last: Number.NaN, count: 0, facts: [], findings: [] }));
      for (const r of o.roles ?? []) if (!g.roles.includes(r)) g.roles.push(r);
      // Without a date of its own a value has that of its finding, as the scores see it.
      g.first = least(g.first, time(o.firstSeen ?? f.firstSeen));
      g.last = most(g.last, time(o.lastSeen ?? o.firstSeen ?? f.lastSeen ?? f.firstSeen));
      g.count += o.count ?? 0;
      for (const fact of o.facts ?? []) if (!g.facts.some((x) => x.name === fact.name && x.value === fact.value && x.source === fact.source)) g.facts.push(fact);
      if (g.findings.at(-1)?.index !== index) g.findings.push({ index, id: f.id ?? "", technique: f.technique ?? "" });
    }
  });
  return [...all.values()];
}

/** Milliseconds of a time of the API; NaN for none. */
export function time(at: string | undefined): number {
  return at ? Date.parse(at) : Number.NaN;
}

/** The smaller of two numbers of which each may be none. */
export function least(a: number, b: number): number {
  return Number.isNaN(a) ? b : Number.isNaN(b) ? a : Math.min(a, b);
}

/** The larger of two numbers of which each may be none. */
export function most(a: number, b: number): number {
  return Number.isNaN(a) ? b : Number.isNaN(b) ? a : Math.max(a, b);
}

/** When a case was active, by its findings; NaN without dates. */
export function activity(c: Case): { first: number; last: number } {
  let [first, last] = [Number.NaN, Number.NaN];
  for (const f of c.findings ?? []) {
    first = least(first, time(f.firstSeen));
    last = most(last, time(f.lastSeen ?? f.firstSeen));
  }
  for (const g of gather(c)) {
    first = least(first, g.first);
    last = most(last, g.last);
  }
  return { first, last };
}

/** In order of time; what has no date comes last, as it was given. */
export function byTime(a: Finding, b: Finding): number {
  const [x, y] = [time(a.firstSeen ?? a.lastSeen), time(b.firstSeen ?? b.lastSeen)];
  return Number.isNaN(x) ? (Number.isNaN(y) ? 0 : 1) : Number.isNaN(y) ? -1 : x - y;
}
