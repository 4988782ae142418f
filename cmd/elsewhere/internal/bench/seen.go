package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/dgraph-io/badger/v4"
	"google.golang.org/grpc/health/grpc_health_v1"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// manyValues is how many values one call of the larger question asks for.
const manyValues = 1_000

// Goals for questions.
const (
	goalSeen     = 2   // times a ping at one client, p50
	goalSeenRate = .5  // of the rate of pings at eight
	goalSeenMany = 1.5 // times as many Gets, p50
)

// samples returns observables of stored cases, by chance: those that are in many
// cases come up often.
func (r *runner) samples(n int) []*elsewherev1.Observable {
	random := rand.New(rand.NewPCG(r.Corpus.Seed, 1))
	var out []*elsewherev1.Observable
	for len(out) < n {
		c := r.Corpus.Case(random.IntN(r.report.Data.Cases))
		all := observables(c)
		o := all[random.IntN(len(all))]
		out = append(out, elsewherev1.Observable_builder{Kind: o.GetKind(), Value: o.GetValue()}.Build())
	}
	return out
}

// seen asks for one value at a time, beside a ping on the same connection.
func (r *runner) seen(ctx context.Context) error {
	const questions = 4_096
	var requests []*elsewherev1.SeenRequest
	for _, o := range r.samples(questions) {
		requests = append(requests, elsewherev1.SeenRequest_builder{Observables: []*elsewherev1.Observable{o}}.Build())
	}
	ping := func(ctx context.Context, _ int) error {
		_, err := r.service.health.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
		return err
	}
	ask := func(ctx context.Context, i int) error {
		_, err := r.service.correlate.Seen(ctx, requests[i%questions])
		return err
	}
	for _, clients := range []int{1, 8, 64} {
		r.Progress(fmt.Sprintf("one value, %d clients", clients))
		s, err := r.turns(ctx, clients, side{call: ping}, side{call: ask})
		if err != nil {
			return err
		}
		p50, rate := map[int][]Goal{1: {{AtMost: goalSeen}}}, map[int][]Goal{8: {{AtLeast: goalSeenRate}}}
		base := s[0].row(fmt.Sprintf("ping/%d", clients), "health check, "+clientsText(clients), "calls", 1)
		row := s[1].row(fmt.Sprintf("seen/%d", clients), "Seen of one value, "+clientsText(clients), "calls", 1)
		r.add(base, row.against(ofP50, base, p50[clients]...).against(ofRate, base, rate[clients]...))
	}
	return nil
}

func clientsText(n int) string {
	if n == 1 {
		return "1 client"
	}
	return fmt.Sprintf("%d clients", n)
}

// seenMany asks for many values in one call, beside as many Gets of Badger.
func (r *runner) seenMany(ctx context.Context) error {
	if err := r.needRaw(ctx); err != nil {
		return err
	}
	r.Progress("1,000 values in one call")
	const questions = 32
	var requests []*elsewherev1.SeenRequest
	var keys [][][]byte
	for values := range slices.Chunk(r.samples(questions*manyValues), manyValues) {
		requests = append(requests, elsewherev1.SeenRequest_builder{Observables: values}.Build())
		of := make([][]byte, len(values))
		for i, o := range values {
			of[i] = recordKey(o)
		}
		keys = append(keys, of)
	}
	gets := func(_ context.Context, i int) error {
		return r.raw.View(func(txn *badger.Txn) error {
			for _, k := range keys[i%questions] {
				if err := get(txn, k); err != nil {
					return err
				}
			}
			return nil
		})
	}
	ask := func(ctx context.Context, i int) error {
		_, err := r.service.correlate.Seen(ctx, requests[i%questions])
		return err
	}
	s, err := r.turns(ctx, 1, side{call: gets}, side{call: ask})
	if err != nil {
		return err
	}
	base := s[0].row("seen-1000/badger", "1,000 Gets of Badger, in process", "values", manyValues)
	row := s[1].row("seen-1000", "Seen of 1,000 values in one call", "values", manyValues)
	r.state(&base)
	r.state(&row)
	r.add(base, row.against(ofP50, base, Goal{AtMost: goalSeenMany}))
	return nil
}
