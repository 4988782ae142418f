package evidence

import (
	"strings"
	"time"
)

// Ref names a case within the deployment. Refs are ordered bytewise, tenant
// first.
type Ref struct {
	Tenant string // [a-z0-9][a-z0-9-]{0,62}
	Case   string // 1-128 of [A-Za-z0-9._:#-]
}

// String returns tenant/case.
func (r Ref) String() string { return r.Tenant + "/" + r.Case }

// Compare orders refs bytewise by tenant, then by case.
func (r Ref) Compare(o Ref) int {
	if c := strings.Compare(r.Tenant, o.Tenant); c != 0 {
		return c
	}
	return strings.Compare(r.Case, o.Case)
}

// Case is one parsed investigation. Times are UTC; the zero time means unknown.
type Case struct {
	Ref
	Title                    string
	Kind                     string // vocabulary; "" when unset
	State                    State
	OpenedAt, ClosedAt       time.Time
	EvidenceFrom, EvidenceTo time.Time
	TLP                      TLP
	Restricted               bool
	Source                   string
	Labels                   map[string]string
	References               []string
	Findings                 []Finding // in order of submission
}

// Live reports whether the case is a candidate for links and counts in every
// number: it is neither dismissed, restricted nor tlp:red.
func (c *Case) Live() bool {
	return c.State != Dismissed && !c.Restricted && c.TLP != TLPRed
}

// Finding is one observed behaviour.
type Finding struct {
	ID                  string
	Technique           string // T1234, T1234.001 or ""
	Operation           string
	Outcome             Outcome
	FirstSeen, LastSeen time.Time
	Count               uint32
	Summary             string
	Facts               []Fact
	// Observables hold, besides what was submitted, what the parser derives
	// (the parts of a spoof pair). One value in one spelling stands here once.
	Observables []Observable
}

// Observable is a value as one finding saw it.
type Observable struct {
	Value
	// Written is the value as submitted where normalising loses something a
	// reader needs (names of mail rules); "" elsewhere.
	Written             string
	Roles               []string // sorted, at least one
	FirstSeen, LastSeen time.Time
	Count               uint32
	Facts               []Fact
}

// Fact is a named, sourced, dated statement. It never correlates.
type Fact struct {
	Name, Value, Source string
	ObservedAt          time.Time
}

// Value is the identity of an observable: equal values are one node of the
// graph, whoever saw them.
type Value struct {
	Kind Kind
	Text string // normalised
}

// Compare orders values bytewise by kind, then by text.
func (v Value) Compare(o Value) int {
	if c := strings.Compare(string(v.Kind), string(o.Kind)); c != 0 {
		return c
	}
	return strings.Compare(v.Text, o.Text)
}

// State is where a case stands.
type State uint8

// The states of a case. Dismissed cases are kept, never link and never count.
const (
	Open State = iota + 1
	Closed
	Dismissed
)

// Outcome is whether a behaviour succeeded; zero is unknown.
type Outcome uint8

// The outcomes of a finding.
const (
	Succeeded Outcome = iota + 1
	Failed
	Partial
)

// TLP is the traffic light protocol label, version 2. It gates what leaves the
// deployment.
type TLP string

// The labels, strictest first. An unset label is read as TLPAmberStrict.
const (
	TLPRed         TLP = "red"
	TLPAmberStrict TLP = "amber+strict"
	TLPAmber       TLP = "amber"
	TLPGreen       TLP = "green"
	TLPClear       TLP = "clear"
)

// Roles that the model knows. Others are kept and weighed as RoleReferenced.
const (
	RoleLoginSource           = "login_source"
	RoleAllowListed           = "allow_listed"
	RoleSendingInfrastructure = "sending_infrastructure"
	RoleSpoofed               = "spoofed"
	RoleForwardTarget         = "forward_target"
	RoleCreated               = "created"
	RoleReferenced            = "referenced"
)

// Limits of one case.
const (
	MaxObservables = 10_000
	MaxFindings    = 1_000
	MaxCaseBytes   = 10 << 20
	MaxValueBytes  = 4 << 10
)
