/** Who beyond a case's own tenant may be told about a value of a kind. */
export type Visibility = "infrastructure" | "identity" | "private";

/** A kind of the service's registry. */
export interface KindInfo {
  kind: string;
  visibility: Visibility;
  /** For people. */
  text: string;
}

/** The kinds of the registry, in its order; it is the service that reads values. */
export const kinds: readonly KindInfo[] = [
  { kind: "ip", visibility: "infrastructure", text: "IPv4 or IPv6 address" },
  { kind: "cidr", visibility: "infrastructure", text: "network" },
  { kind: "asn", visibility: "infrastructure", text: "autonomous system" },
  { kind: "domain", visibility: "infrastructure", text: "registrable domain" },
  { kind: "hostname", visibility: "infrastructure", text: "name below a domain" },
  { kind: "file_hash", visibility: "infrastructure", text: "MD5, SHA-1, SHA-256, SHA-512" },
  { kind: "ja4", visibility: "infrastructure", text: "JA4+ fingerprint" },
  { kind: "user_agent", visibility: "infrastructure", text: "user agent" },
  { kind: "app_id", visibility: "infrastructure", text: "application id" },
  { kind: "port_profile", visibility: "infrastructure", text: "open ports of an address" },
  { kind: "email", visibility: "identity", text: "mail address" },
  { kind: "url", visibility: "identity", text: "URL" },
  { kind: "spoof_pair", visibility: "identity", text: "spoofed sender > infrastructure" },
  { kind: "forward_to", visibility: "identity", text: "target of forwarding" },
  { kind: "rule_name", visibility: "identity", text: "name of a mail rule" },
  { kind: "rule_words", visibility: "identity", text: "keywords of a mail rule" },
  { kind: "account_pattern", visibility: "identity", text: "pattern of account names" },
  { kind: "phone", visibility: "private", text: "telephone number" },
  { kind: "account", visibility: "private", text: "account name" },
  { kind: "bank_account", visibility: "private", text: "bank account" },
  { kind: "session", visibility: "private", text: "session id" },
];

const byName = new Map(kinds.map((k) => [k.kind, k.visibility]));

/** The visibility of a kind; x_* are identity; undefined where there is no such kind. */
export function visibilityOf(kind: string): Visibility | undefined {
  return byName.get(kind) ?? (/^x_[a-z0-9_]{1,60}$/.test(kind) ? "identity" : undefined);
}

/** Whether a role may ask where values of a kind were seen; without keys (no role) all. */
export function mayAsk(role: string | undefined, kind: string): boolean {
  if (role === "ROLE_TENANT") return visibilityOf(kind) === "infrastructure";
  return role === undefined || role === "ROLE_ANALYST" || role === "ROLE_LEAD";
}

/**
 * The kinds that the service guesses by itself. Asked with an empty kind, it answers
 * for other readings too: an address that a case has as the target of forwarding.
 */
export const guessed: ReadonlySet<string> = new Set([
  "ip",
  "cidr",
  "asn",
  "domain",
  "hostname",
  "url",
  "email",
  "spoof_pair",
  "file_hash",
  "rule_name",
]);
