package export_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export"
	"github.com/elsewhere-project/elsewhere/server/export/sheet"
	"github.com/elsewhere-project/elsewhere/server/export/stix"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/graph/badger"
	"github.com/elsewhere-project/elsewhere/server/link"
	"github.com/elsewhere-project/elsewhere/server/linker"
)

// classes says that addresses of 10.0.0.0/8 are a service's.
type classes struct{}

func (classes) Class(v evidence.Value) link.Class {
	if v.Kind == evidence.KindIP && strings.HasPrefix(v.Text, "70.9.") {
		return link.Class{Name: link.ClassService, Reasons: []string{"service: a list"}}
	}
	return link.Class{Name: link.ClassUnknown}
}

func (classes) Version() string { return "test" }

// cluster is one actor with every case of the store.
type cluster struct{ store graph.Reader }

func (c cluster) Members(_ context.Context, snap graph.Snapshot, id string) (export.Actor, []evidence.Ref, error) {
	if id != "act-test" {
		return export.Actor{}, nil, graph.ErrNotFound
	}
	var refs []evidence.Ref
	for stored, err := range snap.Cases("", evidence.Ref{}) {
		if err != nil {
			return export.Actor{}, nil, err
		}
		refs = append(refs, stored.Ref)
	}
	return export.Actor{ID: id, Cases: len(refs)}, refs, nil
}

// office is a store and what builders need beside it.
type office struct {
	store   *badger.Store
	tenants *access.Tenants
	keys    *export.Keys
	hints   *export.Hints
	dir     string
	opened  atomic.Int32 // scratches
	closed  atomic.Int32
}

func newOffice(t testing.TB, c ...*evidence.Case) *office {
	t.Helper()
	o := &office{dir: t.TempDir()}
	var err error
	if o.store, err = badger.Open(t.Context(), badger.Options{Memory: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.store.Close(); err != nil {
			t.Error(err)
		}
	})
	if o.tenants, err = access.OpenTenants(t.Context(), o.store.Kept(), slog.New(slog.DiscardHandler), nil); err != nil {
		t.Fatal(err)
	}
	if o.keys, err = export.NewKeys(bytes.Repeat([]byte{7}, 32)); err != nil {
		t.Fatal(err)
	}
	o.hints = export.NewHints(o.store.Kept(), o.keys)
	for _, one := range c {
		if _, err := o.store.Submit(t.Context(), one, nil); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

type scratch struct {
	*os.File
	o *office
}

func (s scratch) Close() error {
	s.o.closed.Add(1)
	return s.File.Close()
}

// builder returns one that holds so many values in memory.
func (o *office) builder(held int) *export.Builder {
	return export.NewBuilder(export.Config{
		Store: o.store, Tenants: o.tenants, Hints: o.hints, Keys: o.keys, Actors: cluster{o.store}, Held: held,
		Rules:   linker.Rules{Model: link.Version2(), Classes: classes{}},
		Ceiling: func(context.Context, string) (evidence.TLP, error) { return evidence.TLPClear, nil },
		Scratch: func() (export.Scratch, error) {
			o.opened.Add(1)
			f, err := os.CreateTemp(o.dir, "scratch-*")
			return scratch{f, o}, err
		},
	})
}

var all = export.Selection{Actor: "act-test", TLP: evidence.TLPAmber}

// drawCases draws cases that have values in common.
func drawCases(t *rapid.T) []*evidence.Case {
	var cases []*evidence.Case
	for i := range rapid.IntRange(1, 5).Draw(t, "cases") {
		c := evidence.Case{Ref: evidence.Ref{Tenant: fmt.Sprint("t", i%3), Case: fmt.Sprint(i)}, TLP: evidence.TLPAmber, State: evidence.Open}
		for range rapid.IntRange(1, 3).Draw(t, "findings") {
			f := evidence.Finding{
				Technique: rapid.SampledFrom([]string{"", "T1078.004", "T1114.003"}).Draw(t, "technique"),
				FirstSeen: time.Unix(int64(rapid.IntRange(1_600_000_000, 1_700_000_000).Draw(t, "seen")), 0).UTC(),
			}
			f.LastSeen = f.FirstSeen.Add(time.Hour)
			for _, n := range rapid.SliceOfN(rapid.IntRange(0, 30), 1, 12).Draw(t, "values") {
				f.Observables = append(f.Observables, evidence.Observable{
					Value: evidence.Value{Kind: evidence.KindIP, Text: fmt.Sprintf("70.%d.0.%d", n%10, n)}, Roles: []string{evidence.RoleLoginSource},
					Count: uint32(n), Facts: []evidence.Fact{{Name: "open_port", Value: fmt.Sprint(n % 3), Source: "s"}},
				})
			}
			c.Findings = append(c.Findings, f)
		}
		cases = append(cases, &c)
	}
	return cases
}

// itemsOf reads the items of a bundle, without what no receiver sees.
func itemsOf(t interface{ Fatal(...any) }, b *export.Bundle) []string {
	var out []string
	for i, err := range b.Items {
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(i)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(raw))
	}
	return out
}

// TestScratch: what is in a bundle does not depend on what fits into memory, items
// are in order and each is there once, and the scratch is given back.
func TestScratch(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		o := newOffice(t, drawCases(rt)...)
		var want []string
		for _, held := range []int{0, rapid.IntRange(1, 8).Draw(rt, "held")} {
			b, err := o.builder(held).Build(rt.Context(), access.Open(), all)
			if err != nil {
				rt.Fatal(err)
			}
			got := itemsOf(rt, b)
			if again := itemsOf(rt, b); !slices.Equal(got, again) {
				rt.Fatal("the items are others the second time")
			}
			if len(got) != b.Counts.Items {
				rt.Fatalf("%d items, counted %d", len(got), b.Counts.Items)
			}
			if want == nil {
				want = got
			} else if diff := cmp.Diff(want, got); diff != "" {
				rt.Fatal(diff)
			}
			var last evidence.Value
			for i := range b.Items {
				if last.Compare(i.Value) >= 0 {
					rt.Fatalf("%v after %v", i.Value, last)
				}
				if service := strings.HasPrefix(i.Value.Text, "70.9."); i.Indicator == service {
					rt.Fatalf("%v: indicator %v", i.Value, i.Indicator)
				}
				last = i.Value
			}
			if err := b.Close(); err != nil {
				rt.Fatal(err)
			}
		}
		if o.opened.Load() != o.closed.Load() {
			rt.Fatalf("%d scratches were opened, %d closed", o.opened.Load(), o.closed.Load())
		}
	})
}

// TestScratchFails: an error of the disk is an error, and nothing stays open.
func TestScratchFails(t *testing.T) {
	o := newOffice(t, large(3, 100)...)
	broken := errors.New("no room")
	b := export.NewBuilder(export.Config{
		Store: o.store, Tenants: o.tenants, Hints: o.hints, Keys: o.keys, Actors: cluster{o.store}, Held: 10,
		Rules:   linker.Rules{Model: link.Version2(), Classes: classes{}},
		Ceiling: func(context.Context, string) (evidence.TLP, error) { return evidence.TLPClear, nil },
		Scratch: func() (export.Scratch, error) { return nil, broken },
	})
	if _, err := b.Build(t.Context(), access.Open(), all); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := o.builder(10).Build(ctx, access.Open(), all); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if o.opened.Load() != o.closed.Load() {
		t.Errorf("%d scratches were opened, %d closed", o.opened.Load(), o.closed.Load())
	}
}

// TestHints: tokens are found in what leaves and are not in the store.
func TestHints(t *testing.T) {
	c := large(1, 3)
	c[0].Findings[0].Observables[1].Value = evidence.Value{Kind: evidence.KindRuleName, Text: "mails to robin quill"}
	o := newOffice(t, c...)
	added, total, err := o.hints.Add(t.Context(), "t0", []string{"Robin Quill", "r.quill@oak.example", "Li"})
	if err != nil || added != 4 || total != 4 {
		t.Errorf("%d added, %d in all, %v", added, total, err)
	}
	if added, total, err = o.hints.Add(t.Context(), "t0", []string{"robin quill"}); err != nil || added != 0 || total != 4 {
		t.Errorf("again: %d added, %d in all, %v", added, total, err)
	}
	if _, err := o.builder(0).Build(t.Context(), access.Open(), all); err == nil || !strings.HasPrefix(err.Error(), "t0/0 findings[0].observables[1].value: ") {
		t.Errorf("%v", err)
	}
	for kept, err := range o.store.Kept().Scan(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.ToLower(kept.Key + string(kept.Data)); strings.Contains(text, "quill") || strings.Contains(text, "robin") {
			t.Errorf("the store keeps %q", kept.Key)
		}
	}
	many := make([]string, export.MaxHints+1)
	for i := range many {
		many[i] = fmt.Sprintf("somebody %d", i)
	}
	if _, _, err := o.hints.Add(t.Context(), "t0", many); !errors.Is(err, export.ErrTooManyHints) {
		t.Errorf("%d hints: %v", len(many), err)
	}
	if hashes, err := o.hints.Load(t.Context(), "t0"); err != nil || len(hashes) != 4 {
		t.Errorf("%d hashes after too many, %v", len(hashes), err)
	}
}

// large makes cases of values of their own.
func large(cases, values int) []*evidence.Case {
	seen := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	var out []*evidence.Case
	for i := range cases {
		f := evidence.Finding{Technique: "T1078.004", FirstSeen: seen, LastSeen: seen.Add(time.Hour)}
		for n := range values {
			at := i*values + n
			f.Observables = append(f.Observables, evidence.Observable{
				Value: evidence.Value{Kind: evidence.KindDomain, Text: fmt.Sprintf("host-%d.billing-portal%d.example", at*7919%10007, at)},
				Roles: []string{evidence.RoleSendingInfrastructure}, FirstSeen: seen, LastSeen: seen.Add(time.Hour), Count: 1,
			})
		}
		out = append(out, &evidence.Case{Ref: evidence.Ref{Tenant: "t0", Case: fmt.Sprint(i)}, TLP: evidence.TLPAmber, State: evidence.Open, Findings: []evidence.Finding{f}})
	}
	return out
}

// BenchmarkExport writes 100,000 indicators of ten cases. "plain" is what any
// export costs: reading the cases and encoding what is written of each value.
func BenchmarkExport(b *testing.B) {
	o := newOffice(b, large(10, 10_000)...)
	if _, _, err := o.hints.Add(b.Context(), "t0", []string{"Robin Quill", "Ada Moss"}); err != nil {
		b.Fatal(err)
	}
	for _, format := range []struct {
		name  string
		write func(context.Context, io.Writer, *export.Bundle) error
	}{
		{"csv", func(ctx context.Context, w io.Writer, b *export.Bundle) error {
			return sheet.CSV(ctx, w, b, sheet.Options{})
		}},
		{"stix", func(ctx context.Context, w io.Writer, b *export.Bundle) error {
			return stix.Write(ctx, w, b, stix.Options{})
		}},
		{"items as json", func(_ context.Context, w io.Writer, b *export.Bundle) error {
			out := json.NewEncoder(w)
			for i, err := range b.Items {
				if err := errors.Join(err, out.Encode(i)); err != nil {
					return err
				}
			}
			return nil
		}},
	} {
		b.Run(format.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				peak := watchHeap(b)
				bundle, err := o.builder(0).Build(b.Context(), access.Open(), all)
				if err != nil {
					b.Fatal(err)
				}
				if bundle.Counts.Items != 100_000 {
					b.Fatal(bundle.Counts)
				}
				if err := errors.Join(format.write(b.Context(), io.Discard, bundle), bundle.Close()); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(peak(), "MB-extra")
			}
		})
	}
	b.Run("plain", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			err := o.store.View(b.Context(), func(snap graph.Snapshot) error {
				out := json.NewEncoder(io.Discard)
				for i := range 10 {
					c, err := snap.Case(evidence.Ref{Tenant: "t0", Case: fmt.Sprint(i)})
					if err != nil {
						return err
					}
					for _, o := range c.Findings[0].Observables {
						if err := out.Encode(export.Item{Value: o.Value, Written: o.Text, Roles: o.Roles, First: o.FirstSeen, Last: o.LastSeen}); err != nil {
							return err
						}
					}
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

// watchHeap returns what tells how far the live heap has grown at most, in MB.
func watchHeap(b *testing.B) func() float64 {
	b.Helper()
	old := debug.SetGCPercent(20)
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	stop, done := make(chan struct{}), make(chan uint64)
	go func() {
		most := uint64(0)
		ticks := time.NewTicker(5 * time.Millisecond)
		defer ticks.Stop()
		for {
			select {
			case <-stop:
				done <- most
				return
			case <-ticks.C:
				var now runtime.MemStats
				runtime.ReadMemStats(&now)
				most = max(most, now.HeapAlloc)
			}
		}
	}()
	return func() float64 {
		close(stop)
		most := <-done
		debug.SetGCPercent(old)
		return (float64(most) - float64(before.HeapAlloc)) / 1e6
	}
}

// TestFolder: what is set aside lies in the folder that was given.
func TestFolder(t *testing.T) {
	o := newOffice(t, large(2, 50)...)
	b, err := o.builder(10).Build(t.Context(), access.Open(), all)
	if err != nil {
		t.Fatal(err)
	}
	if files, err := filepath.Glob(filepath.Join(o.dir, "scratch-*")); err != nil || len(files) != 1 {
		t.Errorf("%v, %v", files, err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}
