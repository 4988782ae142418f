import { utc } from "../../ui/time.tsx";
import type { Span as When } from "./answers.ts";

/** A day, or the month where no more is told. */
export function spanText(range: [number, number] | undefined) {
  if (!range) return undefined;
  const [from, to] = range;
  const exact = from === to;
  const text = utc(from, true);
  const local = new Date(from).toLocaleString(undefined, { dateStyle: "medium", timeStyle: exact ? "long" : undefined });
  return (
    <time class="day" dateTime={new Date(from).toISOString()} title={exact ? `${utc(from)} UTC, local: ${local}` : "only the month is told"}>
      {exact ? text : text.slice(0, 7)}
    </time>
  );
}

/** From the first to the last time that a value was seen, on the scale of all lines. */
export function Span({ span, scale: [from, to] }: { span: When | undefined; scale: [number, number] }) {
  if (!span) return null;
  const x = (t: number) => (100 * (t - from)) / (to - from);
  const [start, end] = [x(span.first[0]), x(span.last[1])];
  // What lies between the ends of a month is told; where in it is not.
  const [sure, until] = [x(span.first[1]), x(span.last[0])];
  const label = `${utc(span.first[0], true)} to ${utc(span.last[1], true)}`;
  return (
    <svg class="span" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label={label}>
      <title>{label}</title>
      <rect class="bar-back" y="4" width="100" height="2" />
      <rect class="bar maybe" x={Math.min(start, 98)} y="1.5" width={Math.max(2, end - start)} height="7" />
      {until >= sure && <rect class="bar" x={Math.min(sure, 98)} y="1.5" width={Math.max(2, until - sure)} height="7" />}
    </svg>
  );
}
