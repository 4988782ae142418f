package server_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
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

// serveDir tells the test binary to be a server on a folder, to be killed.
const serveDir = "ELSEWHERE_TEST_SERVE"

func TestMain(m *testing.M) {
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
	s, err := server.Open(ctx, server.Config{DataDir: dir, GRPCAddr: "127.0.0.1:0"})
	if err != nil {
		return err
	}
	fmt.Println(s.Addr())
	return s.Serve(ctx)
}

// victim starts a server process on a folder.
func victim(t *testing.T, dir string) (*exec.Cmd, *deployment) {
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
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err, cmd.Wait())
	}
	return cmd, dial(t, strings.TrimSpace(addr))
}

// known is what a caller knows of one of its cases: what was acknowledged last,
// and what was under way when the server died. A nil case is a deleted one.
type known struct {
	acknowledged, underWay *elsewherev1.Case
	open                   bool
}

// TestKilledServerLosesNothing kills a server under parallel submits, time and
// again on one folder.
func TestKilledServerLosesNothing(t *testing.T) {
	dir := t.TempDir()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	moments := rand.New(rand.NewPCG(seed, 1))
	const callers = 6
	states := make([]map[string]*known, callers)
	populations := make([]*population, callers)
	for i := range callers {
		states[i] = make(map[string]*known)
		populations[i] = newPopulation(seed+uint64(i), 8, 20)
	}
	for round := range 10 {
		cmd, d := victim(t, dir)
		acknowledged := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		for i := range callers {
			running.Go(func() { torment(ctx, t, d, i, populations[i], states[i], acknowledged) })
		}
		for range 1 + moments.IntN(200) {
			<-acknowledged
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		cancel()
		running.Wait()
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) {
			t.Fatalf("round %d: the server ended by itself: %v", round, err)
		}
		survivors := inspect(t, dir, states)
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
		if round == 9 {
			sameLinks(t, dir, populations, survivors)
		}
	}
}

// torment submits and deletes cases of its own until the server is gone.
func torment(ctx context.Context, t *testing.T, d *deployment, caller int, p *population, states map[string]*known, acknowledged chan<- struct{}) {
	for {
		c := p.draw()
		c.SetId(fmt.Sprintf("%d-%s", caller, c.GetId()))
		ref := c.GetTenant() + "/" + c.GetId()
		k := states[ref]
		if k == nil {
			k = &known{}
			states[ref] = k
		}
		k.open, k.underWay = true, c
		var err error
		if k.acknowledged != nil && p.rand.IntN(4) == 0 {
			k.underWay = nil
			_, err = d.DeleteCase(ctx, elsewherev1.DeleteCaseRequest_builder{CaseRef: ref}.Build())
		} else {
			_, err = d.SubmitCase(ctx, elsewherev1.SubmitCaseRequest_builder{Case: c}.Build())
		}
		switch status.Code(err) {
		case codes.OK:
		case codes.Unavailable, codes.Canceled:
			return
		default:
			t.Errorf("%s: %v", ref, err)
			return
		}
		k.acknowledged, k.open = k.underWay, false
		select {
		case acknowledged <- struct{}{}:
		case <-ctx.Done():
			return
		}
	}
}

// inspect opens what the killed server left, holds it to what was acknowledged
// and returns the cases that are there.
func inspect(t *testing.T, dir string, states []map[string]*known) map[string]*elsewherev1.Case {
	t.Helper()
	err := server.Check(t.Context(), server.Config{DataDir: dir}, false, nil, func(line string) {
		t.Errorf("check: %s", line)
	})
	if err != nil {
		t.Fatal(err)
	}
	d := start(t, server.Config{DataDir: dir})
	// What a submit would store is what an empty server makes of it.
	twin := start(t, server.Config{Memory: true})
	survivors := make(map[string]*elsewherev1.Case)
	for _, m := range states {
		for ref, k := range m {
			res, err := d.GetCase(t.Context(), elsewherev1.GetCaseRequest_builder{CaseRef: ref}.Build())
			if err != nil && status.Code(err) != codes.NotFound {
				t.Fatal(err)
			}
			got := ""
			if err == nil {
				got = res.GetCase().GetContentHash()
			}
			expected := []*elsewherev1.Case{k.acknowledged}
			if k.open {
				expected = append(expected, k.underWay)
			}
			found := false
			for _, c := range expected {
				hash := ""
				if c != nil {
					twin.submit(t, c)
					stored, err := twin.GetCase(t.Context(), elsewherev1.GetCaseRequest_builder{CaseRef: ref}.Build())
					if err != nil {
						t.Fatal(err)
					}
					hash = stored.GetCase().GetContentHash()
				}
				if hash == got {
					found = true
					k.acknowledged, k.open = c, false
					if c != nil {
						survivors[ref] = proto.CloneOf(c)
					}
					break
				}
			}
			if !found {
				t.Errorf("%s is not what was acknowledged", ref)
			}
		}
	}
	if err := d.stop(); err != nil {
		t.Fatal(err)
	}
	return survivors
}

// sameLinks compares the folder with a store that was built from the surviving
// cases and never died.
func sameLinks(t *testing.T, dir string, populations []*population, survivors map[string]*elsewherev1.Case) {
	t.Helper()
	all := &population{tenants: populations[0].tenants, values: populations[0].values, stored: survivors}
	d := start(t, server.Config{DataDir: dir})
	fresh := start(t, server.Config{Memory: true})
	for _, c := range survivors {
		fresh.submit(t, c)
	}
	compare(t, d.answers(t, all), fresh.answers(t, all))
}
