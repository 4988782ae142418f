/** Addresses and networks in text, as the service reads and writes them. */

/** An IPv4 address as four numbers; none where the text is not exactly one. */
function parse4(text: string): number[] | undefined {
  if (text.length > 15) return undefined;
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  const out: number[] = [];
  for (const p of parts) {
    // A leading zero is octal to some readers.
    if (!/^(0|[1-9]\d{0,2})$/.test(p) || Number(p) > 255) return undefined;
    out.push(Number(p));
  }
  return out;
}

/** An IPv6 address as eight numbers, without its zone. */
function parse6(text: string): number[] | undefined {
  if (text.length > 64 || !text.includes(":")) return undefined;
  const zone = text.indexOf("%");
  if (zone === text.length - 1) return undefined;
  let s = zone < 0 ? text : text.slice(0, zone);
  const dotted = s.lastIndexOf(":");
  if (s.includes(".")) {
    const v4 = parse4(s.slice(dotted + 1));
    if (!v4) return undefined;
    const [a = 0, b = 0, c = 0, d = 0] = v4;
    s = `${s.slice(0, dotted + 1)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  }
  const halves = s.split("::");
  if (halves.length > 2) return undefined;
  const groups = (half: string | undefined) => (half ? half.split(":") : []);
  const [left, right] = [groups(halves[0]), groups(halves[1])];
  const missing = 8 - left.length - right.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const all = [...left, ...Array<string>(halves.length === 2 ? missing : 0).fill("0"), ...right];
  if (!all.every((g) => /^[0-9a-f]{1,4}$/i.test(g))) return undefined;
  return all.map((g) => parseInt(g, 16));
}

function mapped(groups: readonly number[]): boolean {
  return groups.slice(0, 5).every((g) => g === 0) && groups[5] === 0xffff;
}

function text6(groups: readonly number[]): string {
  let best = { at: -1, n: 1 };
  for (let i = 0; i < 8; i++) {
    let n = 0;
    while (i + n < 8 && groups[i + n] === 0) n++;
    if (n > best.n) best = { at: i, n };
  }
  const hex = (list: readonly number[]) => list.map((g) => g.toString(16)).join(":");
  return best.at < 0 ? hex(groups) : `${hex(groups.slice(0, best.at))}::${hex(groups.slice(best.at + best.n))}`;
}

function text4(groups: readonly number[]): string {
  const [hi = 0, lo = 0] = groups.slice(6);
  return [hi >> 8, hi & 255, lo >> 8, lo & 255].join(".");
}

/** An address in its usual form, an IPv4 address in IPv6 as IPv4, without zone. */
export function readAddress(text: string): string | undefined {
  const v4 = parse4(text);
  if (v4) return v4.join(".");
  const v6 = parse6(text);
  if (!v6) return undefined;
  return mapped(v6) ? text4(v6) : text6(v6);
}

/** Address, address:port, [address]:port. */
export function readEndpoint(text: string): { address: string; port: boolean } | undefined {
  const address = readAddress(text);
  if (address) return { address, port: false };
  const colon = text.lastIndexOf(":");
  const host = colon < 0 ? text : text.slice(0, colon);
  if (colon < 0 || !isPort(text.slice(colon + 1))) return undefined;
  const inBrackets = host.startsWith("[") && host.endsWith("]");
  const inner = readAddress(inBrackets ? host.slice(1, -1) : host);
  if (!inner || (!inBrackets && inner.includes(":"))) return undefined;
  return { address: inner, port: text.slice(colon + 1) !== "0" };
}

/** Whether text is a port number. */
export function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65_535;
}

/** A network, masked; one of a single address is that address. */
export function readNetwork(text: string): { kind: "ip" | "cidr"; text: string } | undefined {
  const slash = text.indexOf("/");
  const size = text.slice(slash + 1);
  if (slash < 0 || !/^(0|[1-9]\d{0,2})$/.test(size) || text.includes("%")) return undefined;
  const host = text.slice(0, slash);
  const v4 = parse4(host);
  let bits = Number(size);
  let groups = v4 ? [0, 0, 0, 0, 0, 0xffff, ((v4[0] ?? 0) << 8) | (v4[1] ?? 0), ((v4[2] ?? 0) << 8) | (v4[3] ?? 0)] : parse6(host);
  if (!groups || bits > (v4 ? 32 : 128)) return undefined;
  const four = v4 !== undefined || (mapped(groups) && bits >= 96);
  if (v4) bits += 96;
  groups = groups.map((g, i) => g & (0xffff << Math.max(0, 16 - Math.max(0, bits - 16 * i))) & 0xffff);
  if (bits === 128) return { kind: "ip", text: four ? text4(groups) : text6(groups) };
  return { kind: "cidr", text: four ? `${text4(groups)}/${bits - 96}` : `${text6(groups)}/${bits}` };
}
