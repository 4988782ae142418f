package m365_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/client/m365"
)

// record is a bare record with an id, a time and an operation.
func record(id string, at time.Time, operation string) string {
	return fmt.Sprintf(`{"Id":%q,"CreationTime":%q,"Operation":%q,"UserId":"ann@alder.example"}`, id, at.Format("2006-01-02T15:04:05"), operation)
}

func TestDuplicates(t *testing.T) {
	day := time.Date(2023, 2, 1, 8, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		texts []string
		want  int
	}{
		"same id":              {[]string{record("A", day, "x"), record("a", day, "x")}, 1},
		"same id, other form":  {[]string{purview(t, evidence, ","), powershell(t, evidence)}, 3},
		"placeholder ids":      {[]string{record("00000000-0000-0000-0000-000000000000", day, "x"), record("00000000-0000-0000-0000-000000000000", day, "y")}, 2},
		"placeholder, content": {[]string{record("Not Available", day, "x"), record("Not Available", day, "x")}, 1},
		"no id, other order":   {[]string{`{"CreationTime":"2023-02-01T08:00:00","Operation":"x","Parameters":[{"Name":"a","Value":"1"}]}`, `{"Parameters":[{"Value":"1","Name":"a"}],"Operation":"x","UserId":null,"CreationTime":"2023-02-01T08:00:00"}`}, 1},
		"no id, list order":    {[]string{`{"CreationTime":"2023-02-01T08:00:00","Operation":"x","Parameters":["a","b"]}`, `{"CreationTime":"2023-02-01T08:00:00","Operation":"x","Parameters":["b","a"]}`}, 2},
		"no id, text or list":  {[]string{`{"CreationTime":"2023-02-01T08:00:00","Operation":"x","Parameters":["a"]}`, `{"CreationTime":"2023-02-01T08:00:00","Operation":"x","Parameters":"[\"a\"]"}`}, 1},
		"other schema":         {[]string{record("66ea54eb", day, "x"), signIn}, 2},
		"sign-in twice":        {[]string{`{"value":[` + signIn + `]}`, signIn}, 1},
	} {
		all, account := read(t, c.texts...)
		if len(all) != c.want || account.Records != c.want || account.Duplicates != account.Rows-c.want {
			t.Errorf("%s: %d records, %+v", name, len(all), account.Tally)
		}
	}
}

// Fingerprints that no longer fit into memory find the same duplicates.
func TestDuplicatesBeyondMemory(t *testing.T) {
	var b strings.Builder
	day := time.Date(2023, 2, 1, 8, 0, 0, 0, time.UTC)
	for _, round := range []int{0, 1} {
		for i := range 5000 {
			b.WriteString(record("id-"+strconv.Itoa(i*(1+round)), day, "x") + "\n")
		}
	}
	sources := []m365.Source{m365.Stream("x", strings.NewReader(b.String()))}
	all, account := readSources(t, sources, m365.Options{MaxFingerprints: 1000})
	if account.Records != 7500 || account.Duplicates != 2500 {
		t.Errorf("%+v", account.Tally)
	}
	if account.Fingerprints != 7500 || account.Spilled < 6000 || account.Spilled > 7500 {
		t.Errorf("%d fingerprints, %d in files", account.Fingerprints, account.Spilled)
	}
	seen := make(map[string]bool)
	for _, r := range all {
		if seen[r.ID] {
			t.Fatalf("%s twice", r.ID)
		}
		seen[r.ID] = true
	}
}

func TestAccount(t *testing.T) {
	at := func(day, hour int) time.Time { return time.Date(2023, 2, day, hour, 30, 0, 0, time.UTC) }
	text := strings.Join([]string{
		record("3", at(10, 23), "Add user."), record("1", at(1, 8), "UserLoggedIn"), record("2", at(2, 1), "add user"),
		record("4", at(12, 0), "Odd"), record("1", at(1, 8), "UserLoggedIn"), `{"what":"?"}`,
	}, "\n")
	_, a := read(t, text, sentinelTable)
	if diff := cmp.Diff(m365.Tally{Bytes: int64(len(text) + len(sentinelTable)), Rows: 7, Records: 5, Duplicates: 1, Unreadable: 1}, a.Tally); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]int{"userloggedin": 1, "add user": 2, "odd": 1, "new-inboxrule": 1}, a.Operations); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[m365.Form]int{m365.FormActivity: 5, m365.FormSentinel: 1}, a.Forms); diff != "" {
		t.Error(diff)
	}
	if !a.First.Equal(at(1, 8)) || !a.Last.Equal(at(12, 0)) {
		t.Errorf("%v to %v", a.First, a.Last)
	}
	day := func(d int) time.Time { return time.Date(2023, 2, d, 0, 0, 0, 0, time.UTC) }
	days := []m365.Day{{Day: day(1), Records: 1}, {Day: day(2), Records: 2}, {Day: day(10), Records: 1}, {Day: day(12), Records: 1}}
	if diff := cmp.Diff(days, a.Days); diff != "" {
		t.Error(diff)
	}
	gaps := []m365.Gap{{From: day(2).Add(10 * time.Hour), To: day(10).Add(23 * time.Hour)}, {From: day(11), To: day(12)}}
	if diff := cmp.Diff(gaps, a.Gaps); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]m365.Form{m365.FormActivity}, a.Files[0].Forms); diff != "" || a.Files[0].Rows != 6 || a.Files[1].Rows != 1 {
		t.Errorf("%+v", a.Files)
	}
}

// A hostile log with a new operation in each record costs no memory for it.
func TestOperationsAreBounded(t *testing.T) {
	var b strings.Builder
	for i := range 6000 {
		b.WriteString(record(strconv.Itoa(i), time.Unix(1e9, 0), "op"+strconv.Itoa(i)) + "\n")
	}
	_, a := read(t, b.String())
	if len(a.Operations) != 4096 || a.OtherOperations != 6000-4096 {
		t.Errorf("%d operations, %d others", len(a.Operations), a.OtherOperations)
	}
	_, a = read(t, strings.Repeat("{{{\n", 2)+strings.Repeat(evidence[0]+"\n{\n", 500))
	if len(a.Problems) != 200 || a.Reasons[m365.ReasonJSON] != 502 {
		t.Errorf("%d problems, %v", len(a.Problems), a.Reasons)
	}
}

// The same evidence in any form, order, number of files and number of copies is
// the same set of records.
func TestSameEvidence(t *testing.T) {
	var many []string
	for i := range 40 {
		r := evidence[i%len(evidence)]
		many = append(many, strings.Replace(r, "11111111-0000-4000-8000-00000000000", fmt.Sprintf("22222222-0000-4000-8000-%06d-", i), 1))
	}
	sorted := func(records []*m365.Record) []*m365.Record {
		slices.SortFunc(records, (*m365.Record).Compare)
		return records
	}
	want, _ := read(t, strings.Join(many, "\n"))
	want = sorted(want)
	rapid.Check(t, func(rt *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		copies := rapid.IntRange(1, 3).Draw(rt, "copies")
		var all []string
		for range copies {
			all = append(all, many...)
		}
		rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		var texts []string
		for len(all) > 0 {
			n := min(len(all), 1+rng.IntN(60))
			forms := containers(t, all[:n])
			names := slices.Sorted(func(yield func(string) bool) {
				for name := range forms {
					if !yield(name) {
						return
					}
				}
			})
			texts = append(texts, forms[rapid.SampledFrom(names).Draw(rt, "form")])
			all = all[n:]
		}
		got, account := read(t, texts...)
		if account.Rows != copies*len(many) || account.Records != len(many) {
			rt.Fatalf("%+v %v", account.Tally, account.Problems)
		}
		if diff := cmp.Diff(want, sorted(got), sameEvidence); diff != "" {
			rt.Fatalf("records differ (-want +got):\n%s", diff)
		}
	})
}

// The number of workers changes nothing.
func TestWorkers(t *testing.T) {
	var want []string
	for _, workers := range []int{1, 2, 7} {
		g := newGenerated(5000, true)
		g.dup = 3
		all, account := readSources(t, []m365.Source{m365.Stream("x", g), m365.Stream("y", newGenerated(100, false))}, m365.Options{Workers: workers})
		got := []string{fmt.Sprint(account.Tally)}
		for _, r := range all {
			got = append(got, fmt.Sprint(r.ID, r.Origin))
		}
		if want == nil {
			want = got
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d workers: %s", workers, diff)
		}
	}
}
