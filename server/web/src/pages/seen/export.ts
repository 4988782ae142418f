import { abuseText, countText, othersText, type Row, statusNames } from "./answers.ts";

/** The columns of the CSV. */
const columns: readonly [string, (r: Row) => string][] = [
  ["kind", (r) => r.kind],
  ["value", (r) => r.value],
  ["status", (r) => statusNames[r.status]],
  ["tenants", (r) => countText(r.result?.tenants)],
  ["cases", (r) => countText(r.result?.cases)],
  ["other_tenants", (r) => othersText(r.result?.otherTenants)],
  ["first_seen", (r) => r.result?.firstSeen?.earliest ?? ""],
  ["last_seen", (r) => r.result?.lastSeen?.latest ?? ""],
  ["class", (r) => r.result?.class ?? ""],
  ["class_reasons", (r) => (r.result?.classReasons ?? []).join("; ")],
  ["abuse", (r) => abuseText(r.result).text],
  ["generic", (r) => (r.result?.generic ? "yes" : r.result ? "no" : "")],
  ["generic_reason", (r) => r.result?.genericReason ?? ""],
  ["newest_cases", (r) => (r.result?.sightings ?? []).map((s) => `${s.tenant}/${s.case}`).join("; ")],
];

/** The lines as CSV, for sheets: nothing in it is a formula. */
export function toCSV(rows: readonly Row[]): string {
  const lines = [columns.map(([name]) => name), ...rows.map((r) => columns.map(([, of]) => of(r)))];
  return lines.map((l) => l.map(cell).join(",")).join("\r\n") + "\r\n";
}

/**
 * A field of CSV. What a sheet would take for a formula begins with an apostrophe, also
 * behind white space; the values come from attackers.
 */
export function cell(text: string): string {
  const guarded = /^[\s]*[=+\-@|%＝＋－＠]|^[\t\r\n]/.test(text) ? `'${text}` : text;
  return /[",\r\n;\t']/.test(guarded) || guarded !== guarded.trim() ? `"${guarded.replaceAll('"', '""')}"` : guarded;
}

/** The lines as JSON: the answers as the service gave them, in the order that is shown. */
export function toJSON(rows: readonly Row[]): string {
  const results = rows.map((r) => r.result ?? { observable: { kind: r.kind, value: r.value }, status: "SEEN_STATUS_UNSPECIFIED" });
  return JSON.stringify({ results }, null, 2) + "\n";
}
