package bench_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/bench"
	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/corpus"
	"github.com/elsewhere-project/elsewhere/server"
)

// TestMain is also the program that is measured: see program.
func TestMain(m *testing.M) {
	if len(os.Args) < 3 || os.Getenv(asProgram) == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	data, grpc, http := flags.String("data", "", ""), flags.String("grpc", "", ""), flags.String("http", "", "")
	profile := flags.String("profile", "", "")
	var err error
	switch os.Args[1] {
	case "serve":
		if err = flags.Parse(os.Args[2:]); err == nil {
			err = serve(ctx, server.Config{DataDir: *data, GRPCAddr: *grpc, HTTPAddr: *http})
		}
	case "bench":
		if err = flags.Parse(os.Args[3:]); err == nil {
			err = bench.Rebuild(ctx, *data, *profile, os.Stdout)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// asProgram is set for a process that TestMain makes the program.
const asProgram = "ELSEWHERE_BENCH_TEST_PROGRAM"

func program(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

func serve(ctx context.Context, c server.Config) error {
	s, err := server.Open(ctx, c)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "metrics   http://%s/metrics, health\ngRPC      %s, as a test\n", s.HTTPAddr(), s.Addr())
	return s.Serve(ctx)
}

// quick is a run that is over soon and measures nothing of use.
func quick(cases int, only ...string) bench.Config {
	return bench.Config{
		Corpus: corpus.Generator{Seed: 7, Cases: cases, Tenants: 20, ValuesPerCase: 8},
		Only:   only, Round: 2 * time.Millisecond, Limit: time.Minute, Rest: time.Millisecond, Popular: 12, Program: program,
	}
}

func run(t *testing.T, c bench.Config) *bench.Report {
	t.Helper()
	r, err := bench.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestMeasuresEverything(t *testing.T) {
	profiles := t.TempDir()
	c := quick(60)
	c.Profiles = profiles
	r := run(t, c)
	rows := make(map[string]bench.Row)
	for _, row := range r.Rows {
		if _, twice := rows[row.Name]; twice {
			t.Errorf("two rows are %s", row.Name)
		}
		rows[row.Name] = row
	}
	// Each row with the rows that it is compared with.
	want := map[string][]string{
		"popular/many/10": nil, "popular/many/12": nil, "popular/one/10": nil, "popular/one/12": nil,
		"bulk/made": nil, "bulk/stored": {"bulk/badger"}, "bulk/linked": nil, "bulk/actors": nil, "bulk/badger": nil,
		"cpu/stored": nil, "cpu/linked": nil, "cpu/actors": nil,
		"memory/peak": nil, "memory/steady": nil, "start/cold": nil, "start/killed": nil,
		"ping/1": nil, "ping/8": nil, "ping/64": nil,
		"seen/1": {"ping/1", "ping/1"}, "seen/8": {"ping/8", "ping/8"}, "seen/64": {"ping/64", "ping/64"},
		"seen-1000": {"seen-1000/badger"}, "seen-1000/badger": nil,
		"link": {"link/badger", "link/badger+sync"}, "link/badger": nil, "link/badger+sync": nil,
		"submit/1": {"submit/badger/1", "submit/set/1"}, "submit/16": {"submit/badger/16", "submit/set/16"},
		"submit/links/1": {"submit/1"}, "submit/links/16": {"submit/16"},
		"giant/alone": nil, "giant": nil, "giant/beside": {"giant/alone"},
		"submit/badger/1": nil, "submit/badger/16": nil, "submit/set/1": nil, "submit/set/16": nil,
		"relink": {"relink/scan"}, "relink/check": nil, "relink/scan": nil, "relink/actors": nil,
	}
	if runtime.GOOS != "linux" {
		// Other systems do not tell how much memory and time a process takes.
		for _, name := range []string{"memory/peak", "memory/steady", "cpu/stored", "cpu/linked", "cpu/actors"} {
			delete(want, name)
		}
	}
	got := make(map[string][]string)
	for name, row := range rows {
		got[name] = nil
		for _, ratio := range row.Ratios {
			got[name] = append(got[name], ratio.To)
			base, subject := rows[ratio.To].Rate, row.Rate
			if ratio.Of == "p50" {
				base, subject = rows[ratio.To].P50, row.P50
			}
			if want := subject / base; math.Abs(ratio.Value-want) > 1e-9*want {
				t.Errorf("%s: %v × %s of %s, want %v", name, ratio.Value, ratio.Of, ratio.To, want)
			}
		}
		if row.N < 1 || row.Rate <= 0 && row.P50 <= 0 && row.Bytes == 0 || row.Rate > 0 && row.Unit == "" || row.What == "" || row.P99 > 0 && row.P99 < row.P50 {
			t.Errorf("%+v", row)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}

	goals(t, r.Rows)

	// The corpus counts as its generator makes it.
	data := bench.Data{Seed: 7, Cases: 60, ValuesPerCase: 8}
	tenants := make(map[string]bool)
	for c := range (corpus.Generator{Seed: 7, Cases: 60, Tenants: 20, ValuesPerCase: 8}).All() {
		tenants[c.GetTenant()] = true
	}
	data.Tenants, data.Postings = len(tenants), r.Data.Postings
	counted := r.Data
	counted.Service, counted.Baseline, counted.MarksMost, counted.AgeMost = bench.Tables{}, bench.Tables{}, 0, 0
	if d := cmp.Diff(data, counted); d != "" || data.Postings < 60*4 || data.Postings > 60*13 {
		t.Errorf("%s%d postings", d, data.Postings)
	}
	// Both sides are compared on tables, and on as many keys.
	if s, b := r.Data.Service, r.Data.Baseline; s.Count < 1 || b.Count < 1 || b.Keys < s.Keys/2 || b.Keys > 2*s.Keys {
		t.Errorf("the service has %v, Badger %v", s, b)
	}
	if f := r.Footprint; f.Disk == 0 || f.Heap == 0 || f.Anon > f.PeakAnon+64<<20 || f.DiskPerPosting != float64(f.Disk)/float64(data.Postings) {
		t.Errorf("%+v", f)
	}
	if m := r.Machine; m.CPU == "" || m.Cores < 1 || !strings.HasPrefix(m.Go, "go") || m.OS == "" {
		t.Errorf("%+v", m)
	}
	// A service that has ended has left a profile of its last moments.
	if files, err := filepath.Glob(filepath.Join(profiles, "*.pprof")); err != nil || len(files) < 3 {
		t.Errorf("profiles %q, %v", files, err)
	} else if i := slices.IndexFunc(files, func(f string) bool { info, err := os.Stat(f); return err != nil || info.Size() == 0 }); i >= 0 {
		t.Errorf("%s is empty", files[i])
	}

	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"benchmarks", "data", "footprint", "machine"}, slices.Sorted(maps.Keys(fields))); d != "" {
		t.Error(d)
	}
}

func TestKeepsAGivenFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	c := quick(5, "seen-1000")
	c.Dir = dir
	r := run(t, c)
	if n := len(r.Rows); n != 12 {
		t.Errorf("%d rows, want those of the load, of the fill and of the one benchmark", n)
	}
	if _, err := os.Stat(filepath.Join(dir, "store")); err != nil {
		t.Error(err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "bench-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("%v, %v: the baselines stayed", left, err)
	}
	if _, err := bench.Run(t.Context(), c); !errors.Is(err, bench.ErrHoldsData) {
		t.Errorf("a second run in one folder: %v", err)
	}
}

// TestGoesOnInAFolder measures what another run has loaded, with cases of its own.
func TestGoesOnInAFolder(t *testing.T) {
	c := quick(9, "submit")
	c.Dir = filepath.Join(t.TempDir(), "new")
	first := run(t, c)
	c.Loaded = true
	c.Only = []string{"submit", "relink"}
	second := run(t, c)
	cases := func(r *bench.Report, name string) int {
		for _, row := range r.Rows {
			if row.Name == name {
				return row.N
			}
		}
		t.Errorf("no row %s", name)
		return 0
	}
	if first.Data.Postings != second.Data.Postings || second.Data.Cases != 9 || slices.ContainsFunc(second.Rows, func(row bench.Row) bool { return row.Name == "bulk/stored" }) {
		t.Errorf("%+v was loaded, then %+v", first.Data, second.Data)
	}
	// What was submitted twice would be there once.
	submitted := 9 + cases(first, "submit/1") + cases(first, "submit/16") + cases(second, "submit/1") + cases(second, "submit/16")
	if n := cases(second, "relink"); n <= submitted {
		t.Errorf("%d cases are linked anew, of more than %d", n, submitted)
	}
	c.Corpus.Seed++
	if _, err := bench.Run(t.Context(), c); err == nil || !strings.Contains(err.Error(), "other --cases") {
		t.Errorf("with another corpus: %v", err)
	}
	c.Dir = t.TempDir()
	if _, err := bench.Run(t.Context(), c); err == nil || !strings.Contains(err.Error(), "holds no corpus of an earlier run") {
		t.Errorf("in an empty folder: %v", err)
	}
}

func TestUnknownBenchmark(t *testing.T) {
	_, err := bench.Run(t.Context(), quick(5, "seen", "sean"))
	unknown, ok := errors.AsType[*bench.UnknownError](err)
	if !ok || unknown.Name != "sean" {
		t.Errorf("got %v", err)
	}
}

// TestStopsInTime bounds a load that is larger than its time.
func TestStopsInTime(t *testing.T) {
	c := quick(1_000_000, "bulk")
	c.Limit = 200 * time.Millisecond
	r := run(t, c)
	if n := r.Data.Cases; n < 1 || n >= 1_000_000 {
		t.Errorf("%d cases", n)
	}
	if note := r.Rows[1].Note; !strings.HasPrefix(note, "stopped after 200ms with ") {
		t.Errorf("the row says %q", note)
	}
}

func TestInterrupted(t *testing.T) {
	c := quick(1_000_000)
	c.Dir = t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	c.Progress = func(string) { cancel() }
	if _, err := bench.Run(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// TestPopularNeedsNoLoad: what needs no corpus does without, and a value in more
// cases is held against the first thousand.
func TestPopularNeedsNoLoad(t *testing.T) {
	c := quick(1_000_000, "popular")
	c.Popular = 1_100
	r := run(t, c)
	if r.Data != (bench.Data{}) || len(r.Rows) != 8 {
		t.Errorf("%d rows on %+v", len(r.Rows), r.Data)
	}
	for _, row := range r.Rows {
		var to []string
		for _, ratio := range row.Ratios {
			to = append(to, ratio.Of+" of "+ratio.To)
			if ratio.Goal == nil || ratio.Goal.Verdict != bench.Open && ratio.Goal.Verdict != bench.Missed {
				t.Errorf("%s has the goal %+v, which is for 100,000 cases", row.Name, ratio.Goal)
			}
		}
		first, last := strings.CutSuffix(row.Name, "/1100")
		if last && !slices.Contains(to, "p50 of "+first+"/1000") || !last && len(to) > 0 {
			t.Errorf("%s is held against %q", row.Name, to)
		}
	}
}

// TestPopularStopsInTime reports how far it got.
func TestPopularStopsInTime(t *testing.T) {
	c := quick(1, "popular")
	c.Popular, c.Limit = 1_000_000, 300*time.Millisecond
	for _, row := range run(t, c).Rows {
		if !strings.HasSuffix(row.Name, "0") || row.N < 1 {
			t.Errorf("%+v", row)
		}
	}
}

// goals checks that each goal of the design stands at one row and is judged by
// its number and by the size of the data.
func goals(t *testing.T, rows []bench.Row) {
	t.Helper()
	var got []string
	judge := func(what string, value float64, g bench.Goal) {
		got = append(got, what)
		want := bench.Met
		if g.AtMost > 0 && value > g.AtMost || g.AtLeast > 0 && value < g.AtLeast {
			want = bench.Missed
		} else if g.Cases > 0 {
			want = bench.Open // fewer cases than any goal is for
		}
		if g.Verdict != want || g.AtMost+g.AtLeast <= 0 {
			t.Errorf("%s: %v with the goal %+v, want it %s", what, value, g, want)
		}
	}
	for _, row := range rows {
		for _, ratio := range row.Ratios {
			if ratio.Goal != nil {
				judge(row.Name+" "+ratio.Of+" of "+ratio.To, ratio.Value, *ratio.Goal)
			}
		}
		for _, bound := range row.Bounds {
			judge(row.Name+" "+bound.Of, bound.Value, bound.Goal)
		}
	}
	want := []string{
		"bulk/linked rate", "memory/peak bytes", "memory/steady bytes", "start/cold p50",
		"seen/1 p50 of ping/1", "seen/8 rate of ping/8", "seen-1000 p50 of seen-1000/badger",
		"link p50 of link/badger", "link p99", "submit/16 rate of submit/badger/16", "submit/16 rate",
		"giant/beside p99", "relink rate", "relink bytes",
	}
	if runtime.GOOS != "linux" {
		want = slices.DeleteFunc(want, func(goal string) bool { return strings.HasSuffix(goal, " bytes") })
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestServiceThatDoesNotStart is told with what it said.
func TestServiceThatDoesNotStart(t *testing.T) {
	c := quick(5, "bulk")
	c.ServeFlags = []string{"--no-such-flag"}
	if _, err := bench.Run(t.Context(), c); err == nil || !strings.Contains(err.Error(), "no-such-flag") {
		t.Errorf("got %v", err)
	}
}
