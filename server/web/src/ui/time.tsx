/** Times as people compare them: UTC, the local one on hover and for those who listen. */
export function Time({ at, day }: { at: string | undefined; day?: boolean }) {
  const t = at === undefined ? Number.NaN : Date.parse(at);
  if (Number.isNaN(t)) return <span class="muted">-</span>;
  const local = new Date(t).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
  return (
    <time dateTime={at ?? ""} title={`local: ${local}`}>
      {utc(t, day)}
    </time>
  );
}

/** A time as `2023-06-30 14:05`, or its day. */
export function utc(t: number, day = false): string {
  const text = new Date(t).toISOString();
  return day ? text.slice(0, 10) : `${text.slice(0, 10)} ${text.slice(11, 16)}`;
}

/** Days from one time to another, for people. */
export function days(from: number, to: number): string {
  const n = Math.round((to - from) / 86_400_000);
  return n === 1 ? "1 day" : `${n} days`;
}
