import { type Form, guess, maxValue } from "./forms.ts";
import { looksLikeMail, mailTexts, unescapeHTML } from "./mail.ts";
import { type Hit, holds, scan } from "./scan.ts";
import { guessed } from "./kinds.ts";
import { knownSuffix } from "./suffixes.ts";
import { parseCSV, parseJSON, walk, walkTable } from "./structured.ts";

/** A value that was found. */
export interface Found extends Form {
  /** The kind is sent to the service; else it guesses by itself, which finds more readings. */
  given: boolean;
  /** How often it stands there. */
  times: number;
  /** It stands there only as part of another: the host of a URL, the domain of an address. */
  part: boolean;
}

/** What a text holds. */
export interface Extraction {
  found: Found[];
  /** Each line was one value. */
  list: boolean;
  /** Lines of a list that have no form: names of mail rules, or something else. */
  names: string[];
  /** Lines that are telephone or account numbers: never asked for. */
  numbers: number;
  /** Values beyond the most that are taken. */
  over: number;
  /** The text was longer than is read. */
  cut: boolean;
}

/** The most values of one text. */
export const maxFound = 20_000;
/** The most characters of one text that are read. */
export const maxText = 8 << 20;

/** Names that a list may have, so that it still is one of values and no letter. */
const maxNames = 20;

/** Finds the values in whatever somebody pastes. The time is linear in its length. */
export function extract(raw: string): Extraction {
  const text = raw.slice(0, maxText);
  const into = new Collector();
  const json = parseJSON(text);
  if (json !== undefined) {
    walk(json, into.add);
    return into.extraction({ cut: raw.length > maxText });
  }
  const table = parseCSV(text);
  if (table) {
    walkTable(table, into.add);
    return into.extraction({ cut: raw.length > maxText });
  }
  if (looksLikeMail(text)) {
    for (const t of mailTexts(text)) scan(unescapeHTML(t), into.add);
    return into.extraction({ cut: raw.length > maxText });
  }
  return into.extraction({ ...lines(text, into), cut: raw.length > maxText });
}

/** Reads a list of values, or text: what is no list as a whole is read as running text. */
function lines(text: string, into: Collector): Partial<Extraction> {
  const values: Form[] = [];
  const names: string[] = [];
  let numbers = 0;
  let list = true;
  const all = text.split(/\r?\n|\r/);
  for (const raw of all) {
    const line = raw.replace(/^\s*(?:[-*•]\s+)?/, "").trim();
    if (line === "" || line.startsWith("# ")) continue;
    const form = whole(line);
    if (form) values.push(form);
    else if (line.startsWith("{") || holds(line)) {
      list = false;
      break;
    } else if (isNumber(line)) numbers++;
    else if (line.length <= maxValue) {
      names.push(line);
      if (names.length <= maxNames) values.push({ kind: "rule_name", value: unquoted(line) });
    }
  }
  if (!list) {
    running(all, into);
    return { list: false };
  }
  const few = names.length <= maxNames;
  for (const v of values) if (few || v.kind !== "rule_name") into.add(v);
  return { list: true, numbers, names: few ? [] : names.slice(0, maxFound) };
}

/** Reads running text; lines of JSON are read as such. */
function running(all: readonly string[], into: Collector): void {
  let block: string[] = [];
  const end = () => {
    if (block.length > 0) scan(unescapeHTML(block.join("\n")), into.add);
    block = [];
  };
  for (const line of all) {
    const json = line.trimStart().startsWith("{") ? parseJSON(line) : undefined;
    if (json === undefined) block.push(line);
    else {
      end();
      walk(json, into.add);
    }
  }
  end();
}

/** The value that a line is as a whole. */
function whole(line: string): Form | undefined {
  if (line.length > maxValue) return undefined;
  const form = guess(line);
  if (!form) return undefined;
  if (form.kind === "asn" || form.kind === "spoof_pair") return form;
  // A sentence that ends in a URL is no URL, and two addresses are not one.
  if (/\s/.test(form.value) || (form.kind === "url" && /\s/.test(line))) return undefined;
  return line.split("@").length > 2 && /[\s,;<]/.test(line) ? undefined : form;
}

/** Whether a line is a telephone number, an account number or just digits. */
function isNumber(line: string): boolean {
  if (/^[\d\s()+./-]{5,40}$/.test(line) && /\d{2}/.test(line)) return true;
  return line.length <= 42 && /^[A-Z]{2}\d{2}[A-Z0-9 -]{11,38}$/.test(line);
}

function unquoted(name: string): string {
  return /^"[^"]+"$|^'[^']+'$/.test(name) ? name.slice(1, -1).trim() : name;
}

/** Values in the order in which they were found, each once. */
class Collector {
  private readonly found = new Map<string, Found>();
  private over = 0;

  readonly add = (hit: Hit): void => {
    this.put(hit, hit.given === true || !guessed.has(hit.kind), false);
    // What is the domain of an address is a name, whatever it ends in.
    for (const p of hit.parts ?? []) this.put(p, /^(domain|hostname)$/.test(p.kind) && !knownSuffix(p.value), true);
  };

  private put(form: Form, given: boolean, part: boolean): void {
    if (form.value.length * 3 > maxValue && new TextEncoder().encode(form.value).length > maxValue) return;
    const key = `${form.kind}\n${form.value}`;
    const before = this.found.get(key);
    if (before) {
      if (!part) before.times++;
      before.part &&= part;
      before.given ||= given;
    } else if (this.found.size >= maxFound) this.over++;
    else this.found.set(key, { kind: form.kind, value: form.value, given, times: part ? 0 : 1, part });
  }

  extraction(more: Partial<Extraction>): Extraction {
    return { found: [...this.found.values()], list: false, names: [], numbers: 0, over: this.over, cut: false, ...more };
  }
}
