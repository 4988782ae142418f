package stix_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export"
	"github.com/elsewhere-project/elsewhere/server/export/stix"
)

var day = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// bundleOf is a bundle of items.
func bundleOf(items ...export.Item) *export.Bundle {
	return &export.Bundle{
		Scope: "case:case-x", Title: "Indicators", TLP: "tlp:amber+strict", First: day, Last: day.Add(time.Hour), Created: day, Modified: day.Add(time.Minute),
		Producer:   export.Producer{Name: "Elsewhere", ID: export.NewUUID(export.Namespace(), "test")},
		Techniques: []export.Technique{{ID: "T1078.004", Name: "Cloud Accounts", Tactics: []string{"persistence"}}, {ID: "T9999"}},
		Links:      []export.Relation{{A: "case-a", B: "case-b", Likelihood: .99, Tier: "strong", Model: 2}},
		Actor:      &export.Actor{ID: "act-aaaaaaaaaa", Name: "ELS-elsewhere-act-aaaaaaaaaa", Cases: 2},
		Items: func(yield func(export.Item, error) bool) {
			for _, i := range items {
				if !yield(i, nil) {
					return
				}
			}
		},
	}
}

func item(kind evidence.Kind, text string) export.Item {
	return export.Item{
		Value: evidence.Value{Kind: kind, Text: text}, Written: text, Indicator: true, Note: "seen", Techniques: []string{"T1078.004"},
		First: day, Last: day.Add(time.Hour), ValidUntil: day.Add(24 * time.Hour), Created: day, Modified: day, Cases: []string{"case-a"},
		Facts: []export.Fact{{Name: "open_port", Value: "3389", Source: "somebody"}}, Class: "hosting", ClassReasons: []string{"hosting: a list"}, ASN: 64500,
	}
}

func schema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	f, err := os.Open("testdata/bundle.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("bundle.json", text); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("bundle.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func written(t testing.TB, b *export.Bundle, o stix.Options) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := stix.Write(t.Context(), &out, b, o); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

type object struct {
	Type, ID                     string
	Created, Modified            string
	SourceRef, TargetRef         string
	ObjectRefs, ObservedDataRefs []string
	SightingOfRef                string
}

func (o *object) UnmarshalJSON(b []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		return err
	}
	for name, to := range map[string]any{
		"type": &o.Type, "id": &o.ID, "created": &o.Created, "modified": &o.Modified, "source_ref": &o.SourceRef, "target_ref": &o.TargetRef,
		"object_refs": &o.ObjectRefs, "observed_data_refs": &o.ObservedDataRefs, "sighting_of_ref": &o.SightingOfRef,
	} {
		if raw, ok := fields[name]; ok {
			if err := json.Unmarshal(raw, to); err != nil {
				return err
			}
		}
	}
	return nil
}

// check holds a bundle to the schema, and what no schema says: identifiers differ,
// also in the part behind the type, and every reference is to an object in it.
func check(s *jsonschema.Schema, raw []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	if err := s.Validate(value); err != nil {
		return err
	}
	var bundle struct{ Objects []object }
	if err := json.Unmarshal(raw, &bundle); err != nil {
		return err
	}
	known, parts := make(map[string]bool), make(map[string]bool)
	for _, o := range bundle.Objects {
		_, part, _ := strings.Cut(o.ID, "--")
		if known[o.ID] || parts[part] {
			return fmt.Errorf("%s is there twice", o.ID)
		}
		known[o.ID], parts[part] = true, true
		if o.Modified != "" && o.Modified < o.Created {
			return fmt.Errorf("%s was modified before it was created", o.ID)
		}
	}
	for _, o := range bundle.Objects {
		for _, ref := range append(append([]string{o.SourceRef, o.TargetRef, o.SightingOfRef}, o.ObjectRefs...), o.ObservedDataRefs...) {
			if ref != "" && !known[ref] {
				return fmt.Errorf("%s refers to %s, which is not there", o.ID, ref)
			}
		}
	}
	last := bundle.Objects[len(bundle.Objects)-1]
	if last.Type != "grouping" && last.Type != "report" || len(last.ObjectRefs) != len(bundle.Objects)-2 {
		return fmt.Errorf("the last object is a %s of %d among %d", last.Type, len(last.ObjectRefs), len(bundle.Objects))
	}
	return nil
}

// everyKind has a value of every kind that leaves, some with what JSON and
// patterns have to escape.
func everyKind() []export.Item {
	context := item(evidence.KindDomain, "gmail.com")
	context.Indicator, context.Reason = false, "the domain of a mail provider"
	gone := item(evidence.KindIP, "192.0.2.9")
	gone.Withdrawn = true
	undated := item(evidence.KindHostname, "a.example")
	undated.First, undated.Last, undated.ValidUntil = time.Time{}, time.Time{}, time.Time{}
	rule := item(evidence.KindRuleName, "block spoofing")
	rule.Indicator, rule.Reason, rule.Written = false, "the name of a mail rule", `Block "Spoofing" <all>`
	return []export.Item{
		item(evidence.KindAppID, "00000003-0000-0000-c000-000000000000"), item(evidence.KindASN, "AS64500"),
		item(evidence.KindCIDR, "198.51.100.0/24"), item(evidence.KindCIDR, "2001:db8::/48"), context, item(evidence.KindDomain, "münchen.example"),
		item(evidence.KindEmail, "o'neil@x.example"), item(evidence.KindFileHash, "sha256:"+strings.Repeat("0a", 32)),
		item(evidence.KindForwardTo, "drop@y.example"), item(evidence.KindForwardTo, "z.example"), undated, item(evidence.KindIP, "104.161.20.102"), gone,
		item(evidence.KindIP, "2001:db8::1"), item(evidence.KindJA4, "t13d1516h2_8daaf6152771_b186095e22b6"), rule,
		item(evidence.KindURL, `https://x.example/?a='b'&c=\d`), item(evidence.KindUserAgent, "python-requests/2.31.0"),
	}
}

func TestSchema(t *testing.T) {
	s := schema(t)
	for name, b := range map[string]*export.Bundle{"every kind": bundleOf(everyKind()...), "nothing": bundleOf()} {
		for _, o := range []stix.Options{{}, {Report: true}} {
			raw := written(t, b, o)
			if err := check(s, raw); err != nil {
				t.Errorf("%s: %v\n%.2000s", name, err, raw)
			}
			if again := written(t, b, o); !bytes.Equal(raw, again) {
				t.Errorf("%s: two runs differ", name)
			}
		}
	}
	raw := written(t, bundleOf(everyKind()...), stix.Options{})
	if n := bytes.Count(raw, []byte(`"revoked":true`)); n != 7 {
		t.Errorf("%d objects of a withdrawn value are revoked", n)
	}
	// The schema can fail: a field too many, one too few, a wrong label.
	for from, to := range map[string]string{
		`"pattern_type":"stix"`: `"pattern_type":"snort"`, `"valid_from"`: `"valid_form"`, `"tlp_2_0":"amber+strict"`: `"tlp_2_0":"pink"`,
		`"type":"observed-data"`: `"type":"infrastructure"`, `[ipv4-addr:value = '`: `[ipv4-addr:value = `,
	} {
		if broken := bytes.Replace(raw, []byte(from), []byte(to), 1); bytes.Equal(broken, raw) || check(s, broken) == nil {
			t.Errorf("%s for %s is let through", to, from)
		}
	}
}

// TestShared: a forwarding to an address and the address itself are one observable.
func TestShared(t *testing.T) {
	b := bundleOf(
		item(evidence.KindDomain, "y.example"), item(evidence.KindEmail, "drop@y.example"), item(evidence.KindForwardTo, "drop@y.example"),
		item(evidence.KindForwardTo, "mail.y.example"), item(evidence.KindForwardTo, "y.example"), item(evidence.KindHostname, "mail.y.example"))
	raw := written(t, b, stix.Options{})
	if err := check(schema(t), raw); err != nil {
		t.Error(err)
	}
	for what, want := range map[string]int{`"type":"email-addr"`: 1, `"type":"domain-name"`: 2, `"type":"indicator"`: 6} {
		if n := bytes.Count(raw, []byte(what)); n != want {
			t.Errorf("%d of %s, want %d", n, what, want)
		}
	}
	id, ok := stix.Shared(evidence.Value{Kind: evidence.KindForwardTo, Text: "drop@y.example"})
	if other, _ := stix.Shared(evidence.Value{Kind: evidence.KindEmail, Text: "drop@y.example"}); !ok || id != other {
		t.Errorf("%v and %v", id, other)
	}
	if _, ok := stix.Shared(evidence.Value{Kind: evidence.KindIP, Text: "192.0.2.1"}); ok {
		t.Error("an address of the network is shared")
	}
}

// TestAnyText: whatever stands in a bundle, what is written holds to the standard.
func TestAnyText(t *testing.T) {
	s := schema(t)
	text := rapid.StringN(1, 40, 200)
	rapid.Check(t, func(t *rapid.T) {
		i := item(rapid.SampledFrom([]evidence.Kind{evidence.KindURL, evidence.KindRuleName, evidence.KindUserAgent, evidence.KindAppID}).Draw(t, "kind"), "")
		i.Value.Text = text.Draw(t, "value")
		if i.Value.Kind == evidence.KindURL {
			i.Value.Text = "https://x.example/" + i.Value.Text
		}
		i.Written, i.Facts[0].Value, i.Note = text.Draw(t, "written"), text.Draw(t, "fact"), text.Draw(t, "note")
		var out bytes.Buffer
		if err := stix.Write(context.Background(), &out, bundleOf(i), stix.Options{}); err != nil {
			t.Fatal(err)
		}
		if err := check(s, out.Bytes()); err != nil {
			t.Fatalf("%v\n%.4000s", err, out.Bytes())
		}
	})
}

// TestIdentifiers holds identifiers of observables to those that another program
// computed: UUIDs of version 5 over canonical JSON, as the standard has it. (Those in
// the examples of its text are of something else.)
func TestIdentifiers(t *testing.T) {
	for want, i := range map[string]export.Item{
		"ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4":         item(evidence.KindIP, "198.51.100.3"),
		"domain-name--bedb4899-d24b-5401-bc86-8f6b4cc18ec7":       item(evidence.KindDomain, "example.com"),
		"email-addr--7165e2a9-671f-585d-b1e1-ca59c671d934":        item(evidence.KindEmail, "john@example.com"),
		"autonomous-system--3aa27478-50b5-5ab8-9da9-cdc12b657fff": item(evidence.KindASN, "AS15139"),
	} {
		if raw := written(t, bundleOf(i), stix.Options{}); !bytes.Contains(raw, []byte(want)) {
			t.Errorf("%s has no %s", i.Value.Text, want)
		}
	}
}

func TestErrors(t *testing.T) {
	broken := errors.New("broken")
	b := bundleOf()
	b.Items = func(yield func(export.Item, error) bool) { yield(export.Item{}, broken) }
	if err := stix.Write(t.Context(), io.Discard, b, stix.Options{}); !errors.Is(err, broken) {
		t.Errorf("an error of the items: %v", err)
	}
	if err := stix.Write(t.Context(), full{}, bundleOf(everyKind()...), stix.Options{}); !errors.Is(err, errFull) {
		t.Errorf("an error of the file: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := stix.Write(ctx, io.Discard, bundleOf(everyKind()...), stix.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("ended: %v", err)
	}
}

var errFull = errors.New("full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

// many yields as many addresses.
func many(n int) iter.Seq2[export.Item, error] {
	return func(yield func(export.Item, error) bool) {
		for i := range n {
			if !yield(item(evidence.KindIP, fmt.Sprintf("%d.%d.%d.%d", 1+i>>24, i>>16&255, i>>8&255, i&255)), nil) {
				return
			}
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	bundle := bundleOf()
	bundle.Items = many(100_000)
	b.ReportAllocs()
	for b.Loop() {
		if err := stix.Write(context.Background(), io.Discard, bundle, stix.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
