import { linesOf, locate, type Position, positionOf, Scanner, SyntaxFault } from "./json.ts";

/** One thing that is wrong with a case, and where. */
export interface Fault extends Position {
  path: string;
  message: string;
}

/** One case as it was written in a file. */
export interface Document {
  /** The text of the case alone. */
  raw: string;
  /** Where it begins. */
  start: Position;
  tenant: string;
  id: string;
  title: string;
  findings: number;
  observables: number;
  /** What keeps it from being sent. */
  faults: Fault[];
}

/** The fields of elsewhere.v1.Case. What has others is no case and is never sent. */
const fields = new Set(
  ("tenant id title kind state openedat closedat evidencefrom evidenceto tlp restricted source labels references findings " +
    "revision contenthash createtime updatetime").split(" "),
);

/** The largest case that the service takes, in bytes. */
const largest = 10 << 20;

/**
 * The cases of a text: one JSON object, or several one after the other, as in a file
 * with a case a line. What cannot be read is a document with faults; behind one that
 * broke on its own line the next line is read.
 */
export function documentsOf(text: string): Document[] {
  const out: Document[] = [];
  const lines = linesOf(text);
  const s = new Scanner(text, text.startsWith("\ufeff") ? 1 : 0);
  while (!s.ended()) {
    const from = s.at;
    try {
      s.value();
      out.push(documentAt(text, from, s.at, lines));
    } catch (e) {
      if (!(e instanceof SyntaxFault)) throw e;
      const next = text.indexOf("\n", from);
      out.push(broken(text, from, e, lines));
      // Only where a case broke on its own line is it known where the next begins.
      if (next < 0 || e.offset > next) break;
      s.at = next;
    }
  }
  return out;
}

function empty(text: string, from: number, raw: string, lines: readonly number[]): Document {
  return { raw, start: positionOf(text, from, lines), tenant: "", id: "", title: "", findings: 0, observables: 0, faults: [] };
}

function broken(text: string, from: number, e: SyntaxFault, lines: readonly number[]): Document {
  return { ...empty(text, from, "", lines), faults: [{ ...positionOf(text, e.offset, lines), path: "", message: `no JSON: ${e.message}` }] };
}

function documentAt(text: string, from: number, to: number, lines: readonly number[]): Document {
  const d = empty(text, from, text.slice(from, to), lines);
  const fault = (offset: number, path: string, message: string) => d.faults.push({ ...positionOf(text, offset, lines), path, message });
  if (text.charAt(from) !== "{") {
    fault(from, "", "a case is an object");
    return d;
  }
  if (new TextEncoder().encode(d.raw).length > largest) fault(from, "", "a case has at most 10 MiB");
  new Scanner(text, from).value((name, nameAt) => {
    if (!fields.has(name.replaceAll("_", "").toLowerCase())) fault(nameAt, name, "a case has no such field");
  });
  if (d.faults.length > 0) return d;
  const c = JSON.parse(d.raw) as Record<string, unknown>;
  d.tenant = typeof c["tenant"] === "string" ? c["tenant"] : "";
  d.id = typeof c["id"] === "string" ? c["id"] : "";
  d.title = typeof c["title"] === "string" ? c["title"] : "";
  if (d.tenant === "") fault(from, "tenant", "a case needs the id of its tenant");
  if (d.id === "") fault(from, "id", "a case needs an id");
  const findings: unknown[] = Array.isArray(c["findings"]) ? c["findings"] : [];
  d.findings = findings.length;
  for (const f of findings) {
    const list = typeof f === "object" && f !== null ? (f as Record<string, unknown>)["observables"] : undefined;
    if (Array.isArray(list)) d.observables += list.length;
  }
  return d;
}

/** Where a field that the service named stands in the file of a document. */
export function place(d: Document, path: string): Position {
  const inside = positionOf(d.raw, locate(d.raw, 0, path));
  return inside.line === 1 ? { line: d.start.line, column: d.start.column + inside.column - 1 } : { line: d.start.line + inside.line - 1, column: inside.column };
}
