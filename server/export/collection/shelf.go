package collection

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/export"
	"github.com/elsewhere-project/elsewhere/server/export/stix"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Bundles makes bundles.
type Bundles interface {
	Build(ctx context.Context, v access.Viewer, s export.Selection) (*export.Bundle, error)
	// Basis tells one state of what a bundle is made from from the next.
	Basis(ctx context.Context, v access.Viewer, s export.Selection) ([sha256.Size]byte, error)
}

// Config is what a Shelf is made of.
type Config struct {
	Bundles Bundles
	Keeper  graph.Keeper
	// Scratch makes room for what does not fit into memory.
	Scratch func() (export.Scratch, error)
	// Clock is time.Now when nil.
	Clock func() time.Time
}

const (
	// maxEditions is how many editions are kept at a time, each for keptWithin at most.
	maxEditions = 8
	keptWithin  = 5 * time.Minute
	// pagesWithin is how long pages that follow one another are of one edition, whatever
	// changes meanwhile.
	pagesWithin = 2 * time.Minute
	// madeTogether is how many editions are made at a time.
	madeTogether = 2
)

// Shelf has the collections. It is safe for concurrent use.
type Shelf struct {
	c      Config
	making chan struct{}

	mu       sync.Mutex
	editions map[export.UUID]*edition
	turns    map[export.UUID]chan struct{}
	// dropped counts Drop: what was begun before it is not kept.
	dropped uint64
}

// NewShelf returns a shelf.
func NewShelf(c Config) *Shelf {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return &Shelf{
		c: c, making: make(chan struct{}, madeTogether), editions: make(map[export.UUID]*edition), turns: make(map[export.UUID]chan struct{}),
	}
}

// Drop forgets all editions, so that the next page is of what may leave then. What was
// offered is remembered.
func (s *Shelf) Drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropped++
	for id := range s.editions {
		s.remove(id)
	}
}

// remove takes an edition away, for who holds the lock.
func (s *Shelf) remove(id export.UUID) {
	e := s.editions[id]
	delete(s.editions, id)
	if e.over = true; e.readers == 0 {
		// It is scratch, and what is in it is read no more.
		_ = e.scratch.Close()
	}
}

// give ends the reading of an edition.
func (s *Shelf) give(e *edition) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.readers--; e.readers == 0 && e.over {
		return e.scratch.Close()
	}
	return nil
}

// found returns the edition of a collection that serves, for who gives it back; nil if
// there is none.
func (s *Shelf) found(id export.UUID, serves func(*edition) bool) *edition {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.editions[id]
	if e == nil || !serves(e) {
		return nil
	}
	e.readers++
	return e
}

// turn waits until nobody else makes an edition of a collection.
func (s *Shelf) turn(ctx context.Context, id export.UUID) (done func(), err error) {
	for {
		s.mu.Lock()
		others := s.turns[id]
		if others == nil {
			mine := make(chan struct{})
			s.turns[id] = mine
			s.mu.Unlock()
			return func() {
				s.mu.Lock()
				delete(s.turns, id)
				s.mu.Unlock()
				close(mine)
			}, nil
		}
		s.mu.Unlock()
		select {
		case <-others:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// edition returns an edition of a collection: a fresh one, or for pages that follow
// others the one that those were of. The caller gives it back.
func (s *Shelf) edition(ctx context.Context, v access.Viewer, c *Collection, follows bool) (*edition, error) {
	done, err := s.turn(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	defer done()
	now := s.c.Clock()
	if follows {
		if e := s.found(c.ID, func(e *edition) bool { return now.Sub(e.built) < pagesWithin }); e != nil {
			return e, nil
		}
	}
	basis, err := s.c.Bundles.Basis(ctx, v, c.selection())
	if err != nil {
		return nil, err
	}
	if e := s.found(c.ID, func(e *edition) bool { return e.basis == basis && now.Sub(e.built) < keptWithin }); e != nil {
		return e, nil
	}
	select {
	case s.making <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-s.making }()
	s.mu.Lock()
	dropped := s.dropped
	s.mu.Unlock()
	e, err := s.make(ctx, v, c)
	if err != nil {
		return nil, err
	}
	e.basis, e.built = basis, now
	s.keep(c.ID, e, dropped)
	return e, nil
}

// keep keeps an edition for the next who asks, unless all were dropped since it was
// begun.
func (s *Shelf) keep(id export.UUID, e *edition, dropped uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.readers = 1
	if s.dropped != dropped {
		e.over = true
		return
	}
	if s.editions[id] != nil {
		s.remove(id)
	}
	for len(s.editions) >= maxEditions {
		var oldest export.UUID
		for other, o := range s.editions {
			if oldest.IsZero() || o.built.Before(s.editions[oldest].built) {
				oldest = other
			}
		}
		s.remove(oldest)
	}
	s.editions[id] = e
	// What nobody reads any more does not lie about.
	time.AfterFunc(keptWithin, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.editions[id] == e {
			s.remove(id)
		}
	})
}

// make makes an edition, and remembers what it offers before anybody is told.
func (s *Shelf) make(ctx context.Context, v access.Viewer, c *Collection) (*edition, error) {
	bundle, err := s.c.Bundles.Build(ctx, v, c.selection())
	if err != nil {
		return nil, err
	}
	scratch, err := s.c.Scratch()
	if err != nil {
		return nil, errors.Join(err, bundle.Close())
	}
	e := &edition{bundle: bundle, maker: stix.NewMaker(bundle), scratch: scratch}
	if err := errors.Join(s.fill(ctx, e, c), bundle.Close()); err != nil {
		return nil, errors.Join(err, scratch.Close())
	}
	return e, nil
}

func (s *Shelf) fill(ctx context.Context, e *edition, c *Collection) error {
	l, err := openList(ctx, s.c.Keeper, c.ID)
	if err != nil {
		return err
	}
	now := s.c.Clock().UTC()
	m := merge{edition: e, bundle: e.bundle, now: now}
	if err := m.run(ctx, l); err != nil {
		return err
	}
	if m.changed || now.Sub(time.Unix(l.head.Written, 0)) > renewedAfter {
		if err := l.replace(ctx, e.entries(), max(m.next-1, l.head.Last), now); err != nil {
			return err
		}
	}
	e.sort()
	return nil
}
