package graph

import (
	"context"
	"errors"
)

// Purger writes a store anew.
type Purger interface {
	// Purge leaves no copy of what was replaced or removed before the call in the
	// files of the store. Reads are answered meanwhile; changes wait for seconds at
	// most, once or a few times. Progress is told in entries. Whenever the process
	// ends, the store is whole, as it was before or anew. After an error nothing has
	// changed, but that old copies may be left, which the next opening removes.
	// ErrNoFiles where there are no files.
	Purge(ctx context.Context, progress func(done, of uint64)) error
}

// ErrNoFiles is returned by Purge of a store that is in memory only.
var ErrNoFiles = errors.New("the store is in memory and has no files")
