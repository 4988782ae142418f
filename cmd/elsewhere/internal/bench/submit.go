package bench

import (
	"context"
	"fmt"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// Goals for durable submits at manyClients clients.
const (
	manyClients     = 16
	goalSubmits     = 2     // times the rate of the same work
	goalSubmitsEach = 1_900 // cases a second
)

// submit stores cases durably from one client and from many, beside Badger with
// a transaction and a sync for each: one that does the same work, and one that
// writes the body alone. Besides, it stores them and gets their links, which Badger
// alone does not make.
func (r *runner) submit(ctx context.Context) error {
	if err := r.needRaw(ctx); err != nil {
		return err
	}
	body := make([]byte, proto.Size(r.Corpus.Case(0)))
	cases := &supply{generator: r.Corpus, next: &r.next}
	var keys atomic.Int64
	submit := func(links bool) call {
		return func(ctx context.Context, _ int) error { return r.submitOne(ctx, cases.take(), links) }
	}
	set := func(context.Context, int) error {
		return r.raw.commit(fmt.Appendf(nil, "%c %d", bodySpace, keys.Add(1)), body)
	}
	for _, clients := range []int{1, manyClients} {
		r.Progress("durable submits, " + clientsText(clients))
		before := r.prepared(cases, 3_000)
		same, how, err := r.sameWork(ctx, clients, cases)
		if err != nil {
			return err
		}
		spent := r.spent()
		s, err := r.turns(ctx, clients, side{call: set, before: r.settled}, side{call: same, before: before}, side{call: submit(false), before: before}, side{call: submit(true), before: before})
		if err != nil {
			return err
		}
		one := s[0].row(fmt.Sprintf("submit/set/%d", clients), "Badger, one Set of a body and SyncWrites a request, "+clientsText(clients), "cases", 1)
		base := s[1].row(fmt.Sprintf("submit/badger/%d", clients),
			"Badger, all keys of a case in one transaction and SyncWrites a request, "+clientsText(clients), "cases", 1)
		base.note("%s, the faster of the two ways to handle conflicts", how)
		row := s[2].row(fmt.Sprintf("submit/%d", clients), "SubmitCase without links, durable, "+clientsText(clients), "cases", 1)
		r.state(&row)
		linked := s[3].row(fmt.Sprintf("submit/links/%d", clients), "the same with the links of each case in the answer, "+clientsText(clients), "cases", 1)
		spent(&row)
		row.note("those of cases with and without links in the answer are not told apart")
		if clients == manyClients {
			row = row.against(ofRate, base, Goal{AtLeast: goalSubmits}).bound(ofRate, Goal{AtLeast: goalSubmitsEach})
		} else {
			row = row.against(ofRate, base)
		}
		r.add(one, base, row.against(ofRate, one), linked.against(ofRate, row))
	}
	return nil
}

// sameWork returns the faster way to store a case in a transaction of its own,
// and what it is.
func (r *runner) sameWork(ctx context.Context, clients int, cases *supply) (call, string, error) {
	var best call
	var name string
	var most float64
	for _, way := range []struct {
		name string
		put  func(*elsewherev1.Case) error
	}{
		{"Badger detects conflicts, who meets one tries again", r.raw.putAgain},
		{"one transaction at a time", r.raw.putInTurn},
	} {
		put := func(context.Context, int) error { return way.put(cases.take()) }
		if err := r.prepared(cases, 3_000)(ctx); err != nil {
			return nil, "", err
		}
		var s series
		if err := s.round(ctx, clients, r.Round, new(atomic.Int64), put); err != nil {
			return nil, "", err
		}
		if best == nil || s.rates[0] > most {
			best, name, most = put, way.name, s.rates[0]
		}
	}
	return best, name, nil
}
