/** The version of ATT&CK that names and tactics are of. */
export const attackVersion = "16.1";

/** Tactics in the order in which ATT&CK has them, as people write them. */
export const tactics: readonly (readonly [id: string, name: string])[] = [
  ["reconnaissance", "Reconnaissance"],
  ["resource-development", "Resource Development"],
  ["initial-access", "Initial Access"],
  ["execution", "Execution"],
  ["persistence", "Persistence"],
  ["privilege-escalation", "Privilege Escalation"],
  ["defense-evasion", "Defense Evasion"],
  ["credential-access", "Credential Access"],
  ["discovery", "Discovery"],
  ["lateral-movement", "Lateral Movement"],
  ["collection", "Collection"],
  ["command-and-control", "Command and Control"],
  ["exfiltration", "Exfiltration"],
  ["impact", "Impact"],
];

/** A technique by what ATT&CK calls it. */
export interface Technique {
  name: string;
  /** By id, as in initial-access. */
  tactics: readonly string[];
}

/**
 * Techniques of intrusions into mail and cloud accounts. Facts from MITRE ATT&CK,
 * Enterprise, of the version above; the service has the same.
 */
const known: Readonly<Record<string, readonly [name: string, tactics: string]>> = {
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

/**
 * What is known of a technique: of a sub-technique that is not known itself, what is
 * known of the technique that it belongs to.
 */
export function technique(id: string): Technique | undefined {
  const at = Object.hasOwn(known, id) ? id : (id.split(".")[0] ?? "");
  const t = Object.hasOwn(known, at) ? known[at] : undefined;
  return t && { name: t[0], tactics: t[1].split(" ") };
}
