/**
 * Undoes what people and mail programs do to a network value before they pass it on,
 * as the service does it. Every pattern is bounded, so that the time is linear in the
 * text whatever the text is.
 */

const separators: Record<string, string> = { dot: ".", at: "@" };

// A separator in brackets, whichever brackets, with a little room around.
// U+E000 is what scan makes of a dot that was in brackets, and may be in brackets again.
const bracketed = / {0,3}[([{<] {0,3}(:\/\/|\/\/|dot|at|[.@:/\ue000]) {0,3}[)\]}>] {0,3}/gi;
// Half a pair, as in example[.com.
const halfOpen = /\[{1,4}\./g;
const halfClosed = /\.\]{1,4}/g;

/**
 * Puts separators back: `evil[.]com`, `bob (at) evil (dot) com`, `hxxp[:]//`, `evil\.com`,
 * `evil[.com`. Dots that somebody had disarmed become `dot`.
 */
export function rejoin(text: string, dot = "."): string {
  let s = text.replaceAll("。", dot).replaceAll("\\.", dot);
  if (!/[()[\]{}<>]/.test(s)) return s;
  const meant = (sep: string) => (separators[sep.toLowerCase()] ?? sep).replace(".", dot);
  // Twice, from the inside out: [[.]] is in use.
  for (let round = 0; round < 2; round++) s = s.replace(bracketed, (_, sep: string) => meant(sep));
  return s.replace(halfOpen, dot).replace(halfClosed, dot);
}

const formatCharacter = /\p{Cf}/gu;
const foreign = /[^\x00-\x7f]/u;
const letterOrMark = /[\p{L}\p{M}]/u;

/**
 * Removes characters that show nothing. A joiner between two letters of a script that
 * needs it is part of an internationalised name.
 */
export function dropInvisible(text: string): string {
  if (!foreign.test(text)) return text;
  return text.replace(formatCharacter, (c, at: number) => {
    if (c !== "\u200c" && c !== "\u200d") return "";
    const before = before1(text, at);
    const after = String.fromCodePoint(text.codePointAt(at + 1) ?? 0x20);
    return joins(before) && joins(after) ? c : "";
  });
}

function before1(text: string, at: number): string {
  const unit = text.charCodeAt(at - 1);
  const low = unit >= 0xdc00 && unit <= 0xdfff;
  return text.slice(Math.max(0, at - (low ? 2 : 1)), at);
}

function joins(c: string): boolean {
  return foreign.test(c) && letterOrMark.test(c);
}

/** Text in compatibility form, without what cannot be seen, with its separators put back. */
export function plain(text: string, dot = "."): string {
  if (!foreign.test(text)) return rejoin(text, dot);
  return rejoin(dropInvisible(text.normalize("NFKC")).normalize("NFKC"), dot);
}

const quotes = new Set("\"'`“”‘’„‚«»‹›");
const pairs: Record<string, string> = { "(": ")", "[": "]", "{": "}", "<": ">" };
const openerOf: Record<string, string> = { ")": "(", "]": "[", "}": "{", ">": "<" };

/**
 * Removes the quotes, brackets, punctuation and white space that a sentence or a list
 * leaves around a value. A bracket that has its partner inside stays, as in [::1]:443.
 */
export function trimAround(text: string): string {
  if (/^[0-9a-z]/i.test(text) && /[0-9a-z]$/i.test(text)) return text;
  let from = 0;
  let to = text.length;
  const count = new Map<string, number>();
  for (const c of text) if (c in pairs || c in openerOf) count.set(c, (count.get(c) ?? 0) + 1);
  const take = (c: string) => count.set(c, (count.get(c) ?? 0) - 1);
  for (;;) {
    const [f, t] = [from, to];
    while (from < to && around(text[from] ?? "")) from++;
    while (from < to && (around(text[to - 1] ?? "") || ",;.".includes(text[to - 1] ?? " "))) to--;
    if (from >= to) return "";
    const first = text[from] ?? "";
    const last = text[to - 1] ?? "";
    const closer = pairs[first];
    const opener = openerOf[last];
    if (closer !== undefined && last === closer && to - from > 1) {
      take(first);
      take(last);
      from++;
      to--;
    } else if (closer !== undefined && !count.get(closer)) {
      take(first);
      from++;
    } else if (closer === undefined && opener !== undefined && (count.get(opener) ?? 0) < (count.get(last) ?? 0)) {
      take(last);
      to--;
    }
    if (f === from && t === to) return text.slice(from, to);
  }
}

function around(c: string): boolean {
  return quotes.has(c) || c.trim() === "";
}
