package export

import (
	"bufio"
	"container/heap"
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"slices"
)

// Scratch is where what does not fit into memory is set aside. Close removes it.
type Scratch interface {
	io.Writer
	io.ReaderAt
	io.Closer
}

// heldFragments is how many fragments are held in memory: about 8 MB.
const heldFragments = 16 << 10

// sorter brings the fragments of any number of cases into order of value, with
// bounded memory.
type sorter struct {
	open    func() (Scratch, error)
	most    int // fragments in memory
	held    []fragment
	scratch Scratch // nil while all fit
	at      int64
	runs    []run
}

// run is a sorted part of the scratch.
type run struct{ from, to int64 }

func (s *sorter) add(fragments []fragment) error {
	for len(fragments) > 0 {
		n := min(len(fragments), s.most-len(s.held))
		s.held = append(s.held, fragments[:n]...)
		fragments = fragments[n:]
		if len(s.held) == s.most {
			if err := s.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func compareFragments(a, b fragment) int {
	if c := a.Value.Compare(b.Value); c != 0 {
		return c
	}
	// Of one value, by case: what is joined must not depend on the order of runs.
	return slices.Compare(a.cases, b.cases)
}

// flush writes what is held as a run.
func (s *sorter) flush() error {
	if s.scratch == nil {
		scratch, err := s.open()
		if err != nil {
			return err
		}
		s.scratch = scratch
	}
	slices.SortFunc(s.held, compareFragments)
	out := bufio.NewWriterSize(s.scratch, 64<<10)
	from := s.at
	var b []byte
	for i := range s.held {
		b = appendFragment(b[:0], &s.held[i])
		size := binary.AppendUvarint(nil, uint64(len(b)))
		if _, err := out.Write(size); err != nil {
			return err
		}
		if _, err := out.Write(b); err != nil {
			return err
		}
		s.at += int64(len(size) + len(b))
	}
	s.runs = append(s.runs, run{from, s.at})
	clear(s.held)
	s.held = s.held[:0]
	return out.Flush()
}

// finish ends the adding.
func (s *sorter) finish() error {
	if s.scratch == nil {
		slices.SortFunc(s.held, compareFragments)
		return nil
	}
	if len(s.held) == 0 {
		return nil
	}
	err := s.flush()
	s.held = nil
	return err
}

func (s *sorter) close() error {
	s.held = nil
	if s.scratch == nil {
		return nil
	}
	return s.scratch.Close()
}

// values yields every value once, in order, with what all cases say of it.
func (s *sorter) values() iter.Seq2[fragment, error] {
	return func(yield func(fragment, error) bool) {
		var whole fragment
		begun := false
		for f, err := range s.fragments() {
			if err != nil {
				yield(fragment{}, err)
				return
			}
			if begun && f.Value == whole.Value {
				whole.join(&f)
				continue
			}
			if begun && !yield(whole, nil) {
				return
			}
			// What is held may be walked again, so that it is not joined into.
			whole, begun = f, true
			whole.facts, whole.cases = slices.Clone(f.facts), slices.Clone(f.cases)
		}
		if begun {
			yield(whole, nil)
		}
	}
}

// fragments merges the runs.
func (s *sorter) fragments() iter.Seq2[fragment, error] {
	return func(yield func(fragment, error) bool) {
		if s.scratch == nil {
			for _, f := range s.held {
				if !yield(f, nil) {
					return
				}
			}
			return
		}
		var heads heads
		for _, r := range s.runs {
			head := &head{in: bufio.NewReaderSize(io.NewSectionReader(s.scratch, r.from, r.to-r.from), 32<<10)}
			switch ok, err := head.next(); {
			case err != nil:
				yield(fragment{}, err)
				return
			case ok:
				heads = append(heads, head)
			}
		}
		heap.Init(&heads)
		for len(heads) > 0 {
			first := heads[0]
			if !yield(first.now, nil) {
				return
			}
			switch ok, err := first.next(); {
			case err != nil:
				yield(fragment{}, err)
				return
			case ok:
				heap.Fix(&heads, 0)
			default:
				heap.Pop(&heads)
			}
		}
	}
}

// head is the place in a run.
type head struct {
	in  *bufio.Reader
	now fragment
	b   []byte
}

// maxFragmentBytes is far above what a fragment may have.
const maxFragmentBytes = 16 << 20

func (h *head) next() (bool, error) {
	size, err := binary.ReadUvarint(h.in)
	switch {
	case errors.Is(err, io.EOF):
		return false, nil
	case err != nil:
		return false, err
	case size > maxFragmentBytes:
		return false, errScratch
	}
	h.b = slices.Grow(h.b[:0], int(size))[:size]
	if _, err := io.ReadFull(h.in, h.b); err != nil {
		return false, errScratch
	}
	h.now, err = readFragment(h.b)
	return err == nil, err
}

// heads is a heap of places, the one with the first fragment on top.
type heads []*head

// Len implements heap.Interface.
func (h heads) Len() int { return len(h) }

// Less implements heap.Interface.
func (h heads) Less(i, j int) bool { return compareFragments(h[i].now, h[j].now) < 0 }

// Swap implements heap.Interface.
func (h heads) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *heads) Push(x any) { *h = append(*h, x.(*head)) }

// Pop implements heap.Interface.
func (h *heads) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
