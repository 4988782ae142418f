package export

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/link"
	"github.com/elsewhere-project/elsewhere/server/linker"
)

// choose returns the cases of the selection, and whether each of them was asked
// for by name, so that one that may not leave is an error.
func (w *work) choose(ctx context.Context, snap graph.Snapshot) (refs []evidence.Ref, strict bool, err error) {
	s := &w.selection
	w.bundle.Scope = w.scope()
	switch {
	case s.All:
		refs, err = w.chooseAll(ctx, snap)
		return refs, false, err
	case s.Actor != "":
		return w.chooseActor(snap)
	case s.Link != [2]evidence.Ref{}:
		return s.Link[:], true, nil
	case len(s.Values) > 0:
		refs, err = w.chooseValues(ctx, snap)
		return refs, false, err
	}
	c, err := w.read(snap, s.Case)
	if err == nil {
		err = w.label(ctx, &c.Case)
	}
	if err != nil || s.MinTier == 0 {
		return []evidence.Ref{s.Case}, true, err
	}
	refs, err = w.linked(ctx, snap)
	return append(refs, s.Case), false, err
}

// scope is what identifiers are derived from. It follows from the selection alone, so
// that it is known also of what is there no more.
func (w *work) scope() string {
	s := &w.selection
	switch {
	case s.All:
		return "all " + w.bundle.TLP
	case s.Actor != "" && s.Standing:
		// Under another label it is another offer, of which more or less is told.
		return "actor:" + s.Actor + " " + w.bundle.TLP
	case s.Actor != "":
		return "actor:" + s.Actor
	case s.Link != [2]evidence.Ref{}:
		return "link:" + w.pseudonymous(s.Link[:])
	case len(s.Values) > 0:
		var name []byte
		for _, v := range s.distinct() {
			name = appendText(appendText(name, string(v.Kind)), v.Text)
		}
		return "observables:" + NewUUID(Namespace(), string(name)).String()
	}
	return "case:" + w.pseudonymous([]evidence.Ref{s.Case})
}

// distinct are the values of a selection, sorted, each once.
func (s *Selection) distinct() []evidence.Value {
	values := slices.Clone(s.Values)
	slices.SortFunc(values, evidence.Value.Compare)
	return slices.Compact(values)
}

// pseudonymous are the pseudonyms of cases, in order.
func (w *work) pseudonymous(refs []evidence.Ref) string {
	names := make([]string, len(refs))
	for i, ref := range refs {
		names[i] = w.Keys.Pseudonym(w.selection.Receiver, ref)
	}
	slices.Sort(names)
	return fmt.Sprint(names)
}

func (w *work) chooseActor(snap graph.Snapshot) ([]evidence.Ref, bool, error) {
	if !w.viewer.SeesLinks() {
		return nil, false, graph.ErrNotFound
	}
	actor, refs, err := w.Actors.Members(w.viewer, snap, w.selection.Actor)
	if err != nil {
		return nil, false, err
	}
	actor.Name = "ELS-" + slug(w.Producer) + "-" + actor.ID
	// Asked for by another id it is the same actor.
	w.selection.Actor = actor.ID
	w.bundle.Actor, w.bundle.Scope = &actor, w.scope()
	return refs, false, nil
}

// linked returns the cases that are linked to the one of the selection.
func (w *work) linked(ctx context.Context, snap graph.Snapshot) ([]evidence.Ref, error) {
	ref := w.selection.Case
	profile, err := snap.Profile(ref)
	if err != nil {
		return nil, err
	}
	scorer, err := w.rules.Scorer(snap)
	if err != nil {
		return nil, err
	}
	var refs []evidence.Ref
	visible := func(other evidence.Ref) bool { return w.viewer.Links(ref, other) }
	for o, err := range scorer.Candidates(profile, false, w.selection.MinTier, visible) {
		if err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if refs = append(refs, o.A, o.B); len(refs) > 2*maxCases {
			return nil, ErrTooManyCases
		}
	}
	return refs, nil
}

// chooseValues returns the cases in which values were seen.
func (w *work) chooseValues(ctx context.Context, snap graph.Snapshot) ([]evidence.Ref, error) {
	values := w.selection.distinct()
	w.only, w.asked = make(map[evidence.Value]bool, len(values)), make(map[string]bool, len(values))
	found := make(map[evidence.Ref]bool)
	for _, v := range values {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if visibility, known := evidence.KindVisibility(v.Kind); !known || visibility == evidence.Private {
			w.bundle.Counts.Denied["private kinds"]++
			continue
		}
		w.only[v] = true
		w.asked[v.Text] = true
		for sighting, err := range w.viewer.Sightings(snap, v, nil) {
			if err != nil {
				return nil, err
			}
			if found[sighting.Ref] = true; len(found) > maxCases {
				return nil, ErrTooManyCases
			}
		}
	}
	refs := make([]evidence.Ref, 0, len(found))
	for ref := range found {
		refs = append(refs, ref)
	}
	return refs, nil
}

// relate says how likely the cases of the bundle are of one actor.
func (w *work) relate(snap graph.Snapshot) error {
	if len(w.cases) < 2 || len(w.cases) > maxRelated || w.only != nil || w.selection.All {
		return nil
	}
	scorer, err := w.rules.Scorer(snap)
	if err != nil {
		return err
	}
	profiles := make([]*evidence.Profile, len(w.cases))
	for i, c := range w.cases {
		if profiles[i], err = snap.Profile(c.ref); err != nil {
			return err
		}
	}
	for i := range w.cases {
		for k := i + 1; k < len(w.cases); k++ {
			if !w.viewer.Links(w.cases[i].ref, w.cases[k].ref) {
				continue
			}
			o, err := scorer.Score(profiles[i], profiles[k])
			switch {
			case errors.Is(err, link.ErrSameCase):
				continue
			case err != nil:
				return err
			}
			w.addRelation(i, k, o)
		}
	}
	if w.selection.Link != [2]evidence.Ref{} && len(w.bundle.Links) == 0 {
		return ErrWeakLink
	}
	slices.SortFunc(w.bundle.Links, func(x, y Relation) int {
		if c := compareText(x.A, y.A); c != 0 {
			return c
		}
		return compareText(x.B, y.B)
	})
	return nil
}

func (w *work) addRelation(i, k int, o link.Outcome) {
	least := max(w.selection.MinTier, link.Possible)
	if o.Tier < least {
		return
	}
	score := linker.ScoreOf(o)
	r := Relation{
		A: w.cases[i].pseudonym, B: w.cases[k].pseudonym, Likelihood: float64(score.Micros) / 1e6,
		Tier: tierNames[link.Tier(score.Tier)], Model: score.ModelVersion,
	}
	if r.A > r.B {
		r.A, r.B = r.B, r.A
	}
	w.bundle.Links = append(w.bundle.Links, r)
}

var tierNames = map[link.Tier]string{
	link.Possible: "possible", link.Probable: "probable", link.Strong: "strong", link.Confirmed: "confirmed",
}

// slug writes a name for use within an identifier.
func slug(name string) string {
	out := make([]byte, 0, len(name))
	for i := range len(name) {
		c := name[i]
		switch {
		case 'A' <= c && c <= 'Z':
			out = append(out, c+'a'-'A')
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			out = append(out, c)
		case len(out) > 0 && out[len(out)-1] != '-':
			out = append(out, '-')
		}
	}
	return string(out[:min(len(out), 40)])
}
