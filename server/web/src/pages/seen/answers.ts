import type { Schemas } from "../../app/service.ts";
import { plain } from "./find/refang.ts";
import type { Answer } from "./ask.ts";
import { type Item, itemId } from "./state.ts";

type Result = Schemas["SeenResult"];

/** How a value stands. */
export type Status = "waiting" | "seen" | "unseen" | "undisclosed" | "unasked" | "invalid";

/** What statuses are called. */
export const statusNames: Record<Status, string> = {
  waiting: "waiting",
  seen: "seen",
  unseen: "not seen",
  undisclosed: "not disclosed",
  unasked: "not asked",
  invalid: "cannot be read",
};

/** One line of the table: a value in one reading. */
export interface Row {
  id: string;
  item: Item;
  /** As the service reads it; as it was found until the service has answered. */
  kind: string;
  value: string;
  status: Status;
  /** Seen as the target of forwarding, besides what the line before says. */
  also: boolean;
  result: Result | undefined;
}

/** The lines for values with the answers that there are. */
export function rowsOf(items: readonly Item[], answers: ReadonlyMap<string, Answer>, mayAsk: (kind: string) => boolean): Row[] {
  const rows: Row[] = [];
  for (const item of items) {
    const id = itemId(item);
    const a = answers.get(id);
    const unasked = !mayAsk(item.kind || item.guess);
    if (!a) rows.push({ id, item, kind: item.kind || item.guess, value: item.value, status: unasked ? "unasked" : "waiting", also: false, result: undefined });
    else rows.push(row(id, item, a.result, false));
    if (a?.also) rows.push(row(`${id}\talso`, item, a.also, true));
  }
  return rows;
}

const statuses: Partial<Record<Schemas["SeenStatus"], Status>> = {
  SEEN_STATUS_SEEN: "seen",
  SEEN_STATUS_NOT_SEEN: "unseen",
  SEEN_STATUS_NOT_DISCLOSED: "undisclosed",
  SEEN_STATUS_INVALID: "invalid",
};

function row(id: string, item: Item, result: Result, also: boolean): Row {
  const o = result.observable;
  const status = statuses[result.status ?? "SEEN_STATUS_UNSPECIFIED"] ?? "invalid";
  return { id, item, kind: o?.kind || item.kind || item.guess, value: o?.value || item.value, status, also, result };
}

/** Which lines are shown. */
export interface Filter {
  text: string;
  kind: string;
  status: string;
  tenant: string;
  class: string;
}

/** The lines that a filter lets through. */
export function filterRows(rows: readonly Row[], f: Filter): Row[] {
  const text = f.text.trim().toLowerCase();
  const refanged = plain(text).toLowerCase();
  return rows.filter(
    (r) =>
      (text === "" || r.value.toLowerCase().includes(refanged) || r.value.toLowerCase().includes(text)) &&
      (f.kind === "" || r.kind === f.kind) &&
      (f.status === "" || r.status === f.status || (f.status === "telling" && r.status === "seen" && !r.result?.generic)) &&
      (f.tenant === "" || tenantsOf(r).includes(f.tenant)) &&
      (f.class === "" || (r.result && (r.result.class || "none")) === f.class),
  );
}

/** The tenants that an answer names: those of its newest sightings. */
export function tenantsOf(r: Row): string[] {
  return [...new Set((r.result?.sightings ?? []).map((s) => s.tenant ?? ""))].filter((t) => t !== "");
}

/** A count that may be known only roughly. */
export function countText(c: Schemas["CountRange"] | undefined): string {
  if (!c) return "";
  const min = c.min ?? 0;
  if (c.max === undefined || c.max === null) return min === 0 ? "" : `${min} or more`;
  return c.max === min ? `${min}` : `${min} to ${c.max}`;
}

/** How many tenants besides those that are named have a value, in words. */
export function othersText(c: Schemas["CountRange"] | undefined): string {
  if (!c) return "";
  const n = countText(c);
  return n === "0" || n === "" ? "none" : n;
}

/** What a service knows of reports of abuse, or in words why nothing. */
export function abuseText(r: Result | undefined): { text: string; score: number; from: string } {
  const fields = r?.records?.[0]?.fields ?? [];
  const known = (name: string, source?: string) => fields.find((f) => f.name === name && !f.caseRef && f.status === "LOOKUP_STATUS_OK" && (!source || f.source === source));
  const reports = known("reports");
  if (!reports) {
    const asked = fields.find((f) => f.name === "reports" && !f.caseRef);
    return { text: "", score: -1, from: asked ? `${asked.source ?? ""}: ${lookupNames[asked.status ?? ""] ?? "not asked"}` : "" };
  }
  const part = (name: string, before: string, after: string) => {
    const v = known(name, reports.source)?.value;
    return v ? before + v + after : "";
  };
  return {
    text: `${reports.value} reports${part("abuse_score", ", score ", "")}`,
    score: Number(known("abuse_score", reports.source)?.value ?? reports.value),
    from: `${reports.source ?? ""}${part("reporters", ", by ", " reporters")}${part("report_window_days", ", in ", " days")}${reports.stale ? ", an old answer" : ""}`,
  };
}

const lookupNames: Record<string, string> = {
  LOOKUP_STATUS_NO_DATA: "knows nothing of it",
  LOOKUP_STATUS_NOT_LOOKED_UP: "not asked",
  LOOKUP_STATUS_QUOTA: "its quota is used up",
  LOOKUP_STATUS_ERROR: "could not answer",
};

/** When a value was seen, in milliseconds: exact, or as far as it is told. */
export interface Span {
  /** From earliest to latest. */
  first: [number, number];
  last: [number, number];
}

/** When a value was seen; none where that is not known. */
export function spanOf(r: Row): Span | undefined {
  const first = range(r.result?.firstSeen);
  const last = range(r.result?.lastSeen);
  if (!first && !last) return undefined;
  return { first: (first ?? last) as [number, number], last: (last ?? first) as [number, number] };
}

function range(t: Schemas["TimeRange"] | undefined): [number, number] | undefined {
  const [a, b] = [Date.parse(t?.earliest ?? ""), Date.parse(t?.latest ?? "")];
  if (Number.isNaN(a) && Number.isNaN(b)) return undefined;
  return [Number.isNaN(a) ? b : a, Number.isNaN(b) ? a : b];
}

/** The times that a common scale of lines has to cover; none where no line has a time. */
export function scaleOf(rows: readonly Row[]): [number, number] | undefined {
  let [from, to] = [Infinity, -Infinity];
  for (const r of rows) {
    const s = spanOf(r);
    if (!s) continue;
    from = Math.min(from, s.first[0]);
    to = Math.max(to, s.last[1]);
  }
  if (from > to) return undefined;
  // A scale of no length shows nothing: a day on each side.
  return to - from < 86_400_000 ? [from - 86_400_000, to + 86_400_000] : [from, to];
}

/** What lines can be sorted by. */
export const sorters: Record<string, (r: Row) => string | number> = {
  value: (r) => r.value,
  kind: (r) => r.kind,
  status: (r) => r.status,
  tenants: (r) => r.result?.tenants?.min ?? 0,
  cases: (r) => r.result?.cases?.min ?? 0,
  others: (r) => r.result?.otherTenants?.min ?? -1,
  first: (r) => spanOf(r)?.first[0] ?? Infinity,
  last: (r) => spanOf(r)?.last[1] ?? -Infinity,
  class: (r) => r.result?.class ?? "",
  abuse: (r) => abuseText(r.result).score,
  generic: (r) => r.result?.genericReason ?? "",
};

/** The lines in an order; equals stay in the order of the text. */
export function sortRows(rows: readonly Row[], by: string, down: boolean): readonly Row[] {
  const key = Object.hasOwn(sorters, by) ? sorters[by] : undefined;
  if (!key) return rows;
  const keyed = rows.map((row) => ({ row, key: key(row) }));
  keyed.sort((x, y) => (x.key < y.key ? -1 : x.key > y.key ? 1 : 0) * (down ? -1 : 1));
  return keyed.map((k) => k.row);
}
