package graphtest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// testReopened closes a store and opens it again: everything is as it was.
func testReopened(t *testing.T, open Opener) {
	clock := newClock()
	config := Config{Dir: t.TempDir(), Clock: clock.now}
	m := &Model{}
	s := &store{open(t, config), t}
	for i := range 20 {
		c := holding(fmt.Sprintf("t%d", i%3), fmt.Sprint(i), ip(i%5), ip(100+i), oddValues()[i])
		setStanding(c, i)
		s.submit(c)
		m.Submit(c)
	}
	left := clock.now()
	rows := []graph.Row{row(ref("t0", "0"), ref("t1", "1"), 5, ip(0)), row(ref("t0", "0"), ref("t2", "2"), 6, ip(0), ip(1))}
	s.relink(graph.RelinkBatch{Put: rows})
	s.startSweep("model 7", false)
	progress := s.sweep()
	progress.After = ref("t1", "4")
	s.relink(graph.RelinkBatch{Sweep: &progress})
	marks := s.marks()
	var meta graph.Meta
	s.view(func(sn graph.Snapshot) { meta = must[graph.Meta](t)(sn.Meta(ref("t1", "4"))) })
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		clock.pass()
		s.Store = open(t, config)
		values := append(oddValues()[:20], ip(0), ip(1), ip(4), ip(107))
		s.compare(m, values, []string{"t0", "t1", "t2"})
		s.compareRows(rows, []string{"t0", "t1", "t2"}, []evidence.Value{ip(0), ip(1)})
		same(t, "marks", s.marks(), marks)
		same(t, "sweep", s.sweep(), progress)
		s.startSweep("model 7", false)
		same(t, "sweep with the stored basis", s.sweep(), progress)
		_, oldest, err := s.Backlog(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "oldest mark", oldest, left.Truncate(time.Microsecond))
		s.view(func(sn graph.Snapshot) { same(t, "meta", must[graph.Meta](t)(sn.Meta(ref("t1", "4"))), meta) })
		s.check()
	}
	// Versions go on.
	s.submit(holding("t1", "4", ip(0)))
	if s.marks()[ip(0)].Version == marks[ip(0)].Version {
		t.Error("a mark that was left again after a restart has the version it had before")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// childDir is the environment variable that tells the test binary to be the
// process that is killed, and on which folder.
const childDir = "GRAPHTEST_KILLED_DIR"

const (
	killRounds  = 10
	killWorkers = 6
	killCases   = 5 // of each worker
)

// killRef is a case that only one worker changes.
func killRef(worker, i int) evidence.Ref {
	return ref(fmt.Sprintf("t%d", (worker+i)%4), fmt.Sprintf("w%d-%d", worker, i))
}

// killedCase is a case after its n-th operation, nil if that was a delete. All
// share values, and the version is in every part of a case, so that half of one
// does not look like another.
func killedCase(worker, i, n int) *evidence.Case {
	if n == 0 || n%5 == 4 {
		return nil
	}
	r := killRef(worker, i)
	c := newCase(r.Tenant, r.Case)
	c.Title = fmt.Sprint("version ", n)
	size := 20
	if i == 0 {
		size = 600 // more than one log record of most engines
	}
	for k := range size {
		c.Findings[0].Observables = append(c.Findings[0].Observables, seen(ip(k*(1+n%3)), n%7, n%7+n%3))
	}
	c.Findings[0].Observables = append(c.Findings[0].Observables, seen(ip(1_000_000+n), 0, 1))
	setStanding(c, n%9)
	return c
}

// testKilled kills a process that submits in parallel, time and again, and
// looks at what it left behind: every acknowledged change, and no half one.
func testKilled(t *testing.T, open Opener) {
	if dir := os.Getenv(childDir); dir != "" {
		beKilled(t, open, dir)
		return
	}
	dir := t.TempDir()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	done := map[evidence.Ref]int{} // acknowledged operations of each case
	total, rounds := 0, killRounds
	if testing.Short() {
		rounds = 3
	}
	for round := range rounds {
		acknowledged := killAfter(t, dir, 1+random.IntN(300))
		total += acknowledged.count
		for r, n := range acknowledged.operations {
			done[r] = n
		}
		s := &store{open(t, Config{Dir: dir}), t}
		s.check()
		m := &Model{}
		for w := range killWorkers {
			for i := range killCases {
				r := killRef(w, i)
				found := false
				// The operation after the acknowledged one may have happened.
				for _, n := range []int{done[r], done[r] + 1} {
					c := killedCase(w, i, n)
					if found = s.holds(r, c); found {
						done[r] = n
						if c != nil {
							m.Submit(c)
						}
						break
					}
				}
				if !found {
					t.Errorf("round %d: %s is not as it was after operation %d, nor after the next", round, r, done[r])
				}
			}
		}
		s.compareNotes(done)
		values := []evidence.Value{ip(0), ip(1), ip(2), ip(19), ip(38), ip(57), ip(599), ip(1_000_003)}
		s.compare(m, values, nil)
		// Nobody has linked anything: every value with pairs is marked.
		marks := s.marks()
		for _, v := range m.Values() {
			if _, ok := marks[v]; !ok && m.Summary(v).Tenants > 1 {
				t.Errorf("round %d: no mark on %v", round, v)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if t.Failed() {
			return
		}
		// The next process goes on from here.
		if err := os.WriteFile(dir+".state", []byte(state(done)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d acknowledged operations in %d rounds", total, rounds)
}

// holds reports whether the store has exactly this case, or none for nil.
func (s *store) holds(r evidence.Ref, c *evidence.Case) (found bool) {
	s.view(func(sn graph.Snapshot) {
		stored, err := sn.Case(r)
		switch {
		case err != nil:
			found = c == nil
		case c != nil:
			found = stored.Case.ContentHash() == c.ContentHash()
		}
	})
	return found
}

// acknowledged is what a killed process had reported.
type acknowledged struct {
	operations map[evidence.Ref]int
	count      int
}

// killAfter runs this test in a process of its own and kills it after that many
// acknowledged operations.
func killAfter(t *testing.T, dir string, operations int) acknowledged {
	t.Helper()
	var pattern []string
	for _, part := range strings.Split(t.Name(), "/") {
		pattern = append(pattern, "^"+regexp.QuoteMeta(part)+"$")
	}
	cmd := exec.Command(os.Args[0], "-test.run="+strings.Join(pattern, "/"), "-test.v=true")
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	stdin, err := cmd.StdinPipe() // its end tells the child that we are gone
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out := acknowledged{operations: map[evidence.Ref]int{}}
	var said []string
	killed := false
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		var r evidence.Ref
		var n int
		if _, err := fmt.Sscanf(lines.Text(), "ack %s %s %d .", &r.Tenant, &r.Case, &n); err != nil {
			said = append(said, lines.Text())
			continue
		}
		// What was printed before the kill counts, also when it is read after.
		out.operations[r] = n
		if out.count++; out.count >= operations && !killed {
			killed = true
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || !killed {
		t.Fatalf("the process ended by itself: %v\n%s", err, strings.Join(said, "\n"))
	}
	return out
}

// beKilled submits and deletes until the process is killed.
func beKilled(t *testing.T, open Opener, dir string) {
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	s := &store{open(t, Config{Dir: dir}), t}
	done := readState(t, dir+".state")
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range killWorkers {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i = (i + 1) % killCases {
				r := killRef(w, i)
				mu.Lock()
				done[r]++
				n := done[r]
				mu.Unlock()
				var err error
				ctx, _ := noted(ctx, operation(r, n))
				if c := killedCase(w, i, n); c != nil {
					_, err = s.Submit(ctx, c, nil)
				} else {
					err = s.Delete(ctx, r)
				}
				if err != nil {
					t.Errorf("operation %d on %s: %v", n, r, err)
					return
				}
				mu.Lock()
				fmt.Fprintf(os.Stdout, "ack %s %s %d .\n", r.Tenant, r.Case, n)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	t.Error("not killed")
}

func state(done map[evidence.Ref]int) string {
	var b strings.Builder
	for r, n := range done {
		fmt.Fprintf(&b, "%s %s %d\n", r.Tenant, r.Case, n)
	}
	return b.String()
}

func readState(t *testing.T, file string) map[evidence.Ref]int {
	done := map[evidence.Ref]int{}
	b, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return done
	}
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var r evidence.Ref
		var n int
		if _, err := fmt.Sscanf(line, "%s %s %d", &r.Tenant, &r.Case, &n); err != nil {
			t.Fatal(err)
		}
		done[r] = n
	}
	return done
}
