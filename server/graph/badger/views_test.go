package badger

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// TestViewsAreOfOneState counts the cases on a value from several goroutines
// while cases come as fast as they are stored.
func TestViewsAreOfOneState(t *testing.T) {
	s, err := Open(t.Context(), Options{Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	v := evidence.Value{Kind: evidence.KindIP, Text: "70.0.0.1"}
	writing, stop := context.WithCancel(t.Context())
	var writer sync.WaitGroup
	defer writer.Wait()
	defer stop()
	writer.Go(func() {
		for i := 0; writing.Err() == nil; i++ {
			c, _, err := evidence.Parse(evidence.Draft{
				Ref:      evidence.Ref{Tenant: "a", Case: strconv.Itoa(i)},
				Findings: []evidence.Finding{{Observables: []evidence.Observable{{Value: v}}}},
			}, evidence.Options{})
			if err == nil {
				_, err = s.Submit(t.Context(), c, nil)
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	const n = 8
	states := make(map[uint32]bool)
	// On a busy machine the writer has few turns.
	for round := 0; round < 500 || len(states) < 10; round++ {
		var calls atomic.Int64
		counts := make([]uint32, n)
		err := s.Views(t.Context(), n, func(snap graph.Snapshot) error {
			// Every call goes on its own way through the sightings.
			for range snap.Sightings(v, nil) {
				break
			}
			_, cases, err := snap.Spread(v)
			counts[calls.Add(1)-1] = cases
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range counts {
			if c != counts[0] {
				t.Fatalf("cases as counted at once: %v", counts)
			}
		}
		states[counts[0]] = true
	}
}

func TestViewsFail(t *testing.T) {
	s, err := Open(t.Context(), Options{Memory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const n = 3
	for failing := int64(1); failing <= n; failing++ {
		var calls atomic.Int64
		bad := errors.New("bad")
		err := s.Views(t.Context(), n, func(graph.Snapshot) error {
			if calls.Add(1) == failing {
				return bad
			}
			return nil
		})
		if !errors.Is(err, bad) || calls.Load() != n {
			t.Errorf("call %d of %d fails: %v after %d", failing, n, err, calls.Load())
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = s.Views(ctx, n, func(graph.Snapshot) error {
		t.Error("called although its caller has gone")
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
