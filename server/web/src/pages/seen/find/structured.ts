/** What the structure of JSON and CSV says of the values in it. */

import { type Hit, holds, scan } from "./scan.ts";
import { guess, maxValue, readPair } from "./forms.ts";
import { visibilityOf } from "./kinds.ts";

/** JSON deeper than this is not looked at; logs have JSON in strings of JSON. */
const maxDepth = 40;

/** JSON that text is as a whole; none where it is not. */
export function parseJSON(text: string): unknown {
  const s = text.trim();
  if (!/^[[{]/.test(s) || !/[\]}]$/.test(s)) return undefined;
  try {
    return JSON.parse(s) as unknown;
  } catch {
    return undefined;
  }
}

/** Finds the values in JSON: each string for itself, observables of cases as they say they are. */
export function walk(node: unknown, found: (hit: Hit) => void, key = "", depth = 0): void {
  if (depth > maxDepth) return;
  if (typeof node === "string") {
    text(node, key, found, depth);
  } else if (Array.isArray(node)) {
    for (const n of node) walk(n, found, key, depth + 1);
  } else if (typeof node === "object" && node !== null) {
    object(node as Record<string, unknown>, found, depth);
  }
}

function object(node: Record<string, unknown>, found: (hit: Hit) => void, depth: number): void {
  const { kind, value } = node;
  if (typeof kind === "string" && typeof value === "string" && visibilityOf(kind)) {
    // What is private was hashed, or has no place in a question.
    if (visibilityOf(kind) !== "private" && fits(value)) found({ kind, value: value.trim(), given: true });
    return;
  }
  const operation = String(node["Operation"] ?? node["operation"] ?? "");
  parameters(operation, node["Parameters"] ?? node["parameters"], found);
  for (const [name, n] of Object.entries(node)) {
    const form = name.length <= maxValue && /[:@]|^[\d.]{7,15}$/.test(name) ? guess(name) : undefined;
    if (form && /^(ip|cidr|url|email)$/.test(form.kind)) found(form);
    walk(n, found, name, depth + 1);
  }
}

/** What the parameters of a recorded command are together: the name of a mail rule, a pair of the spoof list. */
function parameters(operation: string, list: unknown, found: (hit: Hit) => void): void {
  if (!Array.isArray(list)) return;
  const by = new Map<string, string>();
  for (const p of list as ({ Name?: unknown; Value?: unknown } | null)[]) {
    if (typeof p?.Name === "string" && typeof p.Value === "string") by.set(p.Name, p.Value.trim());
  }
  const name = by.get("Name") ?? "";
  if (/InboxRule|TransportRule/i.test(operation) && fits(name)) found({ kind: "rule_name", value: name, given: true });
  const pair = readPair(`${by.get("SpoofedUser") ?? ""}>${by.get("SendingInfrastructure") ?? ""}`);
  if (pair) found(pair);
}

function text(s: string, key: string, found: (hit: Hit) => void, depth: number): void {
  const nested = s.length > 1 ? parseJSON(s) : undefined;
  if (nested !== undefined) return walk(nested, found, key, depth + 1);
  if (/message_?-?id$/i.test(key)) return;
  if (/user_?-?agent/i.test(key) && fits(s)) return found({ kind: "user_agent", value: s.trim(), given: true });
  if (/^(client_?)?app(lication)?_?id$|^client_?id$/i.test(key) && /^\{?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\}?$/i.test(s)) {
    return found({ kind: "app_id", value: s, given: true });
  }
  scan(s, found);
}

function fits(value: string): boolean {
  return value.trim() !== "" && value.length <= maxValue && !/[\x00-\x1f\x7f-\x9f]/.test(value.trim());
}

/** A table of text. */
export interface Table {
  header: string[];
  rows: string[][];
}

/**
 * A table with a header in CSV, with commas, semicolons or tabs; none where text is not
 * one: the header has two names or more and nothing else, and the rows have as many fields.
 */
export function parseCSV(raw: string): Table | undefined {
  const text = raw.replace(/^\ufeff/, "");
  const first = text.slice(0, text.search(/\r?\n|$/));
  const by = [",", ";", "\t"].find((d) => first.includes(d));
  if (by === undefined || first.length > 10_000 || holds(first)) return undefined;
  const rows = fields(text, by);
  const header = (rows.shift() ?? []).map((h) => h.trim().replace(/^\ufeff/, ""));
  const names = header.length >= 2 && header.every((h) => /^[\p{L}_][\p{L}\p{N} _/()-]{0,60}$/u.test(h));
  const even = rows.length > 0 && rows.filter((r) => r.length === header.length).length >= rows.length * 0.9;
  return names && even ? { header, rows } : undefined;
}

/** The fields of CSV, quoted or not, line by line. */
function fields(text: string, by: string): string[][] {
  const rows: string[][] = [];
  const stop = new RegExp(`[${by}\\r\\n]|$`, "g");
  let row: string[] = [];
  let at = 0;
  while (at < text.length) {
    let field: string;
    if (text[at] === '"') {
      let end = text.indexOf('"', at + 1);
      while (end >= 0 && text[end + 1] === '"') end = text.indexOf('"', end + 2);
      if (end < 0) end = text.length;
      field = text.slice(at + 1, end).replaceAll('""', '"');
      at = end + 1;
    } else {
      stop.lastIndex = at;
      const end = stop.exec(text)?.index ?? text.length;
      field = text.slice(at, end);
      at = end;
    }
    row.push(field);
    if (text[at] === by) {
      at++;
      if (at < text.length && text[at] !== "\n" && text[at] !== "\r") continue;
      row.push("");
    }
    while (at < text.length && text[at] !== "\n" && text[at] !== "\r") at++;
    if (text[at] === "\r") at++;
    if (text[at] === "\n") at++;
    if (row.length > 1 || row[0] !== "") rows.push(row);
    row = [];
  }
  return rows;
}

/** Finds the values in a table: those of its columns kind and value, else those in every field. */
export function walkTable(table: Table, found: (hit: Hit) => void): void {
  const names = table.header.map((h) => h.toLowerCase());
  const [kind, value] = [names.indexOf("kind"), names.indexOf("value")];
  for (const row of table.rows) {
    const said = row[kind]?.trim() ?? "";
    // A sheet's guard against formulas stands before some values.
    const v = (row[value] ?? "").replace(/^'(?=\s*[=+\-@|%＝＋－＠])/, "");
    if (kind >= 0 && value >= 0) {
      if (visibilityOf(said) && visibilityOf(said) !== "private" && fits(v)) found({ kind: said, value: v.trim(), given: true });
      continue;
    }
    for (const [i, field] of row.entries()) walk(field, found, table.header[i] ?? "");
  }
}
