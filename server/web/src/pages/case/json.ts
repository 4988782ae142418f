/** Where a text is no JSON. */
export class SyntaxFault extends Error {
  /** In UTF-16 units from the beginning of the text. */
  readonly offset: number;

  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

/** How deep values may lie in each other; a case needs eight. */
const deepest = 64;

/** A cursor over a text that knows where each value ends. It keeps no values. */
export class Scanner {
  readonly text: string;
  at: number;

  constructor(text: string, at = 0) {
    this.text = text;
    this.at = at;
  }

  /** Skips white space. */
  space(): void {
    while (" \n\r\t".includes(this.text.charAt(this.at)) && this.at < this.text.length) this.at++;
  }

  /** Whether nothing but white space is left. */
  ended(): boolean {
    this.space();
    return this.at >= this.text.length;
  }

  /** Skips one value, calling back for each member of the outermost object. */
  value(member?: (name: string, nameAt: number, valueAt: number) => void, depth = 0): void {
    this.space();
    if (depth > deepest) throw new SyntaxFault(this.at, `values lie more than ${deepest} deep in each other`);
    const c = this.text.charAt(this.at);
    if (c === "{") this.object(member, depth);
    else if (c === "[") this.array(depth);
    else if (c === '"') this.string();
    else if (!this.token()) throw this.fault(c === "" ? "the text ends here" : "this is no JSON");
  }

  private object(member: ((name: string, nameAt: number, valueAt: number) => void) | undefined, depth: number): void {
    this.at++;
    this.space();
    if (this.take("}")) return;
    for (;;) {
      this.space();
      const nameAt = this.at;
      if (this.text.charAt(this.at) !== '"') throw this.fault("the name of a field is expected");
      const name = this.string();
      this.space();
      if (!this.take(":")) throw this.fault("a colon is expected");
      this.space();
      member?.(name, nameAt, this.at);
      this.value(undefined, depth + 1);
      this.space();
      if (this.take("}")) return;
      if (!this.take(",")) throw this.fault("a comma or } is expected");
    }
  }

  private array(depth: number): void {
    this.at++;
    this.space();
    if (this.take("]")) return;
    for (;;) {
      this.value(undefined, depth + 1);
      this.space();
      if (this.take("]")) return;
      if (!this.take(",")) throw this.fault("a comma or ] is expected");
    }
  }

  /** Skips a string and returns it. */
  private string(): string {
    const from = this.at++;
    for (;;) {
      const c = this.text.charCodeAt(this.at);
      if (Number.isNaN(c)) throw this.fault("the text ends within a string");
      if (c === 0x22) break;
      if (c < 0x20) throw this.fault("a string holds a line break or another control character");
      this.at += c === 0x5c ? 2 : 1;
    }
    this.at++;
    try {
      return JSON.parse(this.text.slice(from, this.at)) as string;
    } catch {
      throw new SyntaxFault(from, "a string holds an escape that there is not");
    }
  }

  private static readonly tokens = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.+-])/y;

  private token(): boolean {
    Scanner.tokens.lastIndex = this.at;
    const found = Scanner.tokens.exec(this.text);
    if (found) this.at += found[0].length;
    return found !== null;
  }

  private take(c: string): boolean {
    if (this.text.charAt(this.at) !== c) return false;
    this.at++;
    return true;
  }

  private fault(message: string): SyntaxFault {
    return new SyntaxFault(Math.min(this.at, this.text.length), message);
  }
}

/** A place in a text. Both count from 1, columns in characters. */
export interface Position {
  line: number;
  column: number;
}

/** Where each line of a text begins. */
export function linesOf(text: string): number[] {
  const out = [0];
  for (let i = text.indexOf("\n"); i >= 0; i = text.indexOf("\n", i + 1)) out.push(i + 1);
  return out;
}

/** The place of an offset; `lines` are those of the text. */
export function positionOf(text: string, offset: number, lines: readonly number[] = linesOf(text)): Position {
  let [low, high] = [0, lines.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((lines[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return { line: low + 1, column: [...text.slice(lines[low] ?? 0, offset)].length + 1 };
}

/**
 * Where the field at a path stands, in a value that begins at an offset and is
 * well-formed. A path is written as the service writes it, as in
 * `findings[3].observables[17].value`; of a field that is not there it is the place of
 * what should hold it.
 */
export function locate(text: string, from: number, path: string): number {
  let at = new Scanner(text, from);
  at.space();
  let found = at.at;
  for (const part of path.match(/[^.[\]]+/g) ?? []) {
    const next = /^\d+$/.test(part) && text.charAt(found) === "[" ? element(text, found, Number(part)) : field(text, found, part);
    if (next === undefined) return found;
    found = next;
    at = new Scanner(text, found);
  }
  return found;
}

function field(text: string, from: number, name: string): number | undefined {
  if (text.charAt(from) !== "{") return undefined;
  let found: number | undefined;
  const wanted = folded(name);
  new Scanner(text, from).value((n, _, valueAt) => {
    if (found === undefined && folded(n) === wanted) found = valueAt;
  });
  return found;
}

/** The service names fields as its schema does, a text may name them as JSON does. */
function folded(name: string): string {
  return name.replaceAll("_", "").toLowerCase();
}

function element(text: string, from: number, index: number): number | undefined {
  const s = new Scanner(text, from + 1);
  for (let i = 0; ; i++) {
    s.space();
    if (text.charAt(s.at) === "]") return undefined;
    if (i === index) return s.at;
    s.value();
    s.space();
    if (text.charAt(s.at) !== ",") return undefined;
    s.at++;
  }
}
