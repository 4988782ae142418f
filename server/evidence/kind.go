package evidence

import "strings"

// Kind is the type of an observable's value.
type Kind string

// The kinds of the registry. Kinds that begin with "x_" are the deployment's
// own: stored and shown, never weighed.
const (
	KindIP             Kind = "ip"
	KindCIDR           Kind = "cidr"
	KindASN            Kind = "asn"
	KindDomain         Kind = "domain"
	KindHostname       Kind = "hostname"
	KindFileHash       Kind = "file_hash"
	KindJA4            Kind = "ja4"
	KindUserAgent      Kind = "user_agent"
	KindAppID          Kind = "app_id"
	KindPortProfile    Kind = "port_profile"
	KindEmail          Kind = "email"
	KindURL            Kind = "url"
	KindSpoofPair      Kind = "spoof_pair"
	KindForwardTo      Kind = "forward_to"
	KindRuleName       Kind = "rule_name"
	KindRuleWords      Kind = "rule_words"
	KindAccountPattern Kind = "account_pattern"
	KindPhone          Kind = "phone"
	KindAccount        Kind = "account"
	KindBankAccount    Kind = "bank_account"
	KindSession        Kind = "session"
)

// Own reports whether k is a deployment's own kind.
func (k Kind) Own() bool { return strings.HasPrefix(string(k), "x_") }

// Visibility says who beyond the case's own tenant may be told about a value.
type Visibility uint8

// The visibilities. A private value is known to the product as a keyed hash
// only.
const (
	Infrastructure Visibility = iota + 1
	Identity
	Private
)
