package export

import (
	"context"
	"iter"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// Bundle is a selection ready to be written. Everything in it may leave: who
// builds one has checked it. Times are UTC, and in whole seconds but for Created
// and Modified; zero where unknown.
//
// Nothing in it depends on a clock, so a selection of unchanged cases gives equal
// bundles, and a writer gives equal bytes for equal bundles.
type Bundle struct {
	// Scope is what identifiers are derived from, as in "case:4kq…", "actor:act-…",
	// "link:…" or "observables:…". It names no tenant and no case.
	Scope string
	// ID is derived from the scope and the receiver.
	ID UUID
	// Title is one line of at most 200 bytes that names no customer.
	Title string
	// TLP is the label with its prefix, as in "tlp:amber+strict".
	TLP string
	// First and Last are the span of what was seen.
	First, Last time.Time
	// Created and Modified are when the first of its cases was stored and when the
	// last of them was changed: whole milliseconds, never zero.
	Created, Modified time.Time
	// Model and Feeds are the versions behind likelihoods and classes.
	Model    uint32
	Feeds    string
	Producer Producer
	// Links are likelihoods between the cases of the bundle, by pseudonym.
	Links []Relation
	// Techniques are in order of id.
	Techniques []Technique
	// Actor is nil where the selection is none.
	Actor *Actor
	// Counts say what is in the bundle and what was left out.
	Counts Counts
	// Items yields every value once, in order of kind, then text. It may be walked
	// more than once, by one goroutine at a time, until the bundle is closed; an
	// error is its last element. Not all items are held in memory at once.
	Items iter.Seq2[Item, error]

	// Held says of the first values that were held back why.
	Held []VictimError
	// Tenants are those whose cases it is made of, sorted. It never leaves.
	Tenants []string

	receiver string
	digest   []byte
	// everybody is what names the tenants that the viewer reads, made when it is first
	// asked for.
	everybody     *guard
	makeEverybody func(context.Context) (*guard, error)
	close         func() error
}

// Names reports whether a text names a tenant that the viewer reads, also one of which
// nothing is in the bundle any more. It is for who adds to it, as what was handed on
// before, and for one goroutine.
func (b *Bundle) Names(ctx context.Context, text string) (bool, error) {
	if b.everybody == nil && b.makeEverybody != nil {
		var err error
		if b.everybody, err = b.makeEverybody(ctx); err != nil {
			return false, err
		}
	}
	return b.everybody != nil && b.everybody.scanner.Check(text) != "", nil
}

// Close gives back what the items are kept in.
func (b *Bundle) Close() error {
	if b.close == nil {
		return nil
	}
	return b.close()
}

// Derive returns the UUID of something in the bundle: equal for equal parts in
// every export of the same scope to the same receiver, and in no other.
func (b *Bundle) Derive(parts ...string) UUID {
	return NewUUID(Namespace(), append([]string{b.Scope, b.receiver}, parts...)...)
}

// Producer is who vouches for a bundle.
type Producer struct {
	Name string
	ID   UUID
}

// Relation says how likely two cases are of one actor.
type Relation struct {
	A, B       string  // pseudonyms; A is the smaller
	Likelihood float64 // 0 to 1
	Tier       string  // possible, probable, strong, confirmed
	Model      uint32
}

// Technique is an ATT&CK technique that was seen.
type Technique struct {
	ID   string // T1234 or T1234.001
	Name string // of the technique or sub-technique alone, "" if unknown here
	// Tactics are kill-chain phases as ATT&CK writes them in STIX, sorted.
	Tactics     []string
	Count       uint32 // records behind it, 0 if unknown
	First, Last time.Time
}

// Actor is a cluster of cases.
type Actor struct {
	ID      string // act-…
	Name    string // unique in the world: ELS-<producer>-<id>
	Aliases []string
	Cases   int
}

// Counts are for people and for plausibility checks of receivers.
type Counts struct {
	Cases      int // that the bundle is made of
	Items      int
	Indicators int
	// Denied are observables that never leave, by kind or because they were only
	// spoofed: those name somebody who was impersonated.
	Denied map[string]int
	// TooStrict are cases of the selection that are not in the bundle: their label,
	// or the ceiling of their tenant, keeps them.
	TooStrict int
	// Unseen are values that were asked for and are in no case that may be told of.
	Unseen int
	// Unnamed are cases that stay because nobody said what names their tenant, Beyond
	// those that there are too many of, and HeldBack values that name a victim: of
	// what lasts (Selection.Standing), for which they are no error.
	Unnamed, Beyond, HeldBack int
}

// Item is one value.
type Item struct {
	Value evidence.Value
	// Written is the value as people know it where Value.Text is folded (names of
	// mail rules), else Value.Text.
	Written string
	// Indicator says that the value may be blocked or searched for by machines. All
	// else is context, and Reason says why.
	Indicator bool
	// Watch marks context that the actor chose, which belongs into lists for
	// people: a host below a mail provider that he let through.
	Watch  bool
	Reason string
	// Roles and Techniques are sorted.
	Roles, Techniques []string
	// Class is what the value is now, as in hosting; ClassReasons name the lists.
	Class        string
	ClassReasons []string
	ASN          uint32 // 0: unknown
	First, Last  time.Time
	// ValidUntil is when the freshness falls below the threshold of its class. Zero
	// where Last is.
	ValidUntil time.Time
	// Score is the freshness at Bundle.Last, 0 to 100.
	Score float64
	// Created and Modified are as in Bundle, of the cases that have the value.
	Created, Modified time.Time
	// Cases are pseudonyms, stable per receiver, sorted; at most MaxItemCases.
	Cases []string
	// Round is how often the value was withdrawn before. That is for ever in some
	// formats, so that it comes back under other identifiers.
	Round uint32
	// Withdrawn says that the value was sent before and is gone or over. It is set
	// by who keeps a ledger of that, never by who builds the bundle.
	Withdrawn bool
	// Note says in words what the value did.
	Note string
	// Facts are sourced statements about the value, in order.
	Facts []Fact
	// Count is how many records stand behind the value, 0 if unknown.
	Count uint32

	// origin is the field that the value comes from, for errors.
	origin string
}

// MaxItemCases bounds Item.Cases.
const MaxItemCases = 100

// Fact is a sourced, dated statement about a value, as in open_port 3389.
type Fact struct {
	Name, Value, Source string
	At                  time.Time
}

// Receiver is who a bundle is for. Pseudonyms and identifiers differ between
// receivers, so that two of them cannot put together what they were sent.
type Receiver struct {
	// Name is 1 to 100 bytes of plain text, as in "misp.example.org".
	Name string
}
