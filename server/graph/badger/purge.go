package badger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	dgraph "github.com/dgraph-io/badger/v4"

	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Badger keeps what was replaced and deleted in tables and logs until it happens to
// merge them. A purge writes the newest version of every key into a fresh folder and
// has that take the place of the old one: what is gone is then in no file. Readers
// notice nothing. Changes go on too, and are carried over in rounds, each of what the
// one before took; the last round holds the writer, within swapWithin.

const (
	// swapWithin bounds how long changes wait for the last round and the swap. One
	// that takes longer is given up, and another round follows.
	swapWithin = 5 * time.Second
	// lastRound is how many changes may be left for the last round.
	lastRound = 20_000
	// maxRounds bounds the rounds of a store that changes faster than it is copied.
	maxRounds = 50
	// roomEvery is how many bytes are copied between two looks at the disk.
	roomEvery = 32 << 20
)

var (
	errPurging    = errors.New("the store is being purged already")
	errRestless   = errors.New("the store changes faster than it is copied; nothing was changed")
	errSwapTooOld = errors.New("the last round took too long")
)

// Purge implements graph.Purger.
func (s *Store) Purge(ctx context.Context, progress func(done, of uint64)) error {
	if err := s.rewrite(ctx, s.options.Encryption, progress); err != nil {
		return fmt.Errorf("purge the store: %w", err)
	}
	return nil
}

// rewrite copies the store into a fresh folder, encrypted as given, which takes the
// place of the old one.
func (s *Store) rewrite(ctx context.Context, as Encryption, progress func(done, of uint64)) error {
	if s.options.Memory {
		return graph.ErrNoFiles
	}
	if !s.purging.TryLock() {
		return errPurging
	}
	defer s.purging.Unlock()
	if s.over.Err() != nil {
		return graph.ErrClosed
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.over, cancel)()

	old := s.db()
	size, err := folderSize(old.dir)
	if err != nil {
		return err
	}
	if err := s.room.check(size + s.room.forEngine()); err != nil {
		return err
	}
	now, err := currentFolder(s.options.Dir)
	if err != nil {
		return err
	}
	name, err := nextFolder(s.options.Dir, now)
	if err != nil {
		return err
	}
	o := s.options
	o.Encryption = as
	dir := filepath.Join(s.options.Dir, name)
	db, err := openEngine(engineOptions(dir, o, s.log), s.room)
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	p := &purge{store: s, from: old, to: &engine{DB: db, dir: dir}, name: name, progress: progress}
	err = p.run(ctx)
	switch {
	case s.db() == p.to:
	case p.named:
		return errors.Join(err, db.Close())
	default:
		return errors.Join(err, db.Close(), os.RemoveAll(dir))
	}
	s.options = o
	s.log.LogAttrs(ctx, slog.LevelInfo, "the store was written anew", slog.String("dir", dir), slog.Duration("changes_waited", p.held))
	// No longer to be interrupted: what is left of the old database is what the purge
	// is for.
	old.readers.Wait()
	if err := s.closeDatabase(old); err != nil {
		return err
	}
	return sweepOut(s.options.Dir, name)
}

// purge is one copying of a store.
type purge struct {
	store    *Store
	from, to *engine
	name     string
	progress func(done, of uint64)
	// at is the state that was copied last, kept so that Badger keeps what came after.
	at *dgraph.Txn
	// unlooked is what was copied since the last look at the disk, in bytes.
	unlooked int64
	// held is how long changes waited for the swap.
	held time.Duration
	// named says that a crash might leave the new database as the current one.
	named bool
}

func (p *purge) run(ctx context.Context) error {
	defer func() {
		if p.at != nil {
			p.at.Discard()
		}
	}()
	for range maxRounds {
		changed, err := p.round(ctx)
		if err != nil {
			return err
		}
		if changed > lastRound {
			continue
		}
		err = p.swap(ctx)
		if !errors.Is(err, errSwapTooOld) {
			return err
		}
	}
	return errRestless
}

// round copies what has changed since the last one, at first everything, and returns
// how many keys that were.
func (p *purge) round(ctx context.Context) (changed int, err error) {
	now := p.from.NewTransaction(false)
	changed, err = p.copy(ctx, now)
	if p.at != nil {
		p.at.Discard()
	}
	p.at = now
	return changed, err
}

func (p *purge) copy(ctx context.Context, now *dgraph.Txn) (changed int, err error) {
	o := dgraph.IteratorOptions{PrefetchValues: p.at == nil, PrefetchSize: 100}
	total := uint64(0)
	if p.at != nil {
		// Of each key the newest version comes first, removals included.
		o.AllVersions, o.SinceTs = true, p.at.ReadTs()
	} else {
		for _, t := range p.from.Tables() {
			total += uint64(t.KeyCount)
		}
	}
	to := p.to.NewWriteBatch()
	defer to.Cancel()
	it := now.NewIterator(o)
	defer it.Close()
	var last []byte
	for it.Rewind(); it.Valid(); it.Next() {
		item := it.Item()
		if p.at != nil && bytes.Equal(last, item.Key()) {
			continue
		}
		last = item.KeyCopy(last)
		if changed%checkEvery == 0 {
			if err := ctx.Err(); err != nil {
				return changed, err
			}
			if p.at == nil {
				p.progress(uint64(changed), max(total, uint64(changed)))
			}
		}
		changed++
		if err := p.put(to, item); err != nil {
			return changed, err
		}
	}
	return changed, to.Flush()
}

func (p *purge) put(to *dgraph.WriteBatch, item *dgraph.Item) error {
	if item.IsDeletedOrExpired() {
		return to.Delete(item.KeyCopy(nil))
	}
	// See reader.getLong.
	for range 3 {
		val, err := item.ValueCopy(nil)
		if err != nil {
			return err
		}
		if len(val) == 0 {
			continue
		}
		if p.unlooked += int64(len(val) + len(item.Key())); p.unlooked > roomEvery {
			p.unlooked = 0
			if err := p.store.room.check(p.store.room.forEngine()); err != nil {
				return err
			}
		}
		e := dgraph.NewEntry(item.KeyCopy(nil), val).WithMeta(item.UserMeta())
		e.ExpiresAt = item.ExpiresAt()
		return to.SetEntry(e)
	}
	return unreadable("value")
}

// swap holds the writer, copies what is left and has the new database take over.
func (p *purge) swap(ctx context.Context) error {
	did := make(chan error, 1)
	// Not under ctx: whether the databases were swapped has to be known.
	err := p.store.write(context.WithoutCancel(ctx), true, func(w *writer, _ *change) error {
		ctx, cancel := context.WithTimeoutCause(ctx, swapWithin, errSwapTooOld)
		defer cancel()
		began := time.Now()
		defer func() { p.held = time.Since(began) }()
		_, err := p.round(ctx)
		if err != nil {
			if errors.Is(context.Cause(ctx), errSwapTooOld) {
				err = errSwapTooOld
			}
			did <- err
			return nil
		}
		p.named, err = setCurrent(p.store.options.Dir, p.name)
		if err == nil {
			p.store.engine.Store(p.to)
			w.show(nil)
		} else if p.named {
			// Nothing may be written to either that the other lacks.
			w.giveUp(err)
		}
		did <- err
		return nil
	})
	if err != nil {
		return err
	}
	return <-did
}

// folderSize returns what the files of a folder take on the disk, in bytes.
func folderSize(dir string) (size uint64, err error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	for _, f := range files {
		info, err := f.Info()
		if errors.Is(err, os.ErrNotExist) {
			continue // Badger has removed it since
		}
		if err != nil {
			return 0, err
		}
		if info.Mode().IsRegular() {
			size += diskSize(info)
		}
	}
	return size, nil
}
