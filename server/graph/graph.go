// Package graph says what the store of cases, sightings and links guarantees.
//
// It knows evidence and the shape of a stored link; it must not know how links
// are weighed (server/link), who may see them (server/access) or any database.
// graph/badger keeps it in a folder, graph/graphtest is the suite that every
// backend passes whole.
//
// # What a live case is
//
// Only live cases (evidence.Case.Live) have sightings, count in a Summary or in
// Size, or are representatives. A restricted or tlp:red case has withheld
// sightings, read by Withheld alone; a dismissed case has none.
//
// # Dirty marks
//
// Every change leaves, in the batch that makes it, a mark on each value whose
// pairs may score differently from now on: all old values of the changed case,
// derived ones (evidence.Derive) as any other, and of the new ones those on which
// there are pairs (see Limits.Pairs). Where the spread of a value w changes so that
// pairs on other values may score differently (see Limits.Reaches), the mark asks
// for more: the other values of every case on w. The linker drains the marks
// through Queue. So link rows are, when no mark is left, a pure function of the
// live cases.
//
// What is not about values is listed beside the marks (Touched), in the batch that
// changes it: pairs that were reviewed, or of which a reviewed case changed, and
// cases that changed or of which a row did. So actors are, when nothing is listed any
// more, a pure function of the rows, the reviews and the times of the cases.
package graph

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// Caps of the model that the store has to know, because crossing one is a
// change for other cases. They are part of every model version so far.
const (
	// RepresentativesPerTenant is how many of a tenant's cases, by latest
	// sighting of a value, stand for the tenant on that value.
	RepresentativesPerTenant = 4
	// CandidateTenants is the number of tenants above which a value no longer
	// proposes pairs and nothing on it is explained.
	CandidateTenants = 64
	// ExplainingTenants is the number of tenants up to which one shared value
	// explains a case by itself.
	ExplainingTenants = 4
	// ExplainingCases is the number of live cases above which a value explains
	// nothing. It bounds the work when explaining power changes.
	ExplainingCases = CandidateTenants * RepresentativesPerTenant
	// ScoringTenants is the number of tenants above which a value scores 0.
	ScoringTenants = 512
)

// OutlineAbove is the number of values above which a case need not be read whole
// to be compared with another.
const OutlineAbove = 256

// Limits are the caps as values, so that a test can shrink them. The zero value
// means the constants above.
type Limits struct {
	RepresentativesPerTenant int
	CandidateTenants         int
	ExplainingTenants        int
	ExplainingCases          int
	ScoringTenants           int
}

// OrDefaults returns l with every zero field set to its constant.
func (l Limits) OrDefaults() Limits {
	def := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	def(&l.RepresentativesPerTenant, RepresentativesPerTenant)
	def(&l.CandidateTenants, CandidateTenants)
	def(&l.ExplainingTenants, ExplainingTenants)
	def(&l.ExplainingCases, ExplainingCases)
	def(&l.ScoringTenants, ScoringTenants)
	return l
}

// Power is how strongly a value that a third case shares with one end of a pair
// explains that case's presence on another value of the pair.
type Power uint8

// The powers of a value by its spread.
const (
	PowerNone    Power = iota // unused, or too common
	PowerPartial              // counts as one of several groups
	PowerFull                 // explains by itself
)

// Power returns the explaining power of a value with that many tenants and live
// cases.
func (l Limits) Power(tenants, cases int) Power {
	switch {
	case tenants == 0 || tenants > l.CandidateTenants || cases > l.ExplainingCases:
		return PowerNone
	case tenants <= l.ExplainingTenants:
		return PowerFull
	default:
		return PowerPartial
	}
}

// Reaches reports whether a change of a value's spread may change scores of pairs
// on other values: its explaining power changed for cases of two tenants that
// were on it already, or it begins to weigh again. A case that comes or goes
// marks its own values anyhow.
func (l Limits) Reaches(tenantsBefore, casesBefore, tenants, cases uint32) bool {
	if l.WeighsAgain(tenantsBefore, tenants) {
		return true
	}
	return tenantsBefore >= 2 &&
		l.Power(int(tenantsBefore), int(casesBefore)) != l.Power(int(tenants), int(cases))
}

// Pairs reports whether pairs on a value may score differently after a case came
// to it: not where it is in one tenant, so that there is none, nor where it was in
// too many already to propose or weigh anything. Other pairs of that case are
// found by the values that propose them.
func (l Limits) Pairs(tenantsBefore, tenants uint32) bool {
	return tenants > 1 && int(tenantsBefore) <= max(l.CandidateTenants, l.ScoringTenants)
}

// WeighsAgain reports whether a value was in too many tenants to weigh anything
// and no longer is.
func (l Limits) WeighsAgain(tenantsBefore, tenants uint32) bool {
	return int(tenantsBefore) > l.ScoringTenants && int(tenants) <= l.ScoringTenants
}

// ErrNotFound is returned for a case that the store does not hold.
var ErrNotFound = errors.New("no such case")

// ErrClosed is returned by every method of a store after Close.
var ErrClosed = errors.New("the store is closed")

// RevisionError reports that a case is not at the revision the caller expected.
type RevisionError struct {
	Ref               evidence.Ref
	Expected, Current uint32 // 0: no such case
}

func (e *RevisionError) Error() string {
	return fmt.Sprintf("%s is at revision %d, not %d", e.Ref, e.Current, e.Expected)
}

// StoredCase is a case with what the store adds to it.
type StoredCase struct {
	evidence.Case
	Meta
}

// Meta is what the store knows about a version of a case.
type Meta struct {
	Revision    uint32 // from 1, +1 with every change of content
	ContentHash [32]byte
	CreateTime  time.Time // of revision 1, UTC, microseconds
	UpdateTime  time.Time // of this revision
}

// Outcome is what a submit did.
type Outcome uint8

// The outcomes of a submit.
const (
	Created Outcome = iota + 1
	Replaced
	Unchanged
)

// Receipt answers a submit.
type Receipt struct {
	Outcome Outcome
	Meta
}

// Writer changes cases. It is safe for concurrent use. A call that has returned
// nil is durable: it survives the death of the process. A call that returns an
// error has changed nothing, except that after an error from ctx the change may
// or may not have happened. A change leaves the note of its context (WithNote).
type Writer interface {
	// Submit creates or replaces a case as one change. A case whose content hash
	// is the stored one is Unchanged and writes nothing. When expected is not
	// nil, *expected has to be the current revision (0: no such case), else the
	// error is a *RevisionError.
	Submit(ctx context.Context, c *evidence.Case, expected *uint32) (Receipt, error)
	// Delete removes a case as if it had never been submitted: afterwards every
	// answer, but for create times and revisions, is that of a store that never
	// held it. ErrNotFound if there is none.
	Delete(ctx context.Context, ref evidence.Ref) error
}

// Reader opens snapshots. It is safe for concurrent use.
type Reader interface {
	// View calls f with a snapshot that holds every change acknowledged before
	// the call. The snapshot and everything that it iterates end with f. View
	// returns what f returns.
	View(ctx context.Context, f func(Snapshot) error) error
	// Views is View with f called n times at once, each time on a goroutine and
	// with a snapshot of its own; all of them are of one state. f has to contain
	// its panics. Views returns when every call has, one of their errors if any.
	Views(ctx context.Context, n int, f func(Snapshot) error) error
}

// Snapshot is one unchanging state of the store. It is for one goroutine.
//
// Sequences yield a non-nil error at most once, as their last element. A key
// that the store does not hold is no error but an empty result, except where
// ErrNotFound is named.
type Snapshot interface {
	// Size is the number of live cases in tenants of type customer: N before
	// rounding.
	Size() (uint32, error)
	// Case returns a stored case, or ErrNotFound.
	Case(evidence.Ref) (*StoredCase, error)
	// Header is Case without the findings. It costs the same for a case of any size.
	Header(evidence.Ref) (*StoredCase, error)
	// Meta returns the stored version of a case, or ErrNotFound.
	Meta(evidence.Ref) (Meta, error)
	// Profile returns what linking reads of a case, dismissed and withheld ones
	// included, or ErrNotFound. The result is the caller's to keep but not to
	// change.
	Profile(evidence.Ref) (*evidence.Profile, error)
	// Outline is Profile, except that the profile of a case with more than
	// OutlineAbove values has Counts instead of Sightings.
	Outline(evidence.Ref) (*evidence.Profile, error)
	// Overlap is Profile, except that the profile of a case with more than
	// OutlineAbove values has Counts, and of Sightings at least those whose
	// value with has too and those of mail-rule names. It costs what the smaller
	// case costs.
	Overlap(ref evidence.Ref, with *evidence.Profile) (*evidence.Profile, error)
	// Cases yields stored cases after the given ref (exclusive; the zero Ref
	// starts at the beginning) in order of Ref, without their findings. A
	// tenant other than "" limits the sequence to that tenant.
	Cases(tenant string, after evidence.Ref) iter.Seq2[*StoredCase, error]
	// Summary returns the counts of a value; the zero Summary if it is in no
	// live case.
	Summary(evidence.Value) (Summary, error)
	// Spread returns the Tenants and Cases of Summary, and costs less.
	Spread(evidence.Value) (tenants, cases uint32, err error)
	// Holders returns who has a value. To ask again, while nobody changed a case with
	// it, costs the same whoever they are and however many cases they have.
	Holders(evidence.Value) (Holders, error)
	// HeldBefore returns what SightingsBefore yields of a value, put together by tenant.
	// To ask again costs as little as with Holders.
	HeldBefore(v evidence.Value, day time.Time) (Held, error)
	// Sightings yields the sightings of a value in live cases: by tenant
	// (bytewise), within a tenant by last sighting descending (whole seconds,
	// unknown last), then by case id ascending. It starts after the given
	// position; nil starts at the beginning.
	Sightings(v evidence.Value, after *Position) iter.Seq2[Sighting, error]
	// SightingsBefore is Sightings without those that were written, or changed, on
	// the UTC day of a time or later. It is exact for the day of the last change
	// and those after it; for a day before, it leaves out those of the last one.
	SightingsBefore(v evidence.Value, day time.Time, after *Position) iter.Seq2[Sighting, error]
	// SightingsIn yields, of the sightings of a value, the first few of each of these
	// tenants, which are sorted and distinct, in order of Sightings. It costs what
	// those cost, and no more than a look for each tenant; where each of them has the
	// value, that does not depend on who else has.
	SightingsIn(v evidence.Value, tenants []string, each int) iter.Seq2[Sighting, error]
	// Withheld is Sightings for restricted and tlp:red cases.
	Withheld(v evidence.Value, after *Position) iter.Seq2[Sighting, error]
	// Representatives returns, in order of Sightings, the first
	// RepresentativesPerTenant cases of each tenant. Nil when the value is in
	// more than CandidateTenants tenants.
	Representatives(evidence.Value) ([]evidence.Ref, error)
	// Rows yields the stored pair rows with an end in the tenant, in order of
	// that end, then of the other; each row once, at the smaller end if both are
	// in the tenant. It starts after the given pair (zero: at the beginning).
	Rows(tenant string, after RowKey) iter.Seq2[Row, error]
	// RowsAfter yields the rows of all tenants whose A is after a case (the zero
	// Ref: all), in order of RowKey.
	RowsAfter(evidence.Ref) iter.Seq2[Row, error]
	// RowsOf yields the rows that share a value, in order of RowKey.
	RowsOf(v evidence.Value) iter.Seq2[Row, error]
	EventReader
	Reviews
	Actors
}

// Summary is what is known of a value across all live cases.
type Summary struct {
	Tenants, Cases uint32
	First, Last    time.Time // zero when no sighting has a time
	// Newest are the sightings with the latest Last, at most 10, newest first,
	// unknown last; ties by Ref. Others read them too: they are not to be changed.
	Newest []Sighting
	// Withheld counts restricted and tlp:red cases with the value. It must not
	// show in any answer to somebody who may not read them.
	Withheld uint32
}

// Sighting is a value in one case.
type Sighting struct {
	evidence.Ref
	Roles       []string // sorted
	First, Last time.Time
	Count       uint32
}

// Position is a place in the order of Snapshot.Sightings.
type Position struct {
	Ref  evidence.Ref
	Last time.Time
}

// StartOf returns the position before the first sighting of a tenant.
func StartOf(tenant string) *Position {
	// Later than any sighting, which a case may hold at most a day ahead.
	return &Position{Ref: evidence.Ref{Tenant: tenant}, Last: time.Unix(1<<35, 0).UTC()}
}

// RowKey names a pair of cases; A is the smaller ref.
type RowKey struct{ A, B evidence.Ref }

// Pair returns the key of two refs in either order.
func Pair(x, y evidence.Ref) RowKey {
	if x.Compare(y) > 0 {
		x, y = y, x
	}
	return RowKey{x, y}
}

// Compare orders pairs by A, then by B.
func (k RowKey) Compare(o RowKey) int {
	if c := k.A.Compare(o.A); c != 0 {
		return c
	}
	return k.B.Compare(o.B)
}

// Row is a scored pair of live cases of two tenants: a cache of a pure function
// of the store. The linker keeps one for every pair that is proposed by a
// common value and either reaches a tier that is listed or shares two values or
// more that may weigh something; the latter so that a change of one shared value
// finds the pair although another proposes it.
type Row struct {
	RowKey
	Score
	// RevisionA and RevisionB are the versions that were scored. A reader that
	// finds another version computes for itself.
	RevisionA, RevisionB uint32
	// Shared are the values that the score rests on, in order of Value: the common
	// ones, derived ones among them (evidence.Derive), and those of either side that
	// are alike without one; of a reviewed pair that no value proposes, all of both sides.
	Shared []evidence.Value
	// Verdict is what people said of the pair. It changes neither score nor tier.
	Verdict Verdict
	// Held says that one of the cases is linked so widely that nothing may follow
	// from the link before a person has looked at it.
	Held bool
}

// ListedTier is the tier (link.Lead) below which a row only serves to find its pair.
const ListedTier = 3

// Score is the outcome of comparing two cases.
type Score struct {
	Millibits    int32  // log2 odds of "same actor", thousandths of a bit
	Micros       uint32 // likelihood in millionths, rounded
	Tier         uint8  // link.Tier
	SharedCount  uint32 // values with weight
	ModelVersion uint32
}

// Queue is the linker's side of the store. One linker drains it; it may expand
// several marks at a time.
type Queue interface {
	// Dirty returns at most limit marks, in no promised order; none when
	// nothing is left to do. ctx only bounds the read.
	Dirty(ctx context.Context, limit int) ([]Mark, error)
	// Changed returns a channel that receives after marks were left; it holds
	// at most one signal.
	Changed() <-chan struct{}
	// Relink applies rows and takes marks away as one change. A mark that was
	// left again since it was read stays.
	Relink(ctx context.Context, b RelinkBatch) error
	// Expand leaves a plain mark on every value of every case on the marked
	// value, in as many changes as it takes, and then turns the mark itself into
	// a plain one, unless it was asked for again. Values in one tenant may be left
	// out, and where nothing but the value's explaining power changed those in two:
	// for a pair of two tenants a third is needed to be explained. So may cases that
	// came to the value since: they have marked themselves all their values on which
	// there are pairs.
	Expand(ctx context.Context, m Mark) error
	// Sweep returns where the look at every pair, asked for because N, the model
	// or the classes changed, stands.
	Sweep(ctx context.Context) (Sweep, error)
	// StartSweep asks for a sweep from the beginning if the stored basis (model
	// and feeds version) is not this one, or if force is set. Rows stay until the
	// sweep replaces them.
	StartSweep(ctx context.Context, basis string, force bool) error
	// Touch leaves a mark on values of which something other than their spread
	// changed that scores depend on. Each asks to be expanded, even to values in
	// two tenants: a pair that shares it and another value may have had no row
	// for want of weight, and a pair that does not share it may weigh what lies
	// near it. Values that no live case has are left out.
	Touch(ctx context.Context, values []evidence.Value) error
	// Scan reads all that pairs depend on, on one state.
	Scan(ctx context.Context, workers int, to Scan) error
	// Backlog returns the number of marks, exact up to limit, and when the
	// oldest was left (zero if none).
	Backlog(ctx context.Context, limit int) (int, time.Time, error)
	Grouper
}

// Mark says that pairs on a value may score differently.
type Mark struct {
	Value evidence.Value
	// Expand asks for every value of every case on Value first (Queue.Expand).
	Expand bool
	// Tenants is the number of tenants on Value before the first change that the
	// mark stands for.
	Tenants uint32
	// Version tells one leaving of the mark from the next.
	Version uint64
	// Again says that the mark was left anew after it had been read, so that
	// what was done about it then does not start from Tenants, that more than the
	// spread changed (Queue.Touch), or that the number of tenants rose and fell
	// since, in either order: rows may stand for one that is neither Tenants nor that of
	// now, since a pair is scored for the sake of any of its values. Where it is not
	// set, every number since lies between these two.
	Again bool
	// Scored is set by who has carried the mark out: the number of tenants on
	// Value with which it was, 0 if that is not known. A mark that was left anew
	// meanwhile stands for what changed since, and need not be Again.
	Scored uint32
}

// Sweep is the progress of a look at every pair.
type Sweep struct {
	Pending bool
	// After is the last case whose pairs with larger refs are done; the zero Ref
	// at the beginning.
	After evidence.Ref
	// Version tells one sweep from the next.
	Version uint64
	// Corpus says that the sweep was asked for because N changed, From which basis
	// the rows had before another one was asked for, if that is why. Both add up
	// until a sweep ends.
	Corpus bool
	From   string
}

// RelinkBatch is one change by the linker. Where it is larger than the store can
// commit at once, rows go first, in parts; Done and Sweep come with the last.
type RelinkBatch struct {
	Put    []Row
	Remove []RowKey
	Done   []Mark
	Grouping
	// Sweep, when not nil, is the new progress. A sweep that was started anew
	// since (another Version) is left alone.
	Sweep *Sweep
	// Tell says which changes of rows are logged as events, with Feeds; nil: none.
	Tell  Tell
	Feeds string
}

// Store is a whole backend.
type Store interface {
	Purger
	Writer
	Reviewer
	Anchors
	Reader
	Queue
	Events
	// Kept returns the space of small entries beside the graph.
	Kept() Keeper
	// Trail returns the record of what was done.
	Trail() Trail
	// Check compares everything derived with the case bodies it comes from and
	// yields a line for each difference; link rows are not checked.
	Check(ctx context.Context) iter.Seq2[string, error]
	// Close waits for changes under way and releases the store.
	Close() error
}

// CacheStats says what a cache of a store has done since the store was opened,
// and what it holds.
type CacheStats struct {
	Hits, Misses uint64
	// Bytes is an estimate of the memory that the entries take.
	Bytes int64
}
