import type { Schemas } from "../../app/service.ts";

/** Entries that are asked for unless the address says otherwise, and at most. */
const newestUsual = 500;
const newestMost = 10_000;

/** What is asked of the trail; empty texts ask for nothing. */
export interface Asked {
  from: string;
  to: string;
  key: string;
  method: string;
  tenant: string;
  newest: number;
}

/** What an address asks for. */
export function askedOf(query: URLSearchParams): Asked {
  const text = (name: string) => (query.get(name) ?? "").trim();
  const newest = Number(query.get("newest"));
  return {
    from: text("from"),
    to: text("to"),
    key: text("key"),
    method: text("method"),
    tenant: text("tenant"),
    newest: Number.isInteger(newest) && newest > 0 ? Math.min(newestMost, newest) : newestUsual,
  };
}

/** The request for it. */
export function pathOf(a: Asked): string {
  const q = new URLSearchParams({ newest: String(a.newest) });
  if (a.from) q.set("fromTime", instant(a.from));
  if (a.to) q.set("toTime", instant(a.to));
  if (a.key) q.set("key", a.key);
  if (a.method) q.set("method", a.method);
  if (a.tenant) q.set("tenant", a.tenant);
  return `/v1/audit?${q}`;
}

/** A day, or a day and a time, in UTC as the API writes it; else what was written, which the service names. */
export function instant(text: string): string {
  const t = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d)?Z?)?$/.exec(text);
  return t ? `${t[1]}T${t[2] ?? "00:00"}${t[3] ?? ":00"}Z` : text;
}

/** Entries as lines of JSON, in the order given. */
export function asLines(entries: readonly Schemas["AuditEntry"][]): string {
  return entries.map((e) => JSON.stringify(e) + "\n").join("");
}

/** What an entry counts, for people: `values 12, seen 3`. */
export function counted(e: Schemas["AuditEntry"]): string {
  return Object.entries(e.counts ?? {})
    .toSorted(([x], [y]) => (x < y ? -1 : 1))
    .map(([name, n]) => `${name.replaceAll("_", " ")} ${Number(n).toLocaleString("en")}`)
    .join(", ");
}
