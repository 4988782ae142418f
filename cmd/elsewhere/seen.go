package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/elsewhere-project/elsewhere/client"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

const (
	// seenBatch is how many values are asked for at once; answers are printed
	// batch by batch.
	seenBatch = 1000
	// maxLineBytes bounds a line of a file of values, well above the 4 KiB that a
	// value may have.
	maxLineBytes = 64 << 10
)

func (a *app) seenCommand() *cobra.Command {
	q := seenQuery{app: a}
	cmd := &cobra.Command{
		Use:   "seen VALUE...",
		Short: "Show in which tenants and cases values were seen",
		Long: `Show for each value in which tenants and cases it was seen, in which roles and
when, and whether it is too common to say anything. Values may be defanged, as in
104[.]161[.]20[.]102. Their kind is guessed unless --kind is given.

The exit code is 1 if a value cannot be read, and with --fail-unseen 3 if one was
never seen.`,
		Example: `  elsewhere seen 104.161.20.102 'hxxps://login.example[.]net/'
  elsewhere seen --kind rule_name 'Block Spoofing'
  elsewhere seen -f addresses.txt --fail-unseen
  cut -d, -f3 logins.csv | elsewhere seen -`,
		RunE: func(cmd *cobra.Command, values []string) error {
			if len(values) == 0 && len(q.files) == 0 {
				return usageError{errors.New("a value, -f FILE or - is needed")}
			}
			for _, v := range values {
				if !utf8.ValidString(v) {
					return usageError{fmt.Errorf("value %s is not UTF-8", safe(v, valueWidth))}
				}
			}
			return a.ask(func(c *client.Client) error { return q.run(cmd.Context(), c, values) })
		},
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&q.files, "file", "f", nil, "read values from `FILE`, one a line; - is standard input")
	flags.StringVar(&q.kind, "kind", "", "`kind` of all values, as in ip, domain, rule_name; guessed if not given")
	flags.BoolVar(&q.failUnseen, "fail-unseen", false, "exit with 3 if a value was never seen")
	return cmd
}

// seenQuery is one run of seen.
type seenQuery struct {
	app        *app
	files      []string
	kind       string
	failUnseen bool

	unseen, failed bool
	block          bool // the last answer has several lines
}

func (q *seenQuery) run(ctx context.Context, c *client.Client, values []string) error {
	batch := make([]*elsewherev1.Observable, 0, seenBatch)
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		resp, err := c.Seen(ctx, batch)
		if err == nil && q.kind == "" && !q.app.json {
			resp, err = withTargets(ctx, c, resp)
		}
		batch = batch[:0]
		if err != nil {
			return err
		}
		return q.report(resp)
	}
	for value, err := range q.values(ctx, values) {
		if err != nil {
			q.app.warn("elsewhere: %s", safe(err.Error(), messageWidth))
			q.failed = true
			continue
		}
		batch = append(batch, elsewherev1.Observable_builder{Kind: q.kind, Value: value}.Build())
		if len(batch) == seenBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	switch {
	case q.failed:
		return exitError(exitFailed)
	case q.failUnseen && q.unseen:
		return exitError(exitUnseen)
	}
	return ctx.Err()
}

// withTargets adds, behind the answer for an address or a domain that was seen,
// where it was seen as the target of forwarding too: to who did not say a kind
// it is one value.
func withTargets(ctx context.Context, c *client.Client, resp *elsewherev1.SeenResponse) (*elsewherev1.SeenResponse, error) {
	var also []*elsewherev1.Observable
	var behind []int
	for i, r := range resp.GetResults() {
		kind := r.GetObservable().GetKind()
		if r.GetStatus() == elsewherev1.SeenStatus_SEEN_STATUS_SEEN && (kind == "email" || kind == "domain") {
			also = append(also, elsewherev1.Observable_builder{Kind: "forward_to", Value: r.GetObservable().GetValue()}.Build())
			behind = append(behind, i)
		}
	}
	if len(also) == 0 {
		return resp, nil
	}
	more, err := c.Seen(ctx, also)
	if err != nil {
		return nil, err
	}
	results := resp.GetResults()
	for k := len(behind) - 1; k >= 0; k-- {
		if r := more.GetResults()[k]; r.GetStatus() == elsewherev1.SeenStatus_SEEN_STATUS_SEEN {
			results = slices.Insert(results, behind[k]+1, r)
		}
	}
	return elsewherev1.SeenResponse_builder{Results: results}.Build(), nil
}

// values yields the values of the command line, then those of the files. An
// error is about one line or one file; the others follow.
func (q *seenQuery) values(ctx context.Context, given []string) iter.Seq2[string, error] {
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

func (q *seenQuery) file(ctx context.Context, name string, yield func(string, error) bool) bool {
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

// report prints the answers to a batch.
func (q *seenQuery) report(resp *elsewherev1.SeenResponse) error {
	var text strings.Builder
	for _, r := range resp.GetResults() {
		switch r.GetStatus() {
		case elsewherev1.SeenStatus_SEEN_STATUS_INVALID:
			q.failed = true
		case elsewherev1.SeenStatus_SEEN_STATUS_NOT_SEEN:
			q.unseen = true
		}
		if q.app.json {
			continue
		}
		if q.block {
			text.WriteString("\n")
		}
		q.block = len(r.GetSightings()) > 0
		text.WriteString(q.app.seenText(r))
	}
	if q.app.json {
		return q.app.printJSON(resp)
	}
	return q.app.print(text.String())
}

// seenText writes the answer for one value.
func (a *app) seenText(r *elsewherev1.SeenResult) string {
	o := r.GetObservable()
	title := a.style.bold(safe(cmp.Or(o.GetValue(), "(value not repeated)"), refWidth))
	if o.GetKind() != "" {
		title += "  " + safe(o.GetKind(), valueWidth)
	}
	switch r.GetStatus() {
	case elsewherev1.SeenStatus_SEEN_STATUS_SEEN:
	case elsewherev1.SeenStatus_SEEN_STATUS_NOT_SEEN:
		return title + "  not seen\n" + a.seenNature(r)
	case elsewherev1.SeenStatus_SEEN_STATUS_NOT_DISCLOSED:
		return title + "  not disclosed\n"
	case elsewherev1.SeenStatus_SEEN_STATUS_INVALID:
		v := r.GetViolation()
		return fmt.Sprintf("%s  invalid: %s (%s)\n", title, safe(v.GetMessage(), messageWidth), safe(v.GetReason(), valueWidth))
	default:
		return title + "  unknown answer\n"
	}
	text := fmt.Sprintf("%s  seen in %s, %s, %s\n", title,
		countRange(r.GetTenants(), "tenant", "tenants"), countRange(r.GetCases(), "case", "cases"),
		span(r.GetFirstSeen().GetEarliest(), r.GetLastSeen().GetLatest()))
	text += a.seenNature(r)
	rows := make([][]string, len(r.GetSightings()))
	for i, s := range r.GetSightings() {
		rows[i] = []string{
			"", safe(s.GetTenant()+"/"+s.GetCase(), refWidth),
			strings.Join(safeAll(s.GetRoles(), valueWidth), ", "), span(s.GetFirstSeen(), s.GetLastSeen()),
		}
		if s.GetWithheld() {
			rows[i][3] += "  restricted, not counted"
		}
	}
	text += table(make([]string, 4), rows)
	if r.GetMoreSightings() {
		text += "  + more cases\n"
	}
	return text
}

// seenNature writes what a value is and whether it can say anything.
func (a *app) seenNature(r *elsewherev1.SeenResult) string {
	if r.GetClass() == "" && !r.GetGeneric() {
		return ""
	}
	phrases := []string{}
	if c := r.GetClass(); c != "" {
		class := "class " + safe(c, valueWidth)
		if reasons := r.GetClassReasons(); len(reasons) > 0 {
			class += " (" + strings.Join(safeAll(reasons, valueWidth), "; ") + ")"
		}
		phrases = append(phrases, class)
	}
	if r.GetGeneric() {
		phrases = append(phrases, "generic: "+safe(r.GetGenericReason(), messageWidth))
	} else {
		phrases = append(phrases, "not generic")
	}
	return strings.Join(wrap("  ", phrases), "\n") + "\n"
}

// countRange writes a count that may be known only roughly.
func countRange(r *elsewherev1.CountRange, singular, plural string) string {
	least := r.GetMin()
	switch {
	case !r.HasMax():
		return thousands(least) + " or more " + plural
	case r.GetMax() == least:
		return count(int(least), singular, plural)
	default:
		return thousands(least) + " to " + thousands(r.GetMax()) + " " + plural
	}
}
