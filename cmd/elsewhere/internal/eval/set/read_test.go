package set_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/eval/set"
	"github.com/elsewhere-project/elsewhere/server/evidence"
)

func TestRead(t *testing.T) {
	const file = "\xef\xbb\xbf" + `{"case_id":"one","label":" Ann ","kind":"crew","date":"2024-11-25","refs":["https://r.example"],"also":[],"indicators":[
` + `{"type":"ipv4","value":"91.1.2.3"},{"type":"ipv6","value":"2A01::1"},{"type":"domain","value":"mail.evil-name.com"},{"type":"domain","value":"evil-name.com"},` +
		`{"type":"url","value":"evil-name.com/a.php"},{"type":"url","value":"https://evil-name.com/a.php"},{"type":"hash","value":"855557e415b485cedb9dc2c6f96d5241"},` +
		`{"type":"email","value":"a@evil-name.com"},{"type":"technique","value":"T1566.001"},` +
		`{"type":"domain","value":"co.uk"},{"type":"ipv4","value":"x"},{"type":"technique","value":"T9"},{"type":"imphash","value":"x"},{"type":"ipv4","value":"y"}]}
` + "\r\n" + `{"case_id":"two","label":"Ann","date":null,"indicators":[]}` + "\r\n"
	s, err := set.Read(strings.NewReader(strings.Replace(file, "[\n", "[", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"Ann", "Ann"}, s.Labels); diff != "" {
		t.Error(diff)
	}
	wantValues := set.Values{Read: 9, Repaired: 1, Dropped: []set.Dropped{
		{Type: "domain", Reason: evidence.ReasonPublicSuffix, N: 1},
		{Type: "ipv4", Reason: evidence.ReasonMalformed, N: 2},
		{Type: "other", Reason: set.ReasonType, N: 1},
		{Type: "technique", Reason: evidence.ReasonMalformed, N: 1},
	}}
	if diff := cmp.Diff(wantValues, s.Values); diff != "" {
		t.Error(diff)
	}
	day := time.Date(2024, time.November, 25, 0, 0, 0, 0, time.UTC)
	type seen struct {
		Kind, Text, Roles string
		First, Last       time.Time
	}
	var got []seen
	p := s.Cases[0].Profile()
	for _, v := range p.Sightings {
		got = append(got, seen{string(v.Kind), v.Text, strings.Join(v.Roles, " "), v.First, v.Last})
	}
	var want []seen
	for _, v := range []evidence.Value{
		{Kind: evidence.KindDomain, Text: "evil-name.com"},
		{Kind: evidence.KindEmail, Text: "a@evil-name.com"},
		{Kind: evidence.KindFileHash, Text: "855557e415b485cedb9dc2c6f96d5241"},
		{Kind: evidence.KindHostname, Text: "mail.evil-name.com"},
		{Kind: evidence.KindIP, Text: "2a01::1"},
		{Kind: evidence.KindIP, Text: "91.1.2.3"},
		{Kind: evidence.KindURL, Text: "http://evil-name.com/a.php"},
		{Kind: evidence.KindURL, Text: "https://evil-name.com/a.php"},
	} {
		want = append(want, seen{string(v.Kind), v.Text, evidence.RoleReferenced, day, day})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"T1566.001"}, p.Techniques); diff != "" {
		t.Error(diff)
	}
	one, two := s.Cases[0], s.Cases[1]
	if one.Tenant == two.Tenant || one.Case != "one" || one.Kind != set.KindReport || !one.Live() {
		t.Errorf("cases %v and %v of kind %q", one.Ref, two.Ref, one.Kind)
	}
	if last := two.Profile(); !last.First.IsZero() || len(last.Sightings) > 0 {
		t.Errorf("a case without anything has %v", last)
	}
}

func TestReadErrors(t *testing.T) {
	const good = `{"case_id":"a","label":"x"}` + "\n"
	for name, c := range map[string]struct {
		file string
		line int
		want error
	}{
		"no JSON":        {good + "{\n", 2, set.ErrNoObject},
		"two objects":    {good + "{} {}\n", 2, set.ErrNoObject},
		"a list":         {"[]\n", 1, set.ErrNoObject},
		"null":           {"null\n", 1, set.ErrNoObject},
		"another type":   {good + `{"case_id":7,"label":"x"}`, 2, set.ErrNoObject},
		"no id":          {`{"label":"x"}`, 1, set.ErrCaseID},
		"no label":       {good + "\n" + `{"case_id":"b","label":" "}`, 3, set.ErrLabel},
		"a time":         {`{"case_id":"b","label":"x","date":"2024-01-02T00:00:00Z"}`, 1, set.ErrDate},
		"no such day":    {`{"case_id":"b","label":"x","date":"2024-02-30"}`, 1, set.ErrDate},
		"the same twice": {good + good, 2, set.ErrTwice},
		"no UTF-8":       {good + "{\"case_id\":\"b\",\"label\":\"\xff\"}", 2, set.ErrUTF8},
		"a long line":    {good + strings.Repeat(" ", set.MaxLineBytes+1), 2, set.ErrTooLong},
	} {
		_, err := set.Read(strings.NewReader(c.file))
		wrong, ok := errors.AsType[*set.LineError](err)
		if !ok || wrong.Line != c.line || !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v in line %d", name, err, c.want, c.line)
		}
	}
	for name, file := range map[string]string{"nothing": "", "white space": " \n\n"} {
		if _, err := set.Read(strings.NewReader(file)); !errors.Is(err, set.ErrEmpty) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := set.Read(strings.NewReader(`{"case_id":"a b","label":"x"}`))
	if wrong, ok := errors.AsType[*evidence.InvalidError](err); !ok || wrong.Total != 1 {
		t.Errorf("a bad id: %v", err)
	}
	if _, err := set.Read(broken{}); !errors.Is(err, errBroken) {
		t.Errorf("a broken file: %v", err)
	}
}

var errBroken = errors.New("broken")

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errBroken }

// FuzzRead reads anything. What was read has a label and a tenant of its own a
// case and is what the product takes.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"case_id":"a","label":"x","date":"2024-11-25","indicators":[{"type":"url","value":"e.com/x"},{"type":"technique","value":"T1566"}]}`))
	f.Add([]byte("{\"case_id\":\"a\",\"label\":\"x\"}\r\n\n{\"case_id\":\"b\",\"label\":\"x\",\"date\":null}"))
	f.Add([]byte("\xef\xbb\xbf[]"))
	f.Add([]byte(`{"case_id":"a","label":"x","date":"0001-01-01","indicators":[{"type":"ipv4","value":"[.]"}]}`))
	f.Fuzz(func(t *testing.T, file []byte) {
		s, err := set.Read(strings.NewReader(string(file)))
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without words")
			}
			return
		}
		if len(s.Cases) == 0 || len(s.Cases) != len(s.Labels) {
			t.Fatalf("%d cases, %d labels", len(s.Cases), len(s.Labels))
		}
		tenants := make(map[string]bool)
		for i, c := range s.Cases {
			if s.Labels[i] == "" || tenants[c.Tenant] {
				t.Errorf("label %q in tenant %q", s.Labels[i], c.Tenant)
			}
			tenants[c.Tenant] = true
			again, _, err := evidence.Parse(evidence.Draft(*c), evidence.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c, again); diff != "" {
				t.Error(diff)
			}
		}
	})
}

// sample is a file of n cases that share nothing.
func sample(t *testing.T, n int) *set.Set {
	t.Helper()
	var b strings.Builder
	for i := range n {
		date := "null"
		if i%2 == 0 {
			date = `"2024-11-25"`
		}
		fmt.Fprintf(&b, `{"case_id":"c%d","label":"l%d","date":%s,"indicators":[{"type":"ipv4","value":"91.1.%d.%d"}]}`+"\n", i, i/4, date, i/256, i%256)
	}
	s, err := set.Read(strings.NewReader(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return s
}
