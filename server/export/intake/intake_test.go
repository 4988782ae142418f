package intake_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export"
	"github.com/elsewhere-project/elsewhere/server/export/intake"
)

// ours is the identity of our exports, and one bundle that we published.
var (
	ours      = export.NewUUID(export.Namespace(), "us")
	publishes = export.NewUUID(export.Namespace(), "a bundle")
)

func guard() intake.Guard {
	return intake.Guard{Producer: ours, Published: func(_ context.Context, uuid string) (bool, error) {
		return strings.EqualFold(uuid, publishes.String()), nil
	}}
}

func read(t testing.TB, text string) *intake.File {
	t.Helper()
	f, err := intake.Read(t.Context(), strings.NewReader(text), guard())
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return f
}

// values are the kinds and values of a file.
func values(f *intake.File) (out []string) {
	for _, e := range f.Entries {
		out = append(out, string(e.Kind)+" "+e.Value)
	}
	return out
}

func TestTables(t *testing.T) {
	for name, c := range map[string]struct {
		text    string
		want    []string
		skipped int
	}{
		"the public form": {
			"\ufeffIndicator_type,Data,Note\r\nip,104.161.20.102,logins\r\nurl,botasso.cl,\"a, \"\"b\"\"\"\r\n",
			[]string{"ip 104.161.20.102", "domain botasso.cl"},
			0,
		},
		"another header, a description first": {
			"INDICATOR,data,NOTE,more\nDescription,About the attack,\nIP Address,1[.]2[.]3[.]4,\nsha-256,aa,\nurl,hxxps://evil[.]example/x,\nurl,evil.example/x,\n",
			[]string{"ip 1[.]2[.]3[.]4", "file_hash aa", "url hxxps://evil[.]example/x", "url http://evil.example/x"},
			0,
		},
		"columns in another order": {
			"note;x,value,type\nn,evil.example,domain\nn,5.6.7.0/24,ipv4\n,,\nn,abc,mutex\n",
			[]string{"domain evil.example", "cidr 5.6.7.0/24"},
			1,
		},
		"type and indicator": {"type,indicator,description\nemail,a@evil.example,\n", []string{"email a@evil.example"}, 0},
		"quotes in the middle": {
			"type,data,note\nip,1.2.3.4,he said \"no\"\n", []string{"ip 1.2.3.4"}, 0,
		},
	} {
		f := read(t, c.text)
		if d := cmp.Diff(c.want, values(f)); d != "" || f.Skipped != c.skipped || f.Format != intake.FormatCSV {
			t.Errorf("%s: skipped %d (-want +got):\n%s", name, f.Skipped, d)
		}
	}
	f := read(t, "Indicator,Data,Note\nDescription,About,\nip,1.2.3.4,  a\tb  \n")
	if f.Title != "About" || f.Entries[0].Note != "a b" || f.Entries[0].Place != "line 3" {
		t.Errorf("%+v", f)
	}
}

func TestEvents(t *testing.T) {
	f := read(t, `{"Event":{"uuid":"59b5c870-0000-4000-8000-000000000001","info":"A report","Tag":[{"name":"TLP:WHITE"},{"name":"tlp:amber"},
		{"name":"misp-galaxy:mitre-attack-pattern=\"Cloud Accounts - T1078.004\""}],
		"Attribute":[{"type":"ip-dst|port","value":"1.2.3.4|443","first_seen":"2023-01-02T03:04:05.000000+00:00","comment":"c"},
		{"type":"domain|ip","value":"evil.example|5.6.7.8"},{"type":"filename|sha1","value":"a.exe|da39a3ee5e6b4b0d3255bfef95601890afd80709"},
		{"type":"text","value":"x"},{"type":"link","value":"https://report.example"},{"type":"ip-src","value":"9.9.9.9","deleted":true}],
		"Object":[{"name":"x","Attribute":[{"type":"AS","value":"53755"}]},{"name":"y","deleted":"1","Attribute":[{"type":"AS","value":"1"}]}]}}`)
	want := []string{"ip 1.2.3.4:443", "domain evil.example", "ip 5.6.7.8", "file_hash da39a3ee5e6b4b0d3255bfef95601890afd80709", "asn 53755"}
	if d := cmp.Diff(want, values(f)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if f.TLP != "amber" || f.Title != "A report" || f.Skipped != 1 || len(f.References) != 1 || f.Techniques[0] != "T1078.004" ||
		f.Entries[0].Place != "Event.Attribute[0].value" || f.Entries[0].First.IsZero() || f.Entries[4].Place != "Event.Object[0].Attribute[0].value" {
		t.Errorf("%+v", f)
	}
}

func bundleOf(objects ...string) string {
	return `{"type":"bundle","id":"bundle--59b5c870-0000-4000-8000-000000000002","objects":[` + strings.Join(objects, ",") + `]}`
}

func indicator(pattern, by string) string {
	return fmt.Sprintf(`{"type":"indicator","id":"indicator--1","created_by_ref":"identity--%s","pattern_type":"stix","pattern":%q,"name":"n","valid_from":"2023-01-02T00:00:00Z"}`, by, pattern)
}

const theirs = "59b5c870-0000-4000-8000-000000000009"

func TestBundles(t *testing.T) {
	f := read(t, bundleOf(
		indicator(`[ipv4-addr:value = '1.2.3.4' OR domain-name:value='evil.example']`, theirs),
		indicator(`[file:hashes.'SHA-256' = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08']`, theirs),
		indicator(`[process:name = 'x']`, theirs),
		`{"type":"report","name":"A report","object_marking_refs":["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"],"external_references":[{"source_name":"x","url":"https://report.example"}]}`,
		`{"type":"attack-pattern","external_references":[{"source_name":"mitre-attack","external_id":"T1114.003"}]}`,
		`{"type":"ipv4-addr","value":"1.2.3.4"}`, `{"type":"autonomous-system","number":53755}`, `{"type":"malware","name":"x"}`,
		`{"type":"indicator","revoked":true,"pattern":"[ipv4-addr:value = '9.9.9.9']"}`,
	))
	want := []string{"ip 1.2.3.4", "domain evil.example", "file_hash 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "asn AS53755"}
	if d := cmp.Diff(want, values(f)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if f.TLP != "green" || f.Title != "A report" || f.Techniques[0] != "T1114.003" || f.Skipped != 1 || f.Entries[0].First.IsZero() {
		t.Errorf("%+v", f)
	}
}

func TestOurOwnDoesNotComeBack(t *testing.T) {
	for name, text := range map[string]string{
		"an event of ours":      `{"Event":{"uuid":"59b5c870-0000-4000-8000-000000000001","Orgc":{"name":"us","uuid":"` + ours.String() + `"},"Attribute":[{"type":"ip-src","value":"1.2.3.4"}]}}`,
		"an event we published": `{"Event":{"uuid":"` + publishes.String() + `","Attribute":[{"type":"ip-src","value":"1.2.3.4"}]}}`,
		"a bundle of ours":      bundleOf(indicator(`[ipv4-addr:value = '1.2.3.4']`, ours.String()), `{"type":"ipv4-addr","value":"1.2.3.4"}`, `{"type":"domain-name","value":"evil.example"}`),
		"a bundle we published": strings.Replace(bundleOf(`{"type":"ipv4-addr","value":"1.2.3.4"}`), "59b5c870-0000-4000-8000-000000000002", publishes.String(), 1),
	} {
		if f, err := intake.Read(t.Context(), strings.NewReader(text), guard()); !errors.Is(err, intake.ErrOwn) {
			t.Errorf("%s: %+v, %v", name, f, err)
		}
	}
	mixed := read(t, bundleOf(indicator(`[ipv4-addr:value = '1.2.3.4']`, ours.String()), indicator(`[domain-name:value = 'evil.example']`, theirs),
		`{"type":"ipv4-addr","value":"1.2.3.4"}`))
	if d := cmp.Diff([]string{"domain evil.example"}, values(mixed)); d != "" || mixed.Own != 2 {
		t.Errorf("own %d (-want +got):\n%s", mixed.Own, d)
	}
}

func TestBounds(t *testing.T) {
	table := func(rows int) string {
		var b strings.Builder
		b.WriteString("type,data,note\n")
		for i := range rows {
			fmt.Fprintf(&b, "ip,10.0.%d.%d,\n", i/250, i%250)
		}
		return b.String()
	}
	if f := read(t, table(intake.MaxEntries)); len(f.Entries) != intake.MaxEntries {
		t.Errorf("%d entries", len(f.Entries))
	}
	_, err := intake.Read(t.Context(), strings.NewReader(table(intake.MaxEntries+1)), guard())
	if p, ok := errors.AsType[*intake.PlaceError](err); !ok || !errors.Is(err, intake.ErrTooMany) || p.Place != "line 10002" {
		t.Errorf("%v", err)
	}
	endless := &zeroes{head: `{"Event":{"x":"`}
	if _, err := intake.Read(t.Context(), endless, guard()); !errors.Is(err, intake.ErrTooLong) {
		t.Errorf("%v", err)
	}
	for text, want := range map[string]error{"": intake.ErrNothing, "  \n": intake.ErrNothing, "type,data\n": intake.ErrNothing, "{}": intake.ErrForm, "x,y\n": intake.ErrForm, `{"type":"grouping","objects":[]}`: intake.ErrForm} {
		if _, err := intake.Read(t.Context(), strings.NewReader(text), guard()); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
}

// zeroes is a file without an end.
type zeroes struct{ head string }

func (z *zeroes) Read(b []byte) (int, error) {
	n := copy(b, z.head)
	z.head = z.head[n:]
	for i := n; i < len(b); i++ {
		b[i] = '0'
	}
	return len(b), nil
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("\ufeffIndicator,Data,Note\r\nip,1.2.3.4,x\r\nurl,evil.example,\"y\"\"\"\r\n"))
	f.Add([]byte(`{"Event":{"Attribute":[{"type":"domain|ip","value":"a|b"}],"Object":[{"Attribute":[{"type":"AS","value":1}]}],"Tag":[{"name":"tlp:red"}]}}`))
	f.Add([]byte(bundleOf(indicator(`[ipv4-addr:value = '1.2.3.4' OR url:value = 'http:\/\/x\'y']`, theirs), `{"type":"file","hashes":{"MD5":"d41d8cd98f00b204e9800998ecf8427e"}}`)))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := intake.Read(t.Context(), strings.NewReader(string(b)), guard())
		if err != nil {
			return
		}
		if len(file.Entries) == 0 && len(file.Techniques) == 0 {
			t.Error("a file of nothing")
		}
		for _, e := range file.Entries {
			if e.Place == "" || e.Kind == "" || len(e.Note) > 500 {
				t.Errorf("%+v", e)
			}
			// Whatever it is, reading it as evidence names what is wrong.
			if _, v := evidence.ParseValue(e.Kind, e.Value, evidence.Options{}); v != nil && v.Message == "" {
				t.Errorf("%+v: %+v", e, v)
			}
		}
	})
}
