package server_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
)

func timestamp(t time.Time) *timestamppb.Timestamp { return timestamppb.New(t) }

// killRounds is how often TestKilledServerLosesNothing kills its server. A round
// takes a second or two; for a longer run:
//
//	go test ./server -run TestKilledServerLosesNothing -v -timeout 0 -kill-rounds=2000
var killRounds = flag.Int("kill-rounds", 6, "how often a server is killed")

// serveDir tells the test binary to be a server on a folder, to be killed.
const serveDir = "ELSEWHERE_TEST_SERVE"

// serveSync has that server put answers on record before it sends them.
const serveSync = "ELSEWHERE_TEST_SYNC"

func TestMain(m *testing.M) {
	if addr := os.Getenv(watchAddr); addr != "" {
		if err := watchFor(addr, os.Getenv(watchCursor)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if dir := os.Getenv(serveDir); dir != "" {
		if err := serve(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func serve(dir string) error {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	c := patient(server.Config{DataDir: dir})
	c.SyncReads = os.Getenv(serveSync) != ""
	if err := confine(&c); err != nil {
		return err
	}
	s, err := server.Open(ctx, c)
	if err != nil {
		return err
	}
	fmt.Println(s.Addr())
	return s.Serve(ctx)
}

// victim starts a server process on a folder.
func victim(t *testing.T, dir string) (*exec.Cmd, *deployment) {
	t.Helper()
	cmd, out := launch(t, dir)
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err, cmd.Wait())
	}
	return cmd, dial(t, strings.TrimSpace(addr))
}

// launch starts a server process on a folder and returns what it says: the address
// once it listens.
func launch(t *testing.T, dir string) (*exec.Cmd, io.Reader) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, out
}

// version is a case as it was sent; nil case: as it was deleted.
type version struct {
	*elsewherev1.Case
	hash string // what a server stores of it, once that is known
}

// known is what a caller knows of one of its cases: what was acknowledged last,
// and what was under way when the server died.
type known struct {
	acknowledged, underWay version
	open                   bool
}

// bigObservables are long enough for a change that the store has to journal.
const bigObservables = 9_000

// bigCase is one of two cases of a tenant of their own, in one of a few versions.
func bigCase(r *rand.Rand) *elsewherev1.Case {
	n := r.IntN(1000)
	padding := strings.Repeat(fmt.Sprintf("%03d/", n), 225)
	observables := make([]*elsewherev1.Observable, bigObservables)
	for i := range observables {
		observables[i] = obs("url", fmt.Sprintf("https://big.example/%05d/%s", i, padding))
	}
	c := newCase("big", fmt.Sprint(n%2))
	for part := range slices.Chunk(observables, 1000) {
		c.SetFindings(append(c.GetFindings(), elsewherev1.Finding_builder{Observables: part}.Build()))
	}
	return c
}

// TestKilledServerLosesNothing kills a server under parallel submits, time and
// again on one folder, and each time holds what it left to what it acknowledged,
// to its own check, and its links to those of a server that never died.
func TestKilledServerLosesNothing(t *testing.T) {
	dir := t.TempDir()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	const callers = 6
	states := make([]map[string]*known, callers+1) // the last is that of big cases
	populations := make([]*population, callers)
	for i := range states {
		states[i] = make(map[string]*known)
	}
	for i := range callers {
		populations[i] = newPopulation(seed+uint64(i), 4, 20)
	}
	twin := start(t, server.Config{Memory: true})
	var unheard, finished int
	var slowest time.Duration
	for round := range *killRounds {
		begun := time.Now()
		k := &killing{t: t, acknowledged: make(chan struct{}), big: make(chan struct{}, 1), idle: make(chan struct{})}
		k.cmd, k.deployment = victim(t, dir)
		big := round%2 == 1
		k.run(func() {
			if !big {
				k.take(1 + random.IntN(200))
				return
			}
			// Somewhere between its arrival and the end of its journal.
			<-k.big
			wait(time.Duration(random.IntN(400)) * time.Millisecond)
		}, func(ctx context.Context, running *sync.WaitGroup) {
			for i := range callers {
				running.Go(func() { k.torment(ctx, i, populations[i], states[i]) })
			}
			if big {
				own := rand.New(rand.NewPCG(seed, uint64(round)))
				running.Go(func() { k.tormentBig(ctx, own, states[callers]) })
			}
		})
		// The next ones die while they finish what the first has left.
		for range random.IntN(3) {
			unheard += killStarting(t, dir, random)
		}
		left, survivors, done := inspect(t, dir, twin, states)
		finished += done
		if !t.Failed() {
			sameLinks(t, left, populations, survivors)
		}
		if err := left.stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
		slowest = max(slowest, time.Since(begun))
	}
	t.Logf("%d rounds, the slowest %v; %d more servers died before they listened; %d changes were stored and not acknowledged",
		*killRounds, slowest.Round(time.Millisecond), unheard, finished)
}

// wait lets some time pass: which part of its work the server is in then is what
// the test draws.
func wait(d time.Duration) { <-time.After(d) }

// killStarting kills a server while it starts and returns 1 if it had not yet said
// where it listens.
func killStarting(t *testing.T, dir string, random *rand.Rand) int {
	t.Helper()
	cmd, out := launch(t, dir)
	wait(time.Duration(random.IntN(80)) * time.Millisecond)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	died(t, cmd)
	if len(said) == 0 {
		return 1
	}
	return 0
}

// died waits for a process that was killed.
func died(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("the server ended by itself: %v", err)
	}
}

// killing is a server that is going to be killed under load.
type killing struct {
	*deployment
	t            *testing.T
	cmd          *exec.Cmd
	acknowledged chan struct{}
	big          chan struct{} // a big case is about to be sent
	idle         chan struct{} // closed when no caller is left
}

// take waits for acknowledged changes.
func (k *killing) take(n int) {
	for range n {
		select {
		case <-k.acknowledged:
		case <-k.idle:
			return
		}
	}
}

// run puts the server under load and kills it when moment returns.
func (k *killing) run(moment func(), load func(context.Context, *sync.WaitGroup)) {
	k.t.Helper()
	ctx, cancel := context.WithCancel(k.t.Context())
	defer cancel()
	var running sync.WaitGroup
	load(ctx, &running)
	go func() {
		running.Wait()
		close(k.idle)
	}()
	moment()
	if err := k.cmd.Process.Kill(); err != nil {
		k.t.Fatal(err)
	}
	// Callers go on until the server is gone.
	for gone := false; !gone; {
		select {
		case <-k.acknowledged:
		case <-k.idle:
			gone = true
		}
	}
	died(k.t, k.cmd)
}

// torment submits and deletes cases of its own until the server is gone.
func (k *killing) torment(ctx context.Context, caller int, p *population, states map[string]*known) {
	for {
		c := p.draw()
		c.SetId(fmt.Sprintf("%d-%s", caller, c.GetId()))
		if !k.change(ctx, c, p.rand.IntN(4) == 0, states) {
			return
		}
	}
}

// tormentBig does the same with big cases, and says when one is on its way.
func (k *killing) tormentBig(ctx context.Context, r *rand.Rand, states map[string]*known) {
	for {
		c := bigCase(r)
		select {
		case k.big <- struct{}{}:
		default:
		}
		if !k.change(ctx, c, r.IntN(4) == 0, states) {
			return
		}
	}
}

// change submits or deletes a case and reports whether the server has answered.
func (k *killing) change(ctx context.Context, c *elsewherev1.Case, remove bool, states map[string]*known) bool {
	ref := c.GetTenant() + "/" + c.GetId()
	s := states[ref]
	if s == nil {
		s = &known{}
		states[ref] = s
	}
	s.open, s.underWay = true, version{Case: c}
	var err error
	if s.acknowledged.Case != nil && remove {
		s.underWay = version{}
		_, err = k.DeleteCase(ctx, elsewherev1.DeleteCaseRequest_builder{CaseRef: ref}.Build())
	} else {
		_, err = k.SubmitCase(ctx, elsewherev1.SubmitCaseRequest_builder{Case: c}.Build())
	}
	switch status.Code(err) {
	case codes.OK:
	case codes.Unavailable, codes.Canceled:
		return false
	default:
		k.t.Errorf("%s: %v", ref, err)
		return false
	}
	s.acknowledged, s.open = s.underWay, false
	select {
	case k.acknowledged <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// inspect checks and opens what the killed server left, holds it to what was
// acknowledged and returns the cases that are there, and how many changes were stored
// and not acknowledged. What a submit stores is what the twin makes of it.
func inspect(t *testing.T, dir string, twin *deployment, states []map[string]*known) (d *deployment, survivors map[string]*elsewherev1.Case, unacknowledged int) {
	t.Helper()
	err := server.Check(t.Context(), server.Config{DataDir: dir}, false, nil, func(line string) {
		t.Errorf("check: %s", line)
	})
	if err != nil {
		t.Fatal(err)
	}
	d = start(t, server.Config{DataDir: dir})
	survivors = make(map[string]*elsewherev1.Case)
	for _, m := range states {
		for ref, k := range m {
			got := d.storedHash(t, ref)
			expected := []*version{&k.acknowledged}
			if k.open {
				expected = append(expected, &k.underWay)
			}
			found := slices.IndexFunc(expected, func(v *version) bool {
				if v.Case != nil && v.hash == "" {
					twin.submit(t, v.Case)
					v.hash = twin.storedHash(t, ref)
				}
				return v.hash == got
			})
			if found < 0 {
				t.Errorf("%s is not what was acknowledged", ref)
				continue
			}
			unacknowledged += found
			k.acknowledged, k.open = *expected[found], false
			if c := k.acknowledged.Case; c != nil {
				survivors[ref] = c
			}
		}
	}
	return d, survivors, unacknowledged
}

// storedHash returns the content hash of a stored case, "" if there is none.
func (d *deployment) storedHash(t testing.TB, ref string) string {
	t.Helper()
	res, err := d.GetCase(t.Context(), elsewherev1.GetCaseRequest_builder{CaseRef: ref}.Build())
	if err != nil && status.Code(err) != codes.NotFound {
		t.Fatal(err)
	}
	return res.GetCase().GetContentHash()
}

// sameLinks compares what was left with a store that was built from the surviving
// cases and never died.
func sameLinks(t *testing.T, left *deployment, populations []*population, survivors map[string]*elsewherev1.Case) {
	t.Helper()
	all := &population{tenants: append([]string{"big"}, populations[0].tenants...), values: populations[0].values, stored: make(map[string]*elsewherev1.Case)}
	for ref, c := range survivors {
		if c.GetTenant() != "big" {
			all.stored[ref] = c
		}
	}
	var got map[string]proto.Message
	var asked sync.WaitGroup
	if len(all.stored) > 0 {
		asked.Go(func() { got = left.answers(t, all) })
	}
	defer asked.Wait()
	fresh := start(t, server.Config{Memory: true})
	for _, c := range survivors {
		_, err := fresh.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: c, NoLinks: true}.Build())
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(all.stored) > 0 {
		want := fresh.answers(t, all)
		asked.Wait()
		compare(t, got, want)
	}
	if err := fresh.stop(); err != nil {
		t.Fatal(err)
	}
}
