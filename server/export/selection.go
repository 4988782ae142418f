package export

import (
	"errors"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// Selection says what is to leave, and for whom. Exactly one of Case, Actor, Link,
// Values and All is set.
type Selection struct {
	Case   evidence.Ref
	Actor  string // an id or an alias of it
	Link   [2]evidence.Ref
	Values []evidence.Value // at most MaxValues
	// All is what the viewer reads of customers: of more than 5,000 cases those that
	// were changed last.
	All bool
	// Standing is an offer that lasts while cases come and go, so that one of them
	// must not end it: what may not leave stays, and is counted. Of an actor or of
	// all, and never clear, as nobody approves of what is yet to come.
	Standing bool
	// TLP is the label of the bundle: the most open one under which all of it may be
	// given on. Cases with a stricter label, or of a tenant with a stricter ceiling,
	// stay.
	TLP evidence.TLP
	// MinTier, unless 0, adds to a case those of other tenants that are linked to it
	// by this tier or better, and is what a link has to reach.
	MinTier link.Tier
	// From and To, where set, keep only what was seen between them.
	From, To time.Time
	// Without are values that stay.
	Without  []evidence.Value
	Receiver Receiver
	// AcceptEmptyDictionary lets green and clear bundles out of tenants of which
	// nobody said what names them, so that nothing could be looked for.
	AcceptEmptyDictionary bool
	// Approval is what a second lead got for this very bundle; a clear one needs it.
	Approval string
}

// Bounds of a selection.
const (
	MaxValues = 10_000
	// MaxWithout bounds the values that somebody keeps back, each of which may be of
	// several kinds.
	MaxWithout  = 1_000
	maxCases    = 5_000
	maxReceiver = 100
	// maxRelated is the number of cases up to which a bundle says how each pair is
	// related.
	maxRelated = 64
)

// Errors of a build, beside graph.ErrNotFound for what does not exist or may not
// be read.
var (
	// ErrTooManyCases is returned for a selection that is spread over too much.
	ErrTooManyCases = errors.New("the selection is of more than 5,000 cases; choose fewer values or a span of time")
	// ErrTooManyHeld is returned where so much names a victim that the dictionary is
	// at fault.
	ErrTooManyHeld = errors.New("more than 10,000 values name a tenant; a name or domain of a tenant's record is too common")
	// ErrApproval is returned for an approval that is not of this bundle, or is over.
	ErrApproval = errors.New("the approval is not for this bundle, or it is too old")
	// ErrOwnApproval is returned to who approved by himself.
	ErrOwnApproval = errors.New("a second lead has to approve")
	// ErrNoSecond is returned where there are no keys, so that nobody is a second lead.
	ErrNoSecond = errors.New("a clear bundle needs a second lead, and without keys there is none")
	// ErrDismissed is returned for a case that turned out to be none.
	ErrDismissed = errors.New("the case is dismissed, and what it says is no evidence")
	// ErrWeakLink is returned for a link below the lowest tier asked for.
	ErrWeakLink = errors.New("the two cases are not linked by this tier or better")
)

// NeedsApprovalError is returned for a clear bundle that nobody else approved of.
type NeedsApprovalError struct{ Digest string }

func (e *NeedsApprovalError) Error() string {
	return "a clear bundle needs the approval of a second lead: bundle " + e.Digest
}

// EmptyDictionaryError is returned for a tenant of which nobody said what names it,
// so that nothing could be looked for.
type EmptyDictionaryError struct{ Tenant string }

func (e *EmptyDictionaryError) Error() string {
	return e.Tenant + ": nobody said what names this tenant, so nothing could be looked for; its record takes names, domains and networks"
}

// LabelError is returned for a case that may not leave under the label asked for.
type LabelError struct {
	Ref   evidence.Ref
	Own   evidence.TLP // its label, or the ceiling of its tenant
	Under evidence.TLP
	// Ceiling says that it is the tenant's.
	Ceiling bool
}

func (e *LabelError) Error() string {
	if e.Ceiling {
		return fmt.Sprintf("%s: the ceiling of the tenant is tlp:%s, stricter than tlp:%s", e.Ref, e.Own, e.Under)
	}
	return fmt.Sprintf("%s is labelled tlp:%s, stricter than tlp:%s", e.Ref, e.Own, e.Under)
}

// VictimError is returned where something that is about to leave names a victim.
// It names the field and never what stands there.
type VictimError struct {
	Field  string
	Reason string
}

func (e *VictimError) Error() string { return e.Field + ": " + e.Reason }

// check returns what is wrong with a selection, as an *evidence.InvalidError.
func (s *Selection) check() error {
	set := 0
	for _, is := range []bool{s.Case != evidence.Ref{}, s.Actor != "", s.Link != [2]evidence.Ref{}, len(s.Values) > 0, s.All} {
		if is {
			set++
		}
	}
	switch {
	case set != 1:
		return invalid("selection", evidence.ReasonRequired, "exactly one of case_ref, actor, link and observables is needed")
	case s.TLP == "":
		return invalid("selection.tlp", evidence.ReasonRequired, "a label is needed: red, amber+strict, amber, green or clear")
	case openness(s.TLP) < 0:
		return invalid("selection.tlp", evidence.ReasonTLPUnknown, "the labels are red, amber+strict, amber, green and clear")
	case len(s.Values) > MaxValues:
		return invalid("selection.observables", "TOO_MANY", "at most 10,000")
	case !s.From.IsZero() && !s.To.IsZero() && s.To.Before(s.From):
		return invalid("selection.to", "OUT_OF_RANGE", "the end is before the beginning")
	case s.All && !s.Standing, s.Standing && (s.TLP == evidence.TLPClear || !s.All && s.Actor == ""):
		return invalid("selection", "NOT_ALLOWED", "what lasts is of an actor or of all, and not clear")
	case len(s.Receiver.Name) > maxReceiver || !plain(s.Receiver.Name):
		return invalid("selection.receiver", "NOT_TEXT", "at most 100 bytes of plain text")
	case s.Link != [2]evidence.Ref{} && s.Link[0] == s.Link[1]:
		return invalid("selection.link.b", "SAME_CASE", "a link has two cases")
	}
	return nil
}

func plain(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

func invalid(path, reason, message string) error {
	return &evidence.InvalidError{Violations: []evidence.Violation{{Path: path, Reason: reason, Message: message}}, Total: 1}
}

// within reports whether something that was seen in a span is wanted. What has no
// time is, unless a time is asked for.
func (s *Selection) within(first, last time.Time) bool {
	if s.From.IsZero() && s.To.IsZero() {
		return true
	}
	if last.IsZero() {
		return false
	}
	return (s.From.IsZero() || !last.Before(s.From)) && (s.To.IsZero() || !first.After(s.To))
}
