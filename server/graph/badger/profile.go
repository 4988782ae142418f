package badger

import (
	"encoding/binary"
	"slices"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Flags of an encoded profile.
const (
	profileLive = 1 << iota
	profileDismissed
	// profileIndexed says that counts of the kinds and the places of the
	// sightings come first, so that some can be read without the others.
	profileIndexed
)

// encodeProfile writes what linking reads of a case, but for its ref, which is
// in the key. Techniques stand once, in a table; those of the case come first.
func encodeProfile(p *evidence.Profile) []byte {
	b := make([]byte, 1, 64+40*len(p.Sightings))
	if p.Live {
		b[0] |= profileLive
	}
	if p.Dismissed {
		b[0] |= profileDismissed
	}
	b = appendString(b, p.Kind)
	base := seconds(p.First)
	b = binary.AppendUvarint(b, base)
	b = appendNear(b, p.Last, base)
	b = appendNear(b, p.EvidenceFrom, base)

	table := slices.Clone(p.Techniques)
	place := make(map[string]uint64, len(table))
	for i, t := range table {
		place[t] = uint64(i)
	}
	for _, s := range p.Sightings {
		for _, t := range s.Techniques {
			if _, ok := place[t]; !ok {
				place[t] = uint64(len(table))
				table = append(table, t)
			}
		}
	}
	b = binary.AppendUvarint(b, uint64(len(p.Techniques)))
	b = binary.AppendUvarint(b, uint64(len(table)))
	for _, t := range table {
		b = appendString(b, t)
	}
	b = binary.AppendUvarint(b, uint64(len(p.Sightings)))
	if len(p.Sightings) <= graph.OutlineAbove {
		for i := range p.Sightings {
			b = appendProfiled(b, &p.Sightings[i], base, place)
		}
		return b
	}
	b[0] |= profileIndexed
	var block, places []byte
	for i := range p.Sightings {
		places = binary.LittleEndian.AppendUint32(places, uint32(len(block)))
		block = appendProfiled(block, &p.Sightings[i], base, place)
	}
	b = appendCounts(b, p.Sightings)
	b = append(b, places...)
	return append(b, block...)
}

// appendCounts writes how many values of each kind there are; sightings are
// sorted by kind.
func appendCounts(b []byte, sightings []evidence.Sighting) []byte {
	var counts []byte
	kinds := uint64(0)
	for i := 0; i < len(sightings); kinds++ {
		n := 1
		for i+n < len(sightings) && sightings[i+n].Kind == sightings[i].Kind {
			n++
		}
		counts = appendString(counts, string(sightings[i].Kind))
		counts = binary.AppendUvarint(counts, uint64(n))
		i += n
	}
	return append(binary.AppendUvarint(b, kinds), counts...)
}

func appendProfiled(b []byte, s *evidence.Sighting, base uint64, techniques map[string]uint64) []byte {
	b = appendValue(b, s.Value)
	b = appendRoles(b, s.Roles)
	b = appendNear(b, s.First, base)
	b = appendNear(b, s.Last, base)
	b = binary.AppendUvarint(b, uint64(s.Count))
	b = binary.AppendUvarint(b, uint64(len(s.Techniques)))
	for _, t := range s.Techniques {
		b = binary.AppendUvarint(b, techniques[t])
	}
	b = binary.AppendUvarint(b, uint64(len(s.Written)))
	for _, w := range s.Written {
		b = appendString(b, w)
	}
	return b
}

// profileReader reads encoded profiles, whole or in part. Used again it takes little
// memory, and overwrites the profile before.
type profileReader struct {
	d       decoder
	profile *evidence.Profile
	base    uint64
	table   []string // techniques
	n       int      // sightings
	counts  map[evidence.Kind]int
	places  string // of the sightings in what is left of d; "" if not indexed
	// Techniques of all sightings share one array: a slice that was cut from it
	// stays valid when append moves on to a larger one.
	pool []string
	// room is for all sightings.
	room []evidence.Sighting
}

// readProfile reads all but the sightings.
func readProfile(ref evidence.Ref, val []byte) (*profileReader, error) {
	r := &profileReader{}
	if err := r.begin(ref, val); err != nil {
		return nil, err
	}
	return r, nil
}

// begin reads all but the sightings.
func (r *profileReader) begin(ref evidence.Ref, val []byte) error {
	*r = profileReader{d: decoder{s: string(val)}, table: r.table[:0], pool: r.pool[:0], room: r.room}
	d := &r.d
	flags := d.byte()
	p := &evidence.Profile{
		Ref:       ref,
		Live:      flags&profileLive != 0,
		Dismissed: flags&profileDismissed != 0,
		Kind:      d.str(),
	}
	r.profile = p
	r.base = d.moment()
	p.First = fromSeconds(r.base)
	p.Last = fromSeconds(d.near(r.base))
	p.EvidenceFrom = fromSeconds(d.near(r.base))

	own, n := d.count(), d.count()
	if own > n {
		d.fail()
		own, n = 0, 0
	}
	if n > 0 {
		r.table = slices.Grow(r.table, n)[:n]
		for i := range r.table {
			r.table[i] = d.str()
		}
		p.Techniques = r.table[:own:own]
		if own == 0 {
			p.Techniques = nil
		}
	}
	r.n = d.count()
	if flags&profileIndexed != 0 {
		kinds := d.count()
		r.counts = make(map[evidence.Kind]int, kinds)
		for range kinds {
			kind := evidence.Kind(d.str())
			r.counts[kind] = int(d.uvarint())
		}
		if len(d.s) < 4*r.n {
			d.fail()
		} else {
			r.places, d.s = d.s[:4*r.n], d.s[4*r.n:]
		}
	}
	if d.bad {
		return unreadable("profile")
	}
	return nil
}

// sighting reads the next sighting of d.
func (r *profileReader) sighting(d *decoder) (s evidence.Sighting) {
	s.Value = d.value()
	s.Roles = d.roles()
	s.First = fromSeconds(d.near(r.base))
	s.Last = fromSeconds(d.near(r.base))
	s.Count = d.uint32()
	start := len(r.pool)
	for range d.count() {
		at := d.uvarint()
		if at >= uint64(len(r.table)) {
			d.fail()
			break
		}
		r.pool = append(r.pool, r.table[at])
	}
	if len(r.pool) > start {
		s.Techniques = r.pool[start:len(r.pool):len(r.pool)]
	}
	for range d.count() {
		s.Written = append(s.Written, d.str())
	}
	return s
}

// whole reads all sightings.
func (r *profileReader) whole() (*evidence.Profile, error) {
	if r.n > 0 {
		r.room = slices.Grow(r.room[:0], r.n)[:r.n]
		r.profile.Sightings = r.room
	}
	for i := range r.profile.Sightings {
		r.profile.Sightings[i] = r.sighting(&r.d)
		if r.d.bad {
			break
		}
	}
	if err := r.d.done("profile"); err != nil {
		return nil, err
	}
	return r.profile, nil
}

func decodeProfile(ref evidence.Ref, val []byte) (*evidence.Profile, error) {
	r, err := readProfile(ref, val)
	if err != nil {
		return nil, err
	}
	return r.whole()
}
