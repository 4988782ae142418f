package graph

import "fmt"

// NoSpaceError is returned by a change while the disk has too little room for
// it. Nothing has changed. Reads are answered, and changes are taken again as
// soon as there is room.
type NoSpaceError struct {
	Free, Needed uint64 // bytes
}

func (e *NoSpaceError) Error() string {
	return fmt.Sprintf("the disk has %d MiB free and %d MiB are needed", e.Free>>20, e.Needed>>20)
}

// BrokenError is returned by every change after one could not be written: what
// reached the disk is not known before the store is opened again. Reads are
// answered from the state before that change, or refused with this error too
// where the database cannot answer any more.
type BrokenError struct{ Err error }

func (e *BrokenError) Error() string {
	return "the store takes no more changes until it is opened again: " + e.Err.Error()
}

// Unwrap returns why the change could not be written.
func (e *BrokenError) Unwrap() error { return e.Err }
