package draft_test

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/elsewhere-project/elsewhere/client/m365"
	"github.com/elsewhere-project/elsewhere/client/m365/dossier"
	"github.com/elsewhere-project/elsewhere/client/m365/draft"
	"github.com/elsewhere-project/elsewhere/testdata"
)

// classify knows the addresses of the published case and Microsoft's.
func classify(a netip.Addr) dossier.Nature {
	switch {
	case a.String() == "104.161.20.102":
		return dossier.Nature{Class: "hosting"}
	case a.String() == "20.232.202.245":
		return dossier.Nature{Class: "cloud_vm"}
	case netip.MustParsePrefix("2603:1000::/24").Contains(a), netip.MustParsePrefix("40.96.0.0/13").Contains(a):
		return dossier.Nature{Microsoft: true}
	case netip.MustParsePrefix("192.0.2.0/24").Contains(a), a.IsPrivate(), a.IsLoopback():
		return dossier.Nature{Reserved: true}
	}
	return dossier.Nature{}
}

func public(domain string) bool { return domain == "freemail.example" }

// source is a text of any form.
func source(name, text string) m365.Source {
	return m365.Source{Name: name, Size: int64(len(text)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(text)), nil
	}}
}

func gather(t testing.TB, o dossier.Options, sources ...m365.Source) *dossier.Dossier {
	t.Helper()
	o.Classify, o.Public = classify, public
	d := dossier.New(o)
	r := m365.NewReader(sources, m365.Options{})
	for record, err := range r.Records(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		d.Add(record)
	}
	return d
}

var header = draft.Header{Tenant: "alder", Case: "2023-0117"}

func build(t testing.TB, f dossier.Filter, sources ...m365.Source) *draft.Draft {
	t.Helper()
	return caseOf(t, gather(t, dossier.Options{}, sources...).Report(f), draft.Options{})
}

func caseOf(t testing.TB, r *dossier.Report, o draft.Options) *draft.Draft {
	t.Helper()
	o.FirstParty = func(id string) bool { return strings.HasPrefix(id, "0000000") }
	d, err := draft.New(header, r, o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// text is a case byte for byte.
func text(t testing.TB, d *draft.Draft) string {
	t.Helper()
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(d.Case)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func readable(d *draft.Draft) string {
	var b bytes.Buffer
	_ = json.Indent(&b, []byte(protojson.Format(d.Case)), "", " ")
	return b.String()
}

// published returns the audit records of the story of a tenant, as they stand in
// its exports, each once, as JSON.
func published(t testing.TB, folder string) []string {
	t.Helper()
	var sources []m365.Source
	err := fs.WalkDir(testdata.Logs, folder, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		sources = append(sources, m365.Source{Name: name, Open: func() (io.ReadCloser, error) { return testdata.Logs.Open(name) }})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var records []string
	for record, err := range m365.NewReader(sources, m365.Options{}).Records(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		switch record.Origin.Form {
		case m365.FormSentinel, m365.FormSophos, m365.FormSignIn, m365.FormDirectoryAudit, m365.FormAlert, m365.FormPanther:
			continue // other schemas
		}
		if record.Partial {
			continue
		}
		var r map[string]any
		if err := json.Unmarshal([]byte(record.Raw.JSON()), &r); err != nil {
			t.Fatal(err)
		}
		r["CreationTime"] = strings.TrimSuffix(fmt.Sprint(r["CreationTime"]), "Z")
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, string(b))
	}
	if len(records) < 150 {
		t.Fatalf("only %d records", len(records))
	}
	return records
}

func field(t testing.TB, record, name string) string {
	t.Helper()
	var r map[string]any
	if err := json.Unmarshal([]byte(record), &r); err != nil {
		t.Fatal(err)
	}
	s, _ := r[name].(string)
	return s
}

// forms write the same records as different exports do.
func forms(t testing.TB) map[string]func([]string) string {
	rows := func(head []string, delimiter rune, row func(r string) []string) func([]string) string {
		return func(records []string) string {
			var b strings.Builder
			w := csv.NewWriter(&b)
			w.Comma, w.UseCRLF = delimiter, true
			_ = w.Write(head)
			for _, r := range records {
				_ = w.Write(row(r))
			}
			w.Flush()
			return b.String()
		}
	}
	each := func(line func(r string) string) func([]string) string {
		return func(records []string) string {
			var b strings.Builder
			for _, r := range records {
				b.WriteString(line(r) + "\n")
			}
			return b.String()
		}
	}
	quoted := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	purview := func(r string) []string {
		return []string{field(t, r, "Id"), "1/2/2023 3:04:05 AM", "1", field(t, r, "Operation"), field(t, r, "UserId"), r, "", ""}
	}
	head := []string{"RecordId", "CreationDate", "RecordType", "Operation", "UserId", "AuditData", "AssociatedAdminUnits", "AssociatedAdminUnitsNames"}
	upper := make([]string, len(head))
	for i, h := range head {
		upper[i] = strings.ToUpper(h)
	}
	return map[string]func([]string) string{
		"purview":       rows(head, ',', purview),
		"other headers": rows(upper, ',', purview),
		"spreadsheet":   func(r []string) string { return "\ufeff" + rows(head, ';', purview)(r) },
		"tabs":          rows(head, '\t', purview),
		"older portal": rows([]string{"CreationDate", "UserIds", "Operations", "AuditData"}, ',', func(r string) []string {
			return []string{"2/1/2023 03:04:05", field(t, r, "UserId"), field(t, r, "Operation"), r}
		}),
		"lines":   each(func(r string) string { return r }),
		"array":   func(r []string) string { return "[" + strings.Join(r, ",\n") + "]" },
		"elastic": each(func(r string) string { return `{"event":{"original":` + quoted(r) + `}}` }),
		"wazuh":   each(func(r string) string { return `{"office365":` + r + `}` }),
		"graph": func(records []string) string {
			out := make([]string, len(records))
			for i, r := range records {
				out[i] = `{"id":` + quoted(field(t, r, "Id")) + `,"createdDateTime":"2023-01-01T00:00:00Z","operation":` +
					quoted(field(t, r, "Operation")) + `,"auditData":` + r + `}`
			}
			return `{"value":[` + strings.Join(out, ",") + `]}`
		},
		"cloud apps": each(func(r string) string {
			return `{"time":"2023-01-01T00:00:00Z","category":"AdvancedHunting-CloudAppEvents","properties":{"RawEventData":` + r + `}}`
		}),
		"gzip": func(records []string) string {
			var b bytes.Buffer
			w := gzip.NewWriter(&b)
			_, _ = io.WriteString(w, strings.Join(records, "\n"))
			_ = w.Close()
			return b.String()
		},
	}
}

// The same evidence gives the same case, byte for byte, in whatever form, order
// and number of files it comes.
func TestTheSameEvidenceGivesTheSameCase(t *testing.T) {
	for _, folder := range []string{testdata.LogsOne, testdata.LogsTwo} {
		records := published(t, folder)
		all := forms(t)
		want := build(t, dossier.Filter{}, source("a", all["lines"](records)))
		if n := len(want.Case.GetFindings()); n < 6 {
			t.Fatalf("%d findings in\n%s", n, readable(want))
		}
		same := func(name string, sources ...m365.Source) {
			t.Helper()
			got := build(t, dossier.Filter{}, sources...)
			if text(t, got) != text(t, want) {
				t.Errorf("%s: %s\n", name, cmp.Diff(readable(want), readable(got)))
			}
		}
		for name, write := range all {
			same(name, source(name, write(records)))
		}
		names := []string{"purview", "lines", "graph", "wazuh", "spreadsheet", "array", "gzip"}
		for seed := range uint64(6) {
			random := rand.New(rand.NewPCG(seed, 1))
			shuffled := append([]string(nil), records...)
			random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
			same("shuffled", source("a", all["lines"](shuffled)))
			// Split into overlapping parts of different forms.
			var parts []m365.Source
			for from := 0; from < len(shuffled); {
				to := min(len(shuffled), from+1+random.IntN(80))
				form := names[random.IntN(len(names))]
				parts = append(parts, source(fmt.Sprint(len(parts), form), all[form](shuffled[max(0, from-random.IntN(9)):to])))
				from = to
			}
			same("split", parts...)
			same("doubled", append(parts, source("again", all["purview"](records)))...)
		}
		recased := make([]string, len(records))
		for i, r := range records {
			for _, name := range []string{"UserId", "Operation"} {
				if v := field(t, r, name); v != "" {
					r = strings.Replace(r, `"`+name+`":"`+v+`"`, `"`+name+`":"`+strings.ToUpper(v)+`"`, 1)
				}
			}
			recased[i] = r
		}
		same("other case", source("a", all["lines"](recased)))
	}
}

func TestThePublishedStory(t *testing.T) {
	sources := func(folder string) (out []m365.Source) {
		_ = fs.WalkDir(testdata.Logs, folder, func(name string, e fs.DirEntry, err error) error {
			if err == nil && !e.IsDir() {
				out = append(out, m365.Source{Name: name, Open: func() (io.ReadCloser, error) { return testdata.Logs.Open(name) }})
			}
			return err
		})
		return out
	}
	type story struct {
		Techniques, Addresses, Names, Pairs string
		From                                time.Time
	}
	for folder, want := range map[string]story{
		testdata.LogsOne: {
			"T1070.008 T1078.004 T1098 T1098.002 T1098.003 T1114.002 T1114.003 T1136.003 T1562.001 T1564.008",
			"104.161.20.102 185.241.149.122 20.232.202.245",
			"Block Spoofing|Bypass SPAM Filter|Copy of WarnAuditHigh-RiskPhishingPatterns|WarnAuditHigh-RiskPhishingPatterns|[REDACTED // BANKING]",
			"impersonated-email-account.com>botasso.cl", time.Date(2022, 11, 22, 3, 30, 0, 0, time.UTC),
		},
		testdata.LogsTwo: {
			"T1070.008 T1078.004 T1098 T1098.002 T1114.002 T1114.003 T1562.001 T1564.008",
			"104.161.20.102 185.241.149.122 20.232.202.245",
			"Block Phishing|Display name spoofing|[REDACTED] Compromise|redirect [REDACTED] email to DC",
			"", time.Date(2022, 11, 22, 3, 30, 0, 0, time.UTC),
		},
	} {
		d := build(t, dossier.Filter{}, sources(folder)...)
		techniques, addresses, names, pairs := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
		for _, f := range d.Case.GetFindings() {
			techniques[f.GetTechnique()] = true
			for _, o := range f.GetObservables() {
				switch {
				case o.GetKind() == "ip" && strings.Contains(strings.Join(o.GetRoles(), " "), "login_source"):
					addresses[o.GetValue()] = true
				case o.GetKind() == "rule_name":
					names[o.GetValue()] = true
				case o.GetKind() == "spoof_pair":
					pairs[o.GetValue()] = true
				}
			}
		}
		got := story{keys(techniques, " "), keys(addresses, " "), keys(names, "|"), keys(pairs, "|"), d.Case.GetEvidenceFrom().AsTime()}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", folder, diff)
		}
	}
}

func keys(m map[string]bool, separator string) string {
	return strings.Join(slices.Sorted(maps.Keys(m)), separator)
}
