package graphtest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

// people is the slow, obvious model of what people said and of the actors that the
// linker stored.
type people struct {
	*store
	cases   map[evidence.Ref]bool
	reviews map[graph.RowKey]graph.Review
	said    map[graph.RowKey][]graph.Review
	anchors map[evidence.Ref]graph.Anchor
	actors  map[evidence.Ref]graph.Actor
	fanouts map[evidence.Ref]graph.Fanout
	events  map[evidence.Ref]int
	rows    map[graph.RowKey]graph.Row
	// touched is what has to be listed.
	touched map[graph.Touched]bool
}

func peopleRefs() []evidence.Ref {
	return []evidence.Ref{ref("a", "1"), ref("a", "1:1"), ref("a-b", "1"), ref("ab", "1"), ref("b", "1"), ref("b", longID(2))}
}

// testPeople lets random changes of reviews, names, actors and cases pass and
// compares every answer after each.
func testPeople(t *testing.T, open Opener, reopen bool) {
	rapid.Check(t, func(rt *rapid.T) {
		clock := newClock()
		config := Config{Clock: clock.now}
		if reopen {
			config.Dir = t.TempDir()
		}
		p := &people{
			store: &store{open(t, config), rt}, cases: map[evidence.Ref]bool{}, reviews: map[graph.RowKey]graph.Review{},
			said: map[graph.RowKey][]graph.Review{}, anchors: map[evidence.Ref]graph.Anchor{}, actors: map[evidence.Ref]graph.Actor{},
			fanouts: map[evidence.Ref]graph.Fanout{}, events: map[evidence.Ref]int{}, rows: map[graph.RowKey]graph.Row{},
			touched: map[graph.Touched]bool{},
		}
		defer func() {
			if err := p.Close(); err != nil {
				rt.Errorf("close: %v", err)
			}
		}()
		actions := map[string]func(*rapid.T){
			"": p.compare, "submit": p.submitAny, "delete": p.deleteAny, "judge": p.judgeAny, "judge more": p.judgeAny,
			"anchor": p.anchorAny, "group": p.groupAny, "fan": p.fanAny, "rows": p.rowsAny, "look": p.look,
		}
		if reopen {
			actions["reopen"] = func(*rapid.T) {
				if err := p.Close(); err != nil {
					rt.Fatal(err)
				}
				p.Store = open(t, config)
			}
		}
		rt.Repeat(actions)
		p.check()
	})
}

func (p *people) any(t *rapid.T) evidence.Ref {
	return rapid.SampledFrom(peopleRefs()).Draw(t, "case")
}

func (p *people) pair(t *rapid.T) (graph.RowKey, bool) {
	x, y := p.any(t), p.any(t)
	return graph.Pair(x, y), x != y
}

func (p *people) touch(refs ...evidence.Ref) {
	for _, r := range refs {
		p.touched[graph.Touched{A: r}] = true
	}
}

func (p *people) touchPair(k graph.RowKey) {
	p.touched[graph.Touched(k)] = true
	p.touch(k.A, k.B)
}

func (p *people) submitAny(t *rapid.T) {
	r := p.any(t)
	c := holding(r.Tenant, r.Case, ip(rapid.IntRange(0, 1<<20).Draw(t, "value")))
	receipt, err := p.Submit(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	if receipt.Outcome == graph.Replaced {
		p.touch(r)
		for k := range p.said {
			if k.A == r || k.B == r {
				p.touchPair(k)
			}
		}
	}
	p.cases[r] = true
}

func (p *people) deleteAny(t *rapid.T) {
	r := p.any(t)
	err := p.Delete(t.Context(), r)
	if !p.cases[r] {
		if !errors.Is(err, graph.ErrNotFound) {
			t.Fatalf("delete of nothing: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	delete(p.cases, r)
	delete(p.anchors, r)
	p.touch(r)
	for k := range p.said {
		if k.A == r || k.B == r {
			delete(p.said, k)
			delete(p.reviews, k)
			p.touchPair(k)
		}
	}
}

func (p *people) judgeAny(t *rapid.T) {
	k, ok := p.pair(t)
	n := rapid.IntRange(0, 1_000).Draw(t, "reason")
	r := graph.Review{
		RowKey: k, Verdict: graph.Verdict(rapid.IntRange(0, 2).Draw(t, "verdict")), Author: "key els_a", Reason: fmt.Sprint("because ", n),
		Time: day(n).UTC(),
	}
	err := p.Judge(t.Context(), r)
	switch {
	case !ok:
		if !errors.Is(err, graph.ErrOnePair) {
			t.Fatalf("a review of one case: %v", err)
		}
	case !p.cases[k.A] || !p.cases[k.B]:
		if !errors.Is(err, graph.ErrNotFound) {
			t.Fatalf("a review of nothing: %v", err)
		}
	case err != nil:
		t.Fatal(err)
	case r.Verdict == graph.Unreviewed && p.reviews[k] == graph.Review{}:
	default:
		p.said[k] = append(p.said[k], r)
		p.reviews[k] = r
		if r.Verdict == graph.Unreviewed {
			delete(p.reviews, k)
		}
		p.touchPair(k)
	}
}

func (p *people) anchorAny(t *rapid.T) {
	r := p.any(t)
	a := graph.Anchor{
		Ref: r, Name: rapid.SampledFrom([]string{"", "Quiet Otter"}).Draw(t, "name"), Note: rapid.SampledFrom([]string{"", "two\nlines"}).Draw(t, "note"),
		Author: "key els_a", Time: day(1).UTC(),
	}
	if rapid.Bool().Draw(t, "aliases") {
		a.Aliases = []string{"UNC-1", "x"}
	}
	// It comes from another case, or stays, as far as it hangs there.
	var was []graph.Anchor
	changed := false
	for _, from := range []evidence.Ref{r, p.any(t)} {
		hung := p.anchors[from]
		hung.Ref = from
		if rapid.IntRange(0, 5).Draw(t, "stale") == 0 {
			hung.Note, hung.Time = "another", day(2).UTC()
			changed = true
		}
		was = append(was, hung)
	}
	err := p.Anchor(t.Context(), a, was, graph.ActorEvent{Change: graph.ActorNamed, To: r, Author: "key els_a", Text: a.Name})
	if !p.cases[r] {
		if !errors.Is(err, graph.ErrNotFound) {
			t.Fatalf("a name on nothing: %v", err)
		}
		return
	}
	if changed {
		if !errors.Is(err, graph.ErrAnchorChanged) {
			t.Fatalf("a name in the place of another: %v", err)
		}
		return
	}
	delete(p.anchors, was[1].Ref)
	if err != nil {
		t.Fatal(err)
	}
	p.events[r]++
	p.anchors[r] = a
	if a.Name == "" && a.Note == "" && a.Aliases == nil {
		delete(p.anchors, r)
	}
}

// groupAny replaces actors by others, as the linker does: disjoint ones.
func (p *people) groupAny(t *rapid.T) {
	refs := peopleRefs()
	homes := rapid.SliceOfN(rapid.IntRange(0, 2), len(refs), len(refs)).Draw(t, "actors")
	b := graph.RelinkBatch{}
	next := map[evidence.Ref]graph.Actor{}
	for home := 1; home <= 2; home++ {
		a := graph.Actor{Threshold: int32(home)}
		for i, r := range refs {
			if homes[i] == home {
				a.Members = append(a.Members, r)
			}
		}
		if len(a.Members) < 2 {
			continue
		}
		slices.SortFunc(a.Members, evidence.Ref.Compare)
		for _, m := range a.Members {
			a.IDs = append(a.IDs, "act-"+m.String())
		}
		a.Founder = rapid.SampledFrom(a.Members).Draw(t, "founder")
		next[a.Founder] = a
		b.Actors = append(b.Actors, a)
		b.Events = append(b.Events, graph.ActorEvent{Change: graph.ActorCreated, To: a.Founder, Members: a.Members})
		p.events[a.Founder]++
	}
	for founder := range p.actors {
		if _, stays := next[founder]; !stays {
			b.Gone = append(b.Gone, founder)
		}
	}
	p.relink(b)
	p.actors = next
}

func (p *people) fanAny(t *rapid.T) {
	r := p.any(t)
	f := graph.Fanout{Day: int32(rapid.IntRange(-1, 2).Draw(t, "day")), Made: uint32(rapid.IntRange(0, 2).Draw(t, "made")), Alarm: rapid.Bool().Draw(t, "alarm"), Wide: rapid.Bool().Draw(t, "wide")}
	p.relink(graph.RelinkBatch{Grouping: graph.Grouping{Fanouts: map[evidence.Ref]graph.Fanout{r: f}}})
	p.fanouts[r] = f
}

func (p *people) rowsAny(t *rapid.T) {
	k, ok := p.pair(t)
	if !ok {
		return
	}
	touch := func(r graph.Row) {
		if r.Tier >= graph.ListedTier || r.Verdict != graph.Unreviewed {
			p.touch(r.A, r.B)
		}
	}
	old, had := p.rows[k]
	if rapid.Bool().Draw(t, "remove") {
		p.relink(graph.RelinkBatch{Remove: []graph.RowKey{k}})
		if delete(p.rows, k); had {
			touch(old)
		}
		return
	}
	r := row(k.A, k.B, rapid.IntRange(0, 9).Draw(t, "score"), ip(1))
	p.relink(graph.RelinkBatch{Put: []graph.Row{r}})
	if p.rows[k] = r; fmt.Sprint(old) != fmt.Sprint(r) {
		touch(r)
		if had {
			touch(old)
		}
	}
}

// look takes what is listed, part by part.
func (p *people) look(t *rapid.T) {
	listed := map[graph.Touched]bool{}
	for {
		all, marks, err := p.Touched(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		p.compareListing(t, all, marks)
		if len(marks) == 0 {
			break
		}
		for _, x := range all {
			listed[x] = true
		}
		p.relink(graph.RelinkBatch{Grouping: graph.Grouping{Looked: marks}})
	}
	for x := range p.touched {
		if !listed[x] {
			t.Fatalf("%v was touched and is not listed", x)
		}
	}
	clear(p.touched)
}

func (p *people) compare(*rapid.T) {
	p.view(func(sn graph.Snapshot) {
		want := slices.SortedFunc(maps.Values(p.reviews), func(x, y graph.Review) int { return x.RowKey.Compare(y.RowKey) })
		same(p, "reviews", collect(p, sn.ReviewsAfter(graph.RowKey{}), everything), want)
		if len(want) > 0 {
			same(p, "reviews after the first", collect(p, sn.ReviewsAfter(want[0].RowKey), everything), want[1:])
		}
		p.compareNetwork(must[*graph.Network](p)(sn.Network()))
		var fanouts []graph.CaseFanout
		for _, r := range peopleRefs() {
			p.compareCase(sn, r)
			if f := p.fanouts[r]; f != (graph.Fanout{}) {
				fanouts = append(fanouts, graph.CaseFanout{Ref: r, Fanout: f})
			}
		}
		slices.SortFunc(fanouts, func(x, y graph.CaseFanout) int { return x.Compare(y.Ref) })
		same(p, "fan-outs", collect(p, sn.Fanouts(), everything), fanouts)
		for tenant, dd := range map[string]int32{"a": 0, "b": 1, "a-b": -1, "ab": 2} {
			var tallies []graph.Tally
			for r, f := range p.fanouts {
				if r.Tenant == tenant && f.Day == dd && f.Made > 0 {
					tallies = append(tallies, graph.Tally{Ref: r, Made: f.Made})
				}
			}
			slices.SortFunc(tallies, func(x, y graph.Tally) int { return x.Compare(y.Ref) })
			same(p, "tallies of "+tenant, collect(p, sn.Tallies(tenant, dd), everything), tallies)
		}
		var actors []graph.Actor
		for _, a := range collect(p, sn.ActorsAfter(evidence.Ref{}), everything) {
			actors = append(actors, *a)
		}
		same(p, "actors", actors, slices.SortedFunc(maps.Values(p.actors), func(x, y graph.Actor) int { return x.Founder.Compare(y.Founder) }))
	})
}

func (p *people) compareCase(sn graph.Snapshot, r evidence.Ref) {
	var reviews []graph.Review
	for k, v := range p.reviews {
		if k.A == r || k.B == r {
			reviews = append(reviews, v)
		}
	}
	other := func(k graph.RowKey) evidence.Ref {
		if k.A == r {
			return k.B
		}
		return k.A
	}
	slices.SortFunc(reviews, func(x, y graph.Review) int { return other(x.RowKey).Compare(other(y.RowKey)) })
	same(p, "reviews of "+r.String(), collect(p, sn.ReviewsOf(r), everything), reviews)
	for _, x := range peopleRefs() {
		if x == r {
			continue
		}
		k := graph.Pair(r, x)
		stands := p.reviews[k]
		stands.RowKey = k
		same(p, "review", must[graph.Review](p)(sn.Review(k)), stands)
		same(p, "history of a pair", collect(p, sn.ReviewHistory(k), everything), p.said[k])
	}
	anchor := p.anchors[r]
	anchor.Ref = r
	same(p, "name on "+r.String(), must[graph.Anchor](p)(sn.AnchorOf(r)), anchor)
	same(p, "fan-out of "+r.String(), must[graph.Fanout](p)(sn.FanoutOf(r)), p.fanouts[r])
	var mine *graph.Actor
	for _, a := range p.actors {
		if slices.Contains(a.Members, r) {
			mine = &a
		}
	}
	same(p, "actor of "+r.String(), must[*graph.Actor](p)(sn.ActorOf(r)), mine)
	at, ok, err := sn.ActorCase("act-" + r.String())
	if err != nil || ok != (mine != nil) || ok && at != r {
		p.Fatalf("id of %s: %s, %t, %v", r, at, ok, err)
	}
	if got := len(collect(p, sn.ActorEvents(r, ""), everything)); got != p.events[r] {
		p.Fatalf("%d events of %s, want %d", got, r, p.events[r])
	}
	var rows []graph.Row
	for k, v := range p.rows {
		if k.A == r || k.B == r {
			rows = append(rows, v)
		}
	}
	slices.SortFunc(rows, func(x, y graph.Row) int { return other(x.RowKey).Compare(other(y.RowKey)) })
	same(p, "rows of "+r.String(), collect(p, sn.RowsOfCase(r), everything), rows)
	h, err := sn.Header(r)
	if p.cases[r] != (err == nil) || err != nil && !errors.Is(err, graph.ErrNotFound) || err == nil && (h.Ref != r || h.Findings != nil) {
		p.Fatalf("header of %s: %v", r, err)
	}
}

// testActorEvents holds what an event keeps, and that it is found from both ends.
func testActorEvents(t *testing.T, open Opener) {
	clock := newClock()
	s := newStore(t, open, Config{Clock: clock.now})
	var many []evidence.Ref
	for i := range graph.MaxEventMembers + 7 {
		many = append(many, ref("a", fmt.Sprintf("%04d", i)))
	}
	e := graph.ActorEvent{Change: graph.ActorMerged, From: ref("a", "1"), To: ref("b", "1"), Members: many}
	s.relink(graph.RelinkBatch{Grouping: graph.Grouping{Events: []graph.ActorEvent{e}}})
	e.Time = clock.now().UTC().Truncate(time.Microsecond)
	e.Members, e.More = many[:graph.MaxEventMembers], 7
	s.view(func(sn graph.Snapshot) {
		var places []graph.EventPlace
		for _, founder := range []evidence.Ref{e.From, e.To} {
			got := collect(t, sn.ActorEvents(founder, ""), everything)
			if len(got) != 1 {
				t.Fatalf("events %v", got)
			}
			places = append(places, got[0].Place)
			got[0].Place = ""
			same(t, "events", got, []graph.ActorEvent{e})
		}
		if places[0] != places[1] || places[0] == "" {
			t.Errorf("one event has the places %x", places)
		}
	})
}

// testHistoryIsBounded keeps more events than a history holds: the newest stay, in
// order, and how many went is said.
func testHistoryIsBounded(t *testing.T, open Opener) {
	s := newStore(t, open, Config{})
	founder, other := ref("a", "1"), ref("b", "1")
	const more, together = 300, 100
	for i := 0; i < graph.MaxActorEvents+more; i += together {
		var events []graph.ActorEvent
		for k := range together {
			e := graph.ActorEvent{Change: graph.ActorJoined, To: founder, Members: []evidence.Ref{ref("a", fmt.Sprint(i+k))}}
			if k == 0 {
				e.From = other
			}
			events = append(events, e)
		}
		s.relink(graph.RelinkBatch{Grouping: graph.Grouping{Events: events}})
	}
	s.view(func(sn graph.Snapshot) {
		all := collect(t, sn.ActorEvents(founder, ""), everything)
		dropped := must[uint64](t)(sn.ActorEventsDropped(founder))
		if n := len(all); n < graph.MaxActorEvents || n > graph.MaxActorEvents+together || uint64(n)+dropped != graph.MaxActorEvents+more {
			t.Fatalf("%d events are kept, %d were dropped", n, dropped)
		}
		for i, e := range all {
			if want := fmt.Sprint(graph.MaxActorEvents + more - 1 - i); e.Members[0].Case != want {
				t.Fatalf("event %d is about case %s, want %s", i, e.Members[0].Case, want)
			}
		}
		at := all[len(all)/2].Place
		same(t, "events up to a place", collect(t, sn.ActorEvents(founder, at), everything), all[len(all)/2:])
		if n := len(collect(t, sn.ActorEvents(other, ""), everything)); n != (graph.MaxActorEvents+more)/together {
			t.Errorf("%d events of another", n)
		}
		if n := must[uint64](t)(sn.ActorEventsDropped(other)); n != 0 {
			t.Errorf("%d events of another were dropped", n)
		}
	})
}

// testRegrouping holds that the look at every case goes on where it was.
func testRegrouping(t *testing.T, open Opener) {
	s := newStore(t, open, Config{})
	if at := must[graph.Regrouping](t)(s.Regrouping(t.Context())); at.Pending {
		t.Fatalf("asked for from the beginning: %v", at)
	}
	if err := s.StartRegrouping(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, at := range []graph.Regrouping{
		{Pending: true}, {Pending: true, After: ref("a", "1")}, {Pending: true, Reviews: true}, {Pending: true, Reviews: true, After: ref("a", "1"), Other: ref("b", "1")}, {Pending: true, Actors: true, After: ref("b", "1")}, {},
	} {
		s.relink(graph.RelinkBatch{Grouping: graph.Grouping{Regrouping: &at}})
		same(t, "progress", must[graph.Regrouping](t)(s.Regrouping(t.Context())), at)
	}
}
