import type { Schemas } from "../../app/service.ts";
import { wrap } from "../../ui/wrap.ts";
import { visible } from "../../ui/value.tsx";
import { activity, gather } from "../case/gather.ts";
import { behaviour } from "./words.ts";

/** A stretch of time in milliseconds since 1970. */
export interface Stretch {
  first: number;
  last: number;
}

/** Something that both cases saw, and when each did. */
export interface Common {
  label: string;
  /** None for the cases themselves. */
  kind: string;
  value: string;
  a: Stretch | undefined;
  b: Stretch | undefined;
  /** In common, but adds nothing. */
  generic: boolean;
}

/** When both cases were active, and when each saw what they have in common, what weighs first. */
export function commonOf(e: Schemas["Explanation"], a: Schemas["Case"], b: Schemas["Case"]): Common[] {
  const [inA, inB] = [index(a), index(b)];
  const out: Common[] = [{ label: "all of the case", kind: "", value: "", a: dated(activity(a)), b: dated(activity(b)), generic: false }];
  const add = (kind: string, value: string, generic: boolean) => {
    const key = `${kind} ${folded(value)}`;
    const [x, y] = [inA.get(key), inB.get(key)];
    // What is alike but not equal is a value of neither case.
    if (x && y) out.push({ label: `${visible(kind)} ${visible(value)}`, kind, value, a: dated(x), b: dated(y), generic });
  };
  const weighing = (e.families ?? []).filter((f) => f.name !== behaviour).flatMap((f) => (f.groups ?? []).flatMap((g) => g.values ?? []));
  for (const v of weighing.toSorted((x, y) => (y.usedMillibits ?? 0) - (x.usedMillibits ?? 0))) add(v.kind ?? "", v.value ?? "", false);
  for (const g of e.sharedGeneric ?? []) add(g.kind ?? "", g.value ?? "", true);
  return out;
}

function index(c: Schemas["Case"]): Map<string, Stretch> {
  return new Map(gather(c).map((g) => [`${g.kind} ${folded(g.value)}`, g]));
}

/** Values are compared as the service compares most of them. */
function folded(value: string): string {
  return value.normalize("NFKC").toLowerCase().trim().replace(/\s+/gu, " ");
}

function dated(s: Stretch): Stretch | undefined {
  return Number.isNaN(s.first) || Number.isNaN(s.last) ? undefined : { first: s.first, last: Math.max(s.first, s.last) };
}

/** A time line as a picture: two lanes a row, on one axis. */
export interface TimeLine {
  width: number;
  height: number;
  left: number;
  right: number;
  rows: { common: Common; y: number; height: number; lines: { text: string; y: number }[]; a: Lane | undefined; b: Lane | undefined }[];
  ticks: { x: number; label: string }[];
}

/** Where a case saw something. */
export interface Lane {
  x: number;
  y: number;
  width: number;
}

/** Sizes in units of the picture, which are CSS pixels. */
export const lane = { column: 7.85, line: 17, height: 7, gap: 8, head: 24, least: 4, pad: 8 };

const day = 86_400_000;

/** Lays stretches of time out for a width. */
export function timeLine(all: readonly Common[], width: number): TimeLine {
  const beside = width >= 620;
  const left = beside ? width * 0.32 : lane.pad;
  const right = width - lane.least - lane.pad;
  const dates = all.flatMap((c) => [c.a, c.b]).flatMap((s) => (s ? [s.first, s.last] : []));
  const first = dates.length > 0 ? Math.min(...dates) : 0;
  const last = Math.max(dates.length > 0 ? Math.max(...dates) : 0, first + day);
  const x = (t: number) => left + ((t - first) / (last - first)) * (right - left);
  let y = lane.head;
  const rows = all.map((common) => {
    const lines = wrap(common.label, (beside ? left - lane.gap - lane.pad : width - 2 * lane.pad) / lane.column, 4);
    const text = lines.length * lane.line;
    const lanes = 2 * lane.height + 3;
    const top = beside ? y + 1 : y + text;
    const height = beside ? Math.max(text, lanes) : text + lanes;
    const place = (s: Stretch | undefined, at: number): Lane | undefined => s && { x: x(s.first), y: at, width: Math.max(lane.least, x(s.last) - x(s.first)) };
    const row = {
      common,
      y,
      height,
      lines: lines.map((text, i) => ({ text, y: y + i * lane.line + 12 })),
      a: place(common.a, top),
      b: place(common.b, top + lane.height + 1),
    };
    y += height + lane.gap;
    return row;
  });
  return { width, height: y, left, right, rows, ticks: ticksOf(first, last, x, Math.max(2, Math.floor((right - left) / 96))) };
}

/** Beginnings of days, months or years, as many as there is room for. */
function ticksOf(first: number, last: number, x: (t: number) => number, most: number): { x: number; label: string }[] {
  const days = (last - first) / day;
  const out: { x: number; label: string }[] = [];
  const end = x(last);
  const add = (t: number, label: string, long: number) => {
    if (t >= first && t <= last && x(t) + long * lane.column <= end + lane.least + lane.pad) out.push({ x: x(t), label });
  };
  if (days <= most * 14) {
    const step = [1, 2, 7, 14].find((n) => days / n <= most) ?? 14;
    for (let t = Math.ceil(first / day) * day; t <= last; t += step * day) add(t, new Date(t).toISOString().slice(0, 10), 10);
    return out;
  }
  const months = days / 30.44;
  const step = [1, 2, 3, 6, 12, 24, 60, 120].find((n) => months / n <= most) ?? 240;
  const from = new Date(first);
  const base = step >= 12 ? 0 : Math.floor(from.getUTCMonth() / step) * step;
  const year = step >= 12 ? Math.floor(from.getUTCFullYear() / (step / 12)) * (step / 12) : from.getUTCFullYear();
  for (let n = base; ; n += step) {
    const t = Date.UTC(year, n, 1);
    if (t > last || out.length > 60) return out;
    add(t, new Date(t).toISOString().slice(0, step >= 12 ? 4 : 7), step >= 12 ? 4 : 7);
  }
}
