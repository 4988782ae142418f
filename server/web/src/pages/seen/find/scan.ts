import { readAddress, readNetwork, isPort } from "./address.ts";
import { type Form, hostForm, maxValue, mayHaveForm, pairSide, readASN, readEmail, readHash, readJA4, readName, readNet, readURL } from "./forms.ts";
import { plain } from "./refang.ts";
import { fileLike, knownSuffix, looksRegistrable } from "./suffixes.ts";

/** A value that text holds. */
export interface Hit extends Form {
  /** The kind has to be said when the service is asked: it would guess another. */
  given?: boolean;
  /** What the value is made of: the host of a URL, the domain of an address, the sides of a pair. */
  parts?: Form[];
}

// Stands for a dot that somebody disarmed: a name with one is meant as a name.
const disarmed = "\ue000";

const schemeEnd = /(?:h(?:tt|xx|\*\*|tx)ps?|fxps?|s?ftps?|wss?|ldaps?|smb|ssh|rdp|tcp|udp)$/i;

/**
 * Finds the values in running text: a mail, a log, a report. Every character is looked
 * at a bounded number of times. Values that only a list would hold (names of mail
 * rules, numbers) are not found here; telephone numbers never are.
 */
export function scan(raw: string, found: (hit: Hit) => void): void {
  const text = plain(raw.replaceAll(disarmed, " "), disarmed);
  strings(text, found);
  let from = 0;
  for (let at = text.indexOf("://"); at >= 0; ) {
    const scheme = schemeEnd.exec(text.slice(Math.max(from, at - 8), at))?.[0];
    if (scheme === undefined) {
      at = text.indexOf("://", at + 3);
      continue;
    }
    const start = at - scheme.length;
    const end = urlEnd(text, start, at + 3);
    words(text.slice(from, start), found);
    url(text.slice(start, end), found, 2);
    from = end;
    at = text.indexOf("://", end);
  }
  words(text.slice(from), found);
}

/** Whether text holds a value. */
export function holds(text: string): boolean {
  let any = false;
  if (mayHaveForm(text)) scan(text, () => (any = true));
  return any;
}

const stops = new Set("\"<>`|\\^{},“”‘’„«»");

/** Where a URL in text ends, without the punctuation of the sentence. */
function urlEnd(text: string, start: number, from: number): number {
  const quoted = text[start - 1] === "'";
  let [end, round, square] = [from, 0, 0];
  for (; end < text.length; end++) {
    const c = text[end] ?? "";
    if (c <= " " || stops.has(c) || (quoted && c === "'") || c.trim() === "") break;
    if (c === ";" && /^[\s"']|^$|^h..ps?:/i.test(text.slice(end + 1, end + 8))) break;
    if (c === "(") round++;
    else if (c === ")") round--;
    else if (c === "[") square++;
    else if (c === "]") square--;
  }
  for (; end > from; end--) {
    const c = text[end - 1] ?? "";
    if (c === ")" && round < 0) round++;
    else if (c === "]" && square < 0) square++;
    else if (!".,;:!?'*".includes(c)) break;
  }
  return end;
}

const wrapper = /^https?:\/\/[^/]{0,80}\.safelinks\.protection\.outlook\.com\//;
const inner = /[=?&/_](https?(?::|%3a)(?:\/|%2f){2}[^&\s#]{1,4000})/gi;

/** A URL, and those that it leads on to. Of a mail program's wrapper only what it wraps. */
function url(raw: string, found: (hit: Hit) => void, depth: number): void {
  if (raw.length > maxValue) return;
  const form = readURL(raw.replaceAll(disarmed, ".").replaceAll("&amp;", "&"));
  if (!form) return;
  const rest = form.value.slice(form.value.indexOf("://") + 3);
  const host = hostForm(rest.slice(0, rest.search(/[/?]|$/)))?.form;
  let led = false;
  const onward = () => {
    if (depth === 0) return;
    for (const [, link = ""] of form.value.matchAll(inner)) {
      led = true;
      url(unescaped(link.split("__;")[0] ?? ""), found, depth - 1);
    }
  };
  if (wrapper.test(form.value)) {
    onward();
    if (led) return;
  }
  found(host ? { ...form, parts: [host] } : form);
  if (!led) onward();
}

function unescaped(link: string): string {
  try {
    return /%3a|%2f/i.test(link.slice(0, 16)) ? decodeURIComponent(link) : link;
  } catch {
    return "";
  }
}

const agents =
  /Mozilla\/\d\.\d[^"\n\r\t|]{0,600}|(?:python-requests|python-urllib3?|curl|wget|go-http-client|axios|okhttp|node-fetch|libwww-perl|aiohttp|powershell)\/[\w.]{1,32}|\bBAV2ROPC\b/gi;
const ruleNames = /(?:-Name|\brule[ _]?name["']?)\s{0,3}[:=]?\s{0,3}(?:"([^"\n\r]{1,256})"|'([^'\n\r]{1,256})')/gi;

/** Values that are sentences of their own: user agents, and names of mail rules in quotes. */
function strings(text: string, found: (hit: Hit) => void): void {
  for (const [agent] of text.matchAll(agents)) found({ kind: "user_agent", value: agent.replaceAll(disarmed, ".").replace(/['\s]+$/, ""), given: true });
  if (!/InboxRule|TransportRule|rule[ _]?name/i.test(text)) return;
  for (const [, a, b] of text.matchAll(ruleNames)) {
    const name = (a ?? b ?? "").replaceAll(disarmed, ".").trim();
    if (name) found({ kind: "rule_name", value: name, given: true });
  }
}

// No value but a URL or a string is longer.
const maxWord = 600;

function words(text: string, found: (hit: Hit) => void): void {
  const word = /[^\s"`<>,;|(){}[\]\\“”‘’„«»=*!?#&$^~→\x00-\x1f\x7f-\x9f]+/g;
  let before = "";
  for (let m = word.exec(text); m; m = word.exec(text)) {
    const w = m[0];
    const end = m.index + w.length;
    if (w.length <= maxWord) {
      const used = pair(text, m.index, end, found);
      if (used > end) word.lastIndex = used;
      else one(w, before, isKey(text, end), found);
    }
    before = w.length < 16 ? w.toLowerCase() : "";
  }
}

/** Whether what ends here is the name of a field: `user.name=`, `"user.name": `. */
function isKey(text: string, end: number): boolean {
  return text[end] === "=" || /^["']\s?[:=]/.test(text.slice(end, end + 3));
}

/** A spoof pair that begins here, written without room around its arrow; returns where it ends, else 0. */
function pair(text: string, start: number, end: number, found: (hit: Hit) => void): number {
  const arrow = text[end];
  if ((arrow !== ">" && arrow !== "→") || text[start - 1] === "<") return 0;
  const near = text.slice(Math.max(0, start - 200), start);
  // The end of a tag is no arrow.
  if (near.lastIndexOf("<") > near.lastIndexOf(">")) return 0;
  const right = /^[^\s"'`<>,;|(){}[\]\\=]{1,300}/.exec(text.slice(end + 1, end + 301))?.[0] ?? "";
  const spoofed = side(text.slice(start, end).replace(/-$/, ""), true);
  const infrastructure = spoofed && side(right.replace(/[.:]{1,8}$/, ""), false);
  if (!infrastructure || spoofed.value === infrastructure.value) return 0;
  found({ kind: "spoof_pair", value: `${spoofed.value}>${infrastructure.value}`, parts: [spoofed, infrastructure] });
  return end + 1 + right.length;
}

function side(text: string, mayBeEmail: boolean): Form | undefined {
  const s = text.replaceAll(disarmed, ".");
  return /[.:]/.test(s) ? pairSide(s, mayBeEmail) : undefined;
}

/** The values in one word. */
function one(w: string, before: string, key: boolean, found: (hit: Hit) => void): void {
  let text = w;
  const named = text.includes(disarmed);
  if (named) text = text.replaceAll(disarmed, ".");
  if (text.includes("%40")) text = text.replaceAll("%40", "@");
  text = text.replace(/^['.]{1,8}|[.:'/-]{1,8}$/g, "");
  const colon = text.indexOf(":");
  if (colon >= 0 && colon !== text.lastIndexOf(":")) {
    const net = address6(text) ?? (/[g-z_-]/i.test(text.slice(0, colon)) ? address6(text.slice(colon + 1)) : undefined);
    if (net) return found(net);
  }
  if (text.includes("/")) {
    const network = readNetwork(text.slice(text.lastIndexOf(":", text.indexOf("/")) + 1));
    if (network) return found({ kind: network.kind, value: network.text });
    // Of a path only what stands before it: a host, not a folder.
    const parts = text.split("/", 3);
    const first = parts[0] ?? "";
    text = (first === "" || first.endsWith(":")) && parts[1] === "" ? (parts[2] ?? "") : first;
  }
  const pieces = text.split(":");
  for (const [i, piece] of pieces.entries()) {
    if (piece.includes("@")) mail(piece, named, found);
    else {
      const isName = key || (i < pieces.length - 1 && !isPort(pieces[i + 1] ?? ""));
      for (const p of piece.split(/['+%]/)) atom(p, before, isName, named, found);
    }
  }
}

/** An IPv6 address or network in text, where :: alone and times are none. */
function address6(text: string): Hit | undefined {
  if (text.length > 64 || !/\d/.test(text)) return undefined;
  const net = readNet(text);
  return net && (net.value.includes(":") || text.includes("::")) ? net : undefined;
}

function mail(piece: string, named: boolean, found: (hit: Hit) => void): void {
  const form = readEmail(piece.replace(/^['.+-]{1,8}/, "").replace(/(?:'s)?['.+-]{0,8}$/, ""));
  if (!form) return piece.startsWith("@") ? atom(piece.slice(1), "", false, named, found) : undefined;
  const domain = form.value.slice(form.value.lastIndexOf("@") + 1);
  // Names like logo@2x.png are files; those of Exchange's own hosts are ids of messages.
  if ((fileLike(domain) && !named) || !/\.([a-z]{2,63}|xn--[0-9a-z-]+)$/.test(domain) || domain.endsWith(".prod.outlook.com")) return;
  found({ ...form, parts: [{ kind: looksRegistrable(domain) ? "domain" : "hostname", value: domain }] });
}

/** A value without separators of its own but dots. */
function atom(text: string, before: string, key: boolean, named: boolean, found: (hit: Hit) => void): void {
  const s = text.replace(/^[.-]{1,8}|[._-]{1,8}$/g, "");
  if (s.length < 3) return;
  if (!s.includes(".")) {
    const hash = /\d/.test(s) && /[a-f]/i.test(s) ? readHash(s) : undefined;
    const other = hash ?? (s.startsWith("AS") ? readASN(s.replace(/^ASN/, "AS")) : undefined) ?? (before === "asn" ? readASN(`AS${s}`) : undefined);
    const hit = other ?? (s.includes("_") ? ja4(s) : undefined);
    if (hit) found(hit);
    return;
  }
  if (/^[\d.]+$/.test(s)) {
    const value = /^(v|ver|version|build|release|id)$/.test(before) && !named ? undefined : readAddress(s);
    if (value) found({ kind: "ip", value });
    return;
  }
  const name = readName(s);
  const last = s.slice(s.lastIndexOf(".") + 1);
  if (name === undefined || (!named && (key || !knownSuffix(name) || fileLike(name) || /^[A-Z][a-z]/.test(last)))) return;
  if (!/\.([a-z]{2,63}|xn--[0-9a-z-]+)$/.test(name)) return;
  const form = { kind: looksRegistrable(name) ? "domain" : "hostname", value: name };
  found(knownSuffix(name) ? form : { ...form, given: true });
}

function ja4(s: string): Hit | undefined {
  const form = readJA4(s);
  return form && { ...form, given: true };
}
