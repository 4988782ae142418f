package m365_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/client/m365"
)

// problems are those of an account, short.
func problems(a *m365.Account) []string {
	var list []string
	for _, p := range a.Problems {
		list = append(list, fmt.Sprintf("%s:%d #%d %s", p.File, p.Line, p.Number, p.Reason))
	}
	return list
}

func ids(records []*m365.Record) string {
	var list []string
	for _, r := range records {
		id := strings.TrimPrefix(r.ID, "11111111-0000-4000-8000-00000000000")
		if r.Partial {
			id += "p"
		}
		list = append(list, id)
	}
	return strings.Join(list, " ")
}

func TestDamage(t *testing.T) {
	array := "[" + strings.Join(evidence, ",") + "]"
	lines := strings.Join(evidence, "\n") + "\n"
	table := purview(t, evidence, ",")
	pretty := containers(t, evidence)["array indented"]
	rows := strings.SplitAfter(table, "\r\n")
	insert := func(at int, row string) string {
		list := append(append([]string{}, rows[:at]...), row)
		return strings.Join(append(list, rows[at:]...), "")
	}
	wide := strings.Repeat("c,", 10_000) + "AuditData\n1\n"
	for _, c := range []struct {
		name, text string
		ids        string
		problems   []string
	}{
		{"table cut in a cell", table[:len(table)-200], "1 2", []string{"file0:4 #3 truncated"}},
		{"table cut between rows", rows[0] + rows[1], "1", nil},
		{"table without a last line end", strings.TrimSuffix(table, "\r\n"), "1 2 3", nil},
		{"array cut in a record", array[:len(array)-200], "1 2", []string{"file0:1 #3 truncated", "file0:0 #0 truncated"}},
		{"array cut between records", strings.TrimSuffix(array, "]"), "1 2 3", []string{"file0:0 #0 truncated"}},
		{"page cut after its list", `{"value":` + array, "1 2 3", []string{"file0:0 #0 truncated"}},
		{"lines cut", lines[:len(lines)-200], "1 2 3p", []string{"file0:3 #3 json", "file0:0 #0 truncated"}},
		{"gzip cut", zip(table)[:len(zip(table))-6], "1 2 3", []string{"file0:0 #0 truncated"}},
		{"line of rubbish", strings.Replace(lines, "\n", "\n{{{rubbish\n", 1), "1 2 3", []string{"file0:2 #2 json"}},
		{"first line of rubbish", `{"rubbish` + "\n" + lines, "1 2 3", []string{"file0:1 #1 json"}},
		{"NUL in a record of lines", strings.Replace(lines, "New-Tr", "New\x00Tr", 1), "1 3 2p", []string{"file0:2 #2 json"}},
		{"NUL in a cell", strings.Replace(table, "New-TransportRule\"\"", "New\x00TransportRule\"\"", 1), "1 3 2p", []string{"file0:3 #2 json"}},
		{"quote missing in an array", strings.Replace(array, `"New-TransportRule"`, `"New-TransportRule`, 1), "1 3", []string{"file0:1 #2 json"}},
		{"quote missing in the last record", strings.Replace(array, `"SoftDelete"`, `"SoftDelete`, 1), "1 2", []string{"file0:1 #3 json"}},
		{"quote missing, indented", strings.Replace(pretty, `"New-TransportRule"`, `"New-TransportRule`, 1), "1 3", []string{"file0:47 #2 json"}},
		{"bracket missing in an array", strings.Replace(array, `"True"}],"Sess`, `"True"},"Sess`, 1), "1 3", []string{"file0:1 #2 json"}},
		{"numbers in an array", `[1,"x",` + array[1:], "1 2 3", []string{"file0:1 #1 form", "file0:1 #2 form"}},
		{"other JSON", `[{"a":1},{"b":[{}]}]`, "", []string{"file0:1 #1 form", "file0:1 #2 form"}},
		{"deep", `[` + strings.Repeat(`[`, 100_000) + strings.Repeat(`]`, 100_000) + "," + array[1:], "1 2 3", []string{"file0:1 #1 json"}},
		{"deep, not closed", "{\"a\":" + strings.Repeat(`[{"a":`, 100_000) + "\n" + lines, "1 2 3", []string{"file0:1 #1 json"}},
		{"broad", `[{"a":[` + strings.Repeat(`[],`, 600_000) + `1]},` + array[1:], "1 2 3", []string{"file0:1 #1 json"}},
		{"10,000 columns", wide, "", []string{"file0:0 #0 columns"}},
		{"10,000 cells", insert(2, strings.Repeat("c,", 10_000)+"\r\n"), "1 2 3", []string{"file0:3 #2 cells"}},
		{"stray quote", insert(2, `x,"y,z`+"\r\n"), "1 2 3", []string{"file0:3 #2 cells"}},
		{"AuditData of nothing", insert(2, `9,,1,Add user.,ann@alder.example,{},,`+"\r\n"), "1 2 3 9p", []string{"file0:3 #2 no_auditdata"}},
		{"auditData of nothing", `[{"id":"9","createdDateTime":"2023-02-01T08:00:00Z","operation":"Send","auditData":{}},{"id":"8","createdDateTime":"2023-02-01T08:00:00Z","operation":"Send","auditData":null}]`, "9p 8p", []string{"file0:1 #1 no_auditdata", "file0:1 #2 no_auditdata"}},
		{"lists in a list", "[[" + strings.Join(evidence[:2], ",") + "],[" + evidence[2] + "]]", "1 2 3", nil},
		{"few cells", insert(2, "x,y\r\n"), "1 2 3", []string{"file0:3 #2 cells"}},
		{"header again", table + table, "1 2 3", nil},
		{"no AuditData", insert(2, `9,9/20/2023 4:05:03 AM,1,Add user.,ann@alder.example,,,`+"\r\n"), "1 2 3 9p", []string{"file0:3 #2 no_auditdata"}},
		{"no AuditData, nothing else", insert(2, `9,,,,,,,`+"\r\n"), "1 2 3", []string{"file0:3 #2 no_auditdata"}},
		{"AuditData cut", insert(2, `9,,1,,,"{""CreationTime"":""2023-02-01T08:00:00"",""Operation"":""Add user."",""Us",,`+"\r\n"), "1 2 3 9p", []string{"file0:3 #2 json"}},
		{"a whole record makes a partial one needless", insert(1, `11111111-0000-4000-8000-000000000002,,1,New-TransportRule,ann@alder.example,,,`+"\r\n"), "1 2 3", []string{"file0:2 #1 no_auditdata"}},
		{"nothing", "", "", []string{"file0:0 #0 no_records"}},
		{"space", " \r\n\n", "", []string{"file0:0 #0 no_records"}},
		{"header only", rows[0], "", []string{"file0:0 #0 no_records"}},
		{"empty page", `{"value":[]}`, "", []string{"file0:0 #0 no_records"}},
		{"prose", "Dear all,\nthis is no log\n", "", []string{"file0:0 #0 form"}},
		{"zip", "PK\x03\x04xxxx", "", []string{"file0:0 #0 form"}},
		{"not gzip after all", "\x1f\x8b\x08xxxxxxxxxxxxxxx", "", []string{"file0:0 #0 compressed"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			all, account := read(t, c.text)
			if got := ids(all); got != c.ids {
				t.Errorf("records %q, want %q", got, c.ids)
			}
			if diff := cmp.Diff(c.problems, problems(account)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			truncated := strings.Contains(strings.Join(c.problems, " "), "truncated") && !strings.Contains(c.name, "AuditData")
			if account.Files[0].Truncated != truncated {
				t.Errorf("truncated is %t", account.Files[0].Truncated)
			}
		})
	}
}

// A row from its envelope has what the columns say, and no date that could be
// another.
func TestEnvelopeOnly(t *testing.T) {
	all, account := read(t, "RunspaceId,RecordType,CreationDate,UserIds,Operations,AuditData,Identity,_index\n"+
		"r,ExchangeAdmin,2/9/2023 8:00:00,Ann@alder.example,New-InboxRule,,id-1,main\n")
	if len(all) != 1 || account.Empty != 1 || account.Kept != 1 {
		t.Fatalf("%+v", account.Tally)
	}
	r := all[0]
	if !r.Partial || r.ID != "id-1" || r.Operation != "new-inboxrule" || r.User != "Ann@alder.example" ||
		r.RecordType != "exchangeadmin" || !r.Time.IsZero() || r.Origin.Form != m365.FormExport || account.Undated != 1 {
		t.Errorf("%+v", r)
	}
}

// A row that is no UTF-8 is of the code page of Windows, unless it was UTF-8 and
// is cut within a character.
func TestCodePages(t *testing.T) {
	for text, want := range map[string]string{
		"AuditData,x\n" + quoteCSV(with("\"ObjectId\":\"B\xfcro \x96 A\"")) + ",\n":            "Büro – A",
		"AuditData,x\n" + quoteCSV(with("\"ObjectId\":\"Büro\"")) + ",\xc3\n":                  "Büro",
		with("\"ObjectId\":\"caf\xe9\""):                                                       "café",
		"AuditData,x\n" + quoteCSV(with("\"ObjectId\":\"\xf0\x9f\x98\x80 \xf0\x9f\"")) + ",\n": "😀 \ufffd",
	} {
		if got := one(t, text).Object; got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

func TestPortalLimit(t *testing.T) {
	_, account := readSources(t, []m365.Source{m365.Stream("full", newGenerated(50_000, true)), m365.Stream("rest", newGenerated(9, true))}, m365.Options{})
	if diff := cmp.Diff([]string{"full:0 #0 full"}, problems(account)); diff != "" {
		t.Error(diff)
	}
}

// Tables made of nested records name the way to each field.
func TestDottedColumns(t *testing.T) {
	for text, form := range map[string]m365.Form{
		"@timestamp,o365.audit.CreationTime,o365.audit.Operation,o365.audit.UserId,o365.audit.CrossMailboxOperation\nx,2023-02-01T08:00:00,Send,a,true\n":                m365.FormElastic,
		"timestamp,data.office365.CreationTime,data.office365.Operation,data.office365.UserId,data.office365.CrossMailboxOperation\nx,2023-02-01T08:00:00,Send,a,true\n": m365.FormWazuh,
	} {
		r := one(t, text)
		if r.Origin.Form != form || r.Operation != "send" || r.User != "a" || r.Time.IsZero() || !r.Mailbox.CrossMailbox {
			t.Errorf("%+v", r)
		}
	}
}

// block repeats one byte without end.
type block byte

func (b block) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}

func TestMemoryIsBounded(t *testing.T) {
	size := int64(100 << 20)
	if testing.Short() {
		size = 4 << 20
	}
	array := strings.Join(evidence, ",")
	table := purview(t, evidence, ",")
	lines := strings.Join(evidence, "\n") + "\n"
	giant := func(before string, c byte, after string) io.Reader {
		return io.MultiReader(strings.NewReader(before), io.LimitReader(block(c), size), strings.NewReader(after))
	}
	rows := strings.SplitAfter(table, "\r\n")
	for _, c := range []struct {
		name     string
		r        io.Reader
		ids      string
		problems []string
	}{
		{"line of a table", giant(table+"x,", 'x', "\r\n"+rows[1]), "1 2 3", []string{"f:5 #4 too_long"}},
		{"cell of a table", giant(table+`x,"`, 'x', "\"\r\n"+rows[1]), "1 2 3", []string{"f:5 #4 too_long"}},
		{"cell that does not end", giant(rows[0]+rows[1]+`x,"`, 'x', ""), "1", []string{"f:3 #2 too_long"}},
		{"lines in a cell that does not end", giant(rows[0]+rows[1]+`x,"`, '\n', rows[2]+rows[3]), "1 2 3", []string{"f:3 #2 too_long"}},
		{"quotes", giant(rows[0]+rows[1], '"', "\r\n"+rows[2]), "1 2", []string{"f:3 #2 too_long"}},
		{"line of JSON", giant(lines+`{"a":"`, 'x', "\"}\n"+lines), "1 2 3", []string{"f:4 #4 too_long"}},
		{"string in an array", giant("["+array+`,{"a":"`, 'x', `"},`+array+"]"), "1 2 3", []string{"f:1 #4 too_long"}},
		{"backslashes in an array", giant("["+array+`,{"a":"`, '\\', `"},`+array+"]"), "1 2 3", []string{"f:1 #4 too_long"}},
		{"brackets", giant("["+array+`,`, '[', ""), "1 2 3", []string{"f:1 #4 too_long", "f:0 #0 truncated"}},
		{"braces", giant("", '{', ""), "", []string{"f:1 #1 too_long"}},
		{"commas", giant("["+array, ',', "]"), "1 2 3", []string{}},
		{"space", giant("", ' ', "["+array+"]"), "1 2 3", []string{}},
		{"space in a page", giant(`{"value":`, ' ', `[`+array+`]}`), "", []string{"f:1 #1 too_long"}},
		{"space in a list", giant(`{"value":[`, ' ', array+`]}`), "", []string{"f:1 #1 too_long"}},
		{"NULs", giant("", 0, ""), "", []string{"f:0 #0 no_records"}},
		{"header", giant("AuditData,", 'x', "\n"), "", []string{"f:0 #0 columns"}},
		{"digits", giant("["+array+",", '1', "]"), "1 2 3", []string{"f:1 #4 json"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			runtime.GC()
			var before, now runtime.MemStats
			runtime.ReadMemStats(&before)
			var most uint64
			r := m365.NewReader([]m365.Source{m365.Stream("f", c.r)}, m365.Options{
				MaxRecord: 1 << 20,
				Progress: func(m365.Progress) {
					runtime.ReadMemStats(&now)
					most = max(most, now.HeapAlloc)
				},
			})
			var all []*m365.Record
			for rec, err := range r.Records(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, rec)
			}
			a := r.Account()
			if got := ids(all); got != c.ids {
				t.Errorf("records %q, want %q", got, c.ids)
			}
			if got := problems(a); !slices.Equal(c.problems, got) {
				t.Errorf("problems %v, want %v", got, c.problems)
			}
			runtime.ReadMemStats(&now)
			if most = max(most, now.HeapAlloc); most > before.HeapAlloc+64<<20 {
				t.Errorf("%d MB of memory", (most-before.HeapAlloc)>>20)
			}
		})
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("b/2.txt", evidence[1])
	one := write("a.bin", zip(evidence[0]))
	write(".hidden", evidence[2])
	write("b/.git/x", evidence[2])
	if err := os.Symlink(one, filepath.Join(dir, "c")); err != nil {
		t.Fatal(err)
	}
	sources, err := m365.Paths(one, dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range sources {
		names = append(names, strings.TrimPrefix(s.Name, dir))
		if s.Size <= 0 {
			t.Errorf("%s has no size", s.Name)
		}
	}
	if diff := cmp.Diff([]string{"/a.bin", "/b/2.txt"}, names); diff != "" {
		t.Error(diff)
	}
	var last m365.Progress
	all, account := readSources(t, sources, m365.Options{Progress: func(p m365.Progress) { last = p }})
	if got := ids(all); got != "1 2" {
		t.Errorf("records %q", got)
	}
	if last.Bytes != last.Total || last.Records != 2 || account.Bytes != last.Total {
		t.Errorf("%+v", last)
	}
	if _, err := m365.Paths(filepath.Join(dir, "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
}

func TestFileThatCannotBeRead(t *testing.T) {
	sources := []m365.Source{
		{Name: "gone", Open: func() (io.ReadCloser, error) { return os.Open(filepath.Join(t.TempDir(), "gone")) }},
		m365.Stream("breaks", io.MultiReader(strings.NewReader(evidence[0]+"\n"), failing{})),
		m365.Stream("good", strings.NewReader(evidence[1])),
	}
	all, account := readSources(t, sources, m365.Options{})
	if got := ids(all); got != "1 2" {
		t.Errorf("records %q", got)
	}
	if diff := cmp.Diff([]string{"gone:0 #0 open", "breaks:0 #0 open"}, problems(account)); diff != "" {
		t.Error(diff)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("disk on fire") }

func TestLeaveEarly(t *testing.T) {
	for name, stop := range map[string]func(context.CancelFunc) bool{
		"break":  func(context.CancelFunc) bool { return true },
		"cancel": func(cancel context.CancelFunc) bool { cancel(); return false },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r := m365.NewReader([]m365.Source{m365.Stream("x", newGenerated(50_000, true))}, m365.Options{})
			n := 0
			var last error
			for _, err := range r.Records(ctx) {
				if last = err; err != nil {
					continue
				}
				if n++; n == 10 && stop(cancel) {
					break
				}
			}
			if n >= 50_000 {
				t.Error("it did not stop")
			}
			if wantErr := name == "cancel"; errors.Is(last, context.Canceled) != wantErr {
				t.Errorf("last error %v", last)
			}
			for range r.Records(t.Context()) {
				t.Error("a second loop yields")
			}
		})
	}
}

// A record that lies across chunks is read as any other.
func TestChunks(t *testing.T) {
	big := with(`"Filler":"` + strings.Repeat("x", 700<<10) + `"`)
	var b bytes.Buffer
	var want []string
	for i := range 20 {
		id := fmt.Sprintf("id-%d", i)
		want = append(want, id)
		b.WriteString(strings.Replace(big, "x1", id, 1) + ",\n")
	}
	for name, text := range map[string]string{
		"array": "[" + strings.TrimSuffix(b.String(), ",\n") + "]",
		"lines": strings.ReplaceAll(b.String(), ",\n", "\n"),
	} {
		all, account := read(t, text)
		if got := ids(all); got != strings.Join(want, " ") {
			t.Errorf("%s: %q %v", name, got, problems(account))
		}
		for i, r := range all {
			if r.Origin.Line != i+1 || r.Origin.Number != i+1 {
				t.Errorf("%s: %+v", name, r.Origin)
			}
		}
	}
}
