/** Bytes for people: `1.5 MiB`. The API writes them as text. */
export function amount(bytes: string | undefined): string {
  let n = Number(bytes ?? 0);
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  for (; n >= 1024 && at < units.length - 1; at++) n /= 1024;
  return `${at === 0 || n >= 100 ? Math.round(n).toLocaleString("en") : n.toFixed(1)} ${units[at]}`;
}

/** The share of questions that a cache could answer. */
export function rate(hits: string | undefined, misses: string | undefined): string {
  const h = Number(hits ?? 0);
  const all = h + Number(misses ?? 0);
  return all === 0 ? "-" : `${((100 * h) / all).toFixed(1)} %`;
}

/** How long it is from one time to another, in the largest unit that fits: `3 h`. */
export function since(from: string | undefined, to: string | undefined): string {
  const s = (Date.parse(to ?? "") - Date.parse(from ?? "")) / 1000;
  if (Number.isNaN(s)) return "-";
  if (s < 90) return `${Math.max(0, Math.round(s))} s`;
  if (s < 90 * 60) return `${Math.round(s / 60)} min`;
  if (s < 48 * 3600) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86_400)} days`;
}
