package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"slices"
	"sync"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/elsewhere-project/elsewhere/client"
	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/casefile"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// readAhead is how many bytes of cases may be without an answer before the next
// is read. Their text is kept until then, to find the places of violations.
const readAhead = 8 << 20

// openFile opens a file to read; the demo has its own. The end of ctx ends a
// read that waits.
type openFile func(ctx context.Context, name string) (io.ReadCloser, error)

func (a *app) submitCommand() *cobra.Command {
	s := submission{app: a}
	var partial, validate, noLinks bool
	var expected, maxLinks uint32
	cmd := &cobra.Command{
		Use:   "submit FILE...",
		Short: "Store cases and show what they link to",
		Long: `Store the cases of files; - is standard input. A file holds a JSON object, or
several one after the other, as in a file with a case a line. The fields are
those of elsewhere.v1.Case; unknown ones are errors.

A case that is rejected changes nothing; what is wrong is printed with file, line
and column, and the next case follows. The exit code is then 1.`,
		Example: `  elsewhere submit case.json
  elsewhere submit --validate-only *.json
  zcat cases.ndjson.gz | elsewhere submit --quiet --no-links -`,
		Args: args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, files []string) error {
			if maxLinks > 1000 {
				return usageError{fmt.Errorf("--max-links %d: want at most 1000", maxLinks)}
			}
			s.template = elsewherev1.SubmitCaseRequest_builder{
				AllowPartial: partial, ValidateOnly: validate, MaxLinks: maxLinks, NoLinks: noLinks,
			}.Build()
			if cmd.Flags().Changed("expected-revision") {
				s.template.SetExpectedRevision(expected)
			}
			return a.ask(func(c *client.Client) error {
				return s.run(cmd.Context(), c, files)
			})
		},
	}
	s.open = func(ctx context.Context, name string) (io.ReadCloser, error) {
		if name == "-" {
			return io.NopCloser(interruptible(ctx, a.stdin)), nil
		}
		return os.Open(name)
	}
	flags := cmd.Flags()
	flags.BoolVar(&partial, "allow-partial", false, "leave out what is invalid inside findings, and list it")
	flags.BoolVar(&validate, "validate-only", false, "check the cases and store nothing")
	flags.Uint32Var(&expected, "expected-revision", 0, "store only over this `revision`; 0 only if there is no such case")
	flags.Uint32Var(&maxLinks, "max-links", 20, "show at most this `number` of links a case, up to 1000")
	flags.BoolVar(&noLinks, "no-links", false, "show no links, which makes a load of many cases faster; they can be listed later")
	flags.BoolVarP(&s.quiet, "quiet", "q", false, "print only what is wrong, and the summary")
	return cmd
}

// submission is one run of submit.
type submission struct {
	app      *app
	open     openFile
	template *elsewherev1.SubmitCaseRequest // what all requests have in common
	quiet    bool

	mu       sync.Mutex
	waiting  map[uint64]origin // cases without an answer, by index
	bytes    int               // of them
	answered chan struct{}     // holds a signal after bytes became less

	stored, unchanged, valid, rejected int
}

// origin is where a case comes from.
type origin struct {
	file string
	doc  *casefile.Document // nil if it could not be read
}

// run submits the cases of files and prints what became of them. The error is an
// exitError if some were rejected.
func (s *submission) run(ctx context.Context, c *client.Client, files []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.waiting = make(map[uint64]origin)
	s.answered = make(chan struct{}, 1)
	progress := s.app.newProgress()
	var failure error
	held := make(map[uint64]*client.Ack) // until all before them are printed
	next := uint64(0)
	for ack, err := range c.SubmitAll(ctx, s.requests(ctx, files)) {
		if err == nil {
			held[ack.Index] = ack
			progress.clear()
			next, err = s.inOrder(held, next)
		}
		if err != nil {
			failure = err
			cancel() // also ends a read that would wait
			break
		}
		progress.show("%s", s.summary())
	}
	progress.clear()
	for _, index := range slices.Sorted(maps.Keys(held)) {
		if err := s.report(s.take(index), held[index]); err != nil {
			return err
		}
	}
	// One stored case has been told of.
	told := failure == nil && s.stored == 1 && s.answers() == 1 && !s.quiet
	if !told && (failure == nil || s.answers() > 0) {
		s.app.warn("%s", s.summary())
	}
	maps.DeleteFunc(s.waiting, func(_ uint64, from origin) bool { return from.doc == nil })
	if n := len(s.waiting); failure != nil && n > 0 {
		s.app.warn("%s without an answer may or may not be stored; submitting again is harmless", count(n, "case", "cases"))
	}
	if failure == nil && s.rejected > 0 {
		failure = exitError(exitFailed)
	}
	return failure
}

// inOrder prints the answers from next on, as far as they are there, and returns
// the first that is not. So the output is in the order of the input.
func (s *submission) inOrder(held map[uint64]*client.Ack, next uint64) (uint64, error) {
	for ; held[next] != nil; next++ {
		ack := held[next]
		delete(held, next)
		if err := s.report(s.take(next), ack); err != nil {
			return next, err
		}
	}
	return next, nil
}

// requests reads the files, case by case. It runs beside the answers.
func (s *submission) requests(ctx context.Context, files []string) iter.Seq2[*elsewherev1.SubmitCaseRequest, error] {
	return func(yield func(*elsewherev1.SubmitCaseRequest, error) bool) {
		var index uint64
		give := func(from origin, err error) bool {
			var req *elsewherev1.SubmitCaseRequest
			size := 0
			if err == nil {
				req = proto.CloneOf(s.template)
				req.SetCase(from.doc.Case)
				from.doc.Case = nil // the text is all that is needed from here on
				size = from.doc.Size()
			}
			s.mu.Lock()
			s.waiting[index] = from
			s.bytes += size
			s.mu.Unlock()
			index++
			return yield(req, err) && s.room(ctx)
		}
		for _, name := range files {
			if !s.cases(ctx, name, give) {
				return
			}
		}
	}
}

// cases gives each case of a file, and reports whether to go on.
func (s *submission) cases(ctx context.Context, name string, give func(origin, error) bool) bool {
	from := origin{file: name}
	if name == "-" {
		from.file = "stdin"
	}
	f, err := s.open(ctx, name)
	if err != nil {
		return give(from, withoutPath(err))
	}
	defer f.Close()
	in := casefile.NewReader(f)
	for found := false; ; found = true {
		doc, err := in.Next()
		switch {
		case errors.Is(err, io.EOF) && !found:
			// A pipeline that broke before this looks like this.
			return give(from, errors.New("there is no case"))
		case errors.Is(err, io.EOF):
			return true
		}
		err = withoutPath(err)
		from.doc = doc
		if !give(from, err) {
			return false
		}
		if _, ok := errors.AsType[*casefile.Error](err); err != nil && !ok {
			return true // the file itself cannot be read any further
		}
	}
}

// withoutPath takes the name off an error of a file, which stands before it
// anyway.
func withoutPath(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// room waits until there is room to read another case; false if ctx ends.
func (s *submission) room(ctx context.Context) bool {
	for {
		s.mu.Lock()
		full := s.bytes > readAhead
		s.mu.Unlock()
		if !full {
			return true
		}
		select {
		case <-s.answered:
		case <-ctx.Done():
			return false
		}
	}
}

// take returns where an answered case came from and forgets it.
func (s *submission) take(index uint64) origin {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := s.waiting[index]
	delete(s.waiting, index)
	if from.doc != nil {
		s.bytes -= from.doc.Size()
	}
	select {
	case s.answered <- struct{}{}:
	default:
	}
	return from
}

// interruptible reads from r until ctx ends, whatever r is waiting for.
func interruptible(ctx context.Context, r io.Reader) io.Reader {
	pr, pw := io.Pipe()
	go func() {
		_, err := io.Copy(pw, r)
		pw.CloseWithError(err)
	}()
	context.AfterFunc(ctx, func() { pr.CloseWithError(ctx.Err()) })
	return pr
}
