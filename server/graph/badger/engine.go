package badger

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	dgraph "github.com/dgraph-io/badger/v4"
)

// engine is one database of a store.
type engine struct {
	*dgraph.DB
	dir string
	// readers are those who hold a view of it.
	readers sync.WaitGroup
}

// openEngine opens the database of a folder that has room and whose files are
// whole as far as that can be told.
func openEngine(opt dgraph.Options, room *space) (*dgraph.DB, error) {
	if taken, err := held(opt.Dir); err != nil {
		return nil, err
	} else if taken {
		return nil, fmt.Errorf("%s: %w", opt.Dir, ErrInUse)
	}
	if err := room.check(room.forEngine()); err != nil {
		return nil, fmt.Errorf("%s: %w", opt.Dir, err)
	}
	if err := checkFiles(opt.Dir, opt.EncryptionKey); err != nil {
		return nil, err
	}
	db, err := openGuarded(opt.WithVerifyValueChecksum(true))
	switch {
	case err == nil:
		return db, nil
	case strings.Contains(err.Error(), "Another process is using"):
		// Badger has no value for this error.
		return nil, fmt.Errorf("%s: %w", opt.Dir, ErrInUse)
	case errors.Is(err, os.ErrPermission):
		return nil, err
	}
	return nil, fmt.Errorf("%s: %w", opt.Dir, err)
}

// openGuarded makes an error of a panic: Badger asserts what a damaged file may
// not hold.
func openGuarded(opt dgraph.Options) (db *dgraph.DB, err error) {
	defer func() {
		if r := recover(); r != nil {
			db, err = nil, fmt.Errorf("the database cannot be read (%v); put a backup of the folder back", r)
		}
	}()
	return dgraph.Open(opt)
}

// closeWithin bounds how long Badger may take to write its last buffer: where it
// cannot, it would try for ever.
const closeWithin = time.Minute

// closeEngine closes a database and seals its folder. Where that cannot end well
// it leaves the folder to the next start: every acknowledged change is in the log
// already. On a full disk the operating system would end the process over the last
// buffer, and after a write that failed Badger may wait for ever.
func (s *Store) closeEngine(e *engine) error {
	if e.Opts().InMemory {
		return e.Close()
	}
	if err := s.closeDatabase(e); err != nil {
		return err
	}
	return seal(e.dir, layout)
}

func (s *Store) closeDatabase(e *engine) error {
	var err error
	if broken := s.gaveUp.Load(); broken != nil {
		err = broken
	} else {
		err = s.room.check(s.room.forEngine())
	}
	if err != nil {
		return e.untidy(err)
	}
	closed := make(chan error, 1)
	go func() { closed <- e.Close() }()
	select {
	case err := <-closed:
		return err
	case <-time.After(closeWithin):
		return e.untidy(errors.New("the last buffer could not be written"))
	}
}

func (e *engine) untidy(err error) error {
	return fmt.Errorf("%s was not tidied up, which the next start does; nothing is lost: %w", e.dir, err)
}
