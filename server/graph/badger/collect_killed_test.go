package badger

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// collectedDir tells the test binary to be the process that is killed while it
// collects the value log of a folder.
const collectedDir = "BADGER_TEST_COLLECTED_DIR"

const (
	collectedCases = 90
	collectRounds  = 12
)

// collectedCase is a case in a version that another process, too, knows.
func collectedCase(i, version int) *evidence.Case {
	c := someCase("a", fmt.Sprint(i), address(i), address(1000))
	c.Findings[0].Summary = noise(400_000 + i*1000 + version)
	return c
}

// TestKilledWhileCollecting kills a process while it gives the space of replaced
// bodies back and others replace more of them.
func TestKilledWhileCollecting(t *testing.T) {
	if dir := os.Getenv(collectedDir); dir != "" {
		collectUntilKilled(t, dir)
		return
	}
	dir := t.TempDir()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	rounds := collectRounds
	if testing.Short() {
		rounds = 3
	}
	collected := 0
	versions := map[int]int{}
	// When there is garbage enough is up to Badger.
	for round := 0; round < rounds || collected == 0 && round < 4*rounds; round++ {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledWhileCollecting$", "-test.v")
		cmd.Env = append(os.Environ(), collectedDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		// Where nothing has been collected yet, the process lives longer.
		left := (30 + random.IntN(120)) * max(1, round-rounds+2)
		killed := false
		kill := func() {
			if !killed {
				killed = true
				_ = cmd.Process.Kill()
			}
		}
		var said string
		for in := bufio.NewScanner(out); in.Scan(); {
			var i, version int
			switch {
			case in.Text() == "collecting":
				// Some moment of the rewriting of a file.
				if round%2 == 0 && collected > 0 {
					<-time.After(time.Duration(random.IntN(60)) * time.Millisecond)
					kill()
				}
			case in.Text() == "collected":
				collected++
			default:
				if _, err := fmt.Sscanf(in.Text(), "stored %d %d .", &i, &version); err != nil {
					said += in.Text() + "\n"
					continue
				}
				versions[i] = version
				if left--; left == 0 {
					kill()
				}
			}
		}
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) || exit.Exited() {
			t.Fatalf("round %d: the process ended by itself: %v\n%s", round, err, said)
		}
		s := openDir(t, dir)
		for i, version := range versions {
			got := storedVersion(t, s, i)
			if got != version && got != version+1 {
				t.Errorf("round %d: case %d is version %d, want %d", round, i, got, version)
			}
		}
		for _, line := range lines(t, s) {
			t.Error(line)
		}
		mustClose(t, s)
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
		// Each start with something to write leaves a table, and as many as are merged
		// together show Badger what is garbage.
		for i := 0; collected == 0 && i < unsortedTables/2; i++ {
			s := openDir(t, dir)
			submit(t, s, someCase("b", fmt.Sprint(round, i), address(i)))
			mustClose(t, s)
		}
	}
	t.Logf("%d times files were collected", collected)
	if collected == 0 {
		t.Error("nothing was collected in any round")
	}
}

// storedVersion returns the version of a stored case, 0 if there is none.
func storedVersion(t *testing.T, s *Store, i int) (version int) {
	t.Helper()
	err := s.View(t.Context(), func(sn graph.Snapshot) error {
		c, err := sn.Case(evidence.Ref{Tenant: "a", Case: fmt.Sprint(i)})
		if errors.Is(err, graph.ErrNotFound) {
			return nil
		}
		if err == nil {
			version = len(c.Findings[0].Summary) - 400_000 - i*1000
			if c.Case.ContentHash() != collectedCase(i, version).ContentHash() {
				t.Errorf("case %d is not whole", i)
			}
		}
		return err
	})
	if err != nil {
		t.Fatalf("case %d: %v", i, err)
	}
	return version
}

func collectUntilKilled(t *testing.T, dir string) {
	s := openDir(t, dir)
	versions := map[int]int{}
	for i := range collectedCases {
		versions[i] = storedVersion(t, s, i)
	}
	go func() {
		for {
			fmt.Println("collecting")
			if s.collectOnce(context.Background()) > 0 {
				fmt.Println("collected")
			}
			<-time.After(20 * time.Millisecond)
		}
	}()
	for {
		for i := range collectedCases {
			if i%3 == 0 && versions[i] > 0 {
				continue // what a collected file still has to keep
			}
			versions[i]++
			submit(t, s, collectedCase(i, versions[i]))
			fmt.Printf("stored %d %d .\n", i, versions[i])
		}
	}
}
