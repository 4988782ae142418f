package export

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph/badger"
	"github.com/elsewhere-project/elsewhere/server/link"
)

func drawTime(t *rapid.T, label string) time.Time {
	if rapid.Bool().Draw(t, label+" unknown") {
		return time.Time{}
	}
	return time.Unix(rapid.Int64Range(0, 4_000_000_000).Draw(t, label), 0).UTC()
}

// TestFragments: what is set aside is read back as it was.
func TestFragments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String()
		texts := rapid.Custom(func(t *rapid.T) []string {
			if list := rapid.SliceOfN(text, 0, 3).Draw(t, "texts"); len(list) > 0 {
				return list
			}
			return nil
		})
		want := fragment{
			Value: evidence.Value{Kind: evidence.Kind(text.Draw(t, "kind")), Text: text.Draw(t, "text")}, written: text.Draw(t, "written"),
			roles: texts.Draw(t, "roles"), techniques: texts.Draw(t, "techniques"), first: drawTime(t, "first"), last: drawTime(t, "last"),
			count: rapid.Uint32().Draw(t, "count"), origin: text.Draw(t, "origin"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "facts") {
			want.facts = append(want.facts, Fact{text.Draw(t, "name"), text.Draw(t, "value"), text.Draw(t, "source"), drawTime(t, "at")})
		}
		for range rapid.IntRange(0, 3).Draw(t, "cases") {
			want.cases = append(want.cases, rapid.Uint32().Draw(t, "case"))
		}
		raw := appendFragment(nil, &want)
		got, err := readFragment(raw)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(fragment{})); diff != "" {
			t.Fatal(diff)
		}
		if n := rapid.IntRange(0, len(raw)-1).Draw(t, "cut"); n < len(raw) {
			if _, err := readFragment(raw[:n]); err == nil {
				t.Fatalf("%d of %d bytes are read as a whole", n, len(raw))
			}
		}
	})
}

func FuzzReadFragment(f *testing.F) {
	f.Add(appendFragment(nil, &fragment{Value: evidence.Value{Kind: "ip", Text: "192.0.2.1"}, roles: []string{"created"}, cases: []uint32{7}, facts: []Fact{{Name: "port"}}}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, raw []byte) {
		one, err := readFragment(raw)
		if err != nil {
			return
		}
		again, err := readFragment(appendFragment(nil, &one))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(appendFragment(nil, &one), appendFragment(nil, &again)) {
			t.Error("read, written and read it is another")
		}
	})
}

func FuzzParseUUID(f *testing.F) {
	f.Add("00abedb4-aa42-466c-9c01-fed23315a9b7")
	f.Add("00ABEDB4-AA42-466C-9C01-FED23315A9B7")
	f.Add("00abedb4-aa42-466c-9c01-fed23315a9bx")
	f.Fuzz(func(t *testing.T, text string) {
		u, err := ParseUUID(text)
		if err != nil {
			return
		}
		if again, err := ParseUUID(u.String()); err != nil || again != u {
			t.Errorf("%q is %s is %s (%v)", text, u, again, err)
		}
	})
}

// TestNames: version 5 of RFC 9562, with its own example.
func TestNames(t *testing.T) {
	dns, err := ParseUUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
	if err != nil {
		t.Fatal(err)
	}
	if got := NewNameUUID(dns, "www.example.com").String(); got != "2ed6657d-e927-568b-95e1-2665a8aea6a2" {
		t.Errorf("www.example.com is %s", got)
	}
	if NewUUID(dns, "ab", "c") == NewUUID(dns, "a", "bc") {
		t.Error("other parts have the same name")
	}
}

// TestDecay holds validity to the polynomial: at its end the threshold is reached,
// and a rented machine's address is valid for a shorter time than any.
func TestDecay(t *testing.T) {
	ip := evidence.Value{Kind: evidence.KindIP, Text: "192.0.2.1"}
	if got := decayOf(ip, link.ClassHosting).validity().Round(time.Hour); got != 1125*time.Hour {
		t.Errorf("a network indicator is valid for %v", got) // 120 d · (1 − 30/80)²
	}
	if got := decayOf(evidence.Value{Kind: evidence.KindURL}, "").validity().Round(time.Minute); got != 24*time.Hour+26*time.Minute {
		t.Errorf("a URL is valid for %v", got) // 3 d · (1 − 30/80)^2.3
	}
	if vm := decayOf(ip, link.ClassCloudVM).validity(); vm >= decayOf(ip, link.ClassHosting).validity() {
		t.Errorf("a cloud machine's address is valid for %v", vm)
	}
	for _, k := range evidence.Kinds() {
		for _, class := range []string{"", link.ClassCloudVM, link.ClassMobile, link.ClassHosting} {
			d := decayOf(evidence.Value{Kind: k.Kind}, class)
			if s := d.score(d.validity()); s < d.threshold-.01 || s > d.threshold+.01 {
				t.Errorf("%s %s: %.3f at the end of its validity", k.Kind, class, s)
			}
			if d.score(-time.Hour) != d.base || d.score(1000*24*time.Hour) != 0 || d.score(time.Hour) <= d.score(48*time.Hour) {
				t.Errorf("%s %s does not fall from its base to 0", k.Kind, class)
			}
		}
	}
}

// TestPseudonyms: one key, one receiver and one case give one name, and nothing
// else gives it.
func TestPseudonyms(t *testing.T) {
	seen := make(map[string]bool)
	for _, secret := range []byte{1, 2} {
		keys, err := NewKeys(bytes.Repeat([]byte{secret}, 32))
		if err != nil {
			t.Fatal(err)
		}
		for _, to := range []string{"", "a", "ab"} {
			for _, ref := range []evidence.Ref{{Tenant: "b", Case: "c"}, {Tenant: "bc", Case: "c"}, {Tenant: "b", Case: "cc"}} {
				name := keys.Pseudonym(Receiver{to}, ref)
				if seen[name] || name != keys.Pseudonym(Receiver{to}, ref) {
					t.Errorf("%s twice", name)
				}
				seen[name] = true
			}
		}
		hasher := keys.tokenHasher()
		if hasher("robinquill") != keys.TokenHash("robinquill") || hasher("ada") != keys.TokenHash("ada") {
			t.Error("the hashes of a token differ")
		}
	}
}

// TestTags: a tag is of the whole token, of its length and of the key.
func TestTags(t *testing.T) {
	seen := make(map[uint32]string)
	for _, secret := range []byte{1, 2} {
		keys, err := NewKeys(bytes.Repeat([]byte{secret}, 32))
		if err != nil {
			t.Fatal(err)
		}
		tag := keys.tokenTagger()
		for n := range 256 {
			for _, end := range []string{"x", "y", "\x00"} {
				token := strings.Repeat("a", max(n-1, 0)) + end
				if len(token) > 255 {
					continue
				}
				got := tag([]byte(token))
				if other, ok := seen[got]; ok && other != token+string(secret) {
					// Of 1,500 numbers of 32 bits two are equal once in 4,000 keys; these are not.
					t.Fatalf("%q and %q have one tag", other, token)
				}
				seen[got] = token + string(secret)
				if again := keys.tokenTagger()([]byte(token)); again != got {
					t.Fatalf("%q has two tags", token)
				}
			}
		}
	}
}

// TestHintsWithoutTags: hashes that were stored before there were tags are found as
// before, counted once, get their tags when they come again, and go with the rest.
func TestHintsWithoutTags(t *testing.T) {
	store, err := badger.Open(t.Context(), badger.Options{Memory: true, Counted: func(string) bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	keys, err := NewKeys(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{"robinquill", "adamoss"} {
		hash := keys.TokenHash(token)
		key := fmt.Sprintf("%s%s/%x", untaggedHints, "t", hash>>60)
		if err := store.Kept().Put(t.Context(), key, binary.BigEndian.AppendUint64(nil, hash), time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	h := NewHints(store.Kept(), keys)
	for n, step := range []struct {
		add                    string
		added, total, untagged int
	}{{"Kim Alder", 1, 3, 2}, {"Robin Quill", 0, 3, 1}, {"Ada Moss", 0, 3, 0}, {"Ada Moss", 0, 3, 0}} {
		added, total, err := h.Add(t.Context(), "t", []string{step.add})
		if err != nil || added != step.added || total != step.total {
			t.Errorf("step %d: %d added, %d in all, %v", n, added, total, err)
		}
		hashes, err := h.Load(t.Context(), "t")
		if err != nil {
			t.Fatal(err)
		}
		untagged := 0
		for _, hash := range hashes {
			if !hash.Tagged {
				untagged++
			}
		}
		if len(hashes) != step.total || untagged != step.untagged {
			t.Errorf("step %d: %d hashes, %d without a tag", n, len(hashes), untagged)
		}
		g := newGuard(keys)
		g.tenant(&access.Tenant{ID: "t"}, hashes)
		g.ready()
		for _, text := range []string{"by robin quill", "ada.moss@mail.test"} {
			if g.scanner.Check(text) == "" {
				t.Errorf("step %d: %q is let through", n, text)
			}
		}
	}
	if err := h.Remove(t.Context(), "t"); err != nil {
		t.Fatal(err)
	}
	if hashes, err := h.Load(t.Context(), "t"); err != nil || len(hashes) > 0 {
		t.Errorf("%v, %v", hashes, err)
	}
}

func TestDefang(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1": "192[.]0[.]2[.]1", "2001:db8::1": "2001[:]db8[:][:]1", "198.51.100.0/24": "198[.]51[.]100[.]0/24",
		"https://a.example/x.y?z=1": "hxxps://a[.]example/x.y?z=1", "ftp://a.example": "ftp://a[.]example", "a@b.example": "a[@]b[.]example", "": "",
	} {
		if got := Defang(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// TestDefangIsReadBack: what is written so is the same evidence.
func TestDefangIsReadBack(t *testing.T) {
	for _, v := range []evidence.Value{
		{Kind: evidence.KindIP, Text: "192.0.2.1"},
		{Kind: evidence.KindIP, Text: "2001:db8::1"},
		{Kind: evidence.KindDomain, Text: "example.com"},
		{Kind: evidence.KindHostname, Text: "a.example.com"},
		{Kind: evidence.KindEmail, Text: "a@example.com"},
		{Kind: evidence.KindURL, Text: "https://example.com/x"},
		{Kind: evidence.KindCIDR, Text: "198.51.100.0/24"},
	} {
		if got, invalid := evidence.ParseValue(v.Kind, Defang(v.Text), evidence.Options{}); invalid != nil || got.Value != v {
			t.Errorf("%q is read as %v (%v)", Defang(v.Text), got.Value, invalid)
		}
	}
}
