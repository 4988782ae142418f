package export

import (
	"encoding/binary"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// fragment is what cases say of a value.
type fragment struct {
	evidence.Value
	written           string
	roles, techniques []string
	first, last       time.Time
	count             uint32
	facts             []Fact
	cases             []uint32 // places in the list of cases, ascending
	origin            string
}

// fragmentsOf reduces a case to one fragment a value, in no order, and counts what
// never leaves.
func fragmentsOf(c *graph.StoredCase, nth uint32, wanted func(*fragment) bool, denials map[string]int) []fragment {
	by := make(map[evidence.Value]*fragment)
	for i := range c.Findings {
		f := &c.Findings[i]
		for k := range f.Observables {
			o := &f.Observables[k]
			if why := denied(o); why != "" {
				denials[why]++
				continue
			}
			one := fragment{
				Value: o.Value, written: o.Written, roles: o.Roles, first: o.FirstSeen, last: o.LastSeen,
				count: o.Count, cases: []uint32{nth},
				origin: c.Ref.String() + " findings[" + strconv.Itoa(i) + "].observables[" + strconv.Itoa(k) + "]",
			}
			if one.first.IsZero() && one.last.IsZero() {
				one.first, one.last = f.FirstSeen, f.LastSeen
			}
			one.first, one.last = one.first.Truncate(time.Second), one.last.Truncate(time.Second)
			if one.last.IsZero() {
				one.last = one.first
			}
			if one.first.IsZero() {
				one.first = one.last
			}
			if !wanted(&one) {
				continue
			}
			if f.Technique != "" {
				one.techniques = []string{f.Technique}
			}
			for _, fact := range o.Facts {
				if told[fact.Name] {
					one.facts = append(one.facts, Fact{fact.Name, fact.Value, fact.Source, fact.ObservedAt.Truncate(time.Second)})
				}
			}
			slices.SortFunc(one.facts, compareFacts)
			one.facts = slices.Compact(one.facts)
			one.facts = one.facts[:min(len(one.facts), maxFacts)]
			if old := by[o.Value]; old != nil {
				old.join(&one)
			} else {
				by[o.Value] = &one
			}
		}
	}
	out := make([]fragment, 0, len(by))
	for _, f := range by {
		out = append(out, *f)
	}
	return out
}

// told are the facts that leave: what reports say of infrastructure. Others are
// the notes of whoever submitted the case.
var told = map[string]bool{
	"port": true, "open_port": true, "service": true, "country": true, "city": true, "asn": true, "as_name": true,
	"isp": true, "organisation": true, "usage_type": true, "hostname": true, "registrar": true, "first_submitted": true,
	"abuseipdb_domain": true, "abuseipdb_score": true, "abuseipdb_reports": true, "abuseipdb_usage_type": true,
	"abuseipdb_isp": true, "abuseipdb_country": true,
}

// join adds what another fragment says of the same value.
func (f *fragment) join(o *fragment) {
	f.roles, f.techniques = union(f.roles, o.roles), union(f.techniques, o.techniques)
	if f.written == "" || o.written != "" && o.written < f.written {
		f.written = o.written
	}
	if !o.first.IsZero() && (f.first.IsZero() || o.first.Before(f.first)) {
		f.first = o.first
	}
	if o.last.After(f.last) {
		f.last = o.last
	}
	if f.count += o.count; f.count < o.count {
		f.count = ^uint32(0)
	}
	for _, fact := range o.facts {
		if i, found := slices.BinarySearchFunc(f.facts, fact, compareFacts); !found {
			f.facts = slices.Insert(f.facts, i, fact)
		}
	}
	f.facts = f.facts[:min(len(f.facts), maxFacts)]
	for _, c := range o.cases {
		if i, found := slices.BinarySearch(f.cases, c); !found {
			f.cases = slices.Insert(f.cases, i, c)
		}
	}
	f.origin = min(f.origin, o.origin)
}

// maxFacts bounds what is told of one value.
const maxFacts = 50

func compareFacts(a, b Fact) int {
	for _, c := range []int{compareText(a.Name, b.Name), compareText(a.Value, b.Value), compareText(a.Source, b.Source)} {
		if c != 0 {
			return c
		}
	}
	return a.At.Compare(b.At)
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// union returns what is in either of two sets of texts, sorted.
func union(a, b []string) []string {
	if slices.Equal(a, b) {
		return a
	}
	out := append(slices.Clone(a), b...)
	slices.Sort(out)
	return slices.Compact(out)
}

// appendFragment writes a fragment so that readFragment reads it back.
func appendFragment(b []byte, f *fragment) []byte {
	b = appendText(b, string(f.Kind))
	b = appendText(b, f.Text)
	b = appendText(b, f.written)
	b = appendTexts(b, f.roles)
	b = appendTexts(b, f.techniques)
	b = appendTime(b, f.first)
	b = appendTime(b, f.last)
	b = binary.AppendUvarint(b, uint64(f.count))
	b = binary.AppendUvarint(b, uint64(len(f.facts)))
	for _, fact := range f.facts {
		b = appendText(b, fact.Name)
		b = appendText(b, fact.Value)
		b = appendText(b, fact.Source)
		b = appendTime(b, fact.At)
	}
	b = binary.AppendUvarint(b, uint64(len(f.cases)))
	for _, c := range f.cases {
		b = binary.AppendUvarint(b, uint64(c))
	}
	return appendText(b, f.origin)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendTexts(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendText(b, s)
	}
	return b
}

func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return binary.AppendVarint(b, noTime)
	}
	return binary.AppendVarint(b, t.Unix())
}

const noTime = -1 << 62

// errScratch is a fault of the disk: what was written is not what is read.
var errScratch = errors.New("what was set aside for an export cannot be read back")

// fields reads what appendFragment wrote. After an error it returns zero values.
type fields struct {
	b   []byte
	err error
}

func (r *fields) number() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.err, r.b = errScratch, nil
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *fields) length() int {
	n := r.number()
	if n > uint64(len(r.b)) {
		r.err, r.b = errScratch, nil
		return 0
	}
	return int(n)
}

func (r *fields) text() string {
	n := r.length()
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *fields) texts() []string {
	n := r.length()
	if n == 0 {
		return nil
	}
	out := make([]string, n)
	for i := range out {
		out[i] = r.text()
	}
	return out
}

func (r *fields) time() time.Time {
	n, size := binary.Varint(r.b)
	if size <= 0 {
		r.err, r.b = errScratch, nil
		return time.Time{}
	}
	r.b = r.b[size:]
	if n == noTime {
		return time.Time{}
	}
	return time.Unix(n, 0).UTC()
}

func readFragment(b []byte) (fragment, error) {
	r := fields{b: b}
	f := fragment{
		Value:   evidence.Value{Kind: evidence.Kind(r.text()), Text: r.text()},
		written: r.text(), roles: r.texts(), techniques: r.texts(), first: r.time(), last: r.time(), count: uint32(r.number()),
	}
	for range r.length() {
		f.facts = append(f.facts, Fact{r.text(), r.text(), r.text(), r.time()})
	}
	for range r.length() {
		f.cases = append(f.cases, uint32(r.number()))
	}
	f.origin = r.text()
	return f, r.err
}
