package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/pprof"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/elsewhere-project/elsewhere/server"
)

// Goals for a relink: a million cases in 15 seconds, under 1.3 GiB.
const (
	goalRelink       = million / 15.
	goalRelinkMemory = 1.3 * (1 << 30)
)

// rebuilding is what a rebuild says, one line of JSON each: when links are being
// made, now and then how far it is, and at its end.
type rebuilding struct {
	// CheckSeconds is how long the check took that comes before the links, 0
	// while it runs.
	CheckSeconds float64 `json:"checkSeconds"`
	// RebuildSeconds is how long the links took, ActorSeconds what followed them.
	RebuildSeconds float64 `json:"rebuildSeconds"`
	ActorSeconds   float64 `json:"actorSeconds"`
	// Apart says that the check was timed by itself and taken off: the rebuild
	// did not say when it began.
	Apart bool `json:"apart"`
	// Cases is how many cases were linked anew.
	Cases       int `json:"cases"`
	Differences int `json:"differences"`
	// Stopped says that it was interrupted, Done that this is the last line.
	Stopped bool `json:"stopped"`
	Done    bool `json:"done"`
}

// rebuildSaysEvery is how often a rebuild says how far it is.
const rebuildSaysEvery = 500 * time.Millisecond

// Rebuild checks the store in a folder and makes all its links anew, as `check
// --rebuild` does. It writes lines for the process that measures it to out, and
// a CPU profile to a file if one is named. What ctx ends is no error.
func Rebuild(ctx context.Context, dir, profile string, out io.Writer) (err error) {
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	config := server.Config{DataDir: dir}
	var now rebuilding
	var linking, linked, said time.Time
	say := json.NewEncoder(out)
	began := time.Now()
	err = server.Check(ctx, config, true,
		func(done, of int) {
			at := time.Now()
			if done == of && of > 0 {
				linked = at
			}
			if linking.IsZero() {
				linking = at
				now.CheckSeconds, now.Apart = at.Sub(began).Seconds(), done > 0
			}
			now.Cases, now.RebuildSeconds = done, at.Sub(linking).Seconds()
			if at.Sub(said) >= rebuildSaysEvery {
				said = at
				// Where nobody reads, the end will tell.
				_ = say.Encode(now)
			}
		},
		func(string) { now.Differences++ })
	ended := time.Now()
	if linked.IsZero() {
		linked = ended
	}
	if !linking.IsZero() {
		now.RebuildSeconds, now.ActorSeconds = linked.Sub(linking).Seconds(), ended.Sub(linked).Seconds()
	}
	both := linked.Sub(began)
	if err == nil && (now.Apart || linking.IsZero()) {
		now.Apart = true
		again := time.Now()
		err = server.Check(ctx, config, false, func(int, int) {}, func(string) { now.Differences++ })
		alone := time.Since(again)
		now.CheckSeconds, now.RebuildSeconds = alone.Seconds(), max(both-alone, 0).Seconds()
	}
	now.Done, now.Stopped = true, ctx.Err() != nil
	if now.Stopped {
		err = nil
	}
	return errors.Join(err, say.Encode(now))
}

// errRebuild is returned where the process that relinks does not come to its end.
var errRebuild = errors.New("relink")

// errDifferent is returned where a check finds what it should not.
var errDifferent = errors.New("the store differs from its cases")

// relink stops the service, checks its store and makes all links anew, in a
// process of its own.
func (r *runner) relink(ctx context.Context) error {
	if err := r.needRaw(ctx); err != nil {
		return err
	}
	if err := r.settled(ctx); err != nil {
		return err
	}
	if err := r.stopService(); err != nil {
		return err
	}
	behind := r.behind
	r.behind = false
	r.Progress("reading all sightings")
	scanned, err := r.scanPostings(ctx)
	if err != nil {
		return err
	}
	if err := r.closeRaw(); err != nil {
		return err
	}
	debug.FreeOSMemory()
	end, peak, err := r.rebuild(ctx)
	if err != nil {
		return err
	}
	if end.Differences > 0 {
		return fmt.Errorf("%w in %d places", errDifferent, end.Differences)
	}
	cases := int(r.stored.Load())
	row := func(name, what string, seconds float64) Row {
		return Row{
			Name: name, What: what, N: cases, Unit: "cases", Rate: float64(cases) / max(seconds, 1e-3), P50: seconds * 1e6,
		}
	}
	check := row("relink/check", "the check before it: every derived record against its case", end.CheckSeconds)
	if end.CheckSeconds == 0 {
		check.N, check.Rate, check.P50 = 0, 0, 0
		check.note("stopped after %v, before the first case was linked anew", r.Limit)
		r.add(scanned, check)
		return nil
	}
	relink := row("relink", "the links of check --rebuild, without its check; bytes: most anonymous memory, check included", end.RebuildSeconds)
	relink.Bytes = peak
	if behind {
		relink.note("the linker's backlog, which it drains first, included")
	}
	if end.Stopped {
		relink.N, relink.P50, relink.Rate = end.Cases, 0, float64(end.Cases)/max(end.RebuildSeconds, 1e-3)
		relink.note("stopped after %v with %d cases done; the rate is from the first word on them", r.Limit, end.Cases)
	} else if end.Apart {
		relink.note("a check alone is taken off the time of both, so it is no more exact than two checks are alike")
	}
	if !end.Stopped {
		relink = relink.against(ofP50, scanned).bound(ofRate, Goal{AtLeast: goalRelink})
	}
	if relink.Bytes > 0 {
		relink = relink.bound(ofBytes, Goal{AtMost: goalRelinkMemory, Cases: million})
	}
	r.add(scanned, check, relink)
	if !end.Stopped {
		r.add(row("relink/actors", "the actors anew, after the links", end.ActorSeconds))
	}
	return nil
}

// rebuild runs Rebuild in another process. The check and what follows have the
// time limit each. peak is its most anonymous memory.
func (r *runner) rebuild(ctx context.Context) (end rebuilding, peak uint64, err error) {
	r.Progress("checking the store")
	args := []string{"bench", "rebuild", "--data", r.dir}
	if r.Profiles != "" {
		args = append(args, "--profile", filepath.Join(r.Profiles, "relink.pprof"))
	}
	cmd := r.Program(args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return end, peak, err
	}
	lines := make(chan rebuilding)
	p, err := launch(cmd, out, func(line string) {
		var now rebuilding
		if json.Unmarshal([]byte(line), &now) == nil {
			lines <- now
		}
	})
	if err != nil {
		return end, peak, err
	}
	limit := time.NewTimer(r.Limit)
	defer limit.Stop()
	tick := time.NewTicker(memoryEvery)
	defer tick.Stop()
	interrupted := ctx.Done() // nil once it was passed on
	linking := false
	for {
		select {
		case now := <-lines:
			// A short rebuild may be over before the clock ticks.
			peak = max(peak, p.anon())
			if !linking && now.CheckSeconds > 0 {
				linking = true
				limit.Reset(r.Limit)
			}
			end = now
			r.Progress(fmt.Sprintf("making all links anew: %d cases", now.Cases))
		case <-tick.C:
			peak = max(peak, p.anon())
		case <-limit.C:
			p.interrupt()
		case <-interrupted:
			interrupted = nil
			p.interrupt()
		case <-p.exited:
			if p.err != nil || !end.Done {
				return end, peak, fmt.Errorf("%w: %s", errors.Join(errRebuild, p.err), stderr.String())
			}
			return end, peak, ctx.Err()
		}
	}
}

// scanPostings reads as many sightings as the service has, in order of their
// keys.
func (r *runner) scanPostings(ctx context.Context) (Row, error) {
	n := 0
	began := time.Now()
	err := r.raw.View(func(txn *badger.Txn) error {
		scan(txn, []byte{postingSpace}, func([]byte) bool {
			n++
			return n%10_000 != 0 || ctx.Err() == nil
		})
		return ctx.Err()
	})
	took := time.Since(began)
	return Row{
		Name: "relink/scan", What: "Badger alone reads the keys of all sightings", N: n, Unit: "keys",
		Rate: float64(n) / took.Seconds(), P50: micros(took),
	}, err
}
