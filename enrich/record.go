package enrich

import (
	"fmt"
	"time"
)

// Status says how a question to a source ended. The zero value is NotLookedUp:
// a value that nobody asked about is never taken for a clean one.
type Status uint8

// The statuses.
const (
	// NotLookedUp: the source was not asked; Detail says why.
	NotLookedUp Status = iota
	// OK: the source answered and knows the value.
	OK
	// NoData: the source answered and does not know the value.
	NoData
	// Quota: the source was not asked, or refused, because a quota is used up.
	Quota
	// Error: the source was asked and its answer is missing or unusable.
	Error
)

// String returns the word that is used on the wire and in the store.
func (s Status) String() string {
	switch s {
	case NotLookedUp:
		return "not_looked_up"
	case OK:
		return "ok"
	case NoData:
		return "no_data"
	case Quota:
		return "quota"
	case Error:
		return "error"
	}
	return fmt.Sprintf("status(%d)", uint8(s))
}

// Answered reports whether the source itself said something about the value.
// Only such answers are kept.
func (s Status) Answered() bool { return s == OK || s == NoData }

// MarshalText implements encoding.TextMarshaler.
func (s Status) MarshalText() ([]byte, error) {
	if s > Error {
		return nil, fmt.Errorf("%s has no name", s)
	}
	return []byte(s.String()), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Status) UnmarshalText(text []byte) error {
	for c := NotLookedUp; c <= Error; c++ {
		if c.String() == string(text) {
			*s = c
			return nil
		}
	}
	return fmt.Errorf("unknown status of %d bytes", len(text))
}

// Field is one named statement about a value.
type Field struct {
	// Name is one of the field names of this package, or a source's own.
	Name string `json:"name"`
	// Value is text in its usual written form; "" unless Status is OK.
	Value string `json:"value,omitempty"`
	// Source is the name of the file, feed or service; the Enricher puts the name
	// of the asked source where a local one leaves it out, and for third parties.
	Source string `json:"source"`
	// DataDate is the state of the source's data; zero is unknown.
	DataDate time.Time `json:"data_date,omitzero"`
	// LookedUpAt is when the source was asked; zero when it was not.
	LookedUpAt time.Time `json:"looked_up_at,omitzero"`
	Status     Status    `json:"status"`
	// Stale marks a kept answer that is past its time and will be asked again.
	Stale bool `json:"stale,omitempty"`
	// CaseTime marks what a case stated when it was submitted. A look-up never
	// replaces such a field.
	CaseTime bool `json:"case_time,omitempty"`
	// Detail is for people: the entry that matched, or why there is no value.
	Detail string `json:"detail,omitempty"`
}

// The names of fields that more than one source or reader uses. A name may occur
// several times in a record: all answers are kept.
const (
	FieldScope         = "scope" // public, private, shared, documentation, reserved, ...
	FieldASN           = "asn"   // decimal, without "AS"
	FieldASOrg         = "as_org"
	FieldPrefix        = "prefix"
	FieldCountry       = "country" // ISO 3166-1 alpha-2
	FieldCity          = "city"
	FieldProvider      = "provider"
	FieldRegion        = "region"
	FieldService       = "service"
	FieldUsageType     = "usage_type"
	FieldISP           = "isp"
	FieldDomain        = "domain"
	FieldHostname      = "hostname"
	FieldAnonymity     = "anonymity" // vpn, tor, residential_proxy, hosting, ...
	FieldAbuseScore    = "abuse_score"
	FieldReports       = "reports"
	FieldReporters     = "reporters"
	FieldLastReport    = "last_report" // RFC 3339
	FieldReportWindow  = "report_window_days"
	FieldWhitelisted   = "whitelisted"
	FieldAttribution   = "attribution"
	FieldReportedHosts = "reported_addresses"
)

// Answer is what one source says about one value. A source fills Status, Fields,
// Claims, Detail and, for Quota, RetryAt; the Enricher fills the rest.
type Answer struct {
	Source     string    `json:"source"`
	Status     Status    `json:"status"`
	LookedUpAt time.Time `json:"looked_up_at,omitzero"`
	Stale      bool      `json:"stale,omitempty"`
	Detail     string    `json:"detail,omitempty"`
	// RetryAt is when asking again can make sense; zero is unknown.
	RetryAt time.Time `json:"retry_at,omitzero"`
	Fields  []Field   `json:"fields,omitempty"`
	Claims  []Claim   `json:"claims,omitempty"`
}

// Record is everything that the sources say about one value now.
type Record struct {
	Value Value
	// Class is what the value is, decided over the claims of all sources.
	Class Class
	// Fields are in the order of the sources; one that could not be asked is
	// there with its status for every field it would have filled.
	Fields []Field
	// Answers are the sources' own statuses, without fields and claims.
	Answers []Answer
}

// WithCaseTime returns the record with what a case stated about the value put
// before what is known today. Neither replaces the other.
func (r Record) WithCaseTime(stated ...Field) Record {
	fields := make([]Field, 0, len(stated)+len(r.Fields))
	for _, f := range stated {
		f.CaseTime, f.Stale = true, false
		fields = append(fields, f)
	}
	r.Fields = append(fields, r.Fields...)
	return r
}
