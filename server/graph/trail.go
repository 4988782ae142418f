package graph

import (
	"context"
	"sync/atomic"
)

// Trail keeps the record of what was done, beside the graph: notes that changes
// leave, and the pages that somebody makes of them. What is in either is nothing to
// the store. It is as durable as cases are, and safe for concurrent use; slices that
// go in or come out belong to the caller.
type Trail interface {
	// Notes returns at most limit notes that nobody has taken, in the order in which
	// their changes were made.
	Notes(ctx context.Context, limit int) ([]LeftNote, error)
	// Head returns the head that was written last; nil if there is none.
	Head(ctx context.Context) ([]byte, error)
	// Page returns a page; nil if there is none of that number.
	Page(ctx context.Context, number uint64) ([]byte, error)
	// Write makes one change of it all.
	Write(ctx context.Context, b TrailBatch) error
}

// TrailBatch is one change of a Trail.
type TrailBatch struct {
	Head   []byte // nil: as it is
	Put    []Page
	Remove []uint64 // pages
	Taken  []uint64 // ids of notes, which go
}

// Page is a part of a Trail.
type Page struct {
	Number uint64
	Data   []byte
}

// LeftNote is a note that a change has left.
type LeftNote struct {
	ID   uint64
	Data []byte
}

// Bounds of what a Trail holds, in bytes; KeptSizeError is what exceeds them.
const (
	MaxNote = 64 << 10
	MaxPage = 384 << 10
)

// Note is written together with the change that is made by a context with it: both
// or neither, whatever happens.
type Note struct {
	data func() []byte
	left atomic.Bool
}

// NewNote returns a note whose data are asked for when the change is made.
func NewNote(data func() []byte) *Note { return &Note{data: data} }

// Left reports whether a change has left the note.
func (n *Note) Left() bool { return n.left.Load() }

type noteKey struct{}

// WithNote returns a context by which the first change of a store, whether by its
// Writer or its Keeper, leaves a note. A call that changes nothing leaves none.
func WithNote(ctx context.Context, n *Note) context.Context {
	return context.WithValue(ctx, noteKey{}, n)
}

// NoteOf is for backends. It returns the data of the note that a change by ctx has
// to leave, nil if there is none, and what to call once it is durable.
func NoteOf(ctx context.Context) (data []byte, left func()) {
	n, _ := ctx.Value(noteKey{}).(*Note)
	if n == nil || n.left.Load() {
		return nil, func() {}
	}
	return n.data(), func() { n.left.Store(true) }
}
