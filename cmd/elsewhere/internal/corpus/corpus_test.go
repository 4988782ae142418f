package corpus_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/corpus"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// generators draws small corpora of any shape.
func generators(t *rapid.T) corpus.Generator {
	return corpus.Generator{
		Seed:          rapid.Uint64().Draw(t, "seed"),
		Cases:         rapid.IntRange(0, 40).Draw(t, "cases"),
		Tenants:       rapid.IntRange(0, 3_000).Draw(t, "tenants"),
		ValuesPerCase: rapid.IntRange(0, 120).Draw(t, "values"),
		Exact:         rapid.Bool().Draw(t, "exact"),
	}
}

func lines(t interface{ Fatal(...any) }, g corpus.Generator) []byte {
	var out bytes.Buffer
	if err := corpus.WriteNDJSON(&out, g.All()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestSameSeedSameBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := generators(t)
		first := lines(t, g)
		if d := cmp.Diff(string(first), string(lines(t, g))); d != "" {
			t.Fatal(d)
		}
		other := g
		other.Seed++
		if g.Cases > 0 && bytes.Equal(first, lines(t, other)) {
			t.Fatal("another seed made the same cases")
		}
	})
}

func TestShorterIsBeginningOfLonger(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := generators(t)
		long := lines(t, g)
		g.Cases = rapid.IntRange(0, g.Cases).Draw(t, "fewer")
		short := lines(t, g)
		if !bytes.HasPrefix(long, short) || bytes.Count(short, []byte("\n")) != g.Cases {
			t.Fatalf("%d cases are not the first %d", g.Cases, g.Cases)
		}
	})
}

// parse reads a line of the corpus as the service reads a case.
func parse(t interface {
	Helper()
	Fatalf(string, ...any)
}, line []byte,
) (*elsewherev1.Case, *evidence.Case) {
	t.Helper()
	c := &elsewherev1.Case{}
	if err := protojson.Unmarshal(line, c); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	d := evidence.Draft{
		Ref: evidence.Ref{Tenant: c.GetTenant(), Case: c.GetId()}, Title: c.GetTitle(), Kind: c.GetKind(),
		State: evidence.State(c.GetState()), TLP: evidence.TLP(c.GetTlp()), Restricted: c.GetRestricted(),
		OpenedAt: c.GetOpenedAt().AsTime(), ClosedAt: c.GetClosedAt().AsTime(),
		EvidenceFrom: c.GetEvidenceFrom().AsTime(), EvidenceTo: c.GetEvidenceTo().AsTime(), Source: c.GetSource(),
	}
	for _, f := range c.GetFindings() {
		finding := evidence.Finding{
			ID: f.GetId(), Technique: f.GetTechnique(), Operation: f.GetOperation(), Outcome: evidence.Outcome(f.GetOutcome()),
			FirstSeen: f.GetFirstSeen().AsTime(), LastSeen: f.GetLastSeen().AsTime(), Count: f.GetCount(), Summary: f.GetSummary(),
		}
		for _, o := range f.GetObservables() {
			observable := evidence.Observable{
				Value: evidence.Value{Kind: evidence.Kind(o.GetKind()), Text: o.GetValue()}, Roles: o.GetRoles(), Count: o.GetCount(),
			}
			if o.HasFirstSeen() {
				observable.FirstSeen, observable.LastSeen = o.GetFirstSeen().AsTime(), o.GetLastSeen().AsTime()
			}
			finding.Observables = append(finding.Observables, observable)
		}
		d.Findings = append(d.Findings, finding)
	}
	parsed, _, err := evidence.Parse(d, evidence.Options{
		Now:     time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC),
		Private: func(_ evidence.Kind, normalised string) string { return "hmac1:test:" + fmt.Sprintf("%x", normalised) },
	})
	if err != nil {
		t.Fatalf("%s/%s: %v", c.GetTenant(), c.GetId(), err)
	}
	return c, parsed
}

func TestEveryCaseParses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := generators(t)
		// Also far into a corpus, where actors have many campaigns behind them.
		at := rapid.IntRange(0, 10_000_000).Draw(t, "from")
		for c := range g.From(at, 5) {
			var line bytes.Buffer
			if err := corpus.WriteNDJSON(&line, func(yield func(*elsewherev1.Case) bool) { yield(c) }); err != nil {
				t.Fatal(err)
			}
			read, parsed := parse(t, line.Bytes())
			if d := cmp.Diff(c, read, protocmp.Transform()); d != "" {
				t.Fatal(d)
			}
			n := 0
			for _, f := range c.GetFindings() {
				n += len(f.GetObservables())
			}
			if want := g.ValuesPerCase; g.Exact && want > 0 && n != want {
				t.Fatalf("%d observables, want %d", n, want)
			}
			// A spoof pair's parts become observables too; nothing may fall
			// together with another.
			if got := len(parsed.Profile().Sightings); got < n {
				t.Fatalf("%d observables became %d values", n, got)
			}
		}
	})
}

// TestLooksLikeCases checks the shape that the measurements rely on.
func TestLooksLikeCases(t *testing.T) {
	const n = 20_000
	cases := make(map[string]int)
	tenants := make(map[string]map[string]bool)
	perTenant := make(map[string]int)
	linked, withTechnique, dismissed := 0, 0, 0
	var first, last time.Time
	for c := range (corpus.Generator{Seed: 1, Cases: n}).All() {
		perTenant[c.GetTenant()]++
		if c.GetState() == elsewherev1.CaseState_CASE_STATE_DISMISSED {
			dismissed++
		}
		at := c.GetFindings()[0].GetFirstSeen().AsTime()
		if first.IsZero() || at.Before(first) {
			first = at
		}
		if at.After(last) {
			last = at
		}
		for _, f := range c.GetFindings() {
			if f.GetTechnique() == "T1078.004" {
				withTechnique++
			}
			for _, o := range f.GetObservables() {
				v := o.GetKind() + " " + o.GetValue()
				cases[v]++
				if tenants[v] == nil {
					tenants[v] = make(map[string]bool)
				}
				tenants[v][c.GetTenant()] = true
			}
		}
	}
	once, common := 0, 0
	for v, k := range cases {
		switch {
		case k == 1:
			once++
		case len(tenants[v]) > 64:
			common++
		case len(tenants[v]) > 1:
			linked++
		}
	}
	largest := 0
	for _, k := range perTenant {
		largest = max(largest, k)
	}
	for _, want := range []struct {
		what     string
		got      int
		low, max int
	}{
		{"values in one case, per cent", 100 * once / len(cases), 75, 97},
		{"values in more than 64 tenants", common, 100, 2_000},
		{"values in 2 to 64 tenants", linked, 5_000, 60_000},
		{"cases of the largest tenant", largest, n / 100, n / 5},
		{"tenants", len(perTenant), 900, 1_000},
		{"cases with sign-ins", withTechnique, n * 9 / 10, n},
		{"cases of the most usual value", cases["rule_name ."], n / 50, n},
		{"dismissed cases", dismissed, n / 100, n / 20},
		{"years", int(last.Sub(first).Hours() / 24 / 365), 4, 5},
	} {
		if want.got < want.low || want.got > want.max {
			t.Errorf("%s: %d, want %d to %d", want.what, want.got, want.low, want.max)
		}
	}
}

// TestHoldsNothing streams many cases and expects as much live memory at the end
// as after the first thousand.
func TestHoldsNothing(t *testing.T) {
	live := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var early, late uint64
	i := 0
	err := corpus.WriteNDJSON(io.Discard, func(yield func(*elsewherev1.Case) bool) {
		for c := range (corpus.Generator{Cases: 20_000}).All() {
			if !yield(c) {
				return
			}
			switch i++; i {
			case 1_000:
				early = live()
			case 20_000:
				late = live()
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if late > early+1<<20 {
		t.Errorf("%d bytes live after 1,000 cases, %d after 20,000", early, late)
	}
}

// brokenPipe takes some bytes and then fails.
type brokenPipe struct{ left int }

var errPipe = errors.New("nobody reads")

func (p *brokenPipe) Write(b []byte) (int, error) {
	if p.left -= len(b); p.left < 0 {
		return 0, errPipe
	}
	return len(b), nil
}

func TestStopsWhenNobodyReads(t *testing.T) {
	made := 0
	err := corpus.WriteNDJSON(&brokenPipe{left: 1 << 18}, func(yield func(*elsewherev1.Case) bool) {
		for c := range (corpus.Generator{Cases: 100_000}).All() {
			if made++; !yield(c) {
				return
			}
		}
	})
	if !errors.Is(err, errPipe) {
		t.Errorf("got %v, want the error of the writer", err)
	}
	if made > 1_000 {
		t.Errorf("%d cases were made for nobody", made)
	}
}

// TestPopularSharesOneValue: one value is in every case of the series, no other
// in more than one, and tenants take turns.
func TestPopularSharesOneValue(t *testing.T) {
	const n = 500
	g := corpus.Generator{Seed: 3, Tenants: 7}
	in := make(map[string]int)
	ids := make(map[string]bool)
	for i := range n {
		var line bytes.Buffer
		if err := corpus.WriteNDJSON(&line, func(yield func(*elsewherev1.Case) bool) { yield(g.Popular(i)) }); err != nil {
			t.Fatal(err)
		}
		c, parsed := parse(t, line.Bytes())
		if !parsed.Live() {
			t.Fatalf("case %d does not count", i)
		}
		if want := fmt.Sprintf("tenant-%05d", i%7); c.GetTenant() != want || ids[c.GetId()] {
			t.Fatalf("case %d is %s/%s", i, c.GetTenant(), c.GetId())
		}
		ids[c.GetId()] = true
		for _, f := range c.GetFindings() {
			for _, o := range f.GetObservables() {
				in[o.GetKind()+" "+o.GetValue()]++
			}
		}
	}
	everywhere := 0
	for v, k := range in {
		switch {
		case k == n:
			everywhere++
		case k > 1:
			t.Errorf("%s is in %d cases", v, k)
		}
	}
	if everywhere != 1 || len(in) < 4*n {
		t.Errorf("%d values in all cases, %d values", everywhere, len(in))
	}
}
