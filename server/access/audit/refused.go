package audit

import (
	"cmp"
	"context"
	"slices"
	"sync"
)

// maxCounted is how many rows are told apart within a minute: 200 KB.
const maxCounted = 1_000

// refusals counts calls that were not answered. However many there are and wherever
// they come from, a minute of them is one entry.
type refusals struct {
	mu    sync.Mutex
	calls map[Refusal]uint64 // Calls is 0
	more  uint64             // calls of none of these
}

// Refused counts a call that was not answered; Calls of the row is not looked at.
func (t *Trail) Refused(r Refusal) {
	r.Calls = 0
	for _, s := range []*string{&r.Key, &r.Address, &r.Method, &r.Reason} {
		*s = plain(*s)
	}
	c := &t.refused
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls == nil {
		c.calls = make(map[Refusal]uint64)
	}
	if _, known := c.calls[r]; !known && len(c.calls) >= maxCounted {
		c.more++
		return
	}
	c.calls[r]++
}

// countRefused records what was counted, the most frequent by row.
func (t *Trail) countRefused(ctx context.Context) {
	t.refused.mu.Lock()
	calls, more := t.refused.calls, t.refused.more
	t.refused.calls, t.refused.more = nil, 0
	t.refused.mu.Unlock()
	if len(calls) == 0 {
		return
	}
	total := more
	rows := make([]Refusal, 0, len(calls))
	for r, n := range calls {
		total += n
		r.Calls = n
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(x, y Refusal) int {
		return cmp.Or(cmp.Compare(y.Calls, x.Calls), cmp.Compare(x.Key, y.Key), cmp.Compare(x.Address, y.Address),
			cmp.Compare(x.Method, y.Method), cmp.Compare(x.Reason, y.Reason))
	})
	e := Entry{
		Key: KeySystem, Method: MethodRefused, Code: CodeOK,
		Counts:  map[string]uint64{"calls": total, "rows": uint64(len(rows))},
		Content: &Content{Refused: rows},
	}
	// Never waits for an answer: nobody is told anything on the strength of it.
	if err := t.queueRefused(ctx, e); err != nil && ctx.Err() == nil {
		t.log.WarnContext(ctx, "refused calls are not recorded", "calls", total, "error", err)
	}
}

func (t *Trail) queueRefused(ctx context.Context, e Entry) error {
	e.Time = t.clock()
	e.tidy()
	return t.queue(ctx, waiting{Entry: e})
}
