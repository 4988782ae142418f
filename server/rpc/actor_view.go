package rpc

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"time"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/actor"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/link"
	"github.com/elsewhere-project/elsewhere/server/linker"
)

// Bounds of what is said of one actor.
const (
	maxMembers       = 1_000 // of an actor by itself
	maxListedMembers = 10    // of one in a list
	maxEvidence      = 20
	maxCandidates    = 20
)

// actorView is as much of an actor as a viewer may know. Whoever reads a part of its
// cases sees an actor made of that part, under the id that follows from it.
type actorView struct {
	viewer  access.Viewer
	snap    graph.Snapshot
	cases   []actor.Case // sorted
	founder evidence.Ref
	// place is where the actor stands in a list.
	place evidence.Ref
	// hidden are the tenants of the other cases.
	hidden map[string]bool
	anchor graph.Anchor
	names  []string // of other anchors, newest first
}

// errNoActor is returned for an actor that is not there as far as the viewer may know.
var errNoActor = errors.New("no such actor")

// viewActor returns what a viewer may know of an actor of these cases, errNoActor if
// that is nothing.
func viewActor(v access.Viewer, snap graph.Snapshot, members []evidence.Ref) (*actorView, error) {
	w := &actorView{viewer: v, snap: snap, hidden: make(map[string]bool)}
	var anchors []graph.Anchor
	for _, m := range members {
		if !v.Reads(m.Tenant) {
			w.hidden[m.Tenant] = true
			continue
		}
		h, err := snap.Header(m)
		if errors.Is(err, graph.ErrNotFound) || err == nil && !h.Live() {
			// The linker has not heard of it yet.
			continue
		}
		if err != nil {
			return nil, err
		}
		w.cases = append(w.cases, actor.Case{Ref: m, Opened: h.OpenedAt})
		a, err := snap.AnchorOf(m)
		if err != nil {
			return nil, err
		}
		if !a.Time.IsZero() {
			anchors = append(anchors, a)
		}
	}
	if len(w.cases) == 0 || len(w.cases)+len(w.hidden) < 2 {
		return nil, errNoActor
	}
	w.founder = actor.FounderOf(w.cases)
	slices.SortFunc(anchors, func(x, y graph.Anchor) int {
		return cmp.Or(y.Time.Compare(x.Time), x.Compare(y.Ref))
	})
	for i, a := range anchors {
		if i == 0 {
			w.anchor = a
			continue
		}
		if a.Name != "" && a.Name != w.anchor.Name {
			w.names = append(w.names, a.Name)
		}
	}
	return w, nil
}

// actorViews yields what a viewer may know of actors after a place, in order of place:
// at most limit of them for who reads a part of the tenants. For him an actor stands
// where the founder stands that he may know, for the order of others would tell of
// theirs; which costs a look at all of them.
func actorViews(ctx context.Context, v access.Viewer, snap graph.Snapshot, after evidence.Ref, limit int) iter.Seq2[*actorView, error] {
	return func(yield func(*actorView, error) bool) {
		from := after
		if !v.ReadsAll() {
			from = evidence.Ref{}
		}
		var first []*actorView
		trim := func() {
			slices.SortFunc(first, func(x, y *actorView) int { return x.place.Compare(y.place) })
			first = first[:min(len(first), limit)]
		}
		for a, err := range snap.ActorsAfter(from) {
			if err == nil {
				err = ctx.Err()
			}
			var w *actorView
			if err == nil {
				w, err = viewActor(v, snap, a.Members)
			}
			if errors.Is(err, errNoActor) {
				continue
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if v.ReadsAll() {
				w.place = a.Founder
				if !yield(w, nil) {
					return
				}
				continue
			}
			if w.place = w.founder; w.place.Compare(after) <= 0 {
				continue
			}
			if first = append(first, w); len(first) >= 8*limit {
				trim()
			}
		}
		trim()
		for _, w := range first {
			if !yield(w, nil) {
				return
			}
		}
	}
}

func (w *actorView) refs() []evidence.Ref {
	refs := make([]evidence.Ref, len(w.cases))
	for i := range w.cases {
		refs[i] = w.cases[i].Ref
	}
	return refs
}

// brief writes what a list says of an actor.
func (s *Service) brief(w *actorView, most int) (*elsewherev1.Actor, []actor.Member, error) {
	members := make([]actor.Member, 0, len(w.cases))
	for i := range w.cases {
		p, err := w.snap.Outline(w.cases[i].Ref)
		if err != nil {
			return nil, nil, err
		}
		members = append(members, actor.Member{
			Ref: p.Ref, Active: actor.SpanOf(p.First, p.Last), Techniques: p.Techniques,
		})
	}
	sum := actor.Summarize(members)
	b := elsewherev1.Actor_builder{
		Id: s.key.ActorID(w.founder), Name: w.anchor.Name, Note: w.anchor.Note, NamedBy: w.anchor.Author,
		Aliases: append(slices.Clone(w.anchor.Aliases), w.names...), NamedAt: toTimestamp(w.anchor.Time),
		Cases: uint32(len(w.cases)), Tenants: nameCounts(sum.Tenants), Techniques: nameCounts(sum.Techniques),
		OtherTenants: wireCounts(w.viewer.Others(slices.Collect(maps.Keys(w.hidden)))),
	}
	if !w.anchor.Time.IsZero() {
		b.Anchor = w.anchor.Ref.String()
	}
	if sum.Active.Known {
		b.FirstSeen, b.LastSeen = toTimestamp(dayTime(sum.Active.First)), toTimestamp(dayTime(sum.Active.Last))
	}
	for _, ref := range w.refs()[:min(most, len(w.cases))] {
		b.Members = append(b.Members, ref.String())
	}
	return b.Build(), members, nil
}

func dayTime(day int32) time.Time { return time.Unix(int64(day)*24*60*60, 0).UTC() }

func nameCounts(counts []actor.Count) []*elsewherev1.NameCount {
	out := make([]*elsewherev1.NameCount, len(counts))
	for i, c := range counts {
		out[i] = elsewherev1.NameCount_builder{Name: c.Name, Cases: uint32(c.Cases)}.Build()
	}
	return out
}

// whole writes all that is said of an actor.
func (s *Service) whole(ctx context.Context, w *actorView) (*elsewherev1.Actor, error) {
	a, _, err := s.brief(w, maxMembers)
	if err != nil {
		return nil, err
	}
	common, err := s.commonValues(w)
	if err != nil {
		return nil, err
	}
	a.SetEvidence(common)
	candidates, err := s.candidates(w)
	if err != nil {
		return nil, err
	}
	a.SetCandidates(candidates)
	conflicts, err := linker.Around(ctx, w.snap, w.refs())
	if err != nil {
		return nil, err
	}
	wired, err := wireConflicts(w.viewer, w.snap, conflicts)
	a.SetConflicts(wired)
	return a, err
}

// commonValues returns the values that most of the cases have, without those that say
// nothing because they are everybody's.
func (s *Service) commonValues(w *actorView) ([]*elsewherev1.CommonValue, error) {
	cases := make(map[evidence.Value]uint32)
	for i := range w.cases {
		p, err := w.snap.Profile(w.cases[i].Ref)
		if err != nil {
			return nil, err
		}
		for k := range p.Sightings {
			if v := p.Sightings[k].Value; !v.Kind.Derived() {
				cases[v]++
			}
		}
	}
	maps.DeleteFunc(cases, func(_ evidence.Value, n uint32) bool { return n < 2 })
	values := slices.SortedFunc(maps.Keys(cases), func(x, y evidence.Value) int {
		return cmp.Or(cmp.Compare(cases[y], cases[x]), x.Compare(y))
	})
	classes := s.rules.Now().Classes
	var out []*elsewherev1.CommonValue
	for _, v := range values {
		class := classes.Class(v).Name
		if class == link.ClassM365Service || class == link.ClassService {
			continue
		}
		out = append(out, elsewherev1.CommonValue_builder{Kind: string(v.Kind), Value: v.Text, Class: class, Cases: cases[v]}.Build())
		if len(out) == maxEvidence {
			break
		}
	}
	return out, nil
}

// candidates returns the links that lead out of an actor to what the viewer may read.
func (s *Service) candidates(w *actorView) ([]*elsewherev1.Link, error) {
	in := make(map[evidence.Ref]bool, len(w.cases))
	for i := range w.cases {
		in[w.cases[i].Ref] = true
	}
	var best []graph.Row
	for i := range w.cases {
		for row, err := range w.snap.RowsOfCase(w.cases[i].Ref) {
			if err != nil {
				return nil, err
			}
			if in[row.A] && in[row.B] || !w.viewer.Links(row.A, row.B) || row.Verdict == graph.Refuted ||
				linker.EffectiveTier(row.Score, row.Verdict) < link.Probable {
				continue
			}
			best = append(best, row)
			if len(best) > 8*maxCandidates {
				best = topRows(best)
			}
		}
	}
	var out []*elsewherev1.Link
	for _, row := range topRows(best) {
		l, err := s.link(w.snap, row)
		if errors.Is(err, graph.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

func topRows(rows []graph.Row) []graph.Row {
	slices.SortFunc(rows, func(x, y graph.Row) int {
		return cmp.Or(cmp.Compare(y.Millibits, x.Millibits), x.RowKey.Compare(y.RowKey))
	})
	return rows[:min(len(rows), maxCandidates)]
}

// wireConflicts writes the conflicts of which the viewer may read both pairs.
func wireConflicts(v access.Viewer, snap graph.Snapshot, conflicts []actor.Conflict) ([]*elsewherev1.ReviewConflict, error) {
	var out []*elsewherev1.ReviewConflict
	for _, c := range conflicts {
		if !v.Links(c.SetAside.A, c.SetAside.B) || !v.Links(c.Against.A, c.Against.B) {
			continue
		}
		var sides [2]*elsewherev1.LinkReview
		for i, r := range [...]actor.Review{c.SetAside, c.Against} {
			said, err := snap.Review(graph.Pair(r.A, r.B))
			if err != nil {
				return nil, err
			}
			if said.Verdict == graph.Unreviewed {
				// One that a preview asks about.
				said.Time, said.Verdict = r.At, graph.Refuted
				if r.Same {
					said.Verdict = graph.Confirmed
				}
			}
			sides[i] = wireReview(said)
		}
		out = append(out, elsewherev1.ReviewConflict_builder{SetAside: sides[0], Against: sides[1]}.Build())
	}
	return out, nil
}

func wireReview(r graph.Review) *elsewherev1.LinkReview {
	action := elsewherev1.ReviewAction_REVIEW_ACTION_CLEAR
	switch r.Verdict {
	case graph.Confirmed:
		action = elsewherev1.ReviewAction_REVIEW_ACTION_CONFIRM
	case graph.Refuted:
		action = elsewherev1.ReviewAction_REVIEW_ACTION_REFUTE
	}
	return elsewherev1.LinkReview_builder{
		A: r.A.String(), B: r.B.String(), Action: action, Author: r.Author, Reason: r.Reason, Time: toTimestamp(r.Time),
	}.Build()
}
