package badger

import (
	"bytes"
	"context"
	"errors"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/dgraph-io/badger/v4/y"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Scan implements graph.Queue: it reads the records of values and then the
// profiles in order of key, a range of keys to a goroutine.
func (s *Store) Scan(ctx context.Context, workers int, to graph.Scan) error {
	return s.read(ctx, func(sn *snapshot) error {
		size, err := sn.Size()
		if err != nil {
			return err
		}
		to.Size(size)
		err = s.inRanges(spaceValue, workers, func(r keyRange) error {
			return sn.scanValues(ctx, r, to)
		})
		if err != nil {
			return err
		}
		return s.inRanges(spaceProfile, workers, func(r keyRange) error {
			return sn.scanCases(ctx, r, to.Case)
		})
	})
}

// keyRange is a part of a keyspace: from the first key on and before the other;
// nil is its beginning or its end.
type keyRange struct{ from, before []byte }

func (r keyRange) ends(key []byte) bool { return r.before != nil && bytes.Compare(key, r.before) >= 0 }

// rangesPerWorker evens out ranges of unequal length.
const rangesPerWorker = 8

// inRanges calls f for ranges that make up a keyspace, from several goroutines.
func (s *Store) inRanges(space byte, workers int, f func(keyRange) error) error {
	cuts := s.cuts(space, rangesPerWorker*workers)
	ranges := make(chan keyRange, len(cuts)+1)
	var from []byte
	for _, cut := range cuts {
		ranges <- keyRange{from, cut}
		from = cut
	}
	ranges <- keyRange{from, nil}
	close(ranges)
	errs := make([]error, workers)
	var running sync.WaitGroup
	for w := range workers {
		running.Go(func() {
			// What was panicked with may hold a value of a case.
			defer func() {
				if recover() != nil {
					s.log.Error("panic while the store was read", "stack", string(debug.Stack()))
					errs[w] = errPanicked
				}
			}()
			for r := range ranges {
				if errs[w] = f(r); errs[w] != nil {
					return
				}
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// errPanicked is the error of a read that panicked.
var errPanicked = errors.New("internal error: a read was given up")

// cuts returns at most that many keys which divide a keyspace about evenly:
// where Badger's tables begin.
func (s *Store) cuts(space byte, most int) [][]byte {
	var all [][]byte
	for _, t := range s.db().Tables() {
		if key := y.ParseKey(t.Left); len(key) > 1 && key[0] == space {
			all = append(all, bytes.Clone(key))
		}
	}
	slices.SortFunc(all, bytes.Compare)
	all = slices.CompactFunc(all, bytes.Equal)
	if len(all) <= most {
		return all
	}
	cuts := make([][]byte, most)
	for i := range cuts {
		cuts[i] = all[i*len(all)/most]
	}
	return cuts
}

// checkEvery is how many keys are read between two looks at the context.
const checkEvery = 1024

func (s *snapshot) scanValues(ctx context.Context, r keyRange, to graph.Scan) error {
	it := s.iterate([]byte{spaceValue})
	defer it.Close()
	it.Seek(r.from)
	for n := 0; it.Valid() && !r.ends(it.Item().Key()); n++ {
		if n%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		err := s.value(it, func(val []byte) error {
			tenants, cases, err := decodeSpread(val)
			if err != nil || tenants == 0 || tenants == 1 && (to.Alone == nil || !placed(it.Item().Key())) {
				return err
			}
			v, _, _, exact, ok := cutValueKey(it.Item().Key()[1:])
			switch {
			case !ok:
				return unreadable("value key")
			case !exact:
				if v, err = decodeNamed(val); err != nil {
					return err
				}
			}
			if tenants == 1 {
				to.Alone(v)
			} else {
				to.Value(v, tenants, cases)
			}
			return nil
		})
		if err != nil {
			return err
		}
		it.Next()
	}
	return nil
}

// placed reports whether the key of a record is that of an address, a network or a
// name in the tree of domains.
func placed(key []byte) bool {
	if len(key) < 2 {
		return false
	}
	switch key[1] &^ rawText {
	case codeIP, codeCIDR, codeDomain, codeHostname:
		return true
	}
	return false
}

// scanCases reads profiles and, beside them, the headers of the same cases.
func (s *snapshot) scanCases(ctx context.Context, r keyRange, to func(p *evidence.Profile, revision uint32)) error {
	profiles, headers := s.iterate([]byte{spaceProfile}), s.iterate([]byte{spaceHeader})
	defer profiles.Close()
	defer headers.Close()
	profiles.Seek(r.from)
	if !profiles.Valid() {
		return nil
	}
	headers.Seek(append([]byte{spaceHeader}, profiles.Item().Key()[1:]...))
	var reader profileReader
	for n := 0; profiles.Valid() && !r.ends(profiles.Item().Key()); n++ {
		if n%checkEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		ref, ok := parseRef(profiles.Item().Key()[1:])
		if !ok {
			return unreadable("profile")
		}
		var p *evidence.Profile
		err := s.value(profiles, func(val []byte) (err error) {
			if err = reader.begin(ref, val); err == nil {
				p, err = reader.whole()
			}
			return err
		})
		if err != nil {
			return err
		}
		for headers.Valid() && bytes.Compare(headers.Item().Key()[1:], profiles.Item().Key()[1:]) < 0 {
			headers.Next()
		}
		if !headers.Valid() || !bytes.Equal(headers.Item().Key()[1:], profiles.Item().Key()[1:]) {
			return unreadable("case header")
		}
		var h header
		err = s.value(headers, func(val []byte) (err error) {
			h, err = decodeHeader(val)
			return err
		})
		if err != nil {
			return err
		}
		if p.Live {
			to(p, h.Revision)
		}
		profiles.Next()
	}
	return nil
}
