/** The tactics of ATT&CK, Enterprise, in the order of the matrix, and where else findings stand. */
export const tactics = [
  "reconnaissance",
  "resource-development",
  "initial-access",
  "execution",
  "persistence",
  "privilege-escalation",
  "defense-evasion",
  "credential-access",
  "discovery",
  "lateral-movement",
  "collection",
  "command-and-control",
  "exfiltration",
  "impact",
  "other",
] as const;

/** A tactic, or "other" for what has none that is known. */
export type Tactic = (typeof tactics)[number];

/**
 * Techniques of intrusions into mail and cloud accounts with their tactics: the same
 * facts as those of the exports (MITRE ATT&CK, Enterprise, 16.1). A test compares them.
 */
export const techniques: Readonly<Record<string, readonly [name: string, tactics: string]>> = {
  T1070: ["Indicator Removal", "defense-evasion"],
  "T1070.008": ["Clear Mailbox Data", "defense-evasion"],
  T1078: ["Valid Accounts", "defense-evasion initial-access persistence privilege-escalation"],
  "T1078.004": ["Cloud Accounts", "defense-evasion initial-access persistence privilege-escalation"],
  T1087: ["Account Discovery", "discovery"],
  "T1087.003": ["Email Account", "discovery"],
  "T1087.004": ["Cloud Account", "discovery"],
  T1098: ["Account Manipulation", "persistence privilege-escalation"],
  "T1098.001": ["Additional Cloud Credentials", "persistence privilege-escalation"],
  "T1098.002": ["Additional Email Delegate Permissions", "persistence privilege-escalation"],
  "T1098.003": ["Additional Cloud Roles", "persistence privilege-escalation"],
  "T1098.005": ["Device Registration", "persistence privilege-escalation"],
  T1110: ["Brute Force", "credential-access"],
  "T1110.001": ["Password Guessing", "credential-access"],
  "T1110.003": ["Password Spraying", "credential-access"],
  "T1110.004": ["Credential Stuffing", "credential-access"],
  T1114: ["Email Collection", "collection"],
  "T1114.002": ["Remote Email Collection", "collection"],
  "T1114.003": ["Email Forwarding Rule", "collection"],
  T1136: ["Create Account", "persistence"],
  "T1136.003": ["Cloud Account", "persistence"],
  T1199: ["Trusted Relationship", "initial-access"],
  "T1204.001": ["Malicious Link", "execution"],
  "T1204.002": ["Malicious File", "execution"],
  "T1213.002": ["Sharepoint", "collection"],
  "T1484.002": ["Trust Modification", "defense-evasion privilege-escalation"],
  T1526: ["Cloud Service Discovery", "discovery"],
  T1528: ["Steal Application Access Token", "credential-access"],
  T1530: ["Data from Cloud Storage", "collection"],
  T1534: ["Internal Spearphishing", "lateral-movement"],
  T1539: ["Steal Web Session Cookie", "credential-access"],
  "T1550.001": ["Application Access Token", "defense-evasion lateral-movement"],
  "T1550.004": ["Web Session Cookie", "defense-evasion lateral-movement"],
  "T1556.006": ["Multi-Factor Authentication", "credential-access defense-evasion persistence"],
  T1557: ["Adversary-in-the-Middle", "collection credential-access"],
  T1562: ["Impair Defenses", "defense-evasion"],
  "T1562.001": ["Disable or Modify Tools", "defense-evasion"],
  "T1562.008": ["Disable or Modify Cloud Logs", "defense-evasion"],
  T1564: ["Hide Artifacts", "defense-evasion"],
  "T1564.008": ["Email Hiding Rules", "defense-evasion"],
  T1566: ["Phishing", "initial-access"],
  "T1566.001": ["Spearphishing Attachment", "initial-access"],
  "T1566.002": ["Spearphishing Link", "initial-access"],
  T1621: ["Multi-Factor Authentication Request Generation", "credential-access"],
  T1656: ["Impersonation", "defense-evasion"],
  T1657: ["Financial Theft", "impact"],
};

const table = new Map(Object.entries(techniques));

/** What ATT&CK calls a technique; of a sub-technique that is not known its parent's name. */
export function nameOf(technique: string): string {
  return (table.get(technique) ?? table.get(parent(technique)))?.[0] ?? "";
}

/** The tactics of a technique in the order of the matrix; "other" where none is known. */
export function tacticsOf(technique: string): Tactic[] {
  const known = (table.get(technique) ?? table.get(parent(technique)))?.[1].split(" ") ?? [];
  const found = tactics.filter((t) => known.includes(t));
  return found.length > 0 ? found : ["other"];
}

function parent(technique: string): string {
  return technique.slice(0, 5);
}

/** Things by the first of their tactics, in the order of the matrix; each stands once. */
export function byTactic<T>(list: readonly T[], technique: (one: T) => string): { tactic: Tactic; list: T[] }[] {
  return tactics.map((tactic) => ({ tactic, list: list.filter((one) => tacticsOf(technique(one))[0] === tactic) })).filter((g) => g.list.length > 0);
}

/** A tactic as people write it: `Initial access`. */
export function tacticName(t: Tactic): string {
  return t.charAt(0).toUpperCase() + t.slice(1).replaceAll("-", " ");
}
