package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
)

// Filter says which entries are wanted; the zero value means all.
type Filter struct {
	// From and To bound the time, both included. What was stored more than a day
	// after it was done, as after a long stop, may be missing with To.
	From, To time.Time
	Key      string // with or without what keys begin with
	Method   string // whole, or what stands behind the dot
	Tenant   string
}

// storedWithin is how long after it was done an entry is stored at most.
const storedWithin = 24 * time.Hour

// Matches reports whether an entry is wanted.
func (f *Filter) Matches(e *Entry) bool {
	switch {
	case !f.From.IsZero() && e.Time.Before(f.From), !f.To.IsZero() && e.Time.After(f.To):
		return false
	case f.Tenant != "" && !e.Names(f.Tenant):
		return false
	}
	var rows []Refusal
	if e.Content != nil {
		rows = e.Content.Refused
	}
	if f.Key != "" && !sameKey(e.Key, f.Key) && !slices.ContainsFunc(rows, func(r Refusal) bool { return sameKey(r.Key, f.Key) }) {
		return false
	}
	return f.Method == "" || sameMethod(e.Method, f.Method) ||
		slices.ContainsFunc(rows, func(r Refusal) bool { return sameMethod(r.Method, f.Method) })
}

func sameKey(key, asked string) bool {
	return key != "" && strings.TrimPrefix(key, "els_") == strings.TrimPrefix(asked, "els_")
}

func sameMethod(method, asked string) bool {
	return method == asked || strings.HasSuffix(method, "."+asked)
}

// span are the checkpoints that are kept.
func (t *Trail) span() (first, last uint64) {
	t.flushing.Lock()
	defer t.flushing.Unlock()
	return t.end.First, t.end.Last
}

// errCut is returned for a page that retention has taken meanwhile.
var errCut = errors.New("cut")

// page returns the lines of a checkpoint's group.
func (t *Trail) page(ctx context.Context, number uint64) ([]byte, error) {
	lines, err := t.storage.Page(ctx, number)
	if err != nil {
		return nil, err
	}
	if lines == nil {
		if first, _ := t.span(); number < first {
			return nil, errCut
		}
		return nil, fmt.Errorf("the audit trail is damaged: checkpoint %d is missing", number)
	}
	return lines, nil
}

// search returns the first checkpoint, of first to last, that was made at a time or
// later; last + 1 if there is none.
func (t *Trail) search(ctx context.Context, first, last uint64, at time.Time) (uint64, error) {
	from, behind := first, last+1
	for from < behind {
		middle := from + (behind-from)/2
		made, err := t.madeAt(ctx, middle)
		if errors.Is(err, errCut) {
			from = middle + 1
			continue
		}
		if err != nil {
			return 0, err
		}
		if made.Before(at) {
			from = middle + 1
		} else {
			behind = middle
		}
	}
	return from, nil
}

// madeAt returns when a checkpoint was made.
func (t *Trail) madeAt(ctx context.Context, number uint64) (time.Time, error) {
	c, _, err := t.group(ctx, number)
	if err != nil {
		return time.Time{}, err
	}
	return parseStamp(c.Time)
}

// group returns a checkpoint and the lines of its entries.
func (t *Trail) group(ctx context.Context, number uint64) (c checkpoint, entries []byte, err error) {
	lines, err := t.page(ctx, number)
	if err != nil {
		return c, nil, err
	}
	return splitGroup(number, lines)
}

// splitGroup takes the lines of a checkpoint's group apart.
func splitGroup(number uint64, lines []byte) (c checkpoint, entries []byte, err error) {
	at := bytes.LastIndexByte(bytes.TrimSuffix(lines, []byte{'\n'}), '\n') + 1
	if err := strict(lines[at:], &c); err != nil {
		return c, nil, damaged(number, err)
	}
	return c, lines[:at], nil
}

func damaged(checkpoint uint64, err error) error {
	return fmt.Errorf("the audit trail is damaged at checkpoint %d: %w", checkpoint, err)
}

// Entries yields what is recorded and wanted, oldest first. What was recorded before
// the call is among it. An error is the last element.
func (t *Trail) Entries(ctx context.Context, f Filter) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		if err := t.Flush(ctx); err != nil {
			yield(nil, err)
			return
		}
		first, last := t.span()
		if !f.From.IsZero() {
			var err error
			if first, err = t.search(ctx, first, last, f.From); err != nil {
				yield(nil, err)
				return
			}
		}
		for number := first; number <= last; number++ {
			c, lines, err := t.group(ctx, number)
			if errors.Is(err, errCut) {
				continue
			}
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(nil, err)
				return
			}
			for line := range bytes.Lines(lines) {
				e, err := readEntry(line)
				if err != nil {
					yield(nil, damaged(number, err))
					return
				}
				if f.Matches(e) && !yield(e, nil) {
					return
				}
			}
			if made, err := parseStamp(c.Time); err == nil && !f.To.IsZero() && made.After(f.To.Add(storedWithin)) {
				return
			}
		}
	}
}

func readEntry(line []byte) (*Entry, error) {
	var l entryLine
	if err := strict(line, &l); err != nil {
		return nil, err
	}
	e, err := l.entry()
	return &e, err
}

// Export yields the lines of the trail, from the group in which a time lies (zero:
// the beginning) to the last that was recorded, in parts that are whole lines: a file
// that Verify takes. An error is the last element.
func (t *Trail) Export(ctx context.Context, from time.Time) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		if err := t.export(ctx, from, func(lines []byte) bool { return yield(lines, nil) }); err != nil {
			yield(nil, err)
		}
	}
}

func (t *Trail) export(ctx context.Context, from time.Time, yield func([]byte) bool) error {
	if err := t.Flush(ctx); err != nil {
		return err
	}
	t.flushing.Lock()
	end := t.end
	t.flushing.Unlock()
	first := end.First
	if !from.IsZero() {
		var err error
		if first, err = t.search(ctx, first, end.Last, from); err != nil {
			return err
		}
	}
	// Of no group there is still a statement that it is none.
	e := ending{
		Checkpoint: end.Last, FirstCheckpoint: first, First: end.Entries + 1, Last: end.Entries,
		Previous: end.Hash, Hash: end.Hash,
	}
	if first <= end.Last {
		c, _, err := t.group(ctx, first)
		if errors.Is(err, errCut) {
			return errors.New("the trail was cut meanwhile; export it again")
		}
		if err != nil {
			return err
		}
		e.First, e.Previous = c.First, c.Previous
	}
	top := heading{formatVersion, t.signer.Public(), first, e.First, e.Previous}
	if more, err := yieldLine(top, yield); err != nil || !more {
		return err
	}
	for number := first; number <= end.Last; number++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		lines, err := t.page(ctx, number)
		if errors.Is(err, errCut) {
			return errors.New("the trail was cut meanwhile; export it again")
		}
		if err != nil {
			return err
		}
		if !yield(lines) {
			return nil
		}
	}
	e.Time = stamp(t.clock())
	statement, err := e.statement()
	if err != nil {
		return err
	}
	e.Signature = t.signer.sign(signsEnd, statement)
	_, err = yieldLine(e, yield)
	return err
}

func yieldLine(line any, yield func([]byte) bool) (more bool, err error) {
	raw, err := json.Marshal(line)
	if err != nil {
		return false, err
	}
	return yield(append(raw, '\n')), nil
}

// Newest returns the last entries that are wanted, at most so many, oldest first.
func (t *Trail) Newest(ctx context.Context, f Filter, limit int) ([]*Entry, error) {
	if err := t.Flush(ctx); err != nil {
		return nil, err
	}
	first, last := t.span()
	var found []*Entry // newest first
	for number := last; number >= first && len(found) < limit; number-- {
		c, lines, err := t.group(ctx, number)
		if errors.Is(err, errCut) {
			break
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		if made, err := parseStamp(c.Time); err == nil && made.Before(f.From) {
			break
		}
		all := slices.Collect(bytes.Lines(lines))
		for _, line := range slices.Backward(all) {
			e, err := readEntry(line)
			if err != nil {
				return nil, damaged(number, err)
			}
			if f.Matches(e) && len(found) < limit {
				found = append(found, e)
			}
		}
	}
	slices.Reverse(found)
	return found, nil
}
