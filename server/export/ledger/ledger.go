// Package ledger keeps what was published where: each bundle by target, with a
// revision that counts what was sent, and every value of it. So a value that is
// gone is withdrawn where it was sent, and an import knows our own exports.
//
// It knows the store of small records and what a bundle is. It must not know how
// anything is sent.
package ledger

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Publication is a bundle at a target.
type Publication struct {
	Target, Kind string
	Bundle       string // its UUID
	Title, TLP   string
	Revision     uint32 // from 1, +1 with every time that something was sent
	// Begun is when the last publication began, and Done when it ended; an earlier
	// Done says that it did not, and that it is not known what arrived.
	Begun, Done time.Time
	By          string // who published
	Values      int
	Withdrawn   bool
	// Where says what the target made of it: the event's UUID, the commit, the pull
	// request.
	Event, Commit, Pull string
	Published           bool // MISP: as the second step
	// Settled is what the target was told and does not take, for the next time.
	Settled string
	// Past are earlier revisions, newest first, at most maxPast.
	Past []Past

	generation uint32
}

// Past is an earlier revision.
type Past struct {
	Revision uint32
	At       time.Time
	By       string
	Commit   string
	Values   int
}

const maxPast = 50

// stored is a publication as it is kept.
type stored struct {
	Publication
	Generation uint32
}

// Ledger keeps publications. It is safe for concurrent use.
type Ledger struct{ keeper graph.Keeper }

// New returns the ledger of a store.
func New(k graph.Keeper) *Ledger { return &Ledger{k} }

// Prefixes of keys. After them stand target and bundle.
const (
	recordPrefix = "published/"
	sentPrefix   = "published-values/"
	sumPrefix    = "published-sum/"
	eventPrefix  = "published-event/"
)

func key(target, bundle string) string { return target + "/" + bundle }

// Get returns a publication, nil if there is none.
func (l *Ledger) Get(ctx context.Context, target, bundle string) (*Publication, error) {
	data, err := l.keeper.Get(ctx, recordPrefix+key(target, bundle))
	if err != nil || data == nil {
		return nil, err
	}
	return decode(data)
}

func decode(data []byte) (*Publication, error) {
	var s stored
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	s.Publication.generation = s.Generation
	return &s.Publication, nil
}

// List yields the publications of a target after a bundle, or of all targets after
// a key of the form TARGET/BUNDLE, in that order.
func (l *Ledger) List(ctx context.Context, target, after string) iter.Seq2[*Publication, error] {
	return func(yield func(*Publication, error) bool) {
		prefix := recordPrefix
		if target != "" {
			prefix += target + "/"
		}
		for kept, err := range l.keeper.Scan(ctx, prefix) {
			if err == nil && after != "" && strings.TrimPrefix(kept.Key, recordPrefix) <= after {
				continue
			}
			var p *Publication
			if err == nil {
				p, err = decode(kept.Data)
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// Keep puts an earlier revision among those that are past.
func (p *Publication) Keep(had *Publication) {
	past := Past{had.Revision, had.Done, had.By, had.Commit, had.Values}
	p.Past = append([]Past{past}, had.Past[:min(len(had.Past), maxPast-1)]...)
}

// Key is where a publication stands in the order of List.
func (p *Publication) Key() string { return key(p.Target, p.Bundle) }

// Begin notes that a publication begins, before anything is sent.
func (l *Ledger) Begin(ctx context.Context, p *Publication) error { return l.put(ctx, p) }

func (l *Ledger) put(ctx context.Context, p *Publication) error {
	data, err := json.Marshal(stored{*p, p.generation})
	if err != nil {
		return err
	}
	return l.keeper.Put(ctx, recordPrefix+p.Key(), data, time.Time{})
}

// Finish notes what was sent. Items are those of the bundle as it was sent, with
// those that were withdrawn; what Values yielded before cannot be walked after it.
func (l *Ledger) Finish(ctx context.Context, p *Publication, items iter.Seq2[export.Item, error], before iter.Seq2[Sent, error]) error {
	next := p.generation + 1
	if err := l.write(ctx, p, next, items, before); err != nil {
		return err
	}
	old := p.generation
	p.generation = next
	if err := l.put(ctx, p); err != nil {
		return err
	}
	for _, uuid := range [...]string{p.Bundle, p.Event} {
		if uuid != "" {
			if err := l.keeper.Put(ctx, eventPrefix+uuid, []byte(p.Key()), time.Time{}); err != nil {
				return err
			}
		}
	}
	return l.forget(ctx, p, old)
}

// Sent is a value that a target was told of.
type Sent struct {
	Kind    evidence.Kind `json:"k"`
	Text    string        `json:"t"`
	Written string        `json:"w,omitempty"`
	// At is when it was sent first, in Unix seconds.
	At int64 `json:"at"`
	// Gone says that it was withdrawn since.
	Gone bool `json:"gone,omitempty"`
	// What a format has to know that withdraws by sending again: whether it was an
	// indicator, its span in Unix seconds, and when it was created and last changed in
	// Unix milliseconds.
	Indicator bool  `json:"i,omitempty"`
	First     int64 `json:"f,omitempty"`
	Last      int64 `json:"l,omitempty"`
	Created   int64 `json:"c,omitempty"`
	Modified  int64 `json:"m,omitempty"`
	// Round is how often it was withdrawn and came back.
	Round uint32 `json:"n,omitempty"`
}

// sentOf notes an item as it is sent.
func sentOf(item *export.Item, at int64) Sent {
	s := Sent{Kind: item.Value.Kind, Text: item.Value.Text, At: at, Gone: item.Withdrawn, Indicator: item.Indicator, Round: item.Round}
	if item.Written != item.Value.Text {
		s.Written = item.Written
	}
	if !item.First.IsZero() {
		s.First, s.Last = item.First.Unix(), item.Last.Unix()
	}
	if !item.Created.IsZero() {
		s.Created, s.Modified = item.Created.UnixMilli(), item.Modified.UnixMilli()
	}
	return s
}

// Dates are when a value was created and last changed, as it was sent.
func (s *Sent) Dates() (created, modified time.Time) {
	if s.Created == 0 {
		at := time.Unix(s.At, 0).UTC()
		return at, at
	}
	return time.UnixMilli(s.Created).UTC(), time.UnixMilli(s.Modified).UTC()
}

// withdrawn is a value that is gone, as of a time.
func (s *Sent) withdrawn(now time.Time) export.Item {
	item := export.Item{
		Value: s.value(), Written: cmp.Or(s.Written, s.Text), Withdrawn: true, Indicator: s.Indicator, Note: "withdrawn",
		Round: s.Round,
	}
	if !s.Indicator {
		item.Note, item.Reason = "", "withdrawn"
	}
	item.Created, item.Modified = s.Dates()
	if s.First != 0 {
		item.First, item.Last = time.Unix(s.First, 0).UTC(), time.Unix(s.Last, 0).UTC()
	}
	s.withdraw(&item, now)
	return item
}

// withdraw withdraws an item that was sent. It changed when it was withdrawn first.
func (s *Sent) withdraw(item *export.Item, now time.Time) {
	item.Withdrawn = true
	switch {
	case s.Gone && s.Modified != 0:
		item.Modified = time.UnixMilli(s.Modified).UTC()
	case !s.Gone && now.After(item.Modified):
		item.Modified = now
	}
}

func (s Sent) value() evidence.Value { return evidence.Value{Kind: s.Kind, Text: s.Text} }

// chunkBytes is about how much of the list of values is in one record.
const chunkBytes = 48 << 10

func (p *Publication) sentKey(generation uint32) string {
	return fmt.Sprintf("%s%s/%08x/", sentPrefix, p.Key(), generation)
}

// write keeps the values of a bundle under a new generation, each with the time of
// its first sending.
func (l *Ledger) write(ctx context.Context, p *Publication, generation uint32, items iter.Seq2[export.Item, error], before iter.Seq2[Sent, error]) error {
	// What a crash left behind under this number is not of this list.
	if err := l.forget(ctx, p, generation); err != nil {
		return err
	}
	had, stop := iter.Pull2(before)
	defer stop()
	known, err, more := had()
	var chunk []Sent
	size, n := 0, 0
	flush := func() error {
		if len(chunk) == 0 {
			return nil
		}
		data, err := json.Marshal(chunk)
		if err != nil {
			return err
		}
		key := p.sentKey(generation) + fmt.Sprintf("%08x", n)
		n, size, chunk = n+1, 0, chunk[:0]
		return l.keeper.Put(ctx, key, data, time.Time{})
	}
	for item, itemErr := range items {
		if err := errors.Join(itemErr, err); err != nil {
			return err
		}
		for more && known.value().Compare(item.Value) < 0 {
			if known, err, more = had(); err != nil {
				return err
			}
		}
		s := sentOf(&item, p.Begun.Unix())
		if more && known.value() == item.Value && (!known.Gone || item.Withdrawn) {
			s.At = known.At
		}
		chunk = append(chunk, s)
		if size += len(s.Text) + len(s.Written) + 160; size >= chunkBytes {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

func (l *Ledger) forget(ctx context.Context, p *Publication, generation uint32) error {
	var keys []string
	for kept, err := range l.keeper.Scan(ctx, p.sentKey(generation)) {
		if err != nil {
			return err
		}
		keys = append(keys, kept.Key)
	}
	for _, k := range keys {
		// Expired since long.
		if err := l.keeper.Put(ctx, k, nil, time.Unix(1, 0)); err != nil {
			return err
		}
	}
	return nil
}

// Values yields what a target was told of, in order of value.
func (l *Ledger) Values(ctx context.Context, p *Publication) iter.Seq2[Sent, error] {
	return func(yield func(Sent, error) bool) {
		if p == nil || p.generation == 0 {
			return
		}
		for kept, err := range l.keeper.Scan(ctx, p.sentKey(p.generation)) {
			var chunk []Sent
			if err == nil {
				err = json.Unmarshal(kept.Data, &chunk)
			}
			if err != nil {
				yield(Sent{}, err)
				return
			}
			for _, s := range chunk {
				if !yield(s, nil) {
					return
				}
			}
		}
	}
}

// errOrder is a fault of the program.
var errOrder = errors.New("ledger: the items of a bundle are not in order")

// Merge adds to the items of a bundle those that a target was told of and that are
// gone, as withdrawn, and withdraws what was valid when it was sent and no longer
// is at a time.
func Merge(items iter.Seq2[export.Item, error], sent iter.Seq2[Sent, error], now time.Time) iter.Seq2[export.Item, error] {
	return merge(items, sent, now, false)
}

// Withdraw is Merge that withdraws all.
func Withdraw(items iter.Seq2[export.Item, error], sent iter.Seq2[Sent, error], now time.Time) iter.Seq2[export.Item, error] {
	return merge(items, sent, now, true)
}

func merge(items iter.Seq2[export.Item, error], sent iter.Seq2[Sent, error], now time.Time, all bool) iter.Seq2[export.Item, error] {
	return func(yield func(export.Item, error) bool) {
		next, stop := iter.Pull2(sent)
		defer stop()
		had, err, more := next()
		// gone yields what stands before a value and is not in the bundle.
		gone := func(before *evidence.Value) bool {
			for ; more; had, err, more = next() {
				if err != nil {
					yield(export.Item{}, err)
					return false
				}
				if before != nil && had.value().Compare(*before) >= 0 {
					return true
				}
				if !yield(had.withdrawn(now), nil) {
					return false
				}
			}
			return true
		}
		var last evidence.Value
		for item, itemErr := range items {
			if itemErr == nil && item.Value.Compare(last) < 0 {
				itemErr = errOrder
			}
			if itemErr != nil {
				yield(item, itemErr)
				return
			}
			last = item.Value
			if !gone(&item.Value) {
				return
			}
			if more && had.value() == item.Value {
				valid := !item.ValidUntil.IsZero() && had.At < item.ValidUntil.Unix()
				item.Round = had.Round
				if _, modified := had.Dates(); modified.After(item.Modified) && had.Modified != 0 {
					item.Modified = modified
				}
				switch {
				case all || item.Indicator && valid && item.ValidUntil.Before(now):
					had.withdraw(&item, now)
				case had.Gone:
					item.Round++
				}
				if had, err, more = next(); err != nil {
					yield(export.Item{}, err)
					return
				}
			}
			item.Withdrawn = item.Withdrawn || all
			if !yield(item, nil) {
				return
			}
		}
		gone(nil)
	}
}

// sumsFor is how long the sums of files are remembered.
const sumsFor = 3 * 366 * 24 * time.Hour

// Remember notes the content of a file that was handed on, so that an import knows
// it: a table says not whose it is.
func (l *Ledger) Remember(ctx context.Context, sum [sha256.Size]byte, bundle string, now time.Time) error {
	return l.keeper.Put(ctx, sumPrefix+hex.EncodeToString(sum[:]), []byte(bundle), now.Add(sumsFor))
}

// Knows reports whether a bundle or an event is one that was published.
func (l *Ledger) Knows(ctx context.Context, uuid string) (bool, error) {
	id, err := export.ParseUUID(uuid)
	if err != nil {
		return false, nil //nolint:nilerr // what is no UUID is none of ours
	}
	data, err := l.keeper.Get(ctx, eventPrefix+id.String())
	return data != nil, err
}

// Remembered returns the bundle of a file that was handed on, "" for other files.
func (l *Ledger) Remembered(ctx context.Context, sum [sha256.Size]byte) (string, error) {
	data, err := l.keeper.Get(ctx, sumPrefix+hex.EncodeToString(sum[:]))
	return string(data), err
}
