package misp_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/md5"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export"
	"github.com/elsewhere-project/elsewhere/server/export/misp"
)

func write(t testing.TB, b *export.Bundle, o misp.Options) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := misp.Write(t.Context(), &out, b, o); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// written is an event as it is in a file, without the program's own types.
type written struct {
	Event struct {
		UUID, Info, Date, Timestamp, Distribution string
		Published                                 bool
		SharingGroupID                            string `json:"sharing_group_id"`
		Tag                                       []struct{ Name string }
		Attribute                                 []writtenAttribute
		Object                                    []struct {
			UUID, Name   string
			TemplateUUID string `json:"template_uuid"`
			Attribute    []writtenAttribute
			Reference    []struct {
				Referenced string `json:"referenced_uuid"`
			} `json:"ObjectReference"`
		}
	}
}

type writtenAttribute struct {
	UUID, Type, Category, Value, Comment, Timestamp string
	ToIDs                                           bool `json:"to_ids"`
	DisableCorrelation                              bool `json:"disable_correlation"`
	Deleted                                         bool
}

func parse(t testing.TB, b []byte) written {
	t.Helper()
	var w written
	if err := json.Unmarshal(b, &w); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	return w
}

func TestEveryAttributeHasAValidTypeAndCategory(t *testing.T) {
	b := bundle(everything()...)
	b.Actor = &export.Actor{ID: "act-1", Name: "ELS-example-act-1", Aliases: []string{"one"}, Cases: 2}
	w := parse(t, write(t, b, misp.Options{}))
	attributes := slices.Clone(w.Event.Attribute)
	ids := map[string]bool{}
	for _, o := range w.Event.Object {
		attributes = append(attributes, o.Attribute...)
		if ids[o.UUID] {
			t.Errorf("object %s twice", o.Name)
		}
		ids[o.UUID] = true
	}
	if len(attributes) < 30 {
		t.Fatalf("only %d attributes", len(attributes))
	}
	for _, a := range attributes {
		if !misp.ValidPair(a.Type, a.Category) {
			t.Errorf("%s in %s is not valid: %s", a.Type, a.Category, a.Value)
		}
		if ids[a.UUID] {
			t.Errorf("uuid of %s %s twice", a.Type, a.Value)
		}
		ids[a.UUID] = true
	}
	for _, o := range w.Event.Object {
		for _, r := range o.Reference {
			if !ids[r.Referenced] {
				t.Errorf("object %s refers to what is not there", o.Name)
			}
		}
	}
	want := map[string][3]any{ // type, to_ids, correlation disabled
		"104.161.20.102": {"ip-src", true, false}, "53755": {"AS", false, true}, "botasso.cl": {"domain", true, false},
		"smtp83.iad3a.emailsrvr.com": {"hostname", false, true}, "drop@botasso.cl": {"email-dst", true, false},
		"copy of invoices": {"text", false, false}, "rss": {"text", false, true},
	}
	for _, a := range w.Event.Attribute {
		if form, ok := want[a.Value]; ok && form != [3]any{a.Type, a.ToIDs, a.DisableCorrelation} {
			t.Errorf("%s: %s, to_ids %v, disable_correlation %v", a.Value, a.Type, a.ToIDs, a.DisableCorrelation)
		}
		delete(want, a.Value)
	}
	if len(want) > 0 {
		t.Errorf("not written: %v", want)
	}
}

func TestPrivateKindsAreRefused(t *testing.T) {
	err := misp.Write(t.Context(), io.Discard, bundle(item(evidence.KindPhone, "hmac1:x:y")), misp.Options{})
	if _, ok := errors.AsType[*misp.KindError](err); !ok {
		t.Errorf("%v", err)
	}
}

func TestEventHeader(t *testing.T) {
	b := bundle(item(evidence.KindIP, "104.161.20.102"))
	b.Title = strings.Repeat("long\n", 100)
	e := parse(t, write(t, b, misp.Options{Tags: []string{"tlp:red", "PAP:AMBER"}})).Event
	if len([]rune(e.Info)) > 256 || strings.ContainsAny(e.Info, "\r\n") {
		t.Errorf("info %q", e.Info)
	}
	if e.Date != "2023-01-20" || e.Timestamp != fmt.Sprint(day(20).Unix()) || e.Published || e.SharingGroupID != "0" {
		t.Errorf("%+v", e)
	}
	var names []string
	for _, tag := range e.Tag {
		names = append(names, tag.Name)
	}
	want := []string{
		"tlp:amber", "PAP:AMBER", `estimative-language:likelihood-probability="very-likely"`,
		`misp-galaxy:mitre-attack-pattern="Cloud Accounts - T1078.004"`,
		`misp-galaxy:mitre-attack-pattern="Email Forwarding Rule - T1114.003"`,
	}
	if d := cmp.Diff(want, names); d != "" {
		t.Errorf("tags (-want +got):\n%s", d)
	}
}

func TestLikelihoodBands(t *testing.T) {
	for p, want := range map[float64]string{
		.01: "almost-no-chance", .05: "very-unlikely", .2: "unlikely", .45: "roughly-even-chance", .55: "likely",
		.79: "likely", .8: "very-likely", .95: "almost-certain", .995: "almost-certain",
	} {
		b := bundle()
		b.Links[0].Likelihood = p
		tag := `likelihood-probability=\"` + want + `\"`
		if out := string(write(t, b, misp.Options{})); strings.Count(out, tag) != 2 {
			t.Errorf("%v: want the event and the annotation tagged %s:\n%s", p, want, out)
		}
	}
}

func TestEqualBundlesGiveEqualBytes(t *testing.T) {
	if a, b := write(t, bundle(everything()...), misp.Options{}), write(t, bundle(everything()...), misp.Options{}); !bytes.Equal(a, b) {
		t.Error("two writes differ")
	}
}

func TestDefinitions(t *testing.T) {
	b := bundle(everything()...)
	w := parse(t, write(t, b, misp.Options{}))
	for _, d := range misp.Definitions() {
		var def struct {
			UUID, Name string
			Attributes map[string]struct {
				Type string `json:"misp-attribute"`
			}
		}
		if err := json.Unmarshal(d.JSON, &def); err != nil || def.Name != d.Name {
			t.Fatalf("%s: %v", d.Name, err)
		}
		used := 0
		for _, o := range w.Event.Object {
			if o.TemplateUUID == def.UUID && o.Name == def.Name {
				used++
			}
		}
		if used == 0 {
			t.Errorf("no object of %s", d.Name)
		}
	}
}

// folder is a feed on disk.
type folder string

func (f folder) Open(name string) (io.ReadCloser, error) {
	return os.Open(filepath.Join(string(f), name))
}

func (f folder) Create(name string) (io.WriteCloser, error) {
	// What was there is read while it is written anew.
	if err := os.Remove(filepath.Join(string(f), name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return os.Create(filepath.Join(string(f), name))
}

func files(t *testing.T, dir folder) map[string]string {
	t.Helper()
	out := make(map[string]string)
	entries, err := os.ReadDir(string(dir))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(string(dir), e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = string(b)
	}
	return out
}

func TestFeedDirectory(t *testing.T) {
	dir := folder(t.TempDir())
	var bundles []*export.Bundle
	for i := range 4 {
		b := bundle(item(evidence.KindIP, fmt.Sprintf("104.161.20.%d", i+1)), withdrawn(item(evidence.KindDomain, "botasso.cl")))
		b.ID = export.NewUUID(export.Namespace(), "feed", fmt.Sprint(i))
		bundles = append(bundles, b)
		if err := misp.WriteFeed(t.Context(), dir, b, misp.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	before := files(t, dir)
	if len(before) != 6 {
		t.Fatalf("%d files", len(before))
	}
	manifest, err := misp.ReadManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(before[misp.HashesFile])
	if len(lines) != 4 || !slices.IsSortedFunc(lines, func(a, b string) int { return strings.Compare(a[33:], b[33:]) }) {
		t.Errorf("hashes: %q", lines)
	}
	form := regexp.MustCompile(`^[0-9a-f]{32},[0-9a-f-]{36}$`)
	for i, b := range bundles {
		entry := manifest[b.ID.String()]
		if entry.Info != b.Title || entry.Orgc.Name != "Example CERT" || len(entry.Tag) == 0 || entry.Timestamp == "" {
			t.Errorf("manifest of %s: %+v", b.ID, entry)
		}
		line := fmt.Sprintf("%x,%s", md5.Sum(fmt.Appendf(nil, "104.161.20.%d", i+1)), b.ID)
		if !slices.Contains(lines, line) || !form.MatchString(line) {
			t.Errorf("hashes lack %s", line)
		}
		if !json.Valid([]byte(before[b.ID.String()+".json"])) {
			t.Errorf("%s.json is not JSON", b.ID)
		}
	}
	// Any order gives one directory, and writing again changes nothing.
	for _, b := range []*export.Bundle{bundles[2], bundles[0], bundles[3], bundles[1]} {
		if err := misp.WriteFeed(t.Context(), dir, b, misp.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(before, files(t, dir)); d != "" {
		t.Errorf("writing again (-before +after):\n%s", d)
	}
	if err := os.WriteFile(filepath.Join(string(dir), misp.ManifestFile), []byte("[]"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := misp.WriteFeed(t.Context(), dir, bundles[0], misp.Options{}); !errors.Is(err, misp.ErrManifest) {
		t.Errorf("with another file in the place of the manifest: %v", err)
	}
}

func TestFeedArchive(t *testing.T) {
	var a, b bytes.Buffer
	for _, out := range []*bytes.Buffer{&a, &b} {
		if err := misp.WriteFeedArchive(t.Context(), out, bundle(item(evidence.KindIP, "104.161.20.102")), misp.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("two archives differ")
	}
	archive, err := zip.NewReader(bytes.NewReader(a.Bytes()), int64(a.Len()))
	if err != nil || len(archive.File) != 3 {
		t.Fatalf("%v, %d files", err, len(archive.File))
	}
}

func TestReadReadsWhatIsWritten(t *testing.T) {
	out := write(t, bundle(everything()...), misp.Options{})
	attributes, objects := 0, 0
	stored, err := misp.Read(t.Context(), bytes.NewReader(out), misp.Visitor{
		Attribute: func(a *misp.StoredAttribute) error {
			if a.Path != fmt.Sprintf("Event.Attribute[%d]", attributes) || a.Value == "" || a.UUID == "" {
				t.Errorf("%+v", a)
			}
			attributes++
			return nil
		},
		Object: func(o *misp.StoredObject) error { objects++; return nil },
	})
	if err != nil || stored.Info != "Mailbox compromise" || stored.Orgc.Name != "Example CERT" || len(stored.Tag) < 3 {
		t.Fatalf("%+v, %v", stored, err)
	}
	w := parse(t, out)
	if attributes != len(w.Event.Attribute) || objects != len(w.Event.Object) {
		t.Errorf("read %d attributes and %d objects", attributes, objects)
	}
}

func TestReadNamesThePlace(t *testing.T) {
	for text, want := range map[string]string{
		``:                "unexpected EOF",
		`[]`:              "no MISP event",
		`{"response":[]}`: "no MISP event",
		`{"Event":[]}`:    "Event (byte 10): want {",
		`{"Event":{"Attribute":[{"type":"ip-src"},{"type":7}]}}`: "Event.Attribute[1].type",
		`{"Event":{"Attribute":[{"type":"ip-src"}`:               "unexpected EOF",
		`{"Event":{"info":{}}}`:                                  "Event.info (byte 19): an object or a list where a text belongs",
	} {
		_, err := misp.Read(t.Context(), strings.NewReader(text), misp.Visitor{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", text, err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := misp.Read(ctx, strings.NewReader(`{"Event":{}}`), misp.Visitor{}); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	var out bytes.Buffer
	if err := misp.Write(f.Context(), &out, bundle(everything()...), misp.Options{}); err != nil {
		f.Fatal(err)
	}
	f.Add(out.Bytes())
	f.Add([]byte(`{"Event":{"uuid":1,"published":"1","Tag":[{"name":"tlp:red"}],"Attribute":[{"value":null}],"Object":[{"Attribute":[]}]}}`))
	f.Add([]byte(`{"Event":{"Attribute":[{"first_seen":"1672531200"},[]]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		first := 0
		_, err := misp.Read(t.Context(), bytes.NewReader(b), misp.Visitor{
			Attribute: func(a *misp.StoredAttribute) error { first++; misp.Time(a.Comment); return nil },
		})
		second := 0
		_, again := misp.Read(t.Context(), bytes.NewReader(b), misp.Visitor{
			Attribute: func(*misp.StoredAttribute) error { second++; return nil },
		})
		if (err == nil) != (again == nil) || first != second {
			t.Errorf("%v and %v, %d and %d attributes", err, again, first, second)
		}
		// What can be read can be compared.
		if _, _, err2 := misp.NewContent(bundle(), misp.Options{}).Compare(t.Context(), bytes.NewReader(b)); (err == nil) != (err2 == nil) {
			t.Errorf("%v and %v", err, err2)
		}
	})
}
