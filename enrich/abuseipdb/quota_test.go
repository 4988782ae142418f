package abuseipdb_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/enrich"
	"github.com/elsewhere-project/elsewhere/enrich/abuseipdb"
	"github.com/elsewhere-project/elsewhere/enrich/abuseipdb/abusetest"
)

// burst lets n askers ask about as many addresses at the same time and counts the
// statuses of their answers.
func burst(ctx context.Context, s enrich.Source, n int, purpose enrich.Purpose) map[enrich.Status]int {
	var mu sync.Mutex
	got := make(map[enrich.Status]int)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			a := s.Lookup(ctx, ip(fmt.Sprintf("20.9.%d.%d", i/200, i%200)), purpose)
			mu.Lock()
			defer mu.Unlock()
			got[a.Status]++
		})
	}
	wg.Wait()
	return got
}

// copied returns what a process finds that starts after this one was killed now.
func copied(tb testing.TB, from enrich.Store) enrich.Store {
	to := new(enrich.Memory)
	for item, err := range from.Scan(context.Background(), "") {
		if err == nil {
			err = to.Put(context.Background(), item.Key, item.Data, time.Time{})
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	return to
}

// 64 askers at once, a kill in the middle, 64 more: the service, whose quota is
// far below what the client assumes, never sees a call too many.
func TestQuotaIsNeverExceeded(t *testing.T) {
	for _, quota := range []int{1, 5, 63, 64, 100} {
		t.Run(fmt.Sprint(quota), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := abusetest.New(secret, quota)
				store := new(enrich.Memory)
				slow := func(c *abuseipdb.Config) { c.Transport = late{fake.Transport(), time.Second, new(atomic.Bool)} }
				go burst(t.Context(), client(t, fake, store, slow).Sources()[0], 64, enrich.Interactive)
				// The first call is back after a second, the others are on their way.
				after(t.Context(), 1500*time.Millisecond)
				next := copied(t, store)
				second := burst(t.Context(), client(t, fake, next, slow).Sources()[0], 64, enrich.Interactive)
				after(t.Context(), 2*time.Second)
				third := burst(t.Context(), client(t, fake, next, nil).Sources()[0], 64, enrich.Interactive)
				if n := fake.Exceeded(); n != 0 {
					t.Errorf("%d calls too many", n)
				}
				if n := len(fake.Calls()); n != quota {
					t.Errorf("%d calls of %d were made", n, quota)
				}
				for _, got := range []map[enrich.Status]int{second, third} {
					if got[enrich.OK]+got[enrich.Quota] != 64 {
						t.Errorf("%v", got)
					}
				}
				if quota <= 64 {
					if d := cmp.Diff(map[enrich.Status]int{enrich.Quota: 64}, third); d != "" {
						t.Error(d)
					}
				}
				after(t.Context(), 25*time.Hour)
				// Many at once may be told that nothing is left while answers are on their
				// way; when all are there, what is left can be used.
				s := client(t, fake, next, nil).Sources()[0]
				fresh := burst(t.Context(), s, 64, enrich.Interactive)[enrich.OK]
				for s.Lookup(t.Context(), ip("20.9.9.9"), enrich.Interactive).Status == enrich.OK {
					fresh++
				}
				if fresh != quota || fake.Exceeded() != 0 {
					t.Errorf("the next day: %d calls of %d, %d too many", fresh, quota, fake.Exceeded())
				}
			})
		})
	}
}

// late delivers requests late, and none that is made after the process died.
type late struct {
	next  http.RoundTripper
	delay time.Duration
	dead  *atomic.Bool
}

func (l late) RoundTrip(r *http.Request) (*http.Response, error) {
	if l.dead.Load() {
		return nil, errors.New("dead")
	}
	after(r.Context(), l.delay)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return l.next.RoundTrip(r)
}

// step is something that happens to a client or its service.
type step struct {
	what     string
	askers   int
	purpose  enrich.Purpose
	patience time.Duration
	fault    int
}

func drawStep() *rapid.Generator[step] {
	return rapid.Custom(func(t *rapid.T) step {
		return step{
			what:     rapid.SampledFrom([]string{"ask", "ask", "ask", "leave", "kill", "restart", "wait", "fault", "well"}).Draw(t, "what"),
			askers:   rapid.IntRange(1, 40).Draw(t, "askers"),
			purpose:  rapid.SampledFrom([]enrich.Purpose{enrich.Interactive, enrich.Background}).Draw(t, "purpose"),
			patience: time.Duration(rapid.IntRange(0, 5000).Draw(t, "patience")) * time.Millisecond,
			fault:    rapid.IntRange(0, 6).Draw(t, "fault"),
		}
	})
}

// Whatever happens in whatever order, no call is too many.
func TestQuotaProperty(t *testing.T) {
	faults := []abusetest.Fault{
		abusetest.ServerError, abusetest.Hang, abusetest.SlowBody, abusetest.TooMany, abusetest.TooManyHTML, abusetest.Unauthorized,
		abusetest.Body("garbage"),
	}
	rapid.Check(t, func(rt *rapid.T) {
		quota := rapid.IntRange(20, 60).Draw(rt, "quota")
		delay := time.Duration(rapid.IntRange(0, 3).Draw(rt, "delay")) * time.Second
		steps := rapid.SliceOfN(drawStep(), 3, 15).Draw(rt, "steps")
		var exceeded, odd int
		synctest.Test(t, func(t *testing.T) {
			fake := abusetest.New(secret, quota)
			var store enrich.Store = new(enrich.Memory)
			var dead *atomic.Bool
			start := func() enrich.Source {
				dead = new(atomic.Bool)
				return client(t, fake, store, func(c *abuseipdb.Config) { c.Transport = late{fake.Transport(), delay, dead} }).Sources()[0]
			}
			s := start()
			for _, step := range steps {
				ctx, done := context.WithTimeout(t.Context(), 10*time.Second)
				switch step.what {
				case "ask":
					got := burst(ctx, s, step.askers, step.purpose)
					odd += got[enrich.NoData] + got[enrich.NotLookedUp]
				case "leave":
					short, left := context.WithTimeout(ctx, step.patience)
					burst(short, s, step.askers, step.purpose)
					left()
				case "kill":
					go burst(ctx, s, step.askers, step.purpose)
					after(ctx, step.patience)
					// What is under way arrives; what the dead would write is lost.
					dead.Store(true)
					store = copied(t, store)
					s = start()
				case "restart":
					s = start()
				case "wait":
					after(t.Context(), step.patience*3600*6)
				case "fault":
					fake.Fail(step.askers, faults[step.fault])
				case "well":
					fake.Fail(0, nil)
				}
				if step.what == "kill" {
					context.AfterFunc(ctx, done)
				} else {
					done()
				}
			}
			after(t.Context(), 20*time.Second)
			exceeded = fake.Exceeded()
		})
		if exceeded != 0 || odd != 0 {
			rt.Fatalf("%d calls too many, %d odd answers", exceeded, odd)
		}
	})
}

func TestInteractiveShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := abusetest.New(secret, 100)
		store := new(enrich.Memory)
		s := client(t, fake, store, func(c *abuseipdb.Config) { c.Reserved = 0.3 }).Sources()[0]
		if got := burst(t.Context(), s, 100, enrich.Background); got[enrich.OK] > 70 {
			t.Errorf("background: %v", got)
		}
		a := s.Lookup(t.Context(), ip("20.9.0.0"), enrich.Background)
		for a.Status == enrich.OK {
			a = s.Lookup(t.Context(), ip("20.9.0.0"), enrich.Background)
		}
		if n := len(fake.Calls()); n != 70 || a.Status != enrich.Quota || !strings.Contains(a.Detail, "reserved") || a.RetryAt.IsZero() {
			t.Errorf("%d background calls, then %+v", n, a)
		}
		if a := s.Lookup(t.Context(), ip("20.9.0.1"), enrich.Interactive); a.Status != enrich.OK {
			t.Errorf("interactive: %+v", a)
		}
		// A restart changes nothing.
		s = client(t, fake, store, func(c *abuseipdb.Config) { c.Reserved = 0.3 }).Sources()[0]
		if a := s.Lookup(t.Context(), ip("20.9.0.1"), enrich.Background); a.Status != enrich.Quota {
			t.Errorf("background after a restart: %+v", a)
		}
	})
}

// A refusal counts until the time the service named, also for the next process:
// no call is made and nobody waits.
func TestRefusalCountsUntilItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := abusetest.New(secret, 1000)
		fake.Fail(1, abusetest.TooMany)
		store := new(enrich.Memory)
		start := time.Now()
		s := client(t, fake, store, nil).Sources()[0]
		burst(t.Context(), s, 64, enrich.Interactive)
		for range 3 {
			s = client(t, fake, store, nil).Sources()[0]
			if got := burst(t.Context(), s, 64, enrich.Interactive); got[enrich.Quota] != 64 {
				t.Errorf("%v", got)
			}
		}
		if took, n := time.Since(start), len(fake.Calls()); took != 0 || n != 1 {
			t.Errorf("%d calls in %v", n, took)
		}
		after(t.Context(), abusetest.RetryAfter*time.Second)
		if got := burst(t.Context(), s, 64, enrich.Interactive); got[enrich.Quota] != 64 || len(fake.Calls()) != 1 {
			t.Errorf("just before the end: %v", got)
		}
		after(t.Context(), 3*time.Second)
		if got := burst(t.Context(), s, 64, enrich.Interactive); got[enrich.OK] != 64 {
			t.Errorf("after the end: %v", got)
		}
	})
}

// The quota of one endpoint says nothing about another, and keys of different
// accounts have their own.
func TestQuotaIsOfEndpointAndAccount(t *testing.T) {
	fake := abusetest.New(secret, 1)
	store := new(enrich.Memory)
	c := client(t, fake, store, nil)
	network := enrich.Value{Kind: enrich.KindCIDR, Text: "104.161.20.0/24"}
	for i, want := range []enrich.Status{enrich.OK, enrich.Quota} {
		if got := c.Sources()[0].Lookup(t.Context(), ip(abusetest.IOFlood), enrich.Interactive).Status; got != want {
			t.Errorf("check %d: %s", i, got)
		}
		if got := c.Sources()[1].Lookup(t.Context(), network, enrich.Interactive).Status; got != want {
			t.Errorf("check-block %d: %s", i, got)
		}
		_, err := c.Blacklist(t.Context(), 0, 0)
		if (err == nil) != (want == enrich.OK) {
			t.Errorf("blacklist %d: %v", i, err)
		}
	}
	usage, err := c.Usage(t.Context())
	if err != nil || len(usage) != 3 {
		t.Fatalf("%+v, %v", usage, err)
	}
	for _, u := range usage {
		if u.Limit != 1 || u.Left != 0 || !u.Sure || u.Until.IsZero() {
			t.Errorf("%+v", u)
		}
	}
	other := abusetest.New("another-key", 1)
	k, err := abuseipdb.NewKey("another-key")
	if err != nil {
		t.Fatal(err)
	}
	if got := client(t, other, store, func(c *abuseipdb.Config) { c.Key = k }).Sources()[0].Lookup(t.Context(), ip(abusetest.IOFlood), enrich.Interactive); got.Status != enrich.OK {
		t.Errorf("another account: %+v", got)
	}
	// Two keys of one account share what is named the same.
	if got := client(t, other, store, func(c *abuseipdb.Config) { c.Key, c.Account = k, "ours" }).Sources()[0].Lookup(t.Context(), ip(abusetest.IOFlood), enrich.Interactive); got.Status != enrich.Quota {
		t.Errorf("a first call of a named account that the service refuses: %+v", got)
	}
	for item, err := range store.Scan(t.Context(), "") {
		if err != nil || strings.Contains(item.Key+string(item.Data), secret) {
			t.Errorf("%s: %s, %v", item.Key, item.Data, err)
		}
	}
}

// Others use the account too: what the service says is left counts.
func TestOthersOnTheAccount(t *testing.T) {
	fake := abusetest.New(secret, 100)
	s := client(t, fake, new(enrich.Memory), nil).Sources()[0]
	s.Lookup(t.Context(), ip("20.9.0.0"), enrich.Interactive)
	fake.Spend("check", 90)
	s.Lookup(t.Context(), ip("20.9.0.1"), enrich.Interactive)
	if got := burst(t.Context(), s, 64, enrich.Interactive); got[enrich.OK] > 8 || fake.Exceeded() != 0 {
		t.Errorf("%v, %d too many", got, fake.Exceeded())
	}
}

// A service that names no quota is held to the plan that was given.
func TestSilentService(t *testing.T) {
	fake := abusetest.New(secret, 10)
	fake.Silent()
	s := client(t, fake, new(enrich.Memory), func(c *abuseipdb.Config) { c.Daily.Check = 10 }).Sources()[0]
	if got := burst(t.Context(), s, 64, enrich.Interactive); got[enrich.OK] != 10 || got[enrich.Quota] != 54 || fake.Exceeded() != 0 {
		t.Errorf("%v, %d too many", got, fake.Exceeded())
	}
}

// Retries are calls.
func TestRetriesCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := abusetest.New(secret, 5)
		fake.Fail(2, abusetest.ServerError)
		c := client(t, fake, new(enrich.Memory), nil)
		if got := c.Sources()[0].Lookup(t.Context(), ip(abusetest.IOFlood), enrich.Interactive); got.Status != enrich.OK {
			t.Errorf("%+v", got)
		}
		calls := fake.Calls()
		if len(calls) != 3 {
			t.Fatalf("%d calls", len(calls))
		}
		for i, bounds := range [][2]time.Duration{{100 * time.Millisecond, 300 * time.Millisecond}, {200 * time.Millisecond, 600 * time.Millisecond}} {
			if wait := calls[i+1].Time.Sub(calls[i].Time); wait < bounds[0] || wait > bounds[1] {
				t.Errorf("retry %d after %v", i+1, wait)
			}
		}
		usage, err := c.Usage(t.Context())
		if err != nil || usage[0].Left != 2 {
			t.Errorf("%+v, %v", usage, err)
		}
	})
}

// readOnly is a store that takes no more.
type readOnly struct{ enrich.Memory }

func (*readOnly) Swap(context.Context, string, []byte, []byte) (bool, error) {
	return false, fmt.Errorf("no space")
}

func TestNoCallWithoutALedger(t *testing.T) {
	fake := abusetest.New(secret, 5)
	s := client(t, fake, new(readOnly), nil).Sources()[0]
	if got := s.Lookup(t.Context(), ip(abusetest.IOFlood), enrich.Interactive); got.Status != enrich.Error || len(fake.Calls()) != 0 {
		t.Errorf("%+v, %d calls", got, len(fake.Calls()))
	}
}
