import type { CaseFacts } from "./facts.ts";

/** A mark on the axis, in parts of its length from 0 to 1. */
export interface Tick {
  at: number;
  text: string;
}

/** What a case's bar covers, in parts of the length. */
export interface Lane {
  ref: string;
  tenant: string;
  title: string;
  from: number;
  to: number;
  /** Milliseconds since 1970. */
  first: number;
  last: number;
}

/** Cases on one axis of time. */
export interface Timeline {
  /** In order of their first day. */
  lanes: readonly Lane[];
  ticks: readonly Tick[];
  /** Cases of which no time is known. */
  undated: readonly string[];
}

const day = 86_400_000;

/** Steps between marks: in days, then in months. */
const steps: readonly { days?: number; months?: number }[] = [
  { days: 1 },
  { days: 2 },
  { days: 7 },
  { days: 14 },
  { months: 1 },
  { months: 3 },
  { months: 6 },
  { months: 12 },
  { months: 24 },
  { months: 60 },
];

/** Puts cases on a time line of at most so many marks. */
export function timeline(cases: readonly CaseFacts[], marks: number): Timeline {
  const dated = cases.flatMap((c) => (c.first === undefined ? [] : [{ c, first: c.first, last: Math.max(c.first, c.last ?? c.first) }]));
  const undated = cases.filter((c) => c.first === undefined).map((c) => c.ref);
  if (dated.length === 0) return { lanes: [], ticks: [], undated };
  const [from, to] = span(dated.reduce((t, d) => Math.min(t, d.first), Infinity), dated.reduce((t, d) => Math.max(t, d.last), -Infinity));
  const at = (t: number) => (t - from) / (to - from);
  const lanes = dated
    .map(({ c, first, last }) => ({ ref: c.ref, tenant: c.tenant, title: c.title, from: at(first), to: at(last), first, last }))
    .toSorted((x, y) => x.first - y.first || (x.ref < y.ref ? -1 : 1));
  return { lanes, ticks: ticks(from, to, marks), undated };
}

/** Whole UTC days around two times, at least one. */
function span(first: number, last: number): [number, number] {
  const from = Math.floor(first / day) * day;
  return [from, Math.max(from + day, Math.ceil(last / day) * day)];
}

/** Marks at beginnings of UTC days or months between two times, at most so many. */
export function ticks(from: number, to: number, most: number): Tick[] {
  for (const s of steps) {
    const all = s.days ? byDays(from, to, s.days, most) : byMonths(from, to, s.months ?? 1, most);
    if (all) return all.map((t) => ({ at: (t - from) / (to - from), text: new Date(t).toISOString().slice(0, s.days ? 10 : 7) }));
  }
  return [];
}

function byDays(from: number, to: number, step: number, most: number): number[] | undefined {
  if ((to - from) / day / step > most) return undefined;
  const all: number[] = [];
  for (let t = Math.ceil(from / day) * day; t <= to; t += step * day) all.push(t);
  return all.length <= most ? all : undefined;
}

function byMonths(from: number, to: number, step: number, most: number): number[] | undefined {
  const all: number[] = [];
  const start = new Date(from);
  const month = start.getUTCFullYear() * 12 + start.getUTCMonth();
  for (let m = Math.floor(month / step) * step; ; m += step) {
    const t = Date.UTC(Math.floor(m / 12), m % 12, 1);
    if (t > to) return all;
    if (t < from) continue;
    all.push(t);
    if (all.length > most) return undefined;
  }
}
