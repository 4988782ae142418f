package m365

import (
	"context"
	"io"
	"iter"
)

// Source is one input.
type Source struct {
	// Name stands in origins and problems.
	Name string
	// Size in bytes is for progress; 0 or less when not known.
	Size int64
	Open func() (io.ReadCloser, error)
}

// Options change how a Reader works. The zero value is good.
type Options struct {
	// Workers parse at the same time; 0 is one for each processor.
	Workers int
	// MaxRecord is the largest row or object in bytes, of which about thirty
	// times as much memory may be needed; 0 is 8 MiB.
	MaxRecord int
	// MaxFingerprints is how many records are told apart in memory before the
	// older ones go to a temporary file; 0 is 16 million, about 256 MB.
	MaxFingerprints int
	// Progress is called now and then from the goroutine of the loop, and at
	// its end.
	Progress func(Progress)
}

// Progress is how far a Reader came.
type Progress struct {
	File string
	// Bytes of Total are read; Total is 0 when a source's size is not known.
	Bytes, Total int64
	Rows         int
	Records      int
}

// Reader reads sources once. It is not safe for concurrent use.
type Reader struct {
	sources []Source
	opts    Options
	account *Account
}

// NewReader prepares to read.
func NewReader(sources []Source, opts Options) *Reader {
	return &Reader{sources: sources, opts: opts, account: &Account{}}
}

// Records yields every record once, in the order of the sources and within
// them; only records made from an envelope may come last. What could not be
// understood is no error here: it is counted and placed in the Account. An error
// is the last element and means that reading stopped: the context ended, or
// there was no room for fingerprints.
//
// The loop may be left early. The second call yields nothing.
func (r *Reader) Records(ctx context.Context) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {}
}

// Account is complete once the loop over Records has ended.
func (r *Reader) Account() *Account { return r.account }
