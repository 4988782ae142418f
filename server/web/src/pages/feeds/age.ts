/** Whole days since a day or the end of a month, ISO 8601; undefined where it is neither. */
export function ageDays(date: string | undefined, now: number): number | undefined {
  if (date === undefined) return undefined;
  const month = /^(\d{4})-(\d\d)$/.exec(date);
  // Data of a month may be of its last day: it is not called older than it can be sure to be.
  const t = month ? Date.UTC(Number(month[1]), Number(month[2]), 0) : /^\d{4}-\d\d-\d\d/.test(date) ? Date.parse(date.slice(0, 10)) : Number.NaN;
  return Number.isNaN(t) ? undefined : Math.max(0, Math.floor((now - t) / 86_400_000));
}
