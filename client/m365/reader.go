package m365

import (
	"cmp"
	"context"
	"hash/maphash"
	"io"
	"iter"
	"runtime"
	"sync"
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
	// MaxRecord is the largest row or object in bytes; 0 is 8 MiB. Ten times as
	// much memory may be needed for a while.
	MaxRecord int
	// MaxFingerprints is how many records are told apart in memory before the
	// older ones go to a temporary file; 0 is 16 million, at most 300 MB.
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
	used    bool
}

// NewReader prepares to read.
func NewReader(sources []Source, opts Options) *Reader {
	opts.Workers = cmp.Or(opts.Workers, runtime.GOMAXPROCS(0))
	opts.MaxRecord = cmp.Or(opts.MaxRecord, 8<<20)
	opts.MaxFingerprints = cmp.Or(opts.MaxFingerprints, 16<<20)
	return &Reader{sources: sources, opts: opts, account: newTally(nil).account()}
}

// Records yields every record once, in the order of the sources and within
// them; only partial records come last. What could not be understood is no error
// here: it is counted and placed in the Account. An error is the last element
// and means that reading stopped: the context ended, or there was no room for
// fingerprints.
//
// Of records with the same id the first is yielded; a partial one only where no
// whole one was found. The loop may be left early; a source that is being read
// then is closed as soon as its Read returns. A second call yields nothing.
func (r *Reader) Records(ctx context.Context) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		if r.used {
			return
		}
		r.used = true
		ctx, cancel := context.WithCancel(ctx)
		t := newTally(r.sources)
		t.seen.limit = r.opts.MaxFingerprints
		t.progress = r.opts.Progress
		chunks := r.start(ctx)
		defer func() {
			cancel()
			t.seen.close()
			r.account = t.account()
		}()
		for c := range chunks {
			select {
			case <-c.done:
			case <-ctx.Done():
			}
			if ctx.Err() != nil {
				break
			}
			if ok, err := t.chunk(c, yield); err != nil {
				yield(nil, err)
				return
			} else if !ok {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(nil, err)
			return
		}
		if err := t.held(yield); err != nil {
			yield(nil, err)
		}
	}
}

// start begins to split and parse. Chunks come in order, each with a channel
// that is closed once it is parsed.
func (r *Reader) start(ctx context.Context) <-chan *chunk {
	pool := &sync.Pool{New: func() any {
		b := make([]byte, 0, chunkSize)
		return &b
	}}
	// These bound the chunks in memory.
	work := make(chan *chunk, r.opts.Workers)
	ordered := make(chan *chunk, r.opts.Workers)
	seed := maphash.MakeSeed()
	go func() {
		defer close(ordered)
		defer close(work)
		for i, src := range r.sources {
			feed(i, src, r.opts.MaxRecord, pool, func(c *chunk) bool {
				c.done = make(chan struct{})
				for _, to := range [...]chan<- *chunk{work, ordered} {
					select {
					case to <- c:
					case <-ctx.Done():
						return false
					}
				}
				return true
			})
			if ctx.Err() != nil {
				return
			}
		}
	}()
	for range r.opts.Workers {
		go func() {
			w := worker{seed: seed}
			for c := range work {
				w.chunk(r.sources[c.file].Name, c)
				if data := c.data; cap(data) == chunkSize {
					c.data = nil
					pool.Put(&data)
				}
				close(c.done)
			}
		}()
	}
	return ordered
}

// Account is complete once the loop over Records has ended.
func (r *Reader) Account() *Account { return r.account }
