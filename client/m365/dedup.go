package m365

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"os"
	"slices"
	"strings"
)

// mark is a record's fingerprint of 64 bits. Two different records of n share
// one with a probability of n²/2⁶⁵: for ten million, three in a million.
type mark uint64

// fingerprint is that of a record's id, or of its content where it has none. An
// id is one of the audit log, a sign-in, a directory audit or an alert.
func fingerprint(seed maphash.Seed, r *Record) mark {
	var h maphash.Hash
	h.SetSeed(seed)
	if r.ID != "" {
		schema := byte('u')
		switch r.Origin.Form {
		case FormSignIn, FormDirectoryAudit, FormAlert:
			schema = r.Origin.Form[0]
		}
		_ = h.WriteByte(schema)
		_, _ = h.WriteString(strings.ToLower(r.ID))
		return mark(h.Sum64())
	}
	v := r.Raw
	if v.Kind() == Absent {
		v = r.Envelope
	}
	return mark(content(seed, v))
}

// content is a hash of a value that does not depend on the order and case of
// names, on empty fields, on whether JSON stands in a string, or numbers in
// quotes.
func content(seed maphash.Seed, v Value) uint64 {
	v = v.Embedded()
	switch v.Kind() {
	case Absent, Null:
		return 0
	case Object:
		var sum uint64
		var space [64]byte
		for key, e := range v.Fields() {
			c := content(seed, e)
			if c == 0 {
				continue
			}
			name := foldName(space[:0], key)
			sum += mix(maphash.Bytes(seed, name), c)
		}
		return sum
	case Array:
		var sum uint64
		for e := range v.Elements() {
			sum = mix(sum+0x9e3779b97f4a7c15, content(seed, e))
		}
		return sum
	}
	text := trim(v.Text())
	if text == "" {
		return 0
	}
	if strings.EqualFold(text, "true") || strings.EqualFold(text, "false") {
		text = strings.ToLower(text)
	}
	return maphash.String(seed, text)
}

func mix(a, b uint64) uint64 {
	x := a*0xff51afd7ed558ccd ^ b
	x ^= x >> 32
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>29
}

// shards keep what a set copies when it grows small.
const shards = 256

// prints is a set of fingerprints: 9 to 18 bytes for each in memory, and 8 bytes
// in a temporary file beyond a limit.
type prints struct {
	limit   int
	n       int // in memory
	count   int // in all
	spilled int // in files
	table   [shards]shard
	runs    []run
	dir     string
}

// shard is an open-addressing table; 0 is a free place.
type shard struct {
	slots []mark
	n     int
}

// run is a sorted list of fingerprints in a file, with every 512th in memory.
type run struct {
	f     *os.File
	n     int
	index []mark
}

const runBlock = 512

// add puts p into the set and reports whether it was new.
func (s *prints) add(p mark) (bool, error) {
	if p == 0 {
		p = 1
	}
	sh := &s.table[p>>56]
	if sh.has(p) {
		return false, nil
	}
	for i := range s.runs {
		if found, err := s.runs[i].has(p); found || err != nil {
			return false, err
		}
	}
	if s.n >= s.limit {
		if err := s.spill(); err != nil {
			return false, err
		}
	}
	sh.add(p)
	s.n++
	s.count++
	return true, nil
}

func (sh *shard) has(p mark) bool {
	if len(sh.slots) == 0 {
		return false
	}
	mask := mark(len(sh.slots) - 1)
	for i := p & mask; sh.slots[i] != 0; i = (i + 1) & mask {
		if sh.slots[i] == p {
			return true
		}
	}
	return false
}

func (sh *shard) add(p mark) {
	if sh.n >= len(sh.slots)*7/8 {
		old := sh.slots
		sh.slots = make([]mark, max(64, 2*len(old)))
		for _, q := range old {
			if q != 0 {
				sh.put(q)
			}
		}
	}
	sh.put(p)
	sh.n++
}

func (sh *shard) put(p mark) {
	mask := mark(len(sh.slots) - 1)
	i := p & mask
	for sh.slots[i] != 0 {
		i = (i + 1) & mask
	}
	sh.slots[i] = p
}

// spill moves the set in memory to a file. The file has no name once it is open.
func (s *prints) spill() error {
	f, err := os.CreateTemp(s.dir, "elsewhere-fingerprints-*")
	if err != nil {
		return fmt.Errorf("room to find duplicates: %w", err)
	}
	// Where a file in use cannot be removed, close does it.
	_ = os.Remove(f.Name())
	s.runs = append(s.runs, run{f: f, n: s.n})
	r := &s.runs[len(s.runs)-1]
	buf := make([]byte, 0, runBlock*8)
	for i := range s.table {
		// The first byte chose the shard, so shards are in order.
		sorted := slices.DeleteFunc(s.table[i].slots, func(p mark) bool { return p == 0 })
		slices.Sort(sorted)
		for _, p := range sorted {
			if len(buf) == 0 {
				r.index = append(r.index, p)
			}
			buf = binary.LittleEndian.AppendUint64(buf, uint64(p))
			if len(buf) == cap(buf) {
				if _, err := f.Write(buf); err != nil {
					return fmt.Errorf("room to find duplicates: %w", err)
				}
				buf = buf[:0]
			}
		}
		s.table[i] = shard{}
	}
	if _, err := f.Write(buf); err != nil {
		return fmt.Errorf("room to find duplicates: %w", err)
	}
	s.spilled += s.n
	s.n = 0
	return nil
}

func (r *run) has(p mark) (bool, error) {
	block, exact := slices.BinarySearch(r.index, p)
	if exact || block == 0 {
		return exact, nil
	}
	block--
	var buf [runBlock * 8]byte
	n := min(runBlock, r.n-block*runBlock)
	if _, err := r.f.ReadAt(buf[:n*8], int64(block)*runBlock*8); err != nil {
		return false, fmt.Errorf("room to find duplicates: %w", err)
	}
	low, high := 0, n
	for low < high {
		mid := (low + high) / 2
		if mark(binary.LittleEndian.Uint64(buf[mid*8:])) < p {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low < n && mark(binary.LittleEndian.Uint64(buf[low*8:])) == p, nil
}

// close gives back the files.
func (s *prints) close() {
	for _, r := range s.runs {
		_ = r.f.Close()
		_ = os.Remove(r.f.Name())
	}
	s.runs = nil
}
