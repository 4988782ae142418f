package link_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/server/link"
)

func values(m *link.Model) map[string]float64 {
	out := make(map[string]float64)
	for _, p := range m.Parameters() {
		out[p.Name] = p.Value
	}
	return out
}

func builtIn(t testing.TB, version uint32) *link.Model {
	t.Helper()
	m, ok := link.BuiltIn(version)
	if !ok {
		t.Fatalf("no model %d", version)
	}
	return m
}

// TestParametersAreInOrderAndInRange holds for every model of the program what a
// change of it has to hold.
func TestParametersAreInOrderAndInRange(t *testing.T) {
	for _, version := range link.BuiltInVersions() {
		m := builtIn(t, version)
		if m.Version() != version || m.Base() != version || len(m.Changes()) != 0 || version >= link.FirstOwnVersion {
			t.Errorf("model %d: version %d, base %d, changes %v", version, m.Version(), m.Base(), m.Changes())
		}
		all := m.Parameters()
		if len(all) < 200 {
			t.Errorf("model %d has only %d constants", version, len(all))
		}
		seen := make(map[string]bool)
		for i, p := range all {
			if seen[p.Name] {
				t.Errorf("%s twice", p.Name)
			}
			seen[p.Name] = true
			if i > 0 && all[i-1].Name >= p.Name {
				t.Errorf("%s after %s", p.Name, all[i-1].Name)
			}
			if p.Value < p.Min || p.Value > p.Max || p.Unit == "" || p.Origin == "" || strings.HasPrefix(p.Name, ".") {
				t.Errorf("%+v", p)
			}
		}
	}
}

func TestKnownParameters(t *testing.T) {
	m := link.Version1()
	for name, want := range map[string]float64{
		"address.hosting.alpha": .5, "address.hosting.m": .25, "address.vpn.cap": 4000, "address.vpn.half_life": 180,
		"referenced.hosting.m": .125, "referenced.hosting.half_life": 730, "referenced.vpn.half_life": 180,
		"kind.url.alpha": .1, "kind.file_hash.m": .2, "name.other.alpha": .1, "name.sending.alpha": .5,
		"name.spoofed.alpha": 3, "name.class.top_domain.cap": 3000, "forward_domain.alpha": 2, "theme.background": .075,
		"siblings": 1, "ceiling": .995, "calibration.scale": 1, "calibration.shift": 0, "calibration.reviews": 0,
		"tier.strong.likelihood": .95, "tier.strong.groups": 2, "tier.lead.likelihood": .05,
		"family.infra.above_prior": 6000, "family.behaviour.cap": 3000, "rules.cap": 6000, "bulk.values": 64,
		"rule_name.spam.background": .2, "technique.bec.T1098.003": 4060,
	} {
		p, ok := m.Parameter(name)
		if !ok || p.Value != want {
			t.Errorf("%s is %v (%v), want %v", name, p.Value, ok, want)
		}
	}
	if _, ok := m.Parameter("address.service.alpha"); ok {
		t.Error("what is everybody's has a constant")
	}
}

// TestWithItsOwnParameters holds that a model with all its own values is that model.
func TestWithItsOwnParameters(t *testing.T) {
	for _, version := range link.BuiltInVersions() {
		m := builtIn(t, version)
		var same []link.Change
		for _, p := range m.Parameters() {
			same = append(same, link.Change{Name: p.Name, Value: p.Value, Origin: "a test"})
		}
		got, err := m.With(1000, same)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Changes()) != 0 || got.Version() != 1000 || got.Base() != version {
			t.Errorf("version %d, base %d, changes %v", got.Version(), got.Base(), got.Changes())
		}
		if diff := cmp.Diff(m.Parameters(), got.Parameters()); diff != "" {
			t.Error(diff)
		}
	}
}

// anyChanges draws allowed values for some constants but tiers, whose order is
// checked as well.
func anyChanges(m *link.Model) *rapid.Generator[[]link.Change] {
	all := slices.DeleteFunc(m.Parameters(), func(p link.Parameter) bool { return strings.HasPrefix(p.Name, "tier.") })
	return rapid.Custom(func(t *rapid.T) []link.Change {
		some := rapid.SliceOfNDistinct(rapid.IntRange(0, len(all)-1), 0, 8, rapid.ID[int]).Draw(t, "which")
		var out []link.Change
		for _, i := range some {
			p := all[i]
			v := rapid.Float64Range(p.Min, p.Max).Draw(t, p.Name)
			if slices.Contains([]string{"days", "millibits", "values", "groups", "reviews"}, p.Unit) {
				v = math.Max(p.Min, math.Trunc(v))
			}
			out = append(out, link.Change{Name: p.Name, Value: v, Origin: "drawn"})
		}
		return out
	})
}

// TestWithChangesThatAndNothingElse also holds that models do not share what one of
// them changes, that a change can be taken back, and that a definition says it all.
func TestWithChangesThatAndNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := link.Newest()
		before := values(m)
		changes := anyChanges(m).Draw(t, "changes")
		got, err := m.With(1000, changes)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, values(m)); diff != "" {
			t.Fatalf("the model itself changed: %s", diff)
		}
		want := values(m)
		var back []link.Change
		for _, c := range changes {
			back = append(back, link.Change{Name: c.Name, Value: want[c.Name]})
			want[c.Name] = c.Value
		}
		if diff := cmp.Diff(want, values(got)); diff != "" {
			t.Fatal(diff)
		}
		for _, c := range got.Changes() {
			if before[c.Name] == c.Value {
				t.Fatalf("%s is no change", c.Name)
			}
			if p, _ := got.Parameter(c.Name); p.Origin != "drawn" {
				t.Fatalf("origin of %s is %q", c.Name, p.Origin)
			}
		}
		again, err := got.With(1001, back)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m.Parameters(), again.Parameters()); diff != "" || len(again.Changes()) != 0 {
			t.Fatal(diff, again.Changes())
		}
		data, err := got.Define(time.Unix(1_700_000_000, 0), "why").JSON()
		if err != nil {
			t.Fatal(err)
		}
		d, err := link.ParseDefinition(data)
		if err != nil {
			t.Fatal(err)
		}
		read, err := d.Model()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got.Parameters(), read.Parameters()); diff != "" || read.Version() != 1000 || d.Note != "why" {
			t.Fatal(diff, read.Version(), d.Note)
		}
	})
}

func TestWithRefuses(t *testing.T) {
	for _, test := range []struct {
		changes []link.Change
		name    string
		why     string
	}{
		{[]link.Change{{Name: "address.nowhere.alpha", Value: 1}}, "address.nowhere.alpha", "no constant"},
		{[]link.Change{{Name: "address.hosting.alpha", Value: 0}}, "address.hosting.alpha", "is not in"},
		{[]link.Change{{Name: "address.hosting.alpha", Value: math.NaN()}}, "address.hosting.alpha", "is not in"},
		{[]link.Change{{Name: "address.hosting.alpha", Value: math.Inf(1)}}, "address.hosting.alpha", "is not in"},
		{[]link.Change{{Name: "address.hosting.m", Value: 1.01}}, "address.hosting.m", "is not in"},
		{[]link.Change{{Name: "address.hosting.half_life", Value: 1.5}}, "address.hosting.half_life", "whole number of days"},
		{[]link.Change{{Name: "calibration.scale", Value: .49}}, "calibration.scale", "is not in"},
		{[]link.Change{{Name: "siblings", Value: 2}, {Name: "siblings", Value: 2}}, "siblings", "twice"},
		{[]link.Change{{Name: "tier.probable.likelihood", Value: .96}}, "tier.probable.likelihood", "below that of tier strong"},
		{[]link.Change{{Name: "tier.possible.likelihood", Value: .05}}, "tier.lead.likelihood", "below that of tier possible"},
	} {
		m, err := link.Version1().With(1000, test.changes)
		p, ok := errors.AsType[*link.ParameterError](err)
		if !ok || m != nil || p.Name != test.name || !strings.Contains(err.Error(), test.why) || !strings.Contains(err.Error(), test.name) {
			t.Errorf("%+v: %v", test.changes, err)
		}
	}
}

func TestDefinitionRefuses(t *testing.T) {
	const head = `{"version":1000,"base":1,"created_at":"2026-01-02T03:04:05Z","note":"",`
	for text, why := range map[string]string{
		``:                                    "EOF",
		`null`:                                "needs a newer program",
		`[]`:                                  "cannot unmarshal",
		`{"version":1000}`:                    "does not have",
		head + `"changes":[]`:                 "EOF",
		head + `"changes":[]} {}`:             "follows",
		head + `"changes":[],"extra":1}`:      "unknown field",
		head + `"changes":[],"Note":"x"}`:     "twice",
		head + `"changes":[],"version":1000}`: "twice",
		head + `"changes":[{"name":"x","name":"siblings","value":2,"origin":""}]}`:                                                     "twice",
		head + `"changes":[{"name":"siblings","value":2e9,"origin":""}]}`:                                                              "siblings",
		head + `"changes":[{"name":"siblings","value":"2","origin":""}]}`:                                                              "cannot unmarshal",
		head + `"changes":[{"name":"siblings","value":2,"origin":"a\u0007"}]}`:                                                         "control",
		head + `"changes":[{"name":"siblings","value":2,"origin":""},{"name":"siblings","value":2,"origin":""}]}`:                      "twice",
		`{"version":999,"base":1,"changes":[{"name":"siblings","value":2,"origin":""}],"created_at":"2026-01-02T03:04:05Z","note":""}`: "1000 or more",
		`{"version":1000,"base":7000,"changes":[],"created_at":"2026-01-02T03:04:05Z","note":""}`:                                      "needs a newer program",
		`{"version":1000,"base":1,"changes":[],"created_at":"2026-01-02T03:04:05Z","note":"` + strings.Repeat("n", 1001) + `"}`:        "at most 1000 bytes",
		strings.Repeat(" ", 70<<10): "at most",
		"{\"note\":\"\xff\"}":       "UTF-8",
	} {
		d, err := link.ParseDefinition([]byte(text))
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%.120q: %+v, %v; want %q", text, d, err, why)
		}
	}
}

// FuzzDefinition holds that what is read is a model, and reads the same once more.
func FuzzDefinition(f *testing.F) {
	m, err := link.Version1().With(1000, []link.Change{{Name: "siblings", Value: 1.5, Origin: "learned from 1 review"}})
	if err != nil {
		f.Fatal(err)
	}
	for _, m := range []*link.Model{m, link.Version1()} {
		data, err := m.Define(time.Unix(1_700_000_000, 0), "a note").JSON()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"version":1000,"base":1,"changes":[{"name":"address.vpn.cap","value":0}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := link.ParseDefinition(data)
		if err != nil {
			return
		}
		m, err := d.Model()
		if err != nil {
			t.Fatalf("read, but no model: %v", err)
		}
		again, err := d.JSON()
		if err != nil {
			t.Fatal(err)
		}
		e, err := link.ParseDefinition(again)
		if err != nil {
			t.Fatalf("%s: %v", again, err)
		}
		if diff := cmp.Diff(d, e); diff != "" {
			t.Fatal(diff)
		}
		n, err := e.Model()
		if err != nil || n.Version() != m.Version() {
			t.Fatal(err)
		}
	})
}
