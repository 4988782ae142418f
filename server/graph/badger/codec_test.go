package badger

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
)

func drawTime(t *rapid.T, name string) time.Time {
	if rapid.IntRange(0, 4).Draw(t, name+" known") == 0 {
		return time.Time{}
	}
	return time.Unix(rapid.Int64Range(-3_000_000_000, 6_000_000_000).Draw(t, name), 0).UTC()
}

func drawRoles(t *rapid.T) []string {
	return rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(knownRoles[:]), rapid.String()), 0, 4).Draw(t, "roles")
}

func drawValue(t *rapid.T) evidence.Value {
	kind := rapid.OneOf(rapid.SampledFrom(kindNames[1:22]), rapid.Map(rapid.String(), func(s string) evidence.Kind { return evidence.Kind(s) }))
	return evidence.Value{
		Kind: kind.Draw(t, "kind"),
		Text: rapid.OneOf(rapid.String(), rapid.StringN(30, 60, 120), rapid.SampledFrom([]string{
			"1.2.3.4", "2001:db8::", "::ffff:1.2.3.4", "10.0.0.0/8", "fe80::/10", "a.b.c", "www.example.com",
			strings.Repeat("label.", 20) + "com", "", ".",
		})).Draw(t, "text"),
	}
}

func drawStrings(t *rapid.T, name string) []string {
	return rapid.SliceOfN(rapid.StringN(0, 8, 16), 0, 3).Draw(t, name)
}

func drawRef(t *rapid.T) evidence.Ref {
	return evidence.Ref{
		Tenant: rapid.StringMatching(`[a-z0-9][a-z0-9-]{0,20}`).Draw(t, "tenant"),
		Case:   rapid.StringMatching(`[A-Za-z0-9._:#-]{1,128}`).Draw(t, "case"),
	}
}

func equal(t *rapid.T, what string, got, want any) {
	t.Helper()
	if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty(), gocmp.AllowUnexported(record{}, first{}, mark{}, listing{}, sweep{}, header{})); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

func TestProfileRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &evidence.Profile{
			Ref: drawRef(t), Kind: rapid.String().Draw(t, "case kind"),
			Live: rapid.Bool().Draw(t, "live"), Dismissed: rapid.Bool().Draw(t, "dismissed"),
			First: drawTime(t, "first"), Last: drawTime(t, "last"), EvidenceFrom: drawTime(t, "from"),
			Techniques: rapid.SliceOfNDistinct(rapid.StringN(0, 8, 16), 0, 3, rapid.ID).Draw(t, "techniques"),
		}
		for range rapid.IntRange(0, 6).Draw(t, "sightings") {
			p.Sightings = append(p.Sightings, evidence.Sighting{
				Value: drawValue(t), Roles: drawRoles(t), First: drawTime(t, "first"), Last: drawTime(t, "last"),
				Count: rapid.Uint32().Draw(t, "count"), Techniques: drawStrings(t, "techniques"), Written: drawStrings(t, "written"),
			})
		}
		got, err := decodeProfile(p.Ref, encodeProfile(p))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "profile", got, p)
	})
}

func drawSighting(t *rapid.T) graph.Sighting {
	return graph.Sighting{
		Ref: drawRef(t), Roles: drawRoles(t), First: drawTime(t, "first"), Last: drawTime(t, "last"),
		Count: rapid.Uint32().Draw(t, "count"),
	}
}

func TestSightingRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, s, sequence := drawValue(t), drawSighting(t), rapid.Uint64().Draw(t, "sequence")
		key := sightingKey(spacePosting, newNode(v).key, s.Ref, s.Last)
		_, value, place, _, ok := cutValueKey(key[1:])
		if !ok || !bytes.Equal(value, newNode(v).key) {
			t.Fatalf("key %x is cut to %x", key, value)
		}
		at, ok := parsePlace(place)
		if !ok {
			t.Fatalf("no place in %x", place)
		}
		got, n, err := decodePosting(at, encodePosting(sequence, s))
		if err != nil || n != sequence {
			t.Fatal(n, err)
		}
		equal(t, "sighting", got, s)
	})
}

// TestSightingKeysSort holds the order of keys to the order of sightings.
func TestSightingKeysSort(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := newNode(drawValue(t))
		x, y := drawSighting(t), drawSighting(t)
		if rapid.Bool().Draw(t, "one tenant") {
			y.Tenant = x.Tenant
		}
		if rapid.Bool().Draw(t, "one time") {
			y.Last = x.Last
		}
		kx, ky := sightingKey(spacePosting, v.key, x.Ref, x.Last), sightingKey(spacePosting, v.key, y.Ref, y.Last)
		if got, want := bytes.Compare(kx, ky), comparePlaces(x, y); got != want {
			t.Fatalf("%v and %v: keys compare %d, sightings %d", x, y, got, want)
		}
	})
}

func TestRowRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := graph.Row{
			RowKey: graph.Pair(drawRef(t), drawRef(t)),
			Score: graph.Score{
				Millibits: rapid.Int32().Draw(t, "millibits"), Micros: rapid.Uint32().Draw(t, "micros"), Tier: rapid.Uint8().Draw(t, "tier"),
				SharedCount: rapid.Uint32().Draw(t, "shared"), ModelVersion: rapid.Uint32().Draw(t, "model"),
			},
			RevisionA: rapid.Uint32().Draw(t, "a"), RevisionB: rapid.Uint32().Draw(t, "b"),
			Verdict: graph.Verdict(rapid.IntRange(0, 2).Draw(t, "verdict")), Held: rapid.Bool().Draw(t, "held"),
		}
		for range rapid.IntRange(0, 4).Draw(t, "values") {
			r.Shared = append(r.Shared, drawValue(t))
		}
		got, err := decodeRow(r.RowKey, encodeRow(r))
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "row", got, r)
		for _, pair := range [][2]evidence.Ref{{r.A, r.B}, {r.B, r.A}} {
			x, y, ok := parsePair(rowKey(pair[0], pair[1])[1:])
			if !ok || x != pair[0] || y != pair[1] {
				t.Fatalf("key of %v reads as %v and %v", pair, x, y)
			}
		}
	})
}

// TestRecordFollowsItsSightings adds and removes sightings, through the stored
// form, and holds what the record keeps to all of them.
func TestRecordFollowsItsSightings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := newNode(drawValue(t))
		id := rapid.SampledFrom([]string{"c%02d", strings.Repeat("x", 100) + "%02d"}).Draw(t, "id")
		var r record
		var all []graph.Sighting
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			c := fmt.Sprintf(id, rapid.IntRange(0, 30).Draw(t, "case"))
			i := slices.IndexFunc(all, func(s graph.Sighting) bool { return s.Case == c })
			if i >= 0 {
				r.remove(all[i])
				all = slices.Delete(all, i, i+1)
			} else {
				s := graph.Sighting{Ref: evidence.Ref{Tenant: "t", Case: c}, Count: 1, Roles: knownRoles[:1]}
				if day := rapid.IntRange(-1, 12).Draw(t, "day"); day >= 0 {
					s.First = time.Unix(int64(day)*86400, 0).UTC()
					s.Last = s.First.AddDate(0, 0, rapid.IntRange(0, 3).Draw(t, "days"))
				}
				r.add(s)
				all = append(all, s)
			}
			if rapid.Bool().Draw(t, "mark") {
				r.mark = &mark{version: 300, tenants: 7, expand: 200, sequence: 100, part: 3}
			} else {
				r.mark = nil
			}
			stored := r.encode(n.Value, n.exact)
			got, named, err := decodeRecord(stored)
			if err != nil {
				t.Fatal(err)
			}
			if !n.exact && named != n.Value {
				t.Fatalf("the record is of %v, not %v", named, n.Value)
			}
			if len(stored) >= valueThreshold && n.exact {
				t.Fatalf("a record of %d bytes", len(stored))
			}
			equal(t, "mark", got.mark, r.mark)
			r = got

			var want record
			for _, s := range all {
				want.cases++
				want.newest = append(want.newest, s)
				if !s.First.IsZero() {
					want.dated++
					at := seconds(s.First)
					k, found := slices.BinarySearchFunc(want.firsts, at, func(f first, at uint64) int { return int(int64(f.at) - int64(at)) })
					if !found {
						want.firsts = slices.Insert(want.firsts, k, first{at: at})
					}
					want.firsts[k].n++
				}
			}
			slices.SortFunc(want.newest, compareNewest)
			if r.cases != want.cases || r.dated != want.dated {
				t.Fatalf("%d cases, %d dated; not %d and %d", r.cases, r.dated, want.cases, want.dated)
			}
			equal(t, "newest", r.newest, want.newest[:len(r.newest)])
			equal(t, "firsts", r.firsts, want.firsts[:len(r.firsts)])
		}
	})
}

func TestSmallRecordsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := header{Meta: graph.Meta{
			Revision: rapid.Uint32().Draw(t, "revision"), CreateTime: time.UnixMicro(rapid.Int64Range(0, 1<<55).Draw(t, "create")).UTC(),
			UpdateTime: time.UnixMicro(rapid.Int64Range(0, 1<<55).Draw(t, "update")).UTC(),
		}, head: rapid.SliceOf(rapid.Byte()).Draw(t, "head")}
		copy(h.ContentHash[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "hash"))
		gotHeader, err := decodeHeader(h.encode())
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "header", gotHeader, h)

		l := listing{left: h.CreateTime, values: rapid.SliceOf(rapid.String()).Draw(t, "values")}
		gotListing, err := decodeListing(l.encode())
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "queue record", gotListing, l)
		if left, n, err := countListing(l.encode()); err != nil || n != len(l.values) || !left.Equal(l.left) {
			t.Fatal(left, n, err)
		}

		s := sweep{graph.Sweep{Pending: rapid.Bool().Draw(t, "pending"), After: drawRef(t), Version: rapid.Uint64().Draw(t, "version")}, rapid.String().Draw(t, "basis")}
		gotSweep, err := decodeSweep(s.encode())
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "sweep", gotSweep, s)
	})
}

// largeProfile is one that is stored with an index.
func largeProfile() *evidence.Profile {
	p := &evidence.Profile{Techniques: []string{"T1098"}}
	for i := range graph.OutlineAbove + 1 {
		p.Sightings = append(p.Sightings, evidence.Sighting{
			Value: evidence.Value{Kind: evidence.KindASN, Text: fmt.Sprintf("%03d", i)}, Roles: []string{"created"}, Techniques: p.Techniques[:i%2],
		})
	}
	return p
}

func digest(b []byte) []byte {
	sum := sha256.Sum256(b)
	return sum[:8]
}

// lateProfile is a profile whose first time lies beyond what can be stored.
func lateProfile() []byte {
	return append(binary.AppendUvarint([]byte{profileLive, 0}, 1<<45), 0, 0, 0, 0, 0)
}

// TestLateTimesAreDamage: a time that no encoder writes is refused, not shown as
// another one.
func TestLateTimesAreDamage(t *testing.T) {
	if p, err := decodeProfile(evidence.Ref{}, lateProfile()); err == nil {
		t.Errorf("a profile of the year %d is read", p.First.Year())
	}
	r := record{tenants: 1, cases: 1, dated: 1, firsts: []first{{maxSeconds, 1}, {maxSeconds + 1, 1}}}
	if _, _, err := decodeRecord(r.encode(evidence.Value{}, true)); err == nil {
		t.Error("a record with a time beyond the last is read")
	}
}

// FuzzDecode feeds stored records that are damaged.
func FuzzDecode(f *testing.F) {
	r := record{tenants: 1, cases: 1, dated: 1, firsts: []first{{5, 1}}, mark: &mark{1, 2, 3, 4, 5, true, false}}
	s := graph.Sighting{Ref: evidence.Ref{Tenant: "t", Case: "c"}, Roles: []string{"created", "own"}, Last: time.Unix(1, 0), Count: 3}
	r.newest = []graph.Sighting{s}
	v := evidence.Value{Kind: "x_own", Text: strings.Repeat("y", 50)}
	p := &evidence.Profile{Techniques: []string{"T1"}, Sightings: []evidence.Sighting{{Value: v, Techniques: []string{"T1", "T2"}, Written: []string{"Y"}}}}
	for _, seed := range [][]byte{
		encodeProfile(largeProfile()),
		lateProfile(),
		nil,
		bytes.Repeat([]byte{0xff}, 40),
		r.encode(v, false),
		(&record{tenants: 1, cases: 1, newest: r.newest, alone: 7}).encode(v, true),
		encodePosting(1, s),
		encodeProfile(p),
		encodeRow(graph.Row{Shared: []evidence.Value{v}}),
		encodeRow(graph.Row{Verdict: graph.Refuted, Held: true}),
		header{}.encode(),
		listing{values: []string{"a"}}.encode(),
		sweep{}.encode(),
		newNode(v).key,
		newNode(address(1)).key,
		newNode(evidence.Value{Kind: evidence.KindDomain, Text: "a.b"}).key,
		sightingKey(spacePosting, nil, s.Ref, s.Last),
	} {
		f.Add(seed)
	}
	f.Add(encodeHead(&evidence.Case{Labels: map[string]string{"a": "b"}})[1:])
	f.Add(encodeFindings([]evidence.Finding{{Facts: []evidence.Fact{{Name: "n"}}, Observables: []evidence.Observable{{Value: v}}}})[1:])
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := decodeHead(evidence.Ref{}, decoder{s: string(b)}); err == nil {
			again, err := decodeHead(evidence.Ref{}, decoder{s: string(encodeHead(&c)[1:])})
			if diff := gocmp.Diff(c, again, cmpopts.EquateEmpty()); err != nil || diff != "" {
				t.Errorf("a case changes as it is stored: %v\n%s", err, diff)
			}
		}
		if findings, err := decodeFindings(decoder{s: string(b)}); err == nil {
			again, err := decodeFindings(decoder{s: string(encodeFindings(findings)[1:])})
			if diff := gocmp.Diff(findings, again, cmpopts.EquateEmpty()); err != nil || diff != "" {
				t.Errorf("findings change as they are stored: %v\n%s", err, diff)
			}
		}
		if r, v, err := decodeRecord(b); err == nil {
			again, _, err := decodeRecord(r.encode(v, v == evidence.Value{}))
			if err != nil {
				t.Errorf("a record cannot be read again: %v", err)
			}
			if again.cases != r.cases || again.alone != r.alone {
				t.Error("a record changes as it is stored")
			}
		}
		if p, err := decodeProfile(evidence.Ref{}, b); err == nil {
			again, err := decodeProfile(evidence.Ref{}, encodeProfile(p))
			if err != nil {
				t.Errorf("a profile cannot be read again: %v", err)
			}
			if diff := gocmp.Diff(p, again, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("a profile changes as it is stored:\n%s", diff)
			}
		}
		if r, err := readProfile(evidence.Ref{}, b); err == nil && r.counts != nil {
			_ = r.overlap(p)
		}
		_, _, _ = decodePosting(graph.Position{}, b)
		_, _ = decodeRow(graph.RowKey{}, b)
		_, _ = decodeHeader(b)
		_, _ = decodeListing(b)
		_, _, _ = countListing(b)
		_, _ = decodeSweep(b)
		_, _ = number(b)
		_, _ = parsePlace(b)
		_, _, _ = parsePair(b)
		_, _ = parseRef(b)
		if _, key, rest, _, ok := cutValueKey(b); ok && !bytes.Equal(append(bytes.Clone(key), rest...), b) {
			t.Errorf("%x is cut to %x and %x", b, key, rest)
		}
	})
}

// FuzzValueKey looks for two values that a store would confuse.
func FuzzValueKey(f *testing.F) {
	f.Add("ip", "1.2.3.4", "ip", "::ffff:1.2.3.4")
	f.Add("domain", "example.com", "hostname", "example.com")
	f.Add("domain", "a.b", "domain", "a\x00b")
	f.Add("cidr", "10.0.0.0/8", "cidr", "10.0.0.1/8")
	f.Add("rule_name", strings.Repeat("x", 40), "rule_name", strings.Repeat("x", 41))
	f.Add("x_a", "b\x00c", "x_a\x00b", "c")
	f.Add("", "", "ip", "")
	f.Fuzz(func(t *testing.T, kind1, text1, kind2, text2 string) {
		x := newNode(evidence.Value{Kind: evidence.Kind(kind1), Text: text1})
		y := newNode(evidence.Value{Kind: evidence.Kind(kind2), Text: text2})
		if x.Value != y.Value && (bytes.HasPrefix(x.key, y.key) || bytes.HasPrefix(y.key, x.key)) {
			t.Errorf("keys of %q and %q: %x and %x", x.Value, y.Value, x.key, y.key)
		}
		if len(x.key) > 100 {
			t.Errorf("key of %d bytes", len(x.key))
		}
		v, key, rest, exact, ok := cutValueKey(append(bytes.Clone(x.key), y.key...))
		if !ok || !bytes.Equal(key, x.key) || !bytes.Equal(rest, y.key) || exact != x.exact {
			t.Fatalf("key %x of %q is cut to %x", x.key, x.Value, key)
		}
		if exact && v != x.Value {
			t.Errorf("%q is read back as %q", x.Value, v)
		}
	})
}

// TestRanges holds value keys to the order that range questions rely on.
func TestRanges(t *testing.T) {
	key := func(kind evidence.Kind, text string) string {
		return string(newNode(evidence.Value{Kind: kind, Text: text}).key)
	}
	ordered := []string{
		key("ip", "0.0.0.0"), key("ip", "9.255.255.255"), key("ip", "10.0.0.0"), key("ip", "10.0.0.255"), key("ip", "255.255.255.255"),
		key("ip", "2001:db8::"), key("ip", "2001:db8::1"),
		key("domain", "example.co"),
		key("domain", "example.com"), key("hostname", "example.com"), key("hostname", "a.example.com"), key("hostname", "b.a.example.com"),
		key("hostname", "b.example.com"), key("domain", "example-two.com"),
	}
	if !slices.IsSorted(ordered) {
		t.Error("keys are out of order")
	}
	subdomains := strings.TrimSuffix(key("domain", "example.com"), "\x01")
	for text, below := range map[string]bool{
		"example.com": true, "a.example.com": true, "b.a.example.com": true, "notexample.com": false, "example.com.au": false, "com": false,
	} {
		if strings.HasPrefix(key("hostname", text), subdomains) != below {
			t.Errorf("%s below example.com: %v", text, !below)
		}
	}
}

// TestLayout pins what is on disk: a difference here is another layout version.
func TestLayout(t *testing.T) {
	ref := evidence.Ref{Tenant: "acme", Case: "IR-1"}
	at := time.Date(2023, 2, 22, 10, 0, 0, 0, time.UTC)
	s := graph.Sighting{Ref: ref, Roles: []string{"allow_listed", "own"}, First: at.Add(-time.Hour), Last: at, Count: 3}
	v := func(kind evidence.Kind, text string) []byte {
		return newNode(evidence.Value{Kind: kind, Text: text}).key
	}
	r := record{
		tenants: 2, cases: 3, withheld: 1, newest: []graph.Sighting{s}, dated: 3, firsts: []first{{seconds(at), 2}},
		mark: &mark{version: 9, tenants: 1, expand: 8, sequence: 7, part: 1},
	}
	p := &evidence.Profile{
		Ref: ref, Kind: "bec", Live: true, First: at, Last: at.Add(time.Hour), EvidenceFrom: at.Add(-time.Hour), Techniques: []string{"T1098"},
		Sightings: []evidence.Sighting{{
			Value: evidence.Value{Kind: "rule_name", Text: "spam"}, Roles: []string{"created"}, First: at, Last: at, Count: 1,
			Techniques: []string{"T1098"}, Written: []string{"Spam"},
		}},
	}
	for name, c := range map[string]struct {
		got  []byte
		want string
	}{
		"header key":       {refKey(spaceHeader, ref), "6861636d650049522d31"},
		"ip":               {v("ip", "104.161.20.102"), "0100000000000000000000ffff68a11466"},
		"ip, version 6":    {v("ip", "2001:db8::1"), "0120010db8000000000000000000000001"},
		"cidr":             {v("cidr", "104.161.20.0/24"), "0200000000000000000000ffff68a1140078"},
		"domain":           {v("domain", "botasso.cl"), "04636c00626f746173736f0001"},
		"hostname":         {v("hostname", "iad3a.emailsrvr.com"), "04636f6d00656d61696c737276720069616433610002"},
		"long hostname":    {v("hostname", "a-host-with-a-long-name.in-a-long-domain.example.com"), "04636f6d006578616d706c6500696e2d612d6c6f6e672d646f03a7ca3a62102b623f57a68bae9a41ceb1"},
		"text":             {v("rule_name", "spam"), "0f7370616d00"},
		"long text":        {v("url", "https://example.com/a/path/that/does/not/end"), "0c68747470733a2f2f6578616d706c652e636f6d2f612f706103fbb53bf3a32bdc20ad2098d39904444d"},
		"own kind":         {v("x_badge", "4711"), "7f785f6261646765003437313100"},
		"sighting key":     {sightingKey(spacePosting, v("asn", "64500"), ref, at), "700336343530300061636d6500f12478215f49522d31"},
		"undated sighting": {sightingKey(spaceWithheld, v("asn", "64500"), ref, time.Time{}), "770336343530300061636d6500ffffffffff49522d31"},
		"queue key":        {queueKey(258, 3), "71000000000000010200000003"},
		"row key":          {rowKey(ref, evidence.Ref{Tenant: "globex", Case: "2"}), "7261636d650049522d3100676c6f626578003200"},
		"part key":         {partKey([]byte("k"), 2), "6c6b00000002"},
		"sighting":         {encodePosting(300, s), "ac02a03803020200036f776e"},
		"only sighting":    {(&record{tenants: 1, cases: 1, newest: []graph.Sighting{s}, alone: 300}).encode(evidence.Value{}, true), "100101000000ac020461636d650449522d31a0bd9fdced01a03803020200036f776e"},
		"record":           {r.encode(evidence.Value{Kind: "url", Text: "u"}, false), "030375726c01750203010301a0bd9fdced010209010807010461636d650449522d31a0bd9fdced01a03803020200036f776e"},
		"profile":          {encodeProfile(p), "0103626563a0bd9fdced01a138a0380101055431303938010f047370616d0106010101010001045370616d"},
		"row":              {encodeRow(graph.Row{Score: graph.Score{Millibits: -1, Micros: 2, Tier: 3, SharedCount: 4, ModelVersion: 5}, RevisionA: 6, RevisionB: 7, Shared: []evidence.Value{{Kind: "x_a", Text: "b"}}}), "01020304050607017f03785f610162"},
		"reviewed row":     {encodeRow(graph.Row{Verdict: graph.Confirmed, Held: true}), "000000000000000005"},
		"large profile":    {digest(encodeProfile(largeProfile())), "b3c4a035bdc4da73"},
		"header":           {header{graph.Meta{Revision: 2, CreateTime: at, UpdateTime: at}, []byte("head")}.encode(), "02000000000000000000000000000000000000000000000000000000000000000080a089d9ded1fa0580a089d9ded1fa0568656164"},
		"queue record":     {listing{at, []string{"v"}}.encode(), "80a089d9ded1fa05010176"},
		"sweep":            {sweep{graph.Sweep{Pending: true, After: evidence.Ref{Tenant: "ip", Case: "1.2.3.4"}, Version: 5}, "m"}.encode(), "0105016d02697007312e322e332e34"},
	} {
		if got := hex.EncodeToString(c.got); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

// drawCase draws anything that the type can hold, more than a parser lets pass.
func drawCase(t *rapid.T) *evidence.Case {
	exact := func(name string) time.Time {
		if rapid.IntRange(0, 4).Draw(t, name+" known") == 0 {
			return time.Time{}
		}
		return time.Unix(rapid.Int64().Draw(t, name), rapid.Int64Range(0, 999_999_999).Draw(t, name+" nanoseconds")).UTC()
	}
	facts := func() []evidence.Fact {
		return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) evidence.Fact {
			text := rapid.OneOf(rapid.SampledFrom([]string{"", "port", "scan"}), rapid.String())
			return evidence.Fact{Name: text.Draw(t, "name"), Value: text.Draw(t, "value"), Source: text.Draw(t, "source"), ObservedAt: exact("observed")}
		}), 0, 3).Draw(t, "facts")
	}
	c := &evidence.Case{
		Ref: drawRef(t), Title: rapid.String().Draw(t, "title"), Kind: rapid.String().Draw(t, "kind"), State: evidence.State(rapid.Byte().Draw(t, "state")),
		OpenedAt: exact("opened"), ClosedAt: exact("closed"), EvidenceFrom: exact("from"), EvidenceTo: exact("to"),
		TLP: evidence.TLP(rapid.String().Draw(t, "tlp")), Restricted: rapid.Bool().Draw(t, "restricted"), Source: rapid.String().Draw(t, "source"),
		Labels: rapid.MapOfN(rapid.String(), rapid.String(), 0, 3).Draw(t, "labels"), References: drawStrings(t, "references"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "findings") {
		f := evidence.Finding{
			ID: rapid.String().Draw(t, "id"), Technique: rapid.SampledFrom([]string{"", "T1098", "T1078"}).Draw(t, "technique"),
			Operation: rapid.String().Draw(t, "operation"), Outcome: evidence.Outcome(rapid.Byte().Draw(t, "outcome")),
			FirstSeen: exact("first"), LastSeen: exact("last"), Count: rapid.Uint32().Draw(t, "count"), Summary: rapid.String().Draw(t, "summary"), Facts: facts(),
		}
		for range rapid.IntRange(0, 3).Draw(t, "observables") {
			f.Observables = append(f.Observables, evidence.Observable{
				Value: drawValue(t), Written: rapid.String().Draw(t, "written"), Roles: drawRoles(t), FirstSeen: exact("first"), LastSeen: exact("last"),
				Count: rapid.Uint32().Draw(t, "count"), Facts: facts(),
			})
		}
		c.Findings = append(c.Findings, f)
	}
	return c
}

func TestCaseRoundTrip(t *testing.T) {
	p, err := newPacker()
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	rapid.Check(t, func(t *rapid.T) {
		want := drawCase(t)
		if rapid.Bool().Draw(t, "long") {
			want.Source = strings.Repeat(want.Source+"x", compressFrom)
			want.Findings = append(want.Findings, evidence.Finding{Summary: want.Source})
		}
		packed := p.packCase(want, [32]byte{})
		got, err := p.stored(want.Ref, header{head: packed.head})
		if err != nil {
			t.Fatal(err)
		}
		if got.Findings, err = p.findings(packed.findings); err != nil {
			t.Fatal(err)
		}
		equal(t, "case", &got.Case, want)
	})
}

// TestStoredBody reads a case as layout 1 has stored it.
func TestStoredBody(t *testing.T) {
	p, err := newPacker()
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	at := time.Date(2023, 2, 22, 10, 0, 0, 123000, time.UTC)
	want := &evidence.Case{
		Ref: evidence.Ref{Tenant: "acme", Case: "1"}, Title: "t", Kind: "bec", State: evidence.Closed, OpenedAt: at, TLP: evidence.TLPGreen,
		Restricted: true, Source: "s", Labels: map[string]string{"a": "b"}, References: []string{"r"},
		Findings: []evidence.Finding{{
			ID: "f1", Technique: "T1098", Operation: "New-InboxRule", Outcome: evidence.Failed, FirstSeen: at, LastSeen: at, Count: 2, Summary: "s",
			Facts: []evidence.Fact{{Name: "n", Value: "v", Source: "s", ObservedAt: at}},
			Observables: []evidence.Observable{{
				Value: evidence.Value{Kind: "rule_name", Text: "spam"}, Written: "Spam", Roles: []string{"created"}, FirstSeen: at, Count: 1,
			}},
		}},
	}
	const (
		head     = "000174036265630202c09eafbf0cf8c00700000005677265656e0101730101610162010172"
		findings = "000102663101055431303938010d4e65772d496e626f7852756c650202c09eafbf0cf8c0070200f8c0070201730101016e0101760101730200f8c007010f047370616d045370616d01060200f8c007000100"
		long     = "0128b52ffd649412850000380100882761000002100284431f6058dabd59fb"
	)
	packed := p.packCase(want, [32]byte{})
	if got := hex.EncodeToString(packed.head); got != head {
		t.Errorf("head\n got %s\nwant %s", got, head)
	}
	if got := hex.EncodeToString(packed.findings); got != findings {
		t.Errorf("findings\n got %s\nwant %s", got, findings)
	}
	stored, err := hex.DecodeString(long)
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.findings(stored)
	if err != nil || len(got) != 1 || got[0].Summary != strings.Repeat("a", 5000) {
		t.Errorf("a compressed body is read as %+v: %v", got, err)
	}
	if _, err := p.findings([]byte{2, 0}); err == nil {
		t.Error("a body of another kind is read")
	}
}

func BenchmarkDecodeProfile(b *testing.B) {
	p := &evidence.Profile{Kind: "bec", Live: true, Techniques: []string{"T1078.004", "T1098", "T1114.003"}}
	start := time.Date(2023, 2, 22, 10, 0, 0, 0, time.UTC)
	for i := range 50 {
		p.Sightings = append(p.Sightings, evidence.Sighting{
			Value: address(i), Roles: []string{evidence.RoleLoginSource}, First: start.AddDate(0, 0, i), Last: start.AddDate(0, 1, i),
			Count: 7, Techniques: p.Techniques[i%3 : i%3+1],
		})
	}
	stored := encodeProfile(p)
	b.ReportMetric(float64(len(stored)), "bytes")
	for b.Loop() {
		if _, err := decodeProfile(evidence.Ref{}, stored); err != nil {
			b.Fatal(err)
		}
	}
}
