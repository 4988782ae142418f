package world_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/world"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/link"
)

func levels() []world.Noise { return []world.Noise{world.Clean, world.Normal, world.Hostile} }

func generate(t testing.TB, c world.Config) *world.World {
	t.Helper()
	w, err := world.Generate(c)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// bytesOf returns everything that a world says.
func bytesOf(t *testing.T, w *world.World) string {
	t.Helper()
	var classes []link.Class
	for _, c := range w.Cases {
		for _, s := range observed(c) {
			classes = append(classes, w.Classes.Class(s.Value))
		}
	}
	b, err := json.Marshal([]any{w.Cases, w.Labels, classes, w.Classes.Version(), w.Describe()})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func observed(c *evidence.Case) []evidence.Observable {
	var out []evidence.Observable
	for _, f := range c.Findings {
		out = append(out, f.Observables...)
	}
	return out
}

func TestSameSeedSameBytes(t *testing.T) {
	for _, n := range levels() {
		c := world.Config{Seed: 7, Cases: 400, Noise: n}
		first := bytesOf(t, generate(t, c))
		if first != bytesOf(t, generate(t, c)) {
			t.Errorf("%s: the same configuration makes two worlds", n)
		}
		c.Seed++
		if first == bytesOf(t, generate(t, c)) {
			t.Errorf("%s: another seed makes the same world", n)
		}
	}
}

func TestEveryLevelIsAWorldOfItsOwn(t *testing.T) {
	seen := map[string]world.Noise{}
	for _, n := range levels() {
		w := generate(t, world.Config{Seed: 7, Cases: 50, Noise: n})
		all := bytesOf(t, w)
		if other, ok := seen[all]; ok {
			t.Errorf("%s and %s are the same world", n, other)
		}
		seen[all] = n
	}
}

// Any shared value is what people go by today. It has to be good in reports and
// useless in raw logs, or the world shows nothing.
func TestAnySharedValueFailsWithNoise(t *testing.T) {
	for seed := range uint64(3) {
		var precision [3]float64
		for i, n := range levels() {
			d := generate(t, world.Config{Seed: seed, Cases: 3000, Noise: n}).Describe()
			precision[i] = d.Precision()
			if d.SharingTrue < 300 {
				t.Errorf("seed %d, %s: only %d true pairs share a value", seed, n, d.SharingTrue)
			}
			if d.SharingTrue > d.TruePairs*9/10 {
				t.Errorf("seed %d, %s: %d of %d true pairs share a value; infrastructure does not drift", seed, n, d.SharingTrue, d.TruePairs)
			}
		}
		if precision[0] < .5 || precision[1] > precision[0]/5 || precision[2] > precision[1]/2 || precision[2] > .15 {
			t.Errorf("seed %d: precision of any shared value: clean %.3f, normal %.3f, hostile %.3f", seed, precision[0], precision[1], precision[2])
		}
	}
}

func TestPopulation(t *testing.T) {
	for _, n := range levels() {
		w := generate(t, world.Config{Seed: 3, Cases: 3000, Noise: n})
		d := w.Describe()
		if share := float64(d.Alone) / 3000; share < .4 || share > .6 {
			t.Errorf("%s: %.2f of the cases are the only one of their actor", n, share)
		}
		if mean := 3000 / float64(d.Tenants); mean < 3 || mean > 5 {
			t.Errorf("%s: %.1f cases a tenant", n, mean)
		}
		tenants, count, pairs, same := map[string]map[string]int{}, map[string]int{}, 0, 0
		for i, c := range w.Cases {
			label := w.Labels[i]
			if tenants[label] == nil {
				tenants[label] = map[string]int{}
			}
			pairs += count[label]
			same += tenants[label][c.Tenant]
			count[label]++
			tenants[label][c.Tenant]++
		}
		if share := float64(same) / float64(pairs); share == 0 || share > .15 {
			t.Errorf("%s: %.2f of an actor's pairs are in one tenant", n, share)
		}
		first, last := w.Cases[0], w.Cases[len(w.Cases)-1]
		if years := last.Findings[0].LastSeen.Sub(first.Findings[0].FirstSeen).Hours() / 24 / 365; years > 3.5 || years < 2 {
			t.Errorf("%s: the world lasts %.1f years", n, years)
		}
	}
}

func TestPhenomena(t *testing.T) {
	normal := generate(t, world.Config{Seed: 1, Cases: 3000, Noise: world.Normal}).Describe()
	hostile := generate(t, world.Config{Seed: 1, Cases: 3000, Noise: world.Hostile}).Describe()
	for p := range world.Phenomena {
		if p != world.BridgingCase && normal.Phenomena[p] == 0 {
			t.Errorf("normal has no case with: %s", p)
		}
		if hostile.Phenomena[p] == 0 {
			t.Errorf("hostile has no case with: %s", p)
		}
		if !strings.Contains(normal.String(), p.String()) {
			t.Errorf("the description leaves out: %s", p)
		}
	}
	for _, p := range []world.Phenomenon{
		world.UnknownVPNExit, world.MicrosoftAddress, world.SharedEgress, world.Typo, world.Undated, world.ServiceRelay,
		world.RerentedAddress, world.PoisonedCase,
	} {
		if hostile.Phenomena[p] <= normal.Phenomena[p] {
			t.Errorf("%s: %d cases in normal, %d in hostile", p, normal.Phenomena[p], hostile.Phenomena[p])
		}
	}
}

// holders are the cases with an address in the role of a login.
func holders(w *world.World) map[string][]int {
	on := map[string][]int{}
	for i, c := range w.Cases {
		seen := map[string]bool{}
		for _, o := range observed(c) {
			if o.Kind == evidence.KindIP && !seen[o.Text] {
				seen[o.Text] = true
				on[o.Text] = append(on[o.Text], i)
			}
		}
	}
	return on
}

// Enrichment says less than the truth, never something else of what an owner
// publishes, and a machine of a cloud comes back months later with another actor.
func TestAddressesMeanWhatTheySay(t *testing.T) {
	w := generate(t, world.Config{Seed: 5, Cases: 3000, Noise: world.Hostile})
	classes, reused, modern := map[string]int{}, 0, 0
	for text, on := range holders(w) {
		a, err := netip.ParseAddr(text)
		if err != nil || !a.IsGlobalUnicast() || a.IsPrivate() {
			t.Errorf("%s is no address of the public internet", text)
		}
		if a.Is6() {
			modern++
		}
		class := w.Classes.Class(evidence.Value{Kind: evidence.KindIP, Text: text})
		classes[class.Name]++
		if class.Name == link.ClassCloudVM && len(on) > 1 {
			x, y := w.Cases[on[0]].Findings[0], w.Cases[on[len(on)-1]].Findings[0]
			if w.Labels[on[0]] != w.Labels[on[len(on)-1]] && y.FirstSeen.Sub(x.LastSeen) > 60*24*time.Hour && !x.LastSeen.IsZero() {
				reused++
			}
		}
	}
	for _, class := range []string{
		link.ClassHosting, link.ClassCloudVM, link.ClassLeased, link.ClassVPN, link.ClassTor, link.ClassResidentialProxy,
		link.ClassResidentialDynamic, link.ClassMobile, link.ClassM365Service, link.ClassUnknownMicrosoft, link.ClassTenantEgress,
		link.ClassBusiness, link.ClassCorporateProxy, link.ClassUnknown,
	} {
		if classes[class] == 0 {
			t.Errorf("no address is %s", class)
		}
	}
	if classes[link.ClassUnknown] > classes[link.ClassHosting]+classes[link.ClassVPN]+classes[link.ClassCloudVM]+classes[link.ClassResidentialDynamic] {
		t.Errorf("enrichment knows too little: %v", classes)
	}
	if modern == 0 {
		t.Error("no address is of IPv6")
	}
	if reused == 0 {
		t.Error("no machine of a cloud had two actors months apart")
	}
}

func TestNamesMeanWhatTheySay(t *testing.T) {
	w := generate(t, world.Config{Seed: 5, Cases: 1000, Noise: world.Clean})
	for _, x := range []struct {
		kind  evidence.Kind
		text  string
		class string
	}{
		{evidence.KindForwardTo, "someone@freemail1.example", link.ClassFreemail},
		{evidence.KindEmail, "someone@freemail2.example", link.ClassFreemail},
		{evidence.KindHostname, "out.mailer3.example", link.ClassMailProvider},
		{evidence.KindSpoofPair, "brand.example>mailer1.example", link.ClassMailProvider},
		{evidence.KindURL, "https://www.freemail1.example/a", link.ClassFreemail},
		{evidence.KindDomain, "nobody.example", link.ClassUnknown},
		{evidence.KindIP, "192.0.2.1", link.ClassUnknown},
		{evidence.KindIP, "nonsense", link.ClassUnknown},
		{evidence.KindRuleName, "spam", link.ClassUnknown},
	} {
		if got := w.Classes.Class(evidence.Value{Kind: x.kind, Text: x.text}).Name; got != x.class {
			t.Errorf("%s %s is %s, want %s", x.kind, x.text, got, x.class)
		}
	}
}

// One tenant lies. It names other people's addresses, and passes for an
// investigation where it bridges actors.
func TestPoison(t *testing.T) {
	w := generate(t, world.Config{Seed: 2, Cases: 3000, Noise: world.Hostile})
	actors := map[string]map[string]bool{}
	for i, c := range w.Cases {
		for _, o := range observed(c) {
			if o.Kind == evidence.KindIP {
				if actors[o.Text] == nil {
					actors[o.Text] = map[string]bool{}
				}
				actors[o.Text][w.Labels[i]] = true
			}
		}
	}
	liars, bulky, bridging := map[string]bool{}, 0, 0
	for _, c := range w.Cases {
		all := observed(c)
		if len(c.Findings) != 1 || len(all) < 50 {
			continue
		}
		liars[c.Tenant] = true
		shared, met := 0, map[string]bool{}
		for _, o := range all {
			if len(actors[o.Text]) > 1 {
				shared++
				for label := range actors[o.Text] {
					met[label] = true
				}
			}
		}
		if shared < len(all)/3 || len(met) < 5 {
			t.Errorf("%s lists %d values, %d of them other people's, of %d actors", c.Ref, len(all), shared, len(met))
		}
		if len(all) <= 64 {
			bridging++
		} else {
			bulky++
		}
	}
	if len(liars) != 1 || bulky == 0 || bridging < 2 {
		t.Errorf("%d tenants lie, with %d large cases and %d that bridge", len(liars), bulky, bridging)
	}
}

func TestNoCaseAboveLimits(t *testing.T) {
	for _, n := range levels() {
		for _, c := range generate(t, world.Config{Seed: 9, Cases: 2000, Noise: n}).Cases {
			if all := observed(c); len(all) > 1000 || len(c.Findings) > evidence.MaxFindings {
				t.Errorf("%s has %d observables in %d findings", c.Ref, len(all), len(c.Findings))
			}
		}
	}
}

func TestSizes(t *testing.T) {
	sizes := []int{world.MinCases, 11, 99, 100, 1000}
	if !testing.Short() {
		sizes = append(sizes, world.MaxCases)
	}
	for _, size := range sizes {
		for _, n := range levels() {
			if w := generate(t, world.Config{Seed: 4, Cases: size, Noise: n}); len(w.Cases) != size {
				t.Errorf("%d cases instead of %d", len(w.Cases), size)
			}
		}
	}
	for _, size := range []int{-1, 0, world.MinCases - 1, world.MaxCases + 1} {
		if _, err := world.Generate(world.Config{Cases: size}); !errors.Is(err, world.ErrCases) {
			t.Errorf("a world of %d cases: %v", size, err)
		}
	}
	if _, err := world.Generate(world.Config{Cases: 10, Noise: 3}); !errors.Is(err, world.ErrNoise) {
		t.Errorf("a fourth level: %v", err)
	}
}

func TestNoiseByName(t *testing.T) {
	for _, n := range levels() {
		if got, err := world.ParseNoise(strings.ToUpper(n.String())); got != n || err != nil {
			t.Errorf("%s is read as %s, %v", n, got, err)
		}
	}
	if _, err := world.ParseNoise("quiet"); !errors.Is(err, world.ErrNoise) {
		t.Errorf("quiet: %v", err)
	}
}

// What holds of every world, whatever its seed.
func TestInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, err := world.Generate(world.Config{
			Seed: rapid.Uint64().Draw(t, "seed"), Cases: rapid.IntRange(world.MinCases, 300).Draw(t, "cases"),
			Noise: rapid.SampledFrom(levels()).Draw(t, "noise"),
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(w.Labels) != len(w.Cases) {
			t.Fatalf("%d labels of %d cases", len(w.Labels), len(w.Cases))
		}
		refs := map[evidence.Ref]bool{}
		for i, c := range w.Cases {
			if w.Labels[i] == "" {
				t.Errorf("%s has no label", c.Ref)
			}
			if refs[c.Ref] {
				t.Errorf("two cases are %s", c.Ref)
			}
			refs[c.Ref] = true
			if c.Kind != "bec" || !c.Live() || len(c.Findings) == 0 {
				t.Errorf("%s is no case to link: kind %q, %d findings", c.Ref, c.Kind, len(c.Findings))
			}
			// A case that exists can be submitted again and stays what it is.
			again, _, err := evidence.Parse(evidence.Draft(*c), evidence.Options{Now: time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)})
			if err != nil {
				t.Errorf("%s is rejected: %v", c.Ref, err)
			} else if diff := cmp.Diff(c, again); diff != "" {
				t.Errorf("%s changes when it is read again: %s", c.Ref, diff)
			}
			for _, o := range observed(c) {
				private(t, c, o)
				if o.LastSeen.Before(o.FirstSeen) {
					t.Errorf("%s saw %s last before first", c.Ref, o.Kind)
				}
				if !o.FirstSeen.IsZero() && !c.EvidenceFrom.IsZero() && (o.FirstSeen.Before(c.EvidenceFrom) || o.LastSeen.After(c.EvidenceTo)) {
					t.Errorf("%s saw %s outside its evidence", c.Ref, o.Kind)
				}
			}
		}
		d := w.Describe()
		if d.SharingTrue > d.TruePairs || d.SharingTrue > d.SharingPairs || d.Alone > d.Actors || d.Phenomena[world.OneOff] != d.Alone {
			t.Errorf("the counts do not fit: %+v", d)
		}
	})
}

// private fails where a value could be somebody's.
func private(t interface{ Errorf(string, ...any) }, c *evidence.Case, o evidence.Observable) {
	switch o.Kind {
	case evidence.KindPhone:
		if !strings.HasPrefix(o.Text, "hmac1:") {
			t.Errorf("%s holds a telephone number in the clear", c.Ref)
		}
	case evidence.KindDomain, evidence.KindHostname, evidence.KindEmail, evidence.KindForwardTo:
		if !strings.HasSuffix(o.Text, ".example") {
			t.Errorf("%s names %s, which may be somebody's", c.Ref, o.Text)
		}
	}
}

func BenchmarkGenerate(b *testing.B) {
	for _, n := range levels() {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				generate(b, world.Config{Seed: 1, Cases: 3000, Noise: n})
			}
		})
	}
}
