import { bits } from "../../ui/bits.ts";
import { columns, wrap } from "../../ui/wrap.ts";
import type { Step } from "./steps.ts";

/** A rectangle of the picture, in its units. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** One step of the picture. Every text of it lies within `box`, and no two boxes meet. */
export interface Row {
  step: Step;
  box: Box;
  /** Lines of the label; each begins at `labelX` on its base line. */
  lines: { text: string; y: number }[];
  labelX: number;
  /** What it adds, which ends at `amountX`. */
  amount: string;
  amountX: number;
  amountY: number;
  /** None for a family. */
  bar?: Box;
  /** What ranks and caps took of it, behind the bar. */
  ghost?: Box;
  /** Leads from the end of this bar to the next. */
  lead?: { x: number; from: number; to: number };
}

/** A waterfall as a picture. */
export interface Layout {
  width: number;
  height: number;
  /** Where 0 bits is. */
  zero: number;
  rows: Row[];
  ticks: { x: number; label: string; anchor: "start" | "middle" | "end" }[];
  /** Where bars lie. */
  left: number;
  right: number;
}

/** Sizes in units of the picture, which are CSS pixels. */
export const size = { font: 13, column: 7.85, line: 17, bar: 14, gap: 8, head: 22, pad: 8 };

/** Wide enough for names beside the bars. */
const besides = 540;

/** Lays steps out for a width. Each bar begins where the one before ended. */
export function layout(steps: readonly Step[], width: number): Layout {
  const amountWidth = Math.max(...steps.map((s) => columns(bits(s.used))), 0) * size.column;
  const beside = width >= besides;
  const longest = Math.max(...steps.map((s) => columns(s.label)), 0) * size.column + size.gap * 2;
  const labelWidth = beside ? Math.min(longest, width * 0.42) : width - amountWidth - size.gap - size.pad;
  const amountX = beside ? labelWidth + size.gap + amountWidth : width - size.pad;
  const left = beside ? amountX + 2 * size.gap : size.pad;
  const right = width - size.pad;
  const at = scaleOf(steps, left, right);
  const rows: Row[] = [];
  let y = size.head;
  for (const step of steps) {
    const indent = step.kind === "value" || step.kind === "more" || step.kind === "cap" ? size.column : 0;
    const lines = wrap(step.label, (labelWidth - size.pad - indent) / size.column, 8);
    const text = lines.length * size.line;
    const drawn = step.kind !== "family" && step.kind !== "more";
    const height = beside || !drawn ? text : text + size.bar;
    const row: Row = {
      step,
      box: { x: 0, y, width, height },
      lines: lines.map((text, i) => ({ text, y: y + i * size.line + size.font })),
      labelX: size.pad + indent,
      amount: bits(step.used),
      amountX,
      amountY: y + size.font,
    };
    if (drawn) {
      const top = beside ? y + 2 : y + text;
      row.bar = span(at(step.from), at(step.to), top);
      const took = (step.weight ?? step.used) - step.used;
      if (took > 0) row.ghost = span(at(step.to), at(step.to + took), top);
    }
    rows.push(row);
    y += height + size.gap;
  }
  leads(rows, at);
  return { width, height: y, zero: at(0), rows, ticks: ticksOf(steps, at, left, right), left, right };
}

/** A bar from one end to the other; one of nothing is still seen. */
function span(from: number, to: number, y: number): Box {
  const width = Math.abs(to - from);
  return { x: Math.min(from, to), y, width: Math.max(width, 1), height: size.bar - 2 };
}

/** The lowest and the highest that a bar or what was taken of one reaches. */
export function extent(steps: readonly Step[]): [number, number] {
  let [low, high] = [0, 0];
  for (const s of steps) {
    low = Math.min(low, s.from, s.to);
    high = Math.max(high, s.from, s.to, s.kind === "value" ? s.to + Math.max(0, (s.weight ?? s.used) - s.used) : s.to);
  }
  return low === high ? [low, low + 1000] : [low, high];
}

function scaleOf(steps: readonly Step[], left: number, right: number): (millibits: number) => number {
  const [low, high] = extent(steps);
  const per = (right - left - 1) / (high - low);
  return (millibits) => left + (millibits - low) * per;
}

function leads(rows: readonly Row[], at: (millibits: number) => number): void {
  let before: Row | undefined;
  for (const row of rows) {
    if (!row.bar) continue;
    // The total begins at 0 again, but ends where the last step ended.
    if (before?.bar) before.lead = { x: at(before.step.to), from: before.bar.y + before.bar.height, to: row.bar.y };
    before = row;
  }
}

function ticksOf(steps: readonly Step[], at: (millibits: number) => number, left: number, right: number): Layout["ticks"] {
  const [low, high] = extent(steps);
  const most = Math.max(2, Math.floor((right - left) / 60));
  const step = [1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000].find((s) => (high - low) / s <= most) ?? 1_000_000;
  const out: Layout["ticks"] = [];
  for (let n = Math.ceil(low / step) * step; n <= high; n += step) {
    const x = at(n);
    const half = (columns(whole(n)) * size.column) / 2;
    out.push({ x, label: whole(n), anchor: x - half < left ? "start" : x + half > right ? "end" : "middle" });
  }
  return out;
}

function whole(millibits: number): string {
  return millibits > 0 ? `+${millibits / 1000}` : String(millibits / 1000);
}
