package collection_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export"
	"github.com/elsewhere-project/elsewhere/server/export/collection"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/graph/badger"
)

func start() time.Time { return time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC) }

// content is what is said of a value.
type content struct {
	indicator bool
	note      string
}

// world is what may leave at a time.
type world struct {
	values  map[evidence.Value]content
	likely  map[string]float64 // pairs of cases, by pseudonym of the second
	now     time.Time
	changes int
	builds  int
}

func newWorld() *world {
	return &world{values: make(map[evidence.Value]content), likely: make(map[string]float64), now: start()}
}

func (w *world) items() []export.Item {
	var out []export.Item
	for v, c := range w.values {
		out = append(out, export.Item{
			Value: v, Written: v.Text, Indicator: c.indicator, Reason: "a reason", Note: c.note, First: start(), Last: start().Add(time.Hour),
			Created: start(), Modified: start(), Techniques: []string{"T1078.004"}, Cases: []string{"case-a"},
		})
	}
	slices.SortFunc(out, func(x, y export.Item) int { return x.Value.Compare(y.Value) })
	return out
}

// Build implements collection.Bundles.
func (w *world) Build(_ context.Context, _ access.Viewer, s export.Selection) (*export.Bundle, error) {
	w.builds++
	items := w.items()
	b := &export.Bundle{
		Scope: "all", TLP: "tlp:" + string(s.TLP), Created: start(), Modified: start().Add(time.Duration(w.changes) * time.Second), Tenants: []string{"alder"},
		Producer:   export.Producer{Name: "Elsewhere", ID: export.NewUUID(export.Namespace(), "test")},
		Techniques: []export.Technique{{ID: "T1078.004", Name: "Cloud Accounts"}},
		Items: func(yield func(export.Item, error) bool) {
			for _, i := range items {
				if !yield(i, nil) {
					return
				}
			}
		},
	}
	for _, other := range slices.Sorted(maps.Keys(w.likely)) {
		b.Links = append(b.Links, export.Relation{A: "case-a", B: other, Likelihood: w.likely[other], Tier: "strong", Model: 1})
	}
	return b, nil
}

// Basis implements collection.Bundles.
func (w *world) Basis(context.Context, access.Viewer, export.Selection) ([sha256.Size]byte, error) {
	return sha256.Sum256(fmt.Append(nil, w.changes)), nil
}

// scratch is what is set aside, in memory.
type scratch struct{ b []byte }

func (s *scratch) Write(b []byte) (int, error) {
	s.b = append(s.b, b...)
	return len(b), nil
}

func (s *scratch) ReadAt(b []byte, at int64) (int, error) {
	return bytes.NewReader(s.b).ReadAt(b, at)
}

func (s *scratch) Close() error {
	s.b = nil
	return nil
}

func keeper(t testing.TB) graph.Keeper {
	t.Helper()
	store, err := badger.Open(t.Context(), badger.Options{Memory: true, Counted: func(string) bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store.Kept()
}

func shelf(w *world, k graph.Keeper) *collection.Shelf {
	return collection.NewShelf(collection.Config{
		Bundles: w, Keeper: k, Scratch: func() (export.Scratch, error) { return &scratch{}, nil }, Clock: func() time.Time { return w.now },
	})
}

// receiver is somebody who comes back for what was added since.
type receiver struct {
	// has are the objects by id, as they were told last.
	has map[string]map[string]any
	// versions are the objects by id and version: one version is one content.
	versions map[string]string
	last     time.Time
}

func newReceiver() *receiver {
	return &receiver{has: make(map[string]map[string]any), versions: make(map[string]string)}
}

// take takes a page, and fails on what no page may have.
func (r *receiver) take(t fataler, p *collection.Page) {
	for _, o := range p.Objects {
		if !o.Added.After(r.last) && len(r.has) > 0 && o.Added.Before(r.last) {
			t.Fatalf("%s was added %v, told behind what was added %v", o.ID, o.Added, r.last)
		}
		r.last = o.Added
		var is map[string]any
		if err := json.Unmarshal(o.JSON, &is); err != nil {
			t.Fatalf("%s: %v", o.JSON, err)
		}
		if is["id"] != o.ID || is["type"] != o.Type {
			t.Fatalf("%s is %s", o.ID, o.JSON)
		}
		if had := r.has[o.ID]; had != nil && had["revoked"] == true && is["revoked"] != true {
			t.Fatalf("%s was revoked and is back", o.ID)
		}
		if _, dated := is["modified"]; dated {
			version := o.ID + " " + o.Version.String()
			if before, ok := r.versions[version]; ok && before != string(o.JSON) {
				t.Fatalf("one version, two contents:\n%s\n%s", before, o.JSON)
			}
			r.versions[version] = string(o.JSON)
			if had := r.has[o.ID]; had != nil && had["created"] != is["created"] {
				t.Fatalf("%s was created %v, then %v", o.ID, had["created"], is["created"])
			}
		}
		r.has[o.ID] = is
	}
}

type fataler interface {
	Fatalf(format string, args ...any)
}

// valid are the indicators and likelihoods that a receiver believes.
func (r *receiver) valid() []string {
	var out []string
	for _, o := range r.has {
		switch {
		case o["revoked"] == true:
		case o["type"] == "indicator":
			out = append(out, fmt.Sprint(o["name"], " ", strings.SplitN(fmt.Sprint(o["description"]), "\n", 2)[0]))
		case o["type"] == "opinion":
			out = append(out, fmt.Sprint(o["explanation"]))
		}
	}
	slices.Sort(out)
	return out
}

func (w *world) valid() []string {
	var out []string
	for v, c := range w.values {
		if c.indicator {
			out = append(out, strings.ReplaceAll(string(v.Kind), "_", " ")+" "+v.Text+" "+c.note)
		}
	}
	for other, p := range w.likely {
		out = append(out, fmt.Sprintf("case-a and %s are of one actor with a likelihood of %.3f (strong, model 1)", other, p))
	}
	slices.Sort(out)
	return out
}

// change changes something.
func (w *world) change(t *rapid.T) {
	w.changes++
	if rapid.IntRange(0, 9).Draw(t, "likelihood") == 0 {
		other := rapid.SampledFrom([]string{"case-b", "case-c"}).Draw(t, "other")
		if _, ok := w.likely[other]; ok && rapid.Bool().Draw(t, "gone") {
			delete(w.likely, other)
		} else {
			w.likely[other] = rapid.SampledFrom([]float64{.9, .99}).Draw(t, "likelihood")
		}
		return
	}
	v := evidence.Value{Kind: evidence.KindIP, Text: fmt.Sprintf("192.0.2.%d", rapid.IntRange(0, 7).Draw(t, "value"))}
	if rapid.IntRange(0, 3).Draw(t, "mail") == 0 {
		// Both are one observable.
		v = evidence.Value{Kind: rapid.SampledFrom([]evidence.Kind{evidence.KindEmail, evidence.KindForwardTo}).Draw(t, "kind"), Text: "drop@y.example"}
	}
	if _, ok := w.values[v]; ok && rapid.IntRange(0, 2).Draw(t, "gone") == 0 {
		delete(w.values, v)
		return
	}
	w.values[v] = content{rapid.Bool().Draw(t, "indicator"), rapid.SampledFrom([]string{"seen", "seen again"}).Draw(t, "note")}
}

// TestReceiver: whoever follows a collection, page by page or by time, while things
// come, change, go and come back, ends with what is valid then.
func TestReceiver(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w, k := newWorld(), keeper(t)
		s := shelf(w, k)
		c := collection.OfAll(access.Open())[1]
		r := newReceiver()
		ask := func(q collection.Query) *collection.Page {
			p, err := s.Page(t.Context(), access.Open(), &c, q)
			if err != nil {
				rt.Fatal(err)
			}
			r.take(rt, p)
			return p
		}
		for range rapid.IntRange(1, 12).Draw(rt, "polls") {
			for range rapid.IntRange(0, 4).Draw(rt, "changes") {
				w.change(rt)
			}
			w.now = w.now.Add(time.Duration(rapid.IntRange(0, 400).Draw(rt, "seconds")) * time.Second)
			switch rapid.IntRange(0, 4).Draw(rt, "happens") {
			case 0:
				s = shelf(w, k) // restarted
			case 1:
				s.Drop()
			}
			q := collection.Query{AddedAfter: r.last, Limit: rapid.IntRange(1, 12).Draw(rt, "limit")}
			meanwhile := 0
			byTime := rapid.Bool().Draw(rt, "pages by time")
			if byTime {
				// More than there is of one value: pages by time end between values.
				q.Limit = 60
			}
			for p := ask(q); p.Next != nil; p = ask(q) {
				if q.After = p.Next; byTime {
					q.After, q.AddedAfter = nil, r.last
				}
				// Not faster than it can be read.
				if meanwhile < 4 && rapid.IntRange(0, 3).Draw(rt, "meanwhile") == 0 {
					meanwhile++
					w.change(rt)
					w.now = w.now.Add(time.Duration(rapid.IntRange(0, 200).Draw(rt, "seconds between pages")) * time.Second)
				}
			}
		}
		// Nothing changes any more.
		ask(collection.Query{AddedAfter: r.last, Limit: 1_000})
		if diff := cmp.Diff(w.valid(), r.valid()); diff != "" {
			rt.Fatalf("what is valid, and what is believed: %s", diff)
		}
		builds := w.builds
		for _, o := range r.has {
			for _, ref := range []string{"sighting_of_ref", "source_ref"} {
				if to, ok := o[ref].(string); ok && o["revoked"] != true && r.has[to] == nil {
					rt.Fatalf("%v refers to what was never told", o)
				}
			}
		}
		if p := ask(collection.Query{AddedAfter: r.last, Limit: 1_000}); len(p.Objects) > 0 || w.builds != builds {
			rt.Fatalf("nothing changed, and %d objects are told of %d builds", len(p.Objects), w.builds-builds)
		}
		// Whoever comes now is told the same, each object once.
		fresh := newReceiver()
		q := collection.Query{Limit: rapid.IntRange(1, 12).Draw(rt, "limit of the last")}
		n := 0
		for more := true; more; more = q.After != nil {
			p, err := s.Page(t.Context(), access.Open(), &c, q)
			if err != nil {
				rt.Fatal(err)
			}
			if len(p.Objects) > q.Limit {
				rt.Fatalf("%d objects on a page of %d", len(p.Objects), q.Limit)
			}
			fresh.take(rt, p)
			n += len(p.Objects)
			q.After = p.Next
		}
		if n != len(fresh.has) {
			rt.Fatalf("%d objects, %d different ones", n, len(fresh.has))
		}
		if diff := cmp.Diff(w.valid(), fresh.valid()); diff != "" {
			rt.Fatalf("what is valid, and what a new receiver believes: %s", diff)
		}
	})
}

// TestQuery: each filter by itself.
func TestQuery(t *testing.T) {
	w := newWorld()
	for n := range 5 {
		w.values[evidence.Value{Kind: evidence.KindIP, Text: fmt.Sprintf("192.0.2.%d", n)}] = content{n > 1, "seen"}
	}
	s := shelf(w, keeper(t))
	c := collection.OfAll(access.Open())[0]
	ask := func(q collection.Query) []collection.Object {
		t.Helper()
		q.Limit = 1_000
		p, err := s.Page(t.Context(), access.Open(), &c, q)
		if err != nil || p.Next != nil || !slices.Equal(p.Tenants, []string{"alder"}) {
			t.Fatal(p, err)
		}
		return p.Objects
	}
	all := ask(collection.Query{})
	types := make(map[string]int)
	for _, o := range all {
		types[o.Type]++
	}
	want := map[string]int{
		"marking-definition": 1, "identity": 1, "attack-pattern": 1, "ipv4-addr": 5, "observed-data": 5, "indicator": 3, "sighting": 3,
		"relationship": 6, "note": 2,
	}
	if diff := cmp.Diff(want, types); diff != "" {
		t.Error(diff)
	}
	some := all[len(all)/2]
	for name, test := range map[string]struct {
		q    collection.Query
		want int
	}{
		"a type":                 {collection.Query{Types: []string{"indicator"}}, 3},
		"types":                  {collection.Query{Types: []string{"indicator", "note", "grouping"}}, 5},
		"an id":                  {collection.Query{IDs: []string{some.ID}}, 1},
		"an id of another type":  {collection.Query{IDs: []string{some.ID}, Types: []string{"grouping"}}, 0},
		"no such id":             {collection.Query{IDs: []string{"indicator--7bbd7ec8-5bd8-4a3b-a1c1-4ee2a3dd8c3d"}}, 0},
		"its version":            {collection.Query{IDs: []string{some.ID}, Versions: []time.Time{some.Version}}, 1},
		"another version":        {collection.Query{IDs: []string{some.ID}, Versions: []time.Time{some.Version.Add(time.Second)}}, 0},
		"another, or any":        {collection.Query{IDs: []string{some.ID}, Versions: []time.Time{start()}, AnyVersion: true}, 1},
		"this version of STIX":   {collection.Query{SpecVersions: []string{"2.0", "2.1"}}, len(all)},
		"another one":            {collection.Query{SpecVersions: []string{"2.0"}}, 0},
		"after the last":         {collection.Query{AddedAfter: all[len(all)-1].Added}, 0},
		"a nanosecond before it": {collection.Query{AddedAfter: all[len(all)-1].Added.Add(-time.Nanosecond)}, len(all) - slices.IndexFunc(all, func(o collection.Object) bool { return o.Added.Equal(all[len(all)-1].Added) })},
		"long before":            {collection.Query{AddedAfter: time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC)}, len(all)},
		"long after":             {collection.Query{AddedAfter: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}, 0},
	} {
		if got := ask(test.q); len(got) != test.want {
			t.Errorf("%s: %d objects, want %d", name, len(got), test.want)
		}
	}
}

func TestAlias(t *testing.T) {
	seen := make(map[string]bool)
	for _, c := range append(collection.OfAll(access.Open()), collection.OfActor(access.Open(), "act-aaaaaaaaaa")...) {
		actor, label, ok := collection.CutAlias(c.Alias)
		if !ok || actor != c.Actor || label != c.TLP || seen[c.ID.String()] {
			t.Errorf("%v: %q %q %v", c, actor, label, ok)
		}
		seen[c.ID.String()] = true
	}
	for _, alias := range []string{"", "tlp", "tlp-clear", "amber", "-amber", "x-amber", "act-x", "TLP-amber"} {
		if actor, label, ok := collection.CutAlias(alias); ok {
			t.Errorf("%q is %q of %q", alias, label, actor)
		}
	}
}

// FuzzPlace: wherever a page is said to have ended, the pages behind it end.
func FuzzPlace(f *testing.F) {
	f.Add(int64(0), 0, uint8(1))
	f.Add(start().UnixMicro(), 3, uint8(2))
	f.Add(start().UnixMicro()+5, 1<<30, uint8(20))
	f.Add(int64(-1)<<63, -1<<62, uint8(0))
	w := newWorld()
	for n := range 3 {
		w.values[evidence.Value{Kind: evidence.KindIP, Text: fmt.Sprintf("192.0.2.%d", n)}] = content{true, "seen"}
	}
	s := shelf(w, keeper(f))
	c := collection.OfAll(access.Open())[0]
	f.Fuzz(func(t *testing.T, added int64, nth int, limit uint8) {
		q := collection.Query{After: &collection.Place{Added: added, Nth: nth}, Limit: max(int(limit), 1)}
		seen := make(map[string]bool)
		for q.After != nil {
			p, err := s.Page(t.Context(), access.Open(), &c, q)
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Objects) == 0 && p.Next != nil {
				t.Fatal("a page of nothing, and no end")
			}
			for _, o := range p.Objects {
				if seen[o.ID] {
					t.Fatalf("%s is told twice", o.ID)
				}
				seen[o.ID] = true
			}
			q.After = p.Next
		}
	})
}

// BenchmarkBuild makes an edition of 100,000 values that were offered before, and of
// which one changed.
func BenchmarkBuild(b *testing.B) {
	w := newWorld()
	for n := range 100_000 {
		w.values[evidence.Value{Kind: evidence.KindIP, Text: fmt.Sprintf("10.%d.%d.%d", n>>16, n>>8&255, n&255)}] = content{true, "seen"}
	}
	s := shelf(w, keeper(b))
	c := collection.OfAll(access.Open())[1]
	b.ReportAllocs()
	for b.Loop() {
		w.changes++
		w.values[evidence.Value{Kind: evidence.KindIP, Text: "10.0.0.7"}] = content{w.changes%2 == 0, "seen"}
		if _, err := s.Page(b.Context(), access.Open(), &c, collection.Query{Limit: 1}); err != nil {
			b.Fatal(err)
		}
	}
}
