package badger

import (
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// Lists grow while they are read, so that a damaged count allocates no more
// than this many elements ahead.
const maxAhead = 256

// caseWriter writes the parts of a case that only its readers want, exactly.
// Words that come again and again stand once. A time is written as its distance
// from the one before.
type caseWriter struct {
	b     []byte
	words map[string]uint64 // places, from 2
	last  int64             // Unix time of the time before
}

// caseReader reads what a caseWriter has written.
type caseReader struct {
	decoder
	words []string
	last  int64
}

// word writes 0 for "", the place of a word that was written before, and 1 and
// the word for any other.
func (w *caseWriter) word(s string) {
	if s == "" {
		w.b = append(w.b, 0)
		return
	}
	if at, ok := w.words[s]; ok {
		w.b = binary.AppendUvarint(w.b, at)
		return
	}
	if w.words == nil {
		w.words = make(map[string]uint64)
	}
	w.words[s] = uint64(len(w.words) + 2)
	w.b = appendString(append(w.b, 1), s)
}

func (r *caseReader) word() string {
	switch at := r.uvarint(); {
	case at == 0:
		return ""
	case at == 1:
		s := r.str()
		r.words = append(r.words, s)
		return s
	case at-2 < uint64(len(r.words)):
		return r.words[at-2]
	}
	r.fail()
	return ""
}

func (w *caseWriter) text(s string)   { w.b = appendString(w.b, s) }
func (w *caseWriter) number(n uint64) { w.b = binary.AppendUvarint(w.b, n) }

// What a caseWriter says ahead of a time.
const (
	timeUnknown = iota
	timeWhole   // seconds
	timeExact   // and nanoseconds
)

func (w *caseWriter) time(t time.Time) {
	if t.IsZero() {
		w.b = append(w.b, timeUnknown)
		return
	}
	kind := byte(timeWhole)
	if t.Nanosecond() != 0 {
		kind = timeExact
	}
	w.b = binary.AppendVarint(append(w.b, kind), t.Unix()-w.last)
	w.last = t.Unix()
	if kind == timeExact {
		w.number(uint64(t.Nanosecond()))
	}
}

func (r *caseReader) time() time.Time {
	kind := r.byte()
	if kind == timeUnknown {
		return time.Time{}
	}
	r.last += r.varint()
	nanos := uint64(0)
	if kind == timeExact {
		nanos = r.uvarint()
	}
	if kind > timeExact || nanos >= uint64(time.Second) {
		r.fail()
		return time.Time{}
	}
	return time.Unix(r.last, int64(nanos)).UTC()
}

// list reads a list of elements that take a byte or more each, nil if it is
// empty.
func list[T any](r *caseReader, read func(*T)) []T {
	n := r.count()
	if n == 0 {
		return nil
	}
	all := make([]T, 0, min(n, maxAhead))
	for range n {
		var one T
		if read(&one); r.bad {
			return nil
		}
		all = append(all, one)
	}
	return all
}

const headRestricted = 1

// encodeHead writes a body: the case without its ref and its findings.
func encodeHead(c *evidence.Case) []byte {
	w := caseWriter{b: append(make([]byte, 0, 256), bodyPlain)}
	w.text(c.Title)
	w.text(c.Kind)
	w.b = append(w.b, byte(c.State))
	for _, t := range [...]time.Time{c.OpenedAt, c.ClosedAt, c.EvidenceFrom, c.EvidenceTo} {
		w.time(t)
	}
	w.text(string(c.TLP))
	flags := byte(0)
	if c.Restricted {
		flags = headRestricted
	}
	w.b = append(w.b, flags)
	w.text(c.Source)
	w.number(uint64(len(c.Labels)))
	for _, k := range slices.Sorted(maps.Keys(c.Labels)) {
		w.text(k)
		w.text(c.Labels[k])
	}
	w.number(uint64(len(c.References)))
	for _, s := range c.References {
		w.text(s)
	}
	return w.b
}

func decodeHead(ref evidence.Ref, d decoder) (evidence.Case, error) {
	r := caseReader{decoder: d}
	c := evidence.Case{Ref: ref, Title: r.str(), Kind: r.str(), State: evidence.State(r.byte())}
	c.OpenedAt, c.ClosedAt, c.EvidenceFrom, c.EvidenceTo = r.time(), r.time(), r.time(), r.time()
	c.TLP = evidence.TLP(r.str())
	c.Restricted = r.byte()&headRestricted != 0
	c.Source = r.str()
	if n := r.count(); n > 0 {
		c.Labels = make(map[string]string, min(n, maxAhead))
		for range n {
			k := r.str()
			c.Labels[k] = r.str()
			if r.bad {
				break
			}
		}
	}
	c.References = list(&r, func(s *string) { *s = r.str() })
	if err := r.done("case"); err != nil {
		return evidence.Case{}, err
	}
	return c, nil
}

// encodeFindings writes a body.
func encodeFindings(findings []evidence.Finding) []byte {
	size := 64
	for i := range findings {
		size += 96 + 64*len(findings[i].Observables)
	}
	w := caseWriter{b: append(make([]byte, 0, size), bodyPlain)}
	w.number(uint64(len(findings)))
	for i := range findings {
		f := &findings[i]
		w.text(f.ID)
		w.word(f.Technique)
		w.word(f.Operation)
		w.b = append(w.b, byte(f.Outcome))
		w.time(f.FirstSeen)
		w.time(f.LastSeen)
		w.number(uint64(f.Count))
		w.text(f.Summary)
		w.facts(f.Facts)
		w.number(uint64(len(f.Observables)))
		for j := range f.Observables {
			w.observable(&f.Observables[j])
		}
	}
	return w.b
}

func decodeFindings(d decoder) ([]evidence.Finding, error) {
	r := caseReader{decoder: d}
	findings := list(&r, func(f *evidence.Finding) {
		f.ID = r.str()
		f.Technique, f.Operation = r.word(), r.word()
		f.Outcome = evidence.Outcome(r.byte())
		f.FirstSeen, f.LastSeen = r.time(), r.time()
		f.Count = r.uint32()
		f.Summary = r.str()
		f.Facts = list(&r, r.fact)
		f.Observables = list(&r, r.observable)
	})
	return findings, r.done("findings")
}

func (w *caseWriter) observable(o *evidence.Observable) {
	w.b = appendValue(w.b, o.Value)
	w.text(o.Written)
	w.b = appendRoles(w.b, o.Roles)
	w.time(o.FirstSeen)
	w.time(o.LastSeen)
	w.number(uint64(o.Count))
	w.facts(o.Facts)
}

func (r *caseReader) observable(o *evidence.Observable) {
	o.Value = r.value()
	o.Written = r.str()
	o.Roles = r.roles()
	o.FirstSeen, o.LastSeen = r.time(), r.time()
	o.Count = r.uint32()
	o.Facts = list(r, r.fact)
}

func (w *caseWriter) facts(facts []evidence.Fact) {
	w.number(uint64(len(facts)))
	for _, f := range facts {
		w.word(f.Name)
		w.word(f.Value)
		w.word(f.Source)
		w.time(f.ObservedAt)
	}
}

func (r *caseReader) fact(f *evidence.Fact) {
	f.Name, f.Value, f.Source = r.word(), r.word(), r.word()
	f.ObservedAt = r.time()
}
