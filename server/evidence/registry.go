package evidence

import "strings"

// KindInfo describes a kind of the registry.
type KindInfo struct {
	Kind        Kind
	Visibility  Visibility
	Description string
	Example     string // as an analyst may write it
}

// kindEntry is a row of the registry. read gets text that is valid UTF-8, not
// empty, trimmed, free of control characters and at most MaxValueBytes long.
type kindEntry struct {
	KindInfo
	read func(k Kind, raw string) (reading, *flaw)
}

// reading is what a reader makes of one value.
type reading struct {
	Value
	written string
	facts   []Fact
	parts   []part // of a spoof pair
}

// registry is the only place where kinds are listed. A Private kind's reader
// only normalises; hashing comes after it, for all of them alike.
var registry = [...]kindEntry{
	{KindInfo{KindIP, Infrastructure, "IPv4 or IPv6 address", "198.51[.]100.7:443"}, readIP},
	{KindInfo{KindCIDR, Infrastructure, "network in CIDR notation", "198.51.100.0/24"}, readCIDR},
	{KindInfo{KindASN, Infrastructure, "autonomous system number", "AS64500"}, readASN},
	{KindInfo{KindDomain, Infrastructure, "registrable domain", "example[.]com"}, readName},
	{KindInfo{KindHostname, Infrastructure, "name below a registrable domain", "mail.example.com"}, readName},
	{KindInfo{KindFileHash, Infrastructure, "MD5, SHA-1, SHA-256 or SHA-512 in hexadecimal", "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}, readFileHash},
	{KindInfo{KindJA4, Infrastructure, "JA4+ fingerprint", "t13d1516h2_8daaf6152771_b186095e22b6"}, readJA4},
	{KindInfo{KindUserAgent, Infrastructure, "user agent string", "python-requests/2.31.0"}, readUserAgent},
	{KindInfo{KindAppID, Infrastructure, "application id", "{00000003-0000-0000-c000-000000000000}"}, readAppID},
	{KindInfo{KindPortProfile, Infrastructure, "open ports of one address", "21,135,445,3389"}, readPortProfile},
	{KindInfo{KindEmail, Identity, "mail address", "billing[@]example[.]com"}, readEmail},
	{KindInfo{KindURL, Identity, "URL with scheme", "hxxps://example[.]com/login"}, readURL},
	{KindInfo{KindSpoofPair, Identity, "spoofed sender and the infrastructure allowed to send as it", "example.com>198.51.100.0/24"}, readSpoofPair},
	{KindInfo{KindForwardTo, Identity, "address or domain that mail is forwarded to", "smtp:drop@example.com"}, readForwardTo},
	{KindInfo{KindRuleName, Identity, "name of a mail rule", "Copy of Block Spoofing"}, readRuleName},
	{KindInfo{KindRuleWords, Identity, "keywords of a mail rule", "invoice payment wire"}, readRuleWords},
	{KindInfo{KindAccountPattern, Identity, "pattern of the names of created accounts", "helpdesk-<digits>"}, readAccountPattern},
	{KindInfo{KindPhone, Private, "telephone number with country code", "+1 202 555 0143"}, readPhone},
	{KindInfo{KindAccount, Private, "account name", "alex@example.com"}, readAccount},
	{KindInfo{KindBankAccount, Private, "bank account number", "GB33 BUKB 2020 1555 5555 55"}, readBankAccount},
	{KindInfo{KindSession, Private, "session id", "005c1d2e-5f1a-4ab1-9fd0-6c41ba9a4c7b"}, readSession},
}

const (
	ownKindPrefix   = "x_"
	maxOwnKindBytes = len(ownKindPrefix) + 60
)

// Kinds returns the registry in order, without the deployment's own kinds.
func Kinds() []KindInfo {
	infos := make([]KindInfo, len(registry))
	for i, e := range registry {
		infos[i] = e.KindInfo
	}
	return infos
}

// KindVisibility returns who may be told about values of a kind, and false for
// a kind that is neither in the registry nor a well-formed x_*.
func KindVisibility(k Kind) (Visibility, bool) {
	e, ok := lookupKind(k)
	return e.Visibility, ok
}

func lookupKind(k Kind) (kindEntry, bool) {
	for i := range registry {
		if registry[i].Kind == k {
			return registry[i], true
		}
	}
	name, own := strings.CutPrefix(string(k), ownKindPrefix)
	good := own && name != "" && len(k) <= maxOwnKindBytes && only(name, func(c byte) bool {
		return lowerAlnum(c) || c == '_'
	})
	if !good {
		return kindEntry{}, false
	}
	return kindEntry{KindInfo{Kind: k, Visibility: Identity}, readOwn}, true
}

// kindUnknown repeats only what looks like the name of a kind: somebody may
// have put the value there.
func kindUnknown(k Kind) *flaw {
	known := make([]string, len(registry))
	for i, e := range registry {
		known[i] = string(e.Kind)
	}
	sent := "this"
	if token(string(k), "_-") {
		sent = excerpt(string(k))
	}
	return flawf(ReasonKindUnknown, "%s is not a kind; known are %s and x_*", sent, strings.Join(known, ", "))
}
