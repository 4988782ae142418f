package export

import "strings"

// AttackVersion is the version of ATT&CK that names and tactics are of.
const AttackVersion = "16.1"

// attackNames are techniques of intrusions into mail and cloud accounts with
// their tactics. Facts from MITRE ATT&CK, Enterprise, AttackVersion.
var attackNames = map[string]struct{ name, tactics string }{
	"T1070":     {"Indicator Removal", "defense-evasion"},
	"T1070.008": {"Clear Mailbox Data", "defense-evasion"},
	"T1078":     {"Valid Accounts", "defense-evasion initial-access persistence privilege-escalation"},
	"T1078.004": {"Cloud Accounts", "defense-evasion initial-access persistence privilege-escalation"},
	"T1087":     {"Account Discovery", "discovery"},
	"T1087.003": {"Email Account", "discovery"},
	"T1087.004": {"Cloud Account", "discovery"},
	"T1098":     {"Account Manipulation", "persistence privilege-escalation"},
	"T1098.001": {"Additional Cloud Credentials", "persistence privilege-escalation"},
	"T1098.002": {"Additional Email Delegate Permissions", "persistence privilege-escalation"},
	"T1098.003": {"Additional Cloud Roles", "persistence privilege-escalation"},
	"T1098.005": {"Device Registration", "persistence privilege-escalation"},
	"T1110":     {"Brute Force", "credential-access"},
	"T1110.001": {"Password Guessing", "credential-access"},
	"T1110.003": {"Password Spraying", "credential-access"},
	"T1110.004": {"Credential Stuffing", "credential-access"},
	"T1114":     {"Email Collection", "collection"},
	"T1114.002": {"Remote Email Collection", "collection"},
	"T1114.003": {"Email Forwarding Rule", "collection"},
	"T1136":     {"Create Account", "persistence"},
	"T1136.003": {"Cloud Account", "persistence"},
	"T1199":     {"Trusted Relationship", "initial-access"},
	"T1204.001": {"Malicious Link", "execution"},
	"T1204.002": {"Malicious File", "execution"},
	"T1213.002": {"Sharepoint", "collection"},
	"T1484.002": {"Trust Modification", "defense-evasion privilege-escalation"},
	"T1526":     {"Cloud Service Discovery", "discovery"},
	"T1528":     {"Steal Application Access Token", "credential-access"},
	"T1530":     {"Data from Cloud Storage", "collection"},
	"T1534":     {"Internal Spearphishing", "lateral-movement"},
	"T1539":     {"Steal Web Session Cookie", "credential-access"},
	"T1550.001": {"Application Access Token", "defense-evasion lateral-movement"},
	"T1550.004": {"Web Session Cookie", "defense-evasion lateral-movement"},
	"T1556.006": {"Multi-Factor Authentication", "credential-access defense-evasion persistence"},
	"T1557":     {"Adversary-in-the-Middle", "collection credential-access"},
	"T1562":     {"Impair Defenses", "defense-evasion"},
	"T1562.001": {"Disable or Modify Tools", "defense-evasion"},
	"T1562.008": {"Disable or Modify Cloud Logs", "defense-evasion"},
	"T1564":     {"Hide Artifacts", "defense-evasion"},
	"T1564.008": {"Email Hiding Rules", "defense-evasion"},
	"T1566":     {"Phishing", "initial-access"},
	"T1566.001": {"Spearphishing Attachment", "initial-access"},
	"T1566.002": {"Spearphishing Link", "initial-access"},
	"T1621":     {"Multi-Factor Authentication Request Generation", "credential-access"},
	"T1656":     {"Impersonation", "defense-evasion"},
	"T1657":     {"Financial Theft", "impact"},
}

// attack fills in what ATT&CK calls a technique.
func (t *Technique) attack() {
	known := attackNames[t.ID]
	t.Name, t.Tactics = known.name, strings.Fields(known.tactics)
}
