package eval_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/eval"
	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/eval/measure"
	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/eval/set"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// parsed reads cases from their lines.
func parsed(t *testing.T, lines ...string) *set.Set {
	t.Helper()
	s, err := set.Read(strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// values is the line of a case with domains.
func values(id, label string, domains ...string) string {
	var b strings.Builder
	for i, d := range domains {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, `{"type":"domain","value":%q}`, d)
	}
	return fmt.Sprintf(`{"case_id":%q,"label":%q,"date":"2025-01-02","indicators":[%s]}`, id, label, b.String())
}

// reports makes cases of actors that use some of their domains again.
func reports(t *testing.T, actors int) *set.Set {
	t.Helper()
	random := rand.New(rand.NewPCG(3, 3))
	var lines []string
	for a := range actors {
		for c := range 1 + random.IntN(4) {
			own := []string{fmt.Sprintf("only-%d-%d.com", a, c)}
			for k := range 6 {
				if random.IntN(3) == 0 {
					own = append(own, fmt.Sprintf("actor-%d-%d.com", a, k))
				}
			}
			if random.IntN(3) == 0 {
				own = append(own, fmt.Sprintf("stray-%d.com", random.IntN(9)))
			}
			lines = append(lines, values(fmt.Sprintf("c%d-%d", a, c), fmt.Sprintf("actor %d", a), own...))
		}
	}
	return parsed(t, lines...)
}

func lists(t *testing.T) *server.Lists {
	t.Helper()
	l, err := server.OpenLists(server.Enrichment{})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// known says that one value is on a list.
type known struct{ text string }

func (k known) Class(v evidence.Value) link.Class {
	if v.Text == k.text {
		return link.Class{Name: link.ClassTopDomain, Reasons: []string{"listed"}}
	}
	return link.Class{Name: link.ClassUnknown}
}

func (known) Version() string { return "one" }

// TestBaselines checks every baseline against numbers worked out by hand: four
// cases; a.com is in two of them, b.com in three, and b.com is listed.
func TestBaselines(t *testing.T) {
	s := parsed(t,
		values("0", "x", "a-name.com", "b-name.com"), values("1", "x", "a-name.com", "b-name.com"),
		values("2", "y", "b-name.com", "c-name.com"), values("3", "y", "d-name.com"))
	got, err := eval.BaselinePairs(s, known{"b-name.com"})
	if err != nil {
		t.Fatal(err)
	}
	two, three := math.Log(4./2), math.Log(4./3)
	one := math.Log(4)
	pairs := func(scores ...float64) []measure.Pair {
		var out []measure.Pair
		for i, c := range []measure.Couple{{I: 0, J: 1}, {I: 0, J: 2}, {I: 1, J: 2}} {
			if scores[i] > 0 {
				out = append(out, measure.Pair{I: c.I, J: c.J, Score: scores[i], P: math.NaN()})
			}
		}
		return out
	}
	// The squares of the lengths of the first two cases, and of the third.
	first, third := two*two+three*three, three*three+one*one
	cosine := three * three / math.Sqrt(first*third)
	want := map[string][]measure.Pair{
		eval.AnyValue:    pairs(1, 1, 1),
		eval.AnyUnlisted: pairs(1, 0, 0),
		eval.RareValues:  pairs(2, 1, 1),
		eval.IDFCosine:   pairs(1, cosine, cosine),
		eval.IDFSum:      pairs(two+three, three, three),
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateNaNs(), cmpopts.EquateApprox(0, 1e-12)); diff != "" {
		t.Error(diff)
	}
}

// TestRareValues leaves out a value that is in six cases.
func TestRareValues(t *testing.T) {
	var lines []string
	for i := range 6 {
		lines = append(lines, values(fmt.Sprint(i), "x", "six-name.com", fmt.Sprintf("five-name-%d.com", i/5)))
	}
	got, err := eval.BaselinePairs(parsed(t, lines...), known{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(got[eval.RareValues]); n != 10 {
		t.Errorf("%d pairs share a rare value, want the 10 of five cases", n)
	}
}

// TestSharing compares the pairs that share a value with those that a search of
// all pairs finds, and leaves out those of one tenant.
func TestSharing(t *testing.T) {
	s := reports(t, 15)
	s.Cases[1].Tenant = s.Cases[0].Tenant
	got, err := eval.Sharing(s)
	if err != nil {
		t.Fatal(err)
	}
	var want []measure.Couple
	for i, a := range s.Cases {
		for j := i + 1; j < len(s.Cases); j++ {
			shares := slices.ContainsFunc(a.Profile().Sightings, func(x evidence.Sighting) bool {
				return slices.ContainsFunc(s.Cases[j].Profile().Sightings, func(y evidence.Sighting) bool { return x.Value == y.Value })
			})
			if shares && a.Tenant != s.Cases[j].Tenant {
				want = append(want, measure.Couple{I: int32(i), J: int32(j)})
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestComponents(t *testing.T) {
	got := eval.Components(7, []measure.Pair{{I: 2, J: 5}, {I: 1, J: 2}, {I: 4, J: 6}})
	if diff := cmp.Diff([]int32{0, 1, 1, 3, 4, 1, 4}, got); diff != "" {
		t.Error(diff)
	}
}

// config is a run with everything in it.
func config(t *testing.T) eval.Config {
	return eval.Config{
		Set: reports(t, 60), Stress: set.StressPool, Seed: 2, Resamples: 20, Model: link.Newest(), Lists: lists(t),
		Ablate: true, Reviews: 120,
	}
}

func run(t *testing.T, c eval.Config) *eval.Report {
	t.Helper()
	r, err := eval.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestRun runs everything and looks at what has to hold between the parts.
func TestRun(t *testing.T) {
	c := config(t)
	told := 0
	c.Progress = func(string) { told++ }
	r := run(t, c)
	if told == 0 {
		t.Error("nobody was told of progress")
	}
	if len(r.Sets) != 2 || r.Sets[0].Name != eval.Clean || r.Sets[1].Name != set.StressPool {
		t.Fatalf("sets %v", r.Sets)
	}
	clean, noisy := &r.Sets[0], &r.Sets[1]
	if clean.Cases.Same != noisy.Cases.Same || clean.Cases.Sharing >= noisy.Cases.Sharing {
		t.Errorf("%v under stress %v", clean.Cases, noisy.Cases)
	}
	for i, b := range clean.Baselines {
		if b.Threshold != noisy.Baselines[i].Threshold {
			t.Errorf("%s has another threshold under stress", b.Method)
		}
	}
	if any := clean.Baselines[0]; any.Method != eval.AnyValue || any.TP+any.FP != clean.Cases.Sharing || any.Recall.Value != 1 {
		t.Errorf("any shared value claims %d of %d pairs", any.TP+any.FP, clean.Cases.Sharing)
	}
	for i := range r.Sets {
		s := &r.Sets[i]
		claimed := 0
		for _, tier := range s.Own.Tiers {
			if n := tier.TP + tier.FP; n < claimed {
				t.Errorf("%s: %s claims less than a surer tier", s.Name, tier.Tier)
			} else {
				claimed = n
			}
			if b := tier.Baseline; b != nil && float64(b.Precision) < float64(tier.Precision.Value) {
				t.Errorf("%s: the baseline beside %s has precision %v", s.Name, tier.Tier, b.Precision)
			}
		}
		if claimed == 0 || claimed > s.Stored+s.Unproposed {
			t.Errorf("%s: %d pairs are possible, %d stored", s.Name, claimed, s.Stored)
		}
		full := r.Ablation[0]
		if full.Without != "" || full.Sets[i].AveragePrecision != s.Own.AveragePrecision.Sharing.Value || full.Sets[i].Probable.TP != s.Own.Tiers[1].TP {
			t.Errorf("%s: the ablation of nothing is %v", s.Name, full.Sets[i])
		}
	}
	if len(r.Ablation) != 1+len(link.Features()) {
		t.Errorf("%d rows of ablation for %d features", len(r.Ablation), len(link.Features()))
	}
	if !slices.ContainsFunc(r.Ablation[1:], func(a eval.AblationRow) bool { return a.Sets[1].Difference != 0 }) {
		t.Error("no part of the score does anything")
	}
	checkReviews(t, r)
}

func checkReviews(t *testing.T, r *eval.Report) {
	t.Helper()
	v := r.Reviews
	if v.Drawn != 120 || len(v.Labels) != 120 || v.Same == 0 || v.Same == v.Drawn || v.Queue == 0 {
		t.Errorf("drew %d pairs, %d same, %d from the queue", v.Drawn, v.Same, v.Queue)
	}
	if len(v.Changes) == 0 || v.Model < link.FirstOwnVersion {
		t.Errorf("model %d with changes %v", v.Model, v.Changes)
	}
	if len(v.Sets) != 2 || len(v.HeldOut.Before) != 2 || len(v.HeldOut.After) != 2 {
		t.Fatal("not every set was measured again")
	}
	if cmp.Equal(v.Sets[1].Own.Tiers, r.Sets[1].Own.Tiers) {
		t.Error("what was learned changes nothing")
	}
	for i, held := range v.HeldOut.After {
		whole := v.Sets[i]
		if held.Cases.Labels != v.HeldOut.Labels || held.Cases.Labels >= whole.Cases.Labels || held.Cases.Same >= whole.Cases.Same {
			t.Errorf("held out are %v of %v", held.Cases, whole.Cases)
		}
		if diff := cmp.Diff(held.Baselines, v.HeldOut.Before[i].Baselines, cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("the model changes a baseline:\n%s", diff)
		}
	}
	var b bytes.Buffer
	if err := eval.WriteLabels(&b, v.Labels); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	var first struct {
		A, B string
		Same *bool
	}
	if err := json.Unmarshal([]byte(lines[0]), &first); err != nil || len(lines) != 120 || first.Same == nil {
		t.Errorf("%d lines, the first %s: %v", len(lines), lines[0], err)
	}
	for _, ref := range []string{first.A, first.B} {
		if _, err := evidence.ParseRef(ref); err != nil {
			t.Error(err)
		}
	}
}

// TestRunIsRepeatable runs twice, the second time on one core, and compares every
// byte.
func TestRunIsRepeatable(t *testing.T) {
	c := config(t)
	bytesOf := func() []byte {
		b, err := json.Marshal(run(t, c))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	first := bytesOf()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if second := bytesOf(); !bytes.Equal(first, second) {
		t.Errorf("two runs differ:\n%s\n%s", first, second)
	}
}

// TestDisagreement spoils scores and links: a run has to fail where the product
// stores something else than it says.
func TestDisagreement(t *testing.T) {
	c := eval.Config{Set: reports(t, 10), Model: link.Newest(), Lists: lists(t)}
	for _, spoil := range []int{eval.SpoilNothing, eval.SpoilScores, eval.SpoilRows, eval.LoseRows} {
		err := eval.Agree(t.Context(), c, spoil)
		if want := spoil != eval.SpoilNothing; errors.Is(err, eval.ErrDisagree) != want || (err != nil) != want {
			t.Errorf("spoiled in way %d: %v", spoil, err)
		}
	}
}

// TestRunOfNothing measures cases that share nothing.
func TestRunOfNothing(t *testing.T) {
	s := parsed(t, values("0", "x", "a-name.com"), values("1", "x", "b-name.com"), values("2", "y"))
	r := run(t, eval.Config{Set: s, Resamples: 5, Model: link.Newest(), Lists: lists(t)})
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if r.Sets[0].Best != nil || !bytes.Contains(b, []byte(`"threshold":null`)) {
		t.Errorf("nothing is better than %s", b)
	}
	if err := eval.WritePlots(filepath.Join(t.TempDir(), "plots"), r); err != nil {
		t.Error(err)
	}
}

func TestRunStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := eval.Run(ctx, config(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("run without time: %v", err)
	}
}

// TestPlots writes pictures that are XML, the same each time.
func TestPlots(t *testing.T) {
	c := config(t)
	c.Ablate, c.Reviews = false, 0
	r := run(t, c)
	read := func() map[string]string {
		dir := t.TempDir()
		if err := eval.WritePlots(dir, r); err != nil {
			t.Fatal(err)
		}
		out := make(map[string]string)
		for _, name := range []string{"precision-recall.svg", "precision-recall-pool.svg", "reliability.svg"} {
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			out[name] = string(b)
			in := xml.NewDecoder(bytes.NewReader(b))
			for {
				if _, err := in.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
			}
		}
		return out
	}
	first := read()
	if diff := cmp.Diff(first, read()); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(first["precision-recall.svg"], "IDF cosine") {
		t.Error("a baseline is missing")
	}
	if err := eval.WritePlots(filepath.Join(t.TempDir(), "\x00"), r); err == nil {
		t.Error("plots in a folder that cannot be")
	}
}

// TestDraw draws from the queue and from the unlikely, and more of the one where
// the other has too few.
func TestDraw(t *testing.T) {
	var likelihoods []float64
	add := func(n int, p float64) {
		for range n {
			likelihoods = append(likelihoods, p)
		}
	}
	add(30, .01)
	add(20, .5)
	add(10, .99)
	for _, c := range []struct{ n, unlikely, unsure, sure int }{
		{10, 5, 5, 0}, {50, 25, 20, 5}, {58, 29, 20, 9}, {59, 29, 20, 10}, {1000, 30, 20, 10},
	} {
		pairs, queue, weights := eval.Draw(likelihoods, c.n, 1)
		got := make(map[float64]int)
		stand := make(map[float64]float64)
		seen := make(map[int]bool)
		for k, i := range pairs {
			if seen[i] {
				t.Errorf("pair %d twice", i)
			}
			seen[i] = true
			got[likelihoods[i]]++
			stand[likelihoods[i]] += weights[k]
			if (k < queue) != (likelihoods[i] >= .05) {
				t.Errorf("pair %d of %d in the queue has %v", k, queue, likelihoods[i])
			}
		}
		if got[.01] != c.unlikely || got[.5] != c.unsure || got[.99] != c.sure {
			t.Errorf("of %d: %v, want %v", c.n, got, c)
		}
		if math.Abs(stand[.01]-30) > 1e-9 || math.Abs(stand[.5]-20) > 1e-9 {
			t.Errorf("of %d: the pairs stand for %v", c.n, stand)
		}
	}
}
