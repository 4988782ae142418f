package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/spf13/pflag"
)

// maxLineBytes bounds a line of a file of values, well above the 4 KiB that a
// value may have.
const maxLineBytes = 64 << 10

// input is where a command has the values from that it asks for.
type input struct {
	app   *app
	files []string
	kind  string
}

func (q *input) register(flags *pflag.FlagSet) {
	flags.StringArrayVarP(&q.files, "file", "f", nil, "read values from `FILE`, one a line; - is standard input")
	flags.StringVar(&q.kind, "kind", "", "`kind` of all values, as in ip, domain, rule_name; guessed if not given")
}

// check refuses a command line without values, and values that are no text.
func (q *input) check(values []string) error {
	if len(values) == 0 && len(q.files) == 0 {
		return usageError{errNoValue}
	}
	for _, v := range values {
		if !utf8.ValidString(v) {
			return usageError{fmt.Errorf("value %s is not UTF-8", safe(v, valueWidth))}
		}
	}
	return nil
}

// errNoValue is a command line that asks for nothing.
var errNoValue = errors.New("a value, -f FILE or - is needed")

// values yields the values of the command line, then those of the files. An
// error is about one line or one file; the others follow.
func (q *input) values(ctx context.Context, given []string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, v := range given {
			if v == "-" {
				if !lines(yield, "stdin", interruptible(ctx, q.app.stdin)) {
					return
				}
			} else if !yield(v, nil) {
				return
			}
		}
		for _, name := range q.files {
			if !q.file(ctx, name, yield) {
				return
			}
		}
	}
}

func (q *input) file(ctx context.Context, name string, yield func(string, error) bool) bool {
	if name == "-" {
		return lines(yield, "stdin", interruptible(ctx, q.app.stdin))
	}
	f, err := os.Open(name)
	if err != nil {
		return yield("", err)
	}
	defer f.Close()
	return lines(yield, name, f)
}

// lines yields the lines of a text that are not empty, without the white space
// around them.
func lines(yield func(string, error) bool, name string, r io.Reader) bool {
	in := bufio.NewReaderSize(r, maxLineBytes)
	for n := 1; ; n++ {
		line, err := in.ReadSlice('\n')
		tooLong := errors.Is(err, bufio.ErrBufferFull)
		switch {
		case tooLong:
			if !yield("", fmt.Errorf("%s:%d: the line is longer than %d KiB", name, n, maxLineBytes>>10)) {
				return false
			}
		case !utf8.Valid(line):
			if !yield("", fmt.Errorf("%s:%d: the line is not UTF-8", name, n)) {
				return false
			}
		default:
			if n == 1 {
				line = bytes.TrimPrefix(line, []byte("\uFEFF"))
			}
			if v := strings.TrimSpace(string(line)); v != "" && !yield(v, nil) {
				return false
			}
		}
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = in.ReadSlice('\n')
		}
		switch {
		case errors.Is(err, io.EOF):
			return true
		case err != nil:
			return yield("", fmt.Errorf("%s:%d: %w", name, n, err))
		}
	}
}
