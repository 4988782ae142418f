package evidence

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
	"time"
)

// contentVersion begins what is hashed, so that another way of encoding gives
// other hashes.
const contentVersion = "elsewhere case 1"

// ContentHash is the identity of what a case says: SHA-256 over every field of
// the parsed case. The order of findings, observables, facts, roles, labels and
// references does not count.
func (c *Case) ContentHash() [sha256.Size]byte {
	var e encoding
	e.text(contentVersion)
	e.text(c.Tenant)
	e.text(c.Case)
	e.text(c.Title)
	e.text(c.Kind)
	e.number(uint64(c.State))
	e.time(c.OpenedAt)
	e.time(c.ClosedAt)
	e.time(c.EvidenceFrom)
	e.time(c.EvidenceTo)
	e.text(string(c.TLP))
	e.bool(c.Restricted)
	e.text(c.Source)
	e.number(uint64(len(c.Labels)))
	for _, k := range slices.Sorted(maps.Keys(c.Labels)) {
		e.text(k)
		e.text(c.Labels[k])
	}
	e.texts(c.References)
	digests(&e, c.Findings, encodeFinding)
	return sha256.Sum256(e.b)
}

func encodeFinding(e *encoding, f *Finding) {
	e.text(f.ID)
	e.text(f.Technique)
	e.text(f.Operation)
	e.number(uint64(f.Outcome))
	e.time(f.FirstSeen)
	e.time(f.LastSeen)
	e.number(uint64(f.Count))
	e.text(f.Summary)
	digests(e, f.Facts, encodeFact)
	digests(e, f.Observables, encodeObservable)
}

func encodeObservable(e *encoding, o *Observable) {
	e.text(string(o.Kind))
	e.text(o.Text)
	e.text(o.Written)
	e.texts(o.Roles)
	e.time(o.FirstSeen)
	e.time(o.LastSeen)
	e.number(uint64(o.Count))
	digests(e, o.Facts, encodeFact)
}

func encodeFact(e *encoding, f *Fact) {
	e.text(f.Name)
	e.text(f.Value)
	e.text(f.Source)
	e.time(f.ObservedAt)
}

// digests appends the hashes of the elements of a list, sorted.
func digests[T any](e *encoding, list []T, encode func(*encoding, *T)) {
	e.number(uint64(len(list)))
	if len(list) == 0 {
		return
	}
	sums := make([][sha256.Size]byte, len(list))
	var one encoding
	for i := range list {
		one.b = one.b[:0]
		encode(&one, &list[i])
		sums[i] = sha256.Sum256(one.b)
	}
	slices.SortFunc(sums, func(a, b [sha256.Size]byte) int { return slices.Compare(a[:], b[:]) })
	for i := range sums {
		e.b = append(e.b, sums[i][:]...)
	}
}

// encoding is a sequence of fields that can be read back in one way only: texts
// carry their length, lists their number of elements.
type encoding struct{ b []byte }

func (e *encoding) number(n uint64) { e.b = binary.AppendUvarint(e.b, n) }

func (e *encoding) bool(v bool) {
	if v {
		e.number(1)
	} else {
		e.number(0)
	}
}

func (e *encoding) text(s string) {
	e.number(uint64(len(s)))
	e.b = append(e.b, s...)
}

func (e *encoding) texts(list []string) {
	e.number(uint64(len(list)))
	if !slices.IsSorted(list) {
		list = slices.Sorted(slices.Values(list))
	}
	for _, s := range list {
		e.text(s)
	}
}

func (e *encoding) time(t time.Time) {
	e.bool(!t.IsZero())
	if !t.IsZero() {
		e.b = binary.BigEndian.AppendUint64(e.b, uint64(t.Unix()))
		e.b = binary.BigEndian.AppendUint32(e.b, uint32(t.Nanosecond()))
	}
}
