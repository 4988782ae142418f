package badger

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

const (
	// maxNewest is the length of graph.Summary.Newest.
	maxNewest = 10
	// maxNewestBytes bounds the newest sightings inside a record. Where fewer
	// than maxNewest fit, a reader looks at the sightings themselves.
	maxNewestBytes = 512
	// maxFirsts is how many distinct first times a record keeps, so that taking
	// the earliest away leaves the next one known.
	maxFirsts = 4
)

// record is what the store knows about a value besides its sightings. Its
// counts are always exact. newest and firsts hold the exact beginning of an
// order, which is as long as it is: a removal shortens it, and nothing that may
// lie behind its end is ever added, because what lies between is not known.
type record struct {
	tenants, cases, withheld uint32
	// alone says that the only live sighting, which is newest, has no key of its own:
	// most values have one for ever, and it would be a key of three of a case. It is
	// the number of the request that wrote it, 0 where live sightings have keys.
	alone  uint64
	newest []graph.Sighting // by compareNewest
	dated  uint32           // live sightings with a known First
	firsts []first          // by time
	mark   *mark
}

// first is a time at which sightings begin, and how many do.
type first struct {
	at uint64 // seconds
	n  uint32
}

// mark says that pairs on the value may score differently.
type mark struct {
	version uint64
	tenants uint32 // before the first change
	// expand is the sequence of the last change of explaining power that is not
	// expanded yet; 0 if there is none.
	expand uint64
	// sequence and part name the queue record that lists the value.
	sequence uint64
	part     uint32
	// again is that of graph.Mark.
	again bool
	// touched says that more changed since the last Expand than explaining power:
	// the value may weigh again, or for the first time, so that a pair of two may have
	// had no row for want of weight.
	touched bool
}

// clone returns a copy that can be changed while others read r.
func (r *record) clone() record {
	c := *r
	c.newest = append(make([]graph.Sighting, 0, len(r.newest)+1), r.newest...)
	c.firsts = append(make([]first, 0, len(r.firsts)+1), r.firsts...)
	if r.mark != nil {
		m := *r.mark
		c.mark = &m
	}
	return c
}

func (r *record) empty() bool { return r.cases == 0 && r.withheld == 0 && r.mark == nil }

// compareNewest orders sightings by Last descending, unknown last, ties by Ref.
func compareNewest(x, y graph.Sighting) int {
	return cmp.Or(y.Last.Compare(x.Last), x.Compare(y.Ref))
}

// comparePlaces is the order of Snapshot.Sightings.
func comparePlaces(x, y graph.Sighting) int {
	return cmp.Or(cmp.Compare(x.Tenant, y.Tenant), compareNewest(x, y))
}

// whole reports whether newest holds every live sighting of the value.
func (r *record) whole() bool { return len(r.newest) == int(r.cases) }

// exactNewest and exactFirst report whether the record answers by itself.
func (r *record) exactNewest() bool { return len(r.newest) >= min(maxNewest, int(r.cases)) }
func (r *record) exactFirst() bool  { return r.dated == 0 || len(r.firsts) > 0 }

// only is the one live sighting that has no key, nil if all have.
func (r *record) only() *graph.Sighting {
	if r.alone == 0 {
		return nil
	}
	return &r.newest[0]
}

// single reports whether there is one live sighting, of which the record knows all.
func (r *record) single() bool {
	return r.cases == 1 && len(r.newest) == 1 && r.dated <= 1 && len(r.firsts) == int(r.dated)
}

// holds reports whether the record has room for the only live sighting.
func (r *record) holds() bool {
	return r.single() && len(appendSighting(nil, r.newest[0])) <= maxNewestBytes
}

// crowded reports whether one sighting more would not fit the record.
func (r *record) crowded() bool {
	var b []byte
	for _, s := range r.newest {
		b = appendSighting(b, s)
	}
	return len(r.newest) > 0 && len(b)+len(b)/len(r.newest) > maxNewestBytes
}

// add counts a live sighting of a case that has none on the value yet.
func (r *record) add(s graph.Sighting) {
	whole := r.whole()
	r.cases++
	i, _ := slices.BinarySearchFunc(r.newest, s, compareNewest)
	if i < len(r.newest) || whole {
		r.newest = slices.Insert(r.newest, i, s)
		r.newest = r.newest[:min(len(r.newest), maxNewest)]
	}
	if !s.First.IsZero() {
		r.addFirst(seconds(s.First))
	}
}

func (r *record) addFirst(at uint64) {
	var known uint32
	for _, f := range r.firsts {
		known += f.n
	}
	whole := known == r.dated
	r.dated++
	i, found := slices.BinarySearchFunc(r.firsts, at, func(f first, at uint64) int { return cmp.Compare(f.at, at) })
	switch {
	case found:
		r.firsts[i].n++
	case i < len(r.firsts) || whole:
		r.firsts = slices.Insert(r.firsts, i, first{at, 1})
		r.firsts = r.firsts[:min(len(r.firsts), maxFirsts)]
	}
}

// remove takes back what add counted.
func (r *record) remove(s graph.Sighting) {
	r.cases--
	r.newest = slices.DeleteFunc(r.newest, func(n graph.Sighting) bool { return n.Ref == s.Ref })
	if s.First.IsZero() {
		return
	}
	r.dated--
	at := seconds(s.First)
	for i := range r.firsts {
		if r.firsts[i].at != at {
			continue
		}
		if r.firsts[i].n--; r.firsts[i].n == 0 {
			r.firsts = slices.Delete(r.firsts, i, i+1)
		}
		return
	}
}

// summary answers from the record alone; the caller has asked whether it can.
func (r *record) summary() graph.Summary {
	s := graph.Summary{Tenants: r.tenants, Cases: r.cases, Withheld: r.withheld}
	if len(r.newest) > 0 {
		s.Newest, s.Last = r.newest, r.newest[0].Last
	}
	if len(r.firsts) > 0 {
		s.First = fromSeconds(r.firsts[0].at)
	}
	return s
}

// Flags of an encoded record.
const (
	recordNamed   = 1 << iota // the key does not hold the value
	recordMarked              // a mark follows
	recordAgain               // the mark has been read before
	recordTouched             // more than the spread changed
	recordAlone               // the only live sighting has no key
)

// encode writes the record of v. exact says that v's key holds all of v.
func (r *record) encode(v evidence.Value, exact bool) []byte {
	b := make([]byte, 1, 96)
	if !exact {
		b[0] |= recordNamed
		b = appendString(b, string(v.Kind))
		b = appendString(b, v.Text)
	}
	b = binary.AppendUvarint(b, uint64(r.tenants))
	b = binary.AppendUvarint(b, uint64(r.cases))
	b = binary.AppendUvarint(b, uint64(r.withheld))
	b = binary.AppendUvarint(b, uint64(r.dated))
	b = binary.AppendUvarint(b, uint64(len(r.firsts)))
	last := uint64(0)
	for _, f := range r.firsts {
		b = binary.AppendUvarint(b, f.at-last)
		b = binary.AppendUvarint(b, uint64(f.n))
		last = f.at
	}
	if m := r.mark; m != nil {
		b[0] |= recordMarked
		if m.again {
			b[0] |= recordAgain
		}
		if m.touched {
			b[0] |= recordTouched
		}
		b = binary.AppendUvarint(b, m.version)
		b = binary.AppendUvarint(b, uint64(m.tenants))
		b = binary.AppendUvarint(b, m.expand)
		b = binary.AppendUvarint(b, m.sequence)
		b = binary.AppendUvarint(b, uint64(m.part))
	}
	if r.alone > 0 {
		b[0] |= recordAlone
		b = binary.AppendUvarint(b, r.alone)
	}
	// The newest sightings come last and without a number, so that those that
	// do not fit are left out as the record is written.
	start := len(b)
	for _, s := range r.newest {
		fits := len(b)
		b = appendSighting(b, s)
		if len(b)-start > maxNewestBytes && r.alone == 0 {
			return b[:fits]
		}
	}
	return b
}

func appendSighting(b []byte, s graph.Sighting) []byte {
	b = appendString(b, s.Tenant)
	b = appendString(b, s.Case)
	b = binary.AppendUvarint(b, seconds(s.Last))
	b = appendNear(b, s.First, seconds(s.Last))
	b = binary.AppendUvarint(b, uint64(s.Count))
	return appendRoles(b, s.Roles)
}

// decodeRecord reads a record and, where its key does not hold it, the value.
func decodeRecord(val []byte) (r record, named evidence.Value, err error) {
	d := decoder{s: string(val)}
	flags := d.byte()
	if flags&recordNamed != 0 {
		named.Kind = evidence.Kind(d.str())
		named.Text = d.str()
	}
	r.tenants, r.cases, r.withheld, r.dated = d.uint32(), d.uint32(), d.uint32(), d.uint32()
	last := uint64(0)
	firsts := d.count()
	if firsts > 0 {
		r.firsts = make([]first, 0, min(firsts, maxFirsts))
	}
	for range firsts {
		gap := d.uvarint()
		if gap > maxSeconds-last {
			d.fail()
			break
		}
		last += gap
		r.firsts = append(r.firsts, first{last, d.uint32()})
	}
	if flags&recordMarked != 0 {
		r.mark = &mark{d.uvarint(), d.uint32(), d.uvarint(), d.uvarint(), d.uint32(), flags&recordAgain != 0, flags&recordTouched != 0}
	}
	if flags&recordAlone != 0 {
		r.alone = d.uvarint()
	}
	if d.s != "" {
		r.newest = make([]graph.Sighting, 0, min(r.cases, maxNewest))
	}
	for d.s != "" {
		var s graph.Sighting
		s.Tenant, s.Case = d.str(), d.str()
		last := d.moment()
		s.Last = fromSeconds(last)
		s.First = fromSeconds(d.near(last))
		s.Count, s.Roles = d.uint32(), d.roles()
		r.newest = append(r.newest, s)
	}
	if alone := flags&recordAlone != 0; alone != (r.alone > 0) || alone && !r.single() {
		d.fail()
	}
	if err := d.done("value record"); err != nil {
		return record{}, named, err
	}
	return r, named, nil
}

// decodeSpread reads no more of a record than the two counts.
func decodeSpread(val []byte) (tenants, cases uint32, err error) {
	// A named record begins with the value, which may be long; else the counts
	// stand in the first few bytes.
	if len(val) > 0 && val[0]&recordNamed == 0 {
		val = val[:min(len(val), 1+2*binary.MaxVarintLen32)]
	}
	d := decoder{s: string(val)}
	if d.byte()&recordNamed != 0 {
		d.str()
		d.str()
	}
	tenants, cases = d.uint32(), d.uint32()
	if d.bad {
		return 0, 0, unreadable("value record")
	}
	return tenants, cases, nil
}

// decodeNamed reads no more of a record than the value, which the key does not hold.
func decodeNamed(val []byte) (v evidence.Value, err error) {
	// It is decoded of a copy, of which nothing else should stay.
	d := decoder{s: string(val)}
	if d.byte()&recordNamed != 0 {
		v.Kind, v.Text = evidence.Kind(strings.Clone(d.str())), strings.Clone(d.str())
	}
	if d.bad || v.Kind == "" {
		return evidence.Value{}, unreadable("value record")
	}
	return v, nil
}

// encodePosting writes what a sighting's key does not hold.
func encodePosting(sequence uint64, s graph.Sighting) []byte {
	b := binary.AppendUvarint(make([]byte, 0, 16), sequence)
	b = appendNear(b, s.First, seconds(s.Last))
	b = binary.AppendUvarint(b, uint64(s.Count))
	return appendRoles(b, s.Roles)
}

// decodePosting completes a sighting whose place is known. sequence is that of
// the change which wrote it.
func decodePosting(at graph.Position, val []byte) (s graph.Sighting, sequence uint64, err error) {
	d := decoder{s: string(val)}
	s.Ref, s.Last = at.Ref, at.Last
	sequence = d.uvarint()
	s.First = fromSeconds(d.near(seconds(at.Last)))
	s.Count, s.Roles = d.uint32(), d.roles()
	return s, sequence, d.done("sighting")
}

// sighting turns what a profile says about a value into the store's words.
func sighting(ref evidence.Ref, s evidence.Sighting) graph.Sighting {
	return graph.Sighting{Ref: ref, Roles: s.Roles, First: wholeSecond(s.First), Last: wholeSecond(s.Last), Count: s.Count}
}

func wholeSecond(t time.Time) time.Time { return fromSeconds(seconds(t)) }
