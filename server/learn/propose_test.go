package learn_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/learn"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// world is judged pairs and what each has in common: rows of constants, one value
// each in a group of its own, with d unexplained tenants.
type world struct {
	judged []learn.Judged
	shared map[[2]evidence.Ref][]common
	// both are the rows of which the cases of a pair both have values.
	both map[[2]evidence.Ref][]link.InBoth

	model  *link.Model // of values
	values map[string]float64
}

type common struct {
	row string
	d   uint32
}

func ref(name string) evidence.Ref {
	tenant, id, _ := strings.Cut(name, "/")
	return evidence.Ref{Tenant: tenant, Case: id}
}

// add adds a pair of cases that are in no other.
func (w *world) add(same bool, shared ...common) {
	n := len(w.judged)
	w.pair(fmt.Sprintf("a%03d/1", n), fmt.Sprintf("b%03d/1", n), same, shared...)
}

func (w *world) pair(a, b string, same bool, shared ...common) {
	if w.shared == nil {
		w.shared = make(map[[2]evidence.Ref][]common)
	}
	j := learn.Judged{A: ref(a), B: ref(b), Same: same}
	w.judged = append(w.judged, j)
	w.shared[[2]evidence.Ref{j.A, j.B}] = shared
}

func value(m *link.Model, name string) float64 {
	p, _ := m.Parameter(name)
	return p.Value
}

var errNoSuchCase = errors.New("no such case")

// explain weighs as SCORING.md A1 and A2 do, for 1,024 cases.
func (w *world) explain(m *link.Model, a, b evidence.Ref) (link.Explanation, error) {
	shared, ok := w.shared[[2]evidence.Ref{a, b}]
	if !ok {
		return link.Explanation{}, errNoSuchCase
	}
	if w.model != m {
		w.model, w.values = m, make(map[string]float64)
		for _, p := range m.Parameters() {
			w.values[p.Name] = p.Value
		}
	}
	total := math.Log2(w.values["siblings"] / 1024)
	family := link.FamilyScore{Name: link.Infra}
	for i, c := range shared {
		weight := math.Log2(w.values[c.row+".m"] * 1024 / (float64(c.d) + w.values[c.row+".alpha"]))
		if weight <= 0 {
			continue
		}
		family.Groups = append(family.Groups, link.Group{ID: fmt.Sprint(i), Values: []link.Value{{
			Row: c.row, Unexplained: c.d, Weight: int32(1000 * weight),
		}}})
		total += weight / math.Exp2(float64(i))
	}
	behaviour := link.FamilyScore{Name: link.Behaviour, Groups: []link.Group{{Values: []link.Value{{}}}}}
	e := link.Explanation{A: a, B: b, Families: []link.FamilyScore{family, behaviour}, Total: int32(1000 * total)}
	odds := w.values["calibration.scale"]*total + w.values["calibration.shift"]/1000
	e.Micros = uint32(math.Round(1e6 * w.values["ceiling"] / (1 + math.Exp2(-odds))))
	return e, nil
}

// Explain implements learn.Cases.
func (w *world) Explain(m *link.Model, a, b evidence.Ref) (link.Explanation, error) {
	return w.explain(m, a, b)
}

// InBoth implements learn.Cases.
func (w *world) InBoth(_ *link.Model, a, b evidence.Ref) ([]link.InBoth, error) {
	return w.both[[2]evidence.Ref{a, b}], nil
}

func (w *world) propose(t testing.TB, m *link.Model) *learn.Proposal {
	t.Helper()
	p, err := learn.Propose(t.Context(), m, w.judged, w)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// change returns a proposed value, NaN if there is none.
func change(p *learn.Proposal, name string) float64 {
	for _, c := range p.Changes {
		if c.Name == name {
			return c.Value
		}
	}
	return math.NaN()
}

func reason(p *learn.Proposal, name string) string {
	for _, c := range p.Considered {
		if c.Name == name {
			return c.Reason
		}
	}
	return "not considered"
}

// TestAlpha holds the rule of SCORING.md A8: alpha is m*s/odds(q), q being
// (same+4*q0)/(n+4), from pairs with nothing else in common and with any d.
func TestAlpha(t *testing.T) {
	var w world
	for i := range 30 {
		w.add(i%6 != 0, common{row: "name.other"})
	}
	for i := range 20 {
		w.add(i == 0, common{row: "referenced.unknown", d: uint32(i % 4)})
	}
	for range 10 {
		// Two groups, and two rows, say nothing of one.
		w.add(true, common{row: "name.other"}, common{row: "kind.url"})
		w.add(true, common{row: "kind.url"}, common{row: "kind.url"})
	}
	p := w.propose(t, link.Version1())
	q := (25 + 4*(2./3)) / 34
	if got, want := change(p, "name.other.alpha"), .2*(1-q)/q; math.Abs(got/want-1) > .005 {
		t.Errorf("name.other.alpha is %v, want %v", got, want)
	}
	q = (1 + 4*(1/(1+1.5/.1))) / 24
	if got, want := change(p, "referenced.unknown.alpha"), .1*(1-q)/q; math.Abs(got/want-1) > .005 {
		t.Errorf("referenced.unknown.alpha is %v, want %v", got, want)
	}
	for _, c := range p.Changes {
		if strings.HasSuffix(c.Name, ".alpha") && c.Origin != "learned from 30 reviews" && c.Origin != "learned from 20 reviews" {
			t.Errorf("%+v", c)
		}
		if strings.HasPrefix(c.Name, "kind.url") || strings.HasPrefix(c.Name, "address.") {
			t.Errorf("%+v", c)
		}
	}
	if p.Reviews != 70 || p.Same != 46 || p.Folds != 5 || !(p.After < p.Before) {
		t.Errorf("%+v", p)
	}
	if _, err := link.Version1().With(1000, p.Changes); err != nil {
		t.Error(err)
	}
}

// TestWeightsCountWithinARow holds that pairs that stand for many do not make many
// reviews of few.
func TestWeightsCountWithinARow(t *testing.T) {
	var w world
	for i := range 40 {
		w.add(i%2 == 0, common{row: "name.other"})
		if i%2 == 1 {
			w.judged[i].Weight = 9
		} else {
			w.judged[i].Weight = 1
		}
	}
	q := (40*.1 + 4*(2./3)) / 44
	if got, want := change(w.propose(t, link.Version1()), "name.other.alpha"), .2*(1-q)/q; math.Abs(got/want-1) > .005 {
		t.Errorf("name.other.alpha is %v, want %v", got, want)
	}
}

func TestAlphaIsBounded(t *testing.T) {
	var w world
	for range 2000 {
		w.add(true, common{row: "name.other"})
		w.add(false, common{row: "referenced.unknown"})
	}
	p := w.propose(t, link.Version1())
	if a, b := change(p, "name.other.alpha"), change(p, "referenced.unknown.alpha"); a != .005 || b != 500 {
		t.Errorf("%v and %v", a, b)
	}
}

// TestTwice holds that pairs which a model was learned from count once, also when
// they are given again.
func TestTwice(t *testing.T) {
	var w world
	for i := range 60 {
		w.add(i%10 != 0, common{row: "name.other"})
		w.add(i%30 == 0, common{row: "referenced.unknown", d: 1})
	}
	p := w.propose(t, link.Version1())
	m, err := link.Version1().With(1000, p.Changes)
	if err != nil || len(p.Changes) == 0 {
		t.Fatal(err, p.Changes)
	}
	for _, c := range w.propose(t, m).Changes {
		if strings.HasSuffix(c.Name, ".alpha") {
			t.Errorf("once more: %+v after %v", c, change(p, c.Name))
		}
	}
}

func TestReportsSayNothingOfSignIns(t *testing.T) {
	var w world
	for i := range 40 {
		w.pair(fmt.Sprintf("alder/%d", i), fmt.Sprintf("reports-acme/%d", i), true, common{row: "address.hosting"})
		w.pair(fmt.Sprintf("birch/%d", i), fmt.Sprintf("reports-acme/x%d", i), i%4 != 0, common{row: "referenced.hosting"})
	}
	p := w.propose(t, link.Version1())
	if got := reason(p, "address.hosting.alpha"); !strings.Contains(got, "published reports") || !math.IsNaN(change(p, "address.hosting.alpha")) {
		t.Errorf("%q, %v", got, p.Changes)
	}
	if math.IsNaN(change(p, "referenced.hosting.alpha")) {
		t.Errorf("%+v", p.Considered)
	}
}

// TestOneSided holds that links which are nearly all right teach nothing about where
// right ones end.
func TestOneSided(t *testing.T) {
	var w world
	for i := range 100 {
		w.add(i > 2, common{row: "name.other"})
	}
	p := w.propose(t, link.Version1())
	for _, name := range []string{"calibration.scale", "calibration.shift", "calibration.reviews"} {
		if got := change(p, name); !math.IsNaN(got) {
			t.Errorf("%s is %v", name, got)
		}
	}
	if !strings.Contains(reason(p, "calibration.scale"), "too few") {
		t.Errorf("%+v", p.Considered)
	}
}

// TestCalibration learns a scale and shift where the scores are right in their order
// and wrong in their size.
func TestCalibration(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var w world
	m := link.Version1()
	for range 600 {
		w.add(false, common{"kind.email", uint32(r.IntN(40))}, common{"kind.url", uint32(r.IntN(40))}, common{"kind.ja4", uint32(r.IntN(4))})
	}
	for i := range w.judged {
		j := &w.judged[i]
		e, err := w.explain(m, j.A, j.B)
		if err != nil {
			t.Fatal(err)
		}
		j.Same = r.Float64() < 1/(1+math.Exp2(-(1.5*float64(e.Total)/1000+3)))
	}
	p := w.propose(t, m)
	scale, shift := change(p, "calibration.scale"), change(p, "calibration.shift")
	// Held back towards 1 and 0, since 600 pairs are not many.
	if scale < 1.05 || scale > 1.7 || shift < 1000 || shift > 3500 || change(p, "calibration.reviews") != 600 || !(p.After < p.Before) {
		t.Errorf("scale %v, shift %v, %+v", scale, shift, p)
	}
}

func TestTooFew(t *testing.T) {
	var w world
	for range learn.MinReviews - 1 {
		w.add(true, common{row: "name.other"})
	}
	p := w.propose(t, link.Version1())
	if len(p.Changes) != 0 || p.Folds != 0 || !math.IsNaN(p.Before) || !strings.Contains(reason(p, "everything"), "too few") {
		t.Errorf("%+v", p)
	}
	if p, err := learn.Propose(t.Context(), link.Version1(), nil, &w); err != nil || len(p.Changes) != 0 {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestHangTogether holds that nothing is believed that could not be held out.
func TestHangTogether(t *testing.T) {
	var w world
	for i := range 40 {
		w.pair("hub/1", fmt.Sprintf("t%d/1", i), true, common{row: "name.other"})
	}
	p := w.propose(t, link.Version1())
	if len(p.Changes) != 0 || p.Folds != 1 || !strings.Contains(reason(p, "name.other.alpha"), "hang together") {
		t.Errorf("%+v", p)
	}
}

// TestNoGain holds that what does not judge held-out pairs better is refused.
func TestNoGain(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var w world
	for i := range 90 {
		// As the model has it: two of three.
		w.add(i%3 != 0, common{row: "name.other"})
	}
	r.Shuffle(len(w.judged), func(i, j int) { w.judged[i], w.judged[j] = w.judged[j], w.judged[i] })
	p := w.propose(t, link.Version1())
	if a := change(p, "name.other.alpha"); !math.IsNaN(a) && math.Abs(a-.1) > .02 {
		t.Errorf("name.other.alpha is %v", a)
	}
}

func TestErrorsNameThePair(t *testing.T) {
	var w world
	for range 30 {
		w.add(true, common{row: "name.other"})
	}
	j := w.judged[3]
	var contradiction *learn.ContradictionError
	_, err := learn.Propose(t.Context(), link.Version1(), append(slices.Clone(w.judged), learn.Judged{A: j.B, B: j.A}), &w)
	if !errors.As(err, &contradiction) || contradiction.A != j.A || contradiction.B != j.B || !strings.Contains(err.Error(), "a003/1") {
		t.Errorf("contradiction: %v", err)
	}
	for _, bad := range []learn.Judged{
		{A: ref("no/1"), B: ref("such/1")},
		{A: j.A, B: j.A},
		{A: ref("x/1"), B: ref("y/1"), Weight: -1},
		{A: ref("x/1"), B: ref("y/1"), Weight: math.NaN()},
		{A: ref("x/1"), B: ref("y/1"), Weight: math.Inf(1)},
	} {
		_, err := learn.Propose(t.Context(), link.Version1(), append(slices.Clone(w.judged), bad), &w)
		pair, ok := errors.AsType[*learn.PairError](err)
		if !ok || !strings.Contains(err.Error(), bad.A.String()) {
			t.Errorf("%+v: %v", bad, err)
		} else if bad.A == ref("no/1") && !errors.Is(err, errNoSuchCase) || pair.A != bad.A {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := learn.Propose(ctx, link.Version1(), w.judged, &w); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestOrderSaysNothing holds that order, direction and repetition of the pairs do not
// change a proposal in any bit, and that what is proposed can be applied.
func TestOrderSaysNothing(t *testing.T) {
	rows := []string{"name.other", "referenced.unknown", "kind.url", "address.vpn"}
	rapid.Check(t, func(t *rapid.T) {
		var w world
		n := rapid.IntRange(0, 80).Draw(t, "pairs")
		cases := rapid.IntRange(2, 200).Draw(t, "cases")
		seen := make(map[[2]int]bool)
		for range n {
			a, b := rapid.IntRange(0, cases-1).Draw(t, "a"), rapid.IntRange(0, cases-1).Draw(t, "b")
			if a >= b || seen[[2]int{a, b}] {
				continue
			}
			seen[[2]int{a, b}] = true
			var shared []common
			for range rapid.IntRange(0, 2).Draw(t, "shared") {
				shared = append(shared, common{rapid.SampledFrom(rows).Draw(t, "row"), rapid.Uint32Range(0, 9).Draw(t, "d")})
			}
			w.pair(fmt.Sprintf("t%03d/1", a), fmt.Sprintf("t%03d/1", b), rapid.Bool().Draw(t, "same"), shared...)
			w.judged[len(w.judged)-1].Weight = rapid.Float64Range(.1, 50).Draw(t, "weight")
		}
		want, err := learn.Propose(t.Context(), link.Version1(), w.judged, &w)
		if err != nil {
			t.Fatal(err)
		}
		other := rapid.Permutation(w.judged).Draw(t, "order")
		for i := range other {
			if rapid.Bool().Draw(t, "turned") {
				other[i].A, other[i].B = other[i].B, other[i].A
			}
			if rapid.Bool().Draw(t, "repeated") {
				other = append(other, other[i])
			}
		}
		got, err := learn.Propose(t.Context(), link.Version1(), other, &w)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
			t.Fatal(diff)
		}
		m, err := link.Version1().With(1000, got.Changes)
		if err != nil {
			t.Fatal(err)
		}
		if s, b := value(m, "calibration.scale"), value(m, "calibration.shift"); s < .5 || math.Abs(b) > 4000 {
			t.Fatalf("scale %v, shift %v", s, b)
		}
		if got.After > got.Before {
			t.Fatalf("log-loss %v, %v before", got.After, got.Before)
		}
	})
}

// TestLuckyFind holds that one like pair among unlikely ones, each of which stands
// for very many, does not raise what all the others are likely to be.
func TestLuckyFind(t *testing.T) {
	learned := func(lucky bool) *link.Model {
		var w world
		for i := range 100 {
			w.add(i%2 == 0, common{"kind.email", uint32(i % 9)}, common{"kind.url", uint32(i % 5)})
			w.add(lucky && i == 50, common{"kind.ja4", 60}, common{"kind.user_agent", 40})
			w.judged[len(w.judged)-1].Weight = 1500
		}
		m, err := link.Version1().With(1000, w.propose(t, link.Version1()).Changes)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	with, without := learned(true), learned(false)
	for _, name := range []string{"calibration.scale", "calibration.shift"} {
		x, y := value(with, name), value(without, name)
		if limit := map[string]float64{"calibration.scale": .2, "calibration.shift": 500}[name]; math.Abs(x-y) > limit {
			t.Errorf("%s is %v, %v without the lucky find", name, x, y)
		}
	}
}
