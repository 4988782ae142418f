package badger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// sameWithout compares what a snapshot answers with what it answers without the
// caches. Snapshots are for one goroutine, so the copy is another reader of the
// same view.
func sameWithout(t *testing.T, sn *snapshot, ref evidence.Ref, v evidence.Value) {
	t.Helper()
	plain := Uncached(sn).(*snapshot)
	type answers struct {
		Profile, Outline *evidence.Profile
		Summary          graph.Summary
		Tenants, Cases   uint32
		Representatives  []evidence.Ref
	}
	ask := func(sn *snapshot) (a answers) {
		var errs [5]error
		a.Profile, errs[0] = sn.Profile(ref)
		a.Outline, errs[1] = sn.Outline(ref)
		a.Summary, errs[2] = sn.Summary(v)
		a.Tenants, a.Cases, errs[3] = sn.Spread(v)
		a.Representatives, errs[4] = sn.Representatives(v)
		for _, err := range errs {
			if err != nil && !errors.Is(err, graph.ErrNotFound) {
				t.Error(err)
			}
		}
		return a
	}
	// Twice: the second time what the first has read may be there.
	for range 2 {
		if diff := gocmp.Diff(ask(plain), ask(sn), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("view %d, without and with the caches:\n%s", sn.view, diff)
		}
	}
}

// TestCachesAnswerWhatTheStoreDoes has readers of new and old views compare
// answers while writers submit, replace, dismiss, delete and relink.
func TestCachesAnswerWhatTheStoreDoes(t *testing.T) {
	rounds := 1500
	if testing.Short() {
		rounds = 300
	}
	for _, size := range []int64{0, 200_000, 1} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			s, err := Open(t.Context(), Options{Memory: true, CacheBytes: size, Limits: graph.Limits{RepresentativesPerTenant: 2, CandidateTenants: 4}})
			if err != nil {
				t.Fatal(err)
			}
			defer mustClose(t, s)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			refAt := func(r *rand.Rand) evidence.Ref {
				return evidence.Ref{Tenant: string(rune('a' + r.IntN(5))), Case: fmt.Sprint(r.IntN(6))}
			}
			var changes atomic.Int64
			var writers, readers sync.WaitGroup
			for w := range 3 {
				writers.Go(func() {
					r := rand.New(rand.NewPCG(uint64(w), 1))
					for range rounds {
						ref := refAt(r)
						var err error
						switch r.IntN(8) {
						case 0:
							if err = s.Delete(ctx, ref); errors.Is(err, graph.ErrNotFound) {
								err = nil
							}
						case 1:
							var marks []graph.Mark
							if marks, err = s.Dirty(ctx, 5); err == nil {
								err = s.Relink(ctx, graph.RelinkBatch{Done: marks})
							}
						default:
							c := someCase(ref.Tenant, ref.Case, address(r.IntN(4)), address(r.IntN(4)), evidence.Value{Kind: "x_long", Text: fmt.Sprint(noise(60), r.IntN(2))})
							c.Title = fmt.Sprint(r.Int())
							if r.IntN(8) == 0 {
								c.State = evidence.Dismissed
							}
							if r.IntN(30) == 0 {
								for i := range graph.OutlineAbove {
									c.Findings[0].Observables = append(c.Findings[0].Observables, evidence.Observable{Value: address(100 + i), Roles: []string{"created"}})
								}
							}
							_, err = s.Submit(ctx, c, nil)
						}
						if err != nil {
							t.Error(err)
							return
						}
						if changes.Add(1)%100 == 0 {
							s.Forget()
						}
					}
				})
			}
			for g := range 4 {
				readers.Go(func() {
					r := rand.New(rand.NewPCG(uint64(g), 2))
					for ctx.Err() == nil {
						err := s.read(context.Background(), func(sn *snapshot) error {
							for range 1 + r.IntN(4) {
								sameWithout(t, sn, refAt(r), address(r.IntN(5)))
								sameWithout(t, sn, refAt(r), evidence.Value{Kind: "x_long", Text: fmt.Sprint(noise(60), r.IntN(2))})
							}
							return nil
						})
						if err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			writers.Wait()
			cancel()
			readers.Wait()
			defer func() {
				s.Forget()
				for name, stats := range s.CacheStats() {
					if stats.Bytes != 0 {
						t.Errorf("%s: %d bytes are left", name, stats.Bytes)
					}
				}
			}()
			for name, stats := range s.CacheStats() {
				if size == 0 && (stats.Hits == 0 || stats.Misses == 0) {
					t.Errorf("%s: %+v", name, stats)
				}
				if limit := max(size, 1); size > 0 && stats.Bytes > limit {
					t.Errorf("%s: %d bytes of %d", name, stats.Bytes, limit)
				}
			}
			if l := lines(t, s); len(l) > 0 {
				t.Error(l)
			}
		})
	}
}

// TestOldViewDoesNotFillTheCaches holds a view over a change: what it reads is
// neither kept for those after it nor replaced by what is.
func TestOldViewDoesNotFillTheCaches(t *testing.T) {
	s := openMemory(t)
	submit(t, s, someCase("a", "1", address(1)))
	ref := evidence.Ref{Tenant: "a", Case: "1"}
	kinds := func(sn *snapshot) (string, uint32) {
		p, err := sn.Profile(ref)
		if err != nil {
			t.Fatal(err)
		}
		sum, err := sn.Summary(address(1))
		if err != nil {
			t.Fatal(err)
		}
		return p.Kind, sum.Cases
	}
	expect := func(sn *snapshot, kind string, cases uint32) {
		t.Helper()
		if k, n := kinds(sn); k != kind || n != cases {
			t.Errorf("kind %q in %d cases, want %q in %d", k, n, kind, cases)
		}
	}
	for _, readBefore := range []bool{false, true} {
		was := map[bool]string{false: "", true: "bec"}[readBefore]
		now := map[bool]string{false: "bec", true: "phishing"}[readBefore]
		cases := map[bool]uint32{false: 1, true: 2}[readBefore]
		err := s.read(t.Context(), func(old *snapshot) error {
			if readBefore {
				expect(old, was, cases)
			}
			c := someCase("a", "1", address(1))
			c.Kind = now
			submit(t, s, c, someCase("b", fmt.Sprint(now), address(1)))
			expect(old, was, cases)
			return s.read(t.Context(), func(sn *snapshot) error {
				expect(sn, now, cases+1)
				expect(old, was, cases)
				expect(sn, now, cases+1)
				return nil
			})
		})
		if err != nil {
			t.Error(err)
		}
	}
}
