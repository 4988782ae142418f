package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Pages that are rewritten, and removed, in one change.
const (
	pagesAtOnce = 16
	cutAtOnce   = 4_096
)

// Strip takes the content away from every entry that may tell something of a tenant,
// and returns from how many. Who did what when, and how much, stays; the chain is
// verified as before, by the commitments. What is recorded meanwhile is not stripped.
func (t *Trail) Strip(ctx context.Context, tenant string) (int, error) {
	t.rewriting.Lock()
	defer t.rewriting.Unlock()
	if err := t.Flush(ctx); err != nil {
		return 0, err
	}
	first, last := t.span()
	count := 0
	var batch graph.TrailBatch
	for number := first; number <= last; number++ {
		lines, err := t.storage.Page(ctx, number)
		if err != nil {
			return count, err
		}
		without, n, err := t.without(lines, tenant)
		if err != nil {
			return count, damaged(number, err)
		}
		if n > 0 {
			batch.Put = append(batch.Put, graph.Page{Number: number, Data: without})
			count += n
		}
		if len(batch.Put) == pagesAtOnce || number == last && len(batch.Put) > 0 {
			if err := t.storage.Write(ctx, batch); err != nil {
				return count, err
			}
			batch.Put = nil
		}
	}
	return count, nil
}

// without returns lines without the content of entries that name a tenant.
func (t *Trail) without(lines []byte, tenant string) (out []byte, n int, err error) {
	for line := range bytes.Lines(lines) {
		if bytes.HasPrefix(line, []byte(entryBegins)) {
			var l entryLine
			if err := strict(line, &l); err != nil {
				return nil, 0, err
			}
			if e, err := l.entry(); err != nil {
				return nil, 0, err
			} else if e.Names(tenant) {
				if line, err = t.stripped(l); err != nil {
					return nil, 0, err
				}
				n++
			}
		}
		out = append(out, line...)
	}
	return out, n, nil
}

func (t *Trail) stripped(l entryLine) ([]byte, error) {
	l.Salt, l.Content = "", nil
	at := stamp(t.clock())
	statement, err := l.statement(at)
	if err != nil {
		return nil, err
	}
	l.Stripped = &stripped{at, t.signer.sign(signsStripped, statement)}
	line, err := json.Marshal(l)
	return append(line, '\n'), err
}

// Cut removes the groups whose checkpoints are from before a time, but for the last,
// some thousands at most, and returns how many entries went. The trail is verified from
// the next checkpoint on, and an entry says that it was cut.
func (t *Trail) Cut(ctx context.Context, before time.Time) (uint64, error) {
	t.rewriting.Lock()
	defer t.rewriting.Unlock()
	first, last := t.span()
	if last <= first {
		return 0, nil
	}
	upTo, err := t.search(ctx, first, min(last, first+cutAtOnce)-1, before)
	if err != nil || upTo == first {
		return 0, err
	}
	oldest, _, err := t.group(ctx, first)
	if err != nil {
		return 0, err
	}
	kept, _, err := t.group(ctx, upTo)
	if err != nil {
		return 0, err
	}
	gone := kept.First - oldest.First
	e := Entry{
		Time: t.clock(), Key: KeySystem, Method: MethodRetention, Change: true, Code: CodeOK,
		Counts: map[string]uint64{"entries": gone, "checkpoints": upTo - first},
	}
	e.tidy()
	var batch graph.TrailBatch
	for number := first; number < upTo; number++ {
		batch.Remove = append(batch.Remove, number)
	}
	t.flushing.Lock()
	defer t.flushing.Unlock()
	t.end.First = upTo
	if err := t.append(ctx, batch, []Entry{e}); err != nil {
		t.end.First = first
		return 0, fmt.Errorf("cut the audit trail: %w", err)
	}
	return gone, nil
}
