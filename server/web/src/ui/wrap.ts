/** How many columns of a monospaced line a text takes; what is wide in most fonts counts twice. */
export function columns(text: string): number {
  let n = 0;
  for (const c of text) n += wide(c) ? 2 : 1;
  return n;
}

function wide(c: string): boolean {
  const point = c.codePointAt(0) ?? 0;
  return point >= 0x1100 && point !== 0x2026 && !(point >= 0x2010 && point <= 0x2027);
}

/**
 * Breaks a text into lines of at most `most` columns, at spaces and behind dots, dashes
 * and slashes where there are some. Nothing of it is left out, unless it needs more than
 * `lines` lines: then the last ends with an ellipsis.
 */
export function wrap(text: string, most: number, lines = 6): string[] {
  const room = Math.max(2, Math.floor(most));
  const out: string[] = [];
  let line = "";
  let used = 0;
  const end = () => {
    if (line.trim() !== "") out.push(line.trimEnd());
    line = "";
    used = 0;
  };
  for (const part of text.split(/(?<=[\s./@\-_,:&=])/u)) {
    if (used + columns(part.trimEnd()) > room) end();
    for (const c of part) {
      const n = columns(c);
      if (used + n > room) {
        if (c.trim() === "") continue;
        end();
      }
      if (used === 0 && c.trim() === "") continue;
      line += c;
      used += n;
    }
  }
  end();
  if (out.length <= lines) return out.length === 0 ? [""] : out;
  const kept = out.slice(0, lines);
  let last = kept[lines - 1] ?? "";
  while (columns(last) + 1 > room) last = [...last].slice(0, -1).join("");
  kept[lines - 1] = last + "…";
  return kept;
}
