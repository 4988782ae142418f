package bench_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/bench"
	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/corpus"
)

// quick is a run that is over soon and measures nothing of use.
func quick(cases int, only ...string) bench.Config {
	return bench.Config{
		Corpus: corpus.Generator{Seed: 7, Cases: cases, Tenants: 20, ValuesPerCase: 8},
		Only:   only, Round: 2 * time.Millisecond, Limit: time.Minute,
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
		"bulk/made": nil, "bulk/stored": {"bulk/badger"}, "bulk/linked": nil, "bulk/badger": nil,
		"ping/1": nil, "ping/8": nil, "ping/64": nil,
		"seen/1": {"ping/1", "ping/1"}, "seen/8": {"ping/8", "ping/8"}, "seen/64": {"ping/64", "ping/64"},
		"seen-1000": {"seen-1000/badger"}, "seen-1000/badger": nil,
		"link": {"link/badger", "link/badger+sync"}, "link/badger": nil, "link/badger+sync": nil,
		"submit/1": {"submit/badger/1"}, "submit/16": {"submit/badger/16"}, "submit/badger/1": nil, "submit/badger/16": nil,
		"relink": {"relink/scan"}, "relink/check": nil, "relink/scan": nil,
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
		if row.N < 1 || row.Rate <= 0 || row.Unit == "" || row.What == "" || row.P99 > 0 && row.P99 < row.P50 {
			t.Errorf("%+v", row)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}

	// The corpus counts as its generator makes it.
	data := bench.Data{Seed: 7, Cases: 60, ValuesPerCase: 8}
	tenants := make(map[string]bool)
	for c := range (corpus.Generator{Seed: 7, Cases: 60, Tenants: 20, ValuesPerCase: 8}).All() {
		tenants[c.GetTenant()] = true
	}
	data.Tenants, data.Postings = len(tenants), r.Data.Postings
	if d := cmp.Diff(data, r.Data); d != "" || data.Postings < 60*4 || data.Postings > 60*13 {
		t.Errorf("%s%d postings", d, data.Postings)
	}
	if f := r.Footprint; f.Disk == 0 || f.Heap == 0 || f.DiskPerPosting != float64(f.Disk)/float64(data.Postings) {
		t.Errorf("%+v", f)
	}
	if m := r.Machine; m.CPU == "" || m.Cores < 1 || !strings.HasPrefix(m.Go, "go") || m.OS == "" {
		t.Errorf("%+v", m)
	}
	for _, name := range bench.Names() {
		if info, err := os.Stat(filepath.Join(profiles, name+".pprof")); err != nil || info.Size() == 0 {
			t.Errorf("profile of %s: %v", name, err)
		}
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
	if n := len(r.Rows); n != 6 {
		t.Errorf("%d rows, want those of the load and of the one benchmark", n)
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
