package casefile_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/casefile"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/testdata"
)

// read lists what a text holds, a line for each case or problem.
func read(t testing.TB, r io.Reader) []string {
	t.Helper()
	var got []string
	for in := casefile.NewReader(r); ; {
		d, err := in.Next()
		if err == io.EOF {
			return got
		}
		bad, ok := errors.AsType[*casefile.Error](err)
		switch {
		case err == nil:
			got = append(got, fmt.Sprintf("%s case %s", d.Start(), d.Case.GetId()))
		case ok:
			for _, p := range bad.Problems {
				path := ""
				if p.Path != "" {
					path = " " + p.Path + ":"
				}
				got = append(got, fmt.Sprintf("%s%s %s (%s)", p.Position, path, p.Message, p.Reason))
			}
		default:
			return append(got, err.Error())
		}
	}
}

func TestReader(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"empty", "", nil},
		{"white space", " \r\n\t\n", nil},
		{"one", `{"id":"1"}`, []string{"1:1 case 1"}},
		{"byte order mark", "\uFEFF" + `{"id":"1"}`, []string{"1:1 case 1"}},
		{"lines with CRLF and empty ones", "{\"id\":\"1\"}\r\n\r\n  {\"id\":\"2\"}\r\n", []string{"1:1 case 1", "3:3 case 2"}},
		{"one after the other", `{"id":"1"}{"id":"2"}`, []string{"1:1 case 1", "1:11 case 2"}},
		{"over several lines", "{\n \"id\": \"1\"\n}\n{\n \"id\": \"2\"\n}", []string{"1:1 case 1", "4:1 case 2"}},
		{"columns are characters", `{"title":"añ日本","x":1}`, []string{`1:17 x: case has no such field (FIELD_UNKNOWN)`}},
		{"list", "[\n{\"id\":\"1\"}\n]", []string{"1:1 a case is an object; write the cases one after the other, not as a list; the rest is not read (JSON_SYNTAX)"}},
		{"no JSON", "tenant,id\nalder,1\nbirch,2\n", []string{
			"1:1 't' where a case, an object, belongs (JSON_SYNTAX)",
			"2:1 'a' where a case, an object, belongs; the rest is not read (JSON_SYNTAX)",
		}},
		{"UTF-16", "\xFF\xFE{\x00}\x00", []string{"1:1 the text is UTF-16; save it as UTF-8 (NOT_UTF8)"}},
		{"not UTF-8", `{"id":"a` + "\xff" + `"}`, []string{"1:9 the text is not UTF-8 here (NOT_UTF8)"}},
		{"half a surrogate pair", `{"id":"a\ud800"}`, []string{"1:9 half of a surrogate pair (NOT_UTF8)"}},
		{"surrogate pair", `{"id":"\ud83d\ude00"}`, []string{"1:1 case 😀"}},
		{"NUL in a string", "{\"id\":\"a\x00\"}", []string{"1:9 a NUL in a string (CONTROL_CHARACTER)"}},
		{"escaped NUL", `{"id":"a\u0000"}`, []string{"1:9 a NUL in a string (CONTROL_CHARACTER)"}},
		{"NUL between", "{\x00}", []string{"1:2 a NUL where the name of a field belongs (CONTROL_CHARACTER)"}},
		{"control character", "{\"id\":\"a\x1b\"}", []string{"1:9 the control character U+001B in a string has to be escaped (JSON_SYNTAX)"}},
		{"no comma", "{\n\"id\":\"1\"\n\"tenant\":\"a\"}", []string{`3:1 '"' where a comma or '}' belongs; the rest is not read (JSON_SYNTAX)`}},
		{"comma too many", `{"id":"1",}`, []string{"1:11 '}' where the name of a field belongs (JSON_SYNTAX)"}},
		{"wrong bracket", `{"findings":[}`, []string{"1:14 '}' where a value belongs (JSON_SYNTAX)"}},
		{"escape", `{"id":"\x"}`, []string{"1:8 no such escape (JSON_SYNTAX)"}},
		{"hexadecimal digits", `{"id":"\u12g4"}`, []string{`1:8 four hexadecimal digits belong behind \u (JSON_SYNTAX)`}},
		{"number", `{"revision":01}`, []string{"1:14 '1' where a comma or '}' belongs (JSON_SYNTAX)"}},
		{"number without digits", `{"revision":-}`, []string{"1:14 '}' where a digit belongs (JSON_SYNTAX)"}},
		{"word", `{"restricted":ture}`, []string{"1:15 no value: is it true? (JSON_SYNTAX)"}},
		{"too deep", strings.Repeat(`{"a":`, 1000), []string{"1:321 the values are nested too deep (JSON_SYNTAX)"}},

		{"cut off", "{\"id\":\"1\",\n \"tit", []string{"2:6 the text is cut off within a case (JSON_CUT_OFF)"}},
		{"cut off in a string", `{"id":"1`, []string{"1:9 the text is cut off within a case (JSON_CUT_OFF)"}},
		{"cut off in an escape", `{"id":"\u12`, []string{"1:12 the text is cut off within a case (JSON_CUT_OFF)"}},
		{"cut off in a character", "{\"id\":\"\xE6\x97", []string{"1:8 the text is not UTF-8 here (NOT_UTF8)"}},
		{"cut off in a word", `{"restricted":tr`, []string{"1:17 the text is cut off within a case (JSON_CUT_OFF)"}},

		{"goes on after a bad line", "{\"id\":\"1\"}\n{\"id\":\"2\n{\"id\":\"3\"}\n{\"id\" \"4\"}\n{\"id\":\"5\"}", []string{
			"1:1 case 1",
			"2:9 the string does not end on its line (JSON_SYNTAX)",
			"3:1 case 3",
			`4:7 '"' where a colon belongs (JSON_SYNTAX)`,
			"5:1 case 5",
		}},
		{"goes on after a line without end", "{\"id\":\"1\",\"findings\":[{}\n{\"id\":\"2\"}", []string{
			"2:1 '{' where a comma or ']' belongs; the case that begins in line 1 has no end (JSON_SYNTAX)",
			"2:1 case 2",
		}},
		{"goes on after a bad field", "{\"idd\":\"1\"}\n{\"id\":\"2\"}", []string{
			"1:2 idd: case has no such field (FIELD_UNKNOWN)",
			"2:1 case 2",
		}},

		{"every unknown field", "{\"a\":{\"b\":[1]},\n\"findings\":[{\"observables\":[{},{\"valeu\":\"x\"}]}]}", []string{
			"1:2 a: case has no such field (FIELD_UNKNOWN)",
			"2:33 findings[0].observables[1].valeu: observable has no such field (FIELD_UNKNOWN)",
		}},
		{"both spellings", `{"opened_at":"2023-01-01T00:00:00Z","closedAt":"2023-01-01T00:00:00Z","id":"1"}`, []string{"1:1 case 1"}},
		{"a field twice", `{"opened_at":"2023-01-01T00:00:00Z","openedAt":"2023-01-01T00:00:00Z"}`, []string{
			"1:37 opened_at: the field is there twice (FIELD_TWICE)",
		}},
		{"a key twice", `{"labels":{"a":"1","a":"2"}}`, []string{"1:20 labels: the key is there twice (FIELD_TWICE)"}},
		{"types", `{"id":1,"title":null,"state":"closed","opened_at":"yesterday","restricted":"yes","labels":[],"references":"x","findings":[{"count":-1},null,{"count":1.5},{"count":"7"}],"revision":4294967296}`, []string{
			"1:7 id: a number where a string belongs (TYPE_WRONG)",
			"1:30 state: not one of CASE_STATE_CLOSED, CASE_STATE_DISMISSED, CASE_STATE_OPEN (TYPE_WRONG)",
			`1:51 opened_at: not a time as in "2023-02-22T15:04:05Z" (TYPE_WRONG)`,
			"1:76 restricted: a string where true or false belongs (TYPE_WRONG)",
			"1:91 labels: a list where an object belongs (TYPE_WRONG)",
			"1:107 references: a string where a list belongs (TYPE_WRONG)",
			"1:132 findings[0].count: not a whole number from 0 to 4294967295 (TYPE_WRONG)",
			"1:136 findings[1]: null where an object belongs (TYPE_WRONG)",
			"1:150 findings[2].count: not a whole number from 0 to 4294967295 (TYPE_WRONG)",
			"1:181 revision: not a whole number from 0 to 4294967295 (TYPE_WRONG)",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.want, read(t, strings.NewReader(tt.text))); d != "" {
				t.Error(d)
			}
			// What a read returns must not matter.
			if d := cmp.Diff(tt.want, read(t, iotest.OneByteReader(strings.NewReader(tt.text)))); d != "" {
				t.Errorf("byte by byte: %s", d)
			}
		})
	}
}

func TestReaderLimits(t *testing.T) {
	// A case that is too large is passed over without being kept.
	huge := io.MultiReader(
		strings.NewReader(`{"id":"1","title":"`), io.LimitReader(letters{}, 50<<20), strings.NewReader("\"}\n{\"id\":\"2\"}\n"))
	want := []string{"1:1 the case is larger than 10 MiB (TOO_LARGE)", "2:1 case 2"}
	if d := cmp.Diff(want, read(t, huge)); d != "" {
		t.Error(d)
	}
	full := `{"id":"` + strings.Repeat("x", 10<<20-len(`{"id":""}`)) + `"}`
	if got := read(t, strings.NewReader(full)); len(got) != 1 || !strings.HasPrefix(got[0], "1:1 case x") {
		t.Errorf("a case of exactly 10 MiB was refused: %.100s", got)
	}
	many := `{` + strings.Repeat(`"a":1,`, 1000) + `"b":1}`
	if got := read(t, strings.NewReader(many)); len(got) != 100 {
		t.Errorf("%d problems, want the first 100", len(got))
	}
}

// letters is a text without end.
type letters struct{}

func (letters) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

func TestReaderPassesErrorsOn(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, text := range []string{"", `{"id":"1"}`, `{"id":"1"} {"id":`} {
		in := casefile.NewReader(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)))
		var err error
		for range 3 {
			if _, err = in.Next(); err != nil {
				break
			}
		}
		if !errors.Is(err, broken) {
			t.Errorf("%q: got %v, want the reader's error", text, err)
		}
		if _, again := in.Next(); !errors.Is(again, broken) {
			t.Errorf("%q: then %v", text, again)
		}
	}
}

func TestPlace(t *testing.T) {
	text := `
{"tenant": "alder",
 "labels": {"a": "1", "b.c": "2"},
 "evidence_from": "2023-01-01T00:00:00Z",
 "findings": [
   {"firstSeen": "2023-01-01T00:00:00Z"},
   {"observables": [{"kind": "ip", "value": "ü", "roles": ["x", "y"]}]}
 ]}`
	d, err := casefile.NewReader(strings.NewReader(text)).Next()
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"":                                    "2:1",
		"tenant":                              "2:12",
		"id":                                  "2:1", // not there: the case
		`labels["b.c"]`:                       "3:30",
		"labels[b.c]":                         "3:30",
		"labels.a":                            "3:18",
		"evidence_from":                       "4:19",
		"evidenceFrom":                        "4:19",
		"findings":                            "5:14",
		"findings[0].first_seen":              "6:18",
		"findings[0].last_seen":               "6:4",
		"findings[1].observables[0].kind":     "7:30",
		"findings[1].observables[0].roles[1]": "7:65",
		"findings[1].observables[0].roles[2]": "7:59",
		"findings[1].observables[7].value":    "7:20",
		"findings[x]":                         "5:14",
		"findings[":                           "5:14",
		"...":                                 "2:1",
	} {
		if got := d.Place(path).String(); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}

func FuzzReader(f *testing.F) {
	seeds(f, func(b []byte) { f.Add(b) })
	f.Add([]byte("\uFEFF{\"id\":\"\\ud83d\\ude00\"}\r\n{\"id\":\"2\n{\"findings\":[{\"count\":1e3}]}"))
	f.Add([]byte(`{"state":2,"opened_at":"2023-01-01T00:00:00.123456789+02:00","labels":{"":""}}[]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		in := casefile.NewReader(bytes.NewReader(b))
		first := true
		for n := 0; ; n++ {
			d, err := in.Next()
			if err == io.EOF {
				break
			}
			if n > len(b) {
				t.Fatal("more cases than bytes")
			}
			if first && err != nil && takes(b) {
				t.Fatalf("refused what the schema takes: %v", err)
			}
			first = false
			if err != nil {
				bad, ok := errors.AsType[*casefile.Error](err)
				if !ok || len(bad.Problems) == 0 {
					t.Fatalf("got %v", err)
				}
				lines := bytes.Count(b, []byte("\n")) + 1
				for _, p := range bad.Problems {
					if p.Line < 1 || p.Column < 1 || p.Line > lines || p.Column > len(b)+1 {
						t.Fatalf("a place outside of the text: %v", p)
					}
				}
				continue
			}
			if d.Size() > len(b) {
				t.Fatalf("a case of %d bytes in %d", d.Size(), len(b))
			}
			if _, err := proto.Marshal(d.Case); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// takes reports whether a text is one case in the eyes of the libraries, of the
// kind that we take as well.
func takes(b []byte) bool {
	b = bytes.TrimPrefix(b, []byte("\uFEFF"))
	return json.Valid(b) && !bytes.Contains(b, []byte(`\u`)) && !bytes.ContainsAny(b, ",-") &&
		protojson.Unmarshal(b, &elsewherev1.Case{}) == nil
}

// FuzzPlace asks for the place of every value of a case and reads what stands
// there.
func FuzzPlace(f *testing.F) {
	seeds(f, func(b []byte) { f.Add(b, "findings[0].observables[1].value") })
	f.Add([]byte(`{"labels":{"a]":"1","\"]":"2"},"references":["","[",","]}`), `labels["a]"]`)
	f.Add([]byte(`{"findings":[{}, {"observables":[{"value":"\\\""},{"roles":["é"]}]}]}`), `findings[1`)
	f.Fuzz(func(t *testing.T, b []byte, path string) {
		d, err := casefile.NewReader(bytes.NewReader(b)).Next()
		if err != nil {
			return
		}
		d.Place(path)
		if !json.Valid(b) {
			return // there is more in the text
		}
		var all map[string]any
		if err := json.Unmarshal(b, &all); err != nil {
			return
		}
		lines := bytes.SplitAfter(b, []byte("\n"))
		var walk func(path string, v any)
		walk = func(path string, v any) {
			p := d.Place(path)
			rest := append([]byte{}, bytes.Join(lines[p.Line-1:], nil)...)
			for range p.Column - 1 {
				_, n := utf8.DecodeRune(rest)
				rest = rest[n:]
			}
			var got any
			if err := json.NewDecoder(bytes.NewReader(rest)).Decode(&got); err != nil {
				t.Fatalf("%s is at %s, where stands %.40q", path, p, rest)
			}
			if d := cmp.Diff(v, got); d != "" {
				t.Fatalf("%s is at %s, where stands another value: %s", path, p, d)
			}
			switch v := v.(type) {
			case map[string]any:
				for k, v := range v {
					if path == "labels" {
						walk("labels["+strconv.Quote(k)+"]", v)
						continue
					}
					walk(strings.TrimPrefix(path+"."+k, "."), v)
				}
			case []any:
				for i, v := range v {
					walk(fmt.Sprintf("%s[%d]", path, i), v)
				}
			}
		}
		walk("", all)
	})
}

// seeds adds the small cases; the fuzzer is slow to shrink large ones.
func seeds(f *testing.F, add func([]byte)) {
	err := fs.WalkDir(testdata.Files, "unlinked", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := testdata.Files.ReadFile(name)
		add(b)
		return err
	})
	if err != nil {
		f.Fatal(err)
	}
}
