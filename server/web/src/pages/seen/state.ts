/**
 * The values that are asked for, as the page's address has them. What stands after # is
 * sent to no server.
 */
import { visibilityOf } from "./find/kinds.ts";
import { maxFound } from "./find/extract.ts";
import { guess, maxValue } from "./find/forms.ts";

/** A value that is asked for. */
export interface Item {
  /** Sent with the question; "" lets the service guess. */
  kind: string;
  /** What the page takes it for. */
  guess: string;
  value: string;
  /** It was found only as part of another value. */
  part: boolean;
  /** How often the text had it; 0 where that is not known. */
  times: number;
}

/** Addresses longer than this are cut by programs that pass them on. */
export const longAddress = 2_000;
/** Longer ones are not made. */
export const maxAddress = 150_000;
/** The most characters that a compressed address may grow to. */
const maxText = 32 << 20;

/** The name by which a value is known on the page. */
export function itemId(i: Item): string {
  return `${i.kind}\t${i.value}`;
}

/**
 * The values as text for an address: a line each, before a tab what was said of its kind
 * and a + for a part. Private values have no place in an address.
 */
export function writeItems(items: readonly Item[]): string {
  const lines = items.filter((i) => visibilityOf(i.kind) !== "private").map((i) => (i.kind || i.part ? `${i.part ? "+" : ""}${i.kind}\t${i.value}` : i.value));
  return lines.join("\n");
}

/** The values of a text that writeItems made. Others may have written it: what is no value is passed over. */
export function readItems(text: string): Item[] {
  const items = new Map<string, Item>();
  for (const line of text.split("\n")) {
    const tab = line.indexOf("\t");
    const said = tab < 0 ? "" : line.slice(0, tab);
    const value = line.slice(tab + 1);
    const kind = said.replace(/^\+/, "");
    if (value.trim() === "" || value.length > maxValue || (kind !== "" && !visibilityOf(kind))) continue;
    const item = { kind, guess: kind || guessOf(value), value, part: said.startsWith("+"), times: 0 };
    if (items.size < maxFound) items.set(itemId(item), items.get(itemId(item)) ?? item);
  }
  return [...items.values()];
}

/** Each value once, the first of equals. */
export function once(items: readonly Item[]): Item[] {
  const by = new Map<string, Item>();
  for (const i of items) if (!by.has(itemId(i))) by.set(itemId(i), i);
  return [...by.values()];
}

/** Values with another kind for some; "" lets the service guess. */
export function withKind(items: readonly Item[], ids: ReadonlySet<string>, kind: string): Item[] {
  return once(items.map((i) => (ids.has(itemId(i)) ? { ...i, kind, guess: kind || guessOf(i.value) } : i)));
}

/** What the page takes a value for. */
function guessOf(value: string): string {
  return guess(value)?.kind ?? "rule_name";
}

/** Text as a parameter of an address: as it is where it is short, else compressed. */
export async function pack(text: string): Promise<string> {
  if (text.length <= 400) return `t${text}`;
  const deflated = new Blob([text]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  const bytes = new Uint8Array(await new Response(deflated).arrayBuffer());
  let binary = "";
  for (let i = 0; i < bytes.length; i += 8192) binary += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return `z${btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "")}`;
}

/** The text of a parameter that pack made; none where it is none, or grows too large. */
export async function unpack(param: string): Promise<string | undefined> {
  if (param.startsWith("t")) return param.slice(1);
  if (!param.startsWith("z")) return undefined;
  try {
    const binary = atob(param.slice(1).replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (c) => c.charCodeAt(0));
    const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
    const decoder = new TextDecoder();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      text += done ? decoder.decode() : decoder.decode(value, { stream: true });
      if (text.length > maxText) return undefined;
      if (done) return text;
    }
  } catch {
    return undefined;
  }
}
