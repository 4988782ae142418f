import { readAddress, readEndpoint, readNetwork, isPort } from "./address.ts";
import { dropInvisible, plain, rejoin, trimAround } from "./refang.ts";
import { fileLike, looksRegistrable } from "./suffixes.ts";

/** A value that has a form of its own. */
export interface Form {
  kind: string;
  /** Near to how the service writes it: reading it again gives the same. */
  value: string;
}

/** The most bytes of a value; the service refuses longer ones. */
export const maxValue = 4096;

/**
 * The kind that a value has by its form, as the service guesses it; none for what it
 * would take for the name of a mail rule. A name under any suffix has a form here: only
 * the service has the list of public suffixes.
 */
export function guess(raw: string): Form | undefined {
  if (raw.length > maxValue || !mayHaveForm(raw) || /[\x00-\x1f\x7f-\x9f]/.test(raw.trim())) return undefined;
  const text = trimAround(plain(raw));
  if (text === "") return undefined;
  return readNet(text) ?? readURL(raw) ?? readEmail(text) ?? readPair(raw) ?? readHash(raw.trim()) ?? readASN(text) ?? readListedName(text);
}

/** Whether text may have a form, or hold what has one: most words do not, and that is seen at once. */
export function mayHaveForm(text: string): boolean {
  return text.length >= 32 || /[\d.:。．｡：。@>→＞]|dot/i.test(text);
}

/** Address or network. */
export function readNet(text: string): Form | undefined {
  const network = readNetwork(text);
  if (network) return { kind: network.kind, value: network.text };
  const e = readEndpoint(text);
  return e && { kind: "ip", value: e.address };
}

const hashes: Record<number, string> = { 32: "md5", 40: "sha1", 64: "sha256", 128: "sha512" };

/** A hash of a file, also behind the name of its algorithm. */
export function readHash(raw: string): Form | undefined {
  if (raw.length > 160) return undefined;
  const s = raw.toLowerCase();
  const colon = s.indexOf(":");
  const hex = s.slice(colon + 1).trim();
  const algorithm = hashes[hex.length];
  if (!algorithm || !/^[0-9a-f]+$/.test(hex)) return undefined;
  if (colon >= 0 && s.slice(0, colon).trim().replaceAll("-", "") !== algorithm) return undefined;
  return { kind: "file_hash", value: hex };
}

/** AS64500; a bare number is none. */
export function readASN(text: string): Form | undefined {
  const m = /^as\s{0,4}(\d{1,10})$/i.exec(text);
  const n = Number(m?.[1]);
  return m && n <= 0xffff_ffff ? { kind: "asn", value: `AS${n}` } : undefined;
}

/** JA4, JA4S or JA4H. */
export function readJA4(text: string): Form | undefined {
  const form = /^([tqd]\d{2}[di]\d{4}[0-9a-z]{2}_[0-9a-f]{12}_[0-9a-f]{12}|[tqd]\d{6}_[0-9a-f]{4}_[0-9a-f]{12}|[a-z]{2}\d{2}[cn][rn]\d{2}[0-9a-z]{4}_[0-9a-f]{12}_[0-9a-f]{12}_[0-9a-f]{12})$/i;
  return text.length < 64 && form.test(text) ? { kind: "ja4", value: text.toLowerCase() } : undefined;
}

/** A name of two labels or more in lower-case ASCII, without a final dot. */
export function readName(text: string): string | undefined {
  if (text.length > 253 * 4) return undefined;
  let name = text.endsWith(".") ? text.slice(0, -1) : text;
  if (/[^\x00-\x7f]/.test(name)) {
    const ascii = toASCII(name);
    if (!ascii) return undefined;
    name = ascii;
  }
  name = name.toLowerCase();
  if (name.length > 253) return undefined;
  const labels = name.split(".");
  const last = labels[labels.length - 1] ?? "";
  if (labels.length < 2 || !labels.every((l) => /^[0-9a-z_-]{1,63}$/.test(l))) return undefined;
  return /^\d+$|^0x[0-9a-f]*$/.test(last) ? undefined : name;
}

/** An internationalised name as browsers and resolvers send it. */
function toASCII(name: string): string | undefined {
  if (!/^[\p{L}\p{M}\p{N}._\u200c\u200d-]+$/u.test(name)) return undefined;
  try {
    return new URL(`http://${name}/`).hostname || undefined;
  } catch {
    return undefined;
  }
}

/** A name, with or without a port, as a domain or hostname. */
export function nameForm(text: string): Form | undefined {
  const colon = text.lastIndexOf(":");
  const name = readName(colon > 0 && isPort(text.slice(colon + 1)) ? text.slice(0, colon) : text);
  return name === undefined ? undefined : { kind: looksRegistrable(name) ? "domain" : "hostname", value: name };
}

/** A name that a list has; one that ends like a file is none. */
function readListedName(text: string): Form | undefined {
  const form = nameForm(text);
  if (!form || fileLike(form.value)) return undefined;
  return /\.([a-z]{2,63}|xn--[0-9a-z-]+)$/.test(form.value) ? form : undefined;
}

/** A mail address, also with a display name or a scheme. */
export function readEmail(text: string): Form | undefined {
  let s = text;
  const open = s.lastIndexOf("<");
  if (open >= 0 && s.endsWith(">")) s = trimAround(s.slice(open));
  if (/^mailto:/i.test(s)) s = s.slice(7).split("?")[0] ?? "";
  else if (/^smtp:/i.test(s)) s = s.slice(5);
  const at = s.lastIndexOf("@");
  if (at < 1) return undefined;
  const local = s.slice(0, at).toLowerCase();
  const domain = readName(s.slice(at + 1));
  if (domain === undefined || local.length > 256 || /[\s"<>()[\]:;,@\\]/.test(local)) return undefined;
  const value = `${local}@${domain}`;
  return trimAround(plain(value)) === value ? { kind: "email", value } : undefined;
}

/** SPOOFED>INFRASTRUCTURE, also with an arrow. */
export function readPair(raw: string): Form | undefined {
  const sides = raw.replaceAll("->", ">").replaceAll("→", ">").replaceAll("＞", ">").split(">");
  const [left, right] = [pairSide(sides[0] ?? "", true), pairSide(sides[1] ?? "", false)];
  return sides.length === 2 && left && right ? { kind: "spoof_pair", value: `${left.value}>${right.value}` } : undefined;
}

/** One side of a pair: an address, a network, a name, on the left also a mail address; none has a port. */
export function pairSide(raw: string, mayBeEmail: boolean): Form | undefined {
  const s = trimAround(plain(raw));
  const address = readAddress(s);
  if (address) return { kind: "ip", value: address };
  const network = readNetwork(s);
  if (network) return { kind: network.kind, value: network.text };
  if (mayBeEmail && s.includes("@")) return readEmail(s);
  const name = readName(s);
  return name === undefined ? undefined : { kind: looksRegistrable(name) ? "domain" : "hostname", value: name };
}

/** A URL with scheme and host; what stands before the host and behind # goes. */
export function readURL(raw: string): Form | undefined {
  const whole = trimAround(rejoin(dropInvisible(raw)).split("#")[0] ?? "");
  const end = authorityEnd(whole);
  const head = plain(whole.slice(0, end));
  const colon = head.indexOf("://");
  if (colon < 1) return undefined;
  const scheme = readScheme(head.slice(0, colon));
  let host = head.slice(colon + 3);
  if (!scheme || host.includes("\\")) return undefined;
  host = host.slice(host.lastIndexOf("@") + 1);
  const named = hostForm(host, scheme);
  if (!named) return undefined;
  const tail = whole.slice(end).replace(/^／/, "/").replace(/^？/, "?");
  const path = tail.startsWith("/") ? tail : `/${tail}`;
  return { kind: "url", value: escapePath(trimAround(`${scheme}://${named.written}${path}`)) };
}

/** What may not stand in a URL as escapes, in upper case. */
function escapePath(text: string): string {
  const upper = text.replace(/%[0-9a-f]{2}/gi, (e) => e.toUpperCase());
  return upper.replace(/[^\x21-\x7e]+|["<>\\^`{|}]/gu, (run) => {
    const bytes = new TextEncoder().encode(run);
    return Array.from(bytes, (b) => `%${b.toString(16).toUpperCase().padStart(2, "0")}`).join("");
  });
}

const defaultPorts: Record<string, number> = { http: 80, ws: 80, https: 443, wss: 443, ftp: 21, ssh: 22, sftp: 22, ldap: 389, smb: 445 };

/** The host of a URL's authority, and how it is written with its port. */
export function hostForm(authority: string, scheme = ""): { form: Form; written: string } | undefined {
  const colon = authority.lastIndexOf(":");
  const hasPort = colon >= 0 && isPort(authority.slice(colon + 1));
  const host = hasPort ? authority.slice(0, colon) : authority.replace(/:$/, "");
  const number = hasPort ? Number(authority.slice(colon + 1)) : 0;
  const port = number === 0 || number === defaultPorts[scheme] ? "" : `:${number}`;
  const inBrackets = host.startsWith("[") && host.endsWith("]");
  const address = readAddress(inBrackets ? host.slice(1, -1) : host);
  if (address && (inBrackets || !address.includes(":"))) {
    return { form: { kind: "ip", value: address }, written: (address.includes(":") ? `[${address}]` : address) + port };
  }
  const form = nameForm(host);
  return form && { form, written: form.value + port };
}

function authorityEnd(s: string): number {
  let slashes = 0;
  for (let i = 0; i < s.length; i++) {
    const c = s[i];
    if (c === "/" || c === "／") {
      if (++slashes > 2) return i;
    } else if (c === "?" || c === "？") return i;
  }
  return s.length;
}

/** A scheme as it was before somebody disarmed it. */
export function readScheme(text: string): string | undefined {
  const s = text.trim().toLowerCase();
  const armed = { hxxp: "http", hxxps: "https", "h**p": "http", "h**ps": "https", fxp: "ftp", fxps: "ftps" }[s] ?? s;
  return /^[a-z][0-9a-z+.-]{0,31}$/.test(armed) ? armed : undefined;
}
