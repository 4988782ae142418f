package audit_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/server/access/audit"
)

// written is an exported trail of several groups, of which a tenant was stripped.
func written(t testing.TB, groups, each int) (*audit.Trail, [][]byte) {
	t.Helper()
	now := newClock()
	trail := open(t, &pages{}, audit.Options{Clock: now.now})
	for g := range groups {
		for i := range each {
			record(t, trail, entry(fmt.Sprintf("S.M%d", g*each+i), []string{"alder", "birch"}[i%2]))
			now.pass(time.Millisecond)
		}
		if err := trail.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return trail, lines(export(t, trail))
}

func lines(file []byte) [][]byte { return slices.Collect(bytes.Lines(file)) }

// TestVerifyNamesThePlace does to a trail what somebody may do who has something to
// hide, and holds Verify to the place.
func TestVerifyNamesThePlace(t *testing.T) {
	// Lines: 1 heading; entries 1 to 3 are 2 to 4, their checkpoint 5; 6 to 8, 9; 10
	// to 12, 13; end 14.
	trail, good := written(t, 3, 3)
	_, other := written(t, 3, 4)
	_, twin := written(t, 3, 3)
	replace := func(l [][]byte, line int, old, now string) [][]byte {
		if !bytes.Contains(l[line-1], []byte(old)) {
			t.Fatalf("line %d does not hold %s: %s", line, old, l[line-1])
		}
		l[line-1] = bytes.Replace(l[line-1], []byte(old), []byte(now), 1)
		return l
	}
	cut := func(l [][]byte, from, to int) [][]byte { return slices.Delete(l, from-1, to) }
	swap := func(l [][]byte, i, j int) [][]byte {
		l[i-1], l[j-1] = l[j-1], l[i-1]
		return l
	}
	for _, test := range []struct {
		name  string
		do    func(l [][]byte) [][]byte
		line  int
		until int // 0: line
		entry uint64
		says  string
	}{
		{"a value is another", func(l [][]byte) [][]byte { return replace(l, 7, "evil-S.M4", "good-S.M4") }, 7, 0, 5, "not what was recorded"},
		{"a tenant is another", func(l [][]byte) [][]byte { return replace(l, 2, "alder", "birch") }, 2, 0, 1, "not what was recorded"},
		{"who is another", func(l [][]byte) [][]byte { return replace(l, 7, "els_a", "els_b") }, 7, 0, 5, "does not follow"},
		{"a time is another", func(l [][]byte) [][]byte { return replace(l, 12, "08:00:00", "09:00:00") }, 12, 0, 9, "does not follow"},
		{"a count is another", func(l [][]byte) [][]byte { return replace(l, 4, `"values":1`, `"values":2`) }, 4, 0, 3, "does not follow"},
		{"a hash is another", func(l [][]byte) [][]byte { return replace(l, 3, `"hash":"`, `"hash":"0`) }, 3, 0, 2, "does not follow"},
		{"a field is added", func(l [][]byte) [][]byte { return replace(l, 3, `"role"`, `"rule":"x","role"`) }, 3, 0, 2, "cannot be read"},
		{"a field is twice", func(l [][]byte) [][]byte { return replace(l, 3, `"role"`, `"role":"admin","role"`) }, 3, 0, 2, "cannot be read"},
		{"white space", func(l [][]byte) [][]byte { return replace(l, 3, `"role"`, ` "role"`) }, 3, 0, 2, "cannot be read"},
		{"something behind the line", func(l [][]byte) [][]byte { return replace(l, 3, "}\n", "} {}\n") }, 3, 0, 2, "cannot be read"},
		{"content is gone", func(l [][]byte) [][]byte {
			i := bytes.Index(l[6], []byte(`,"salt"`))
			l[6] = append(l[6][:i:i], "}\n"...)
			return l
		}, 7, 0, 5, "the service has not taken it"},
		{"a checkpoint's time is another", func(l [][]byte) [][]byte { return replace(l, 9, "08:00:00", "08:30:00") }, 6, 9, 0, "not signed"},
		{"a checkpoint's time is before the last one's", func(l [][]byte) [][]byte { return replace(l, 9, "08:00:00", "07:00:00") }, 6, 9, 0, "older"},
		{"a signature is another", func(l [][]byte) [][]byte { return replace(l, 9, `"signature":"`, `"signature":"00`) }, 6, 9, 0, "not signed"},
		{"an entry is gone", func(l [][]byte) [][]byte { return cut(l, 7, 7) }, 7, 0, 5, "entry 6 stands where entry 5 should"},
		{"the last entry of a group is gone", func(l [][]byte) [][]byte { return cut(l, 8, 8) }, 6, 8, 0, "others stand before it"},
		{"a checkpoint is gone", func(l [][]byte) [][]byte { return cut(l, 9, 9) }, 12, 0, 0, "checkpoint 3 stands where checkpoint 2 should"},
		{"a checkpoint is another", func(l [][]byte) [][]byte { return replace(l, 9, `"last":6`, `"last":5`) }, 6, 9, 0, "others stand before it"},
		{"a group is gone", func(l [][]byte) [][]byte { return cut(l, 6, 9) }, 6, 0, 4, "entry 7 stands where entry 4 should"},
		{"the first group is gone", func(l [][]byte) [][]byte { return cut(l, 2, 5) }, 2, 0, 1, "entry 4 stands where entry 1 should"},
		{"the last group is gone", func(l [][]byte) [][]byte { return cut(l, 10, 13) }, 10, 0, 7, "ends with entry 9"},
		{"entries in another order", func(l [][]byte) [][]byte { return swap(l, 6, 7) }, 6, 0, 4, "entry 5 stands where entry 4 should"},
		{"groups in another order", func(l [][]byte) [][]byte {
			return slices.Concat(l[:1], l[5:9], l[1:5], l[9:])
		}, 2, 0, 1, "entry 4 stands where entry 1 should"},
		{"an entry is twice", func(l [][]byte) [][]byte { return slices.Insert(l, 2, l[1]) }, 3, 0, 2, "entry 1 stands where entry 2 should"},
		{"a line of something else", func(l [][]byte) [][]byte { return slices.Insert(l, 2, []byte("hello\n")) }, 3, 0, 2, "no line of an audit trail"},
		{"an empty line", func(l [][]byte) [][]byte { return slices.Insert(l, 2, []byte("\n")) }, 3, 0, 2, "no line of an audit trail"},
		{"an endless line", func(l [][]byte) [][]byte {
			return slices.Insert(l, 2, append(bytes.Repeat([]byte("x"), 2<<20), '\n'))
		}, 3, 0, 2, "longer"},
		{"a group of another trail", func(l [][]byte) [][]byte { return slices.Concat(l[:5], twin[5:]) }, 6, 0, 4, "does not follow"},
		{"the end is gone", func(l [][]byte) [][]byte { return cut(l, 14, 14) }, 14, 0, 10, "cut off"},
		{"the end of a line is gone", func(l [][]byte) [][]byte { return [][]byte{bytes.Join(l, nil)[:len(bytes.Join(l, nil))-40]} }, 14, 0, 10, "cut off"},
		{"the last byte is gone", func(l [][]byte) [][]byte {
			l[13] = bytes.TrimSuffix(l[13], []byte("\n"))
			return l
		}, 14, 0, 10, "cut off"},
		{"cut within a group", func(l [][]byte) [][]byte { return l[:7] }, 8, 0, 6, "cut off"},
		{"cut after a checkpoint", func(l [][]byte) [][]byte { return l[:9] }, 10, 0, 7, "cut off"},
		{"the checkpoint before the end is gone", func(l [][]byte) [][]byte { return cut(l, 13, 13) }, 13, 0, 9, "no checkpoint"},
		{"the end is another", func(l [][]byte) [][]byte { return replace(l, 14, "08:00:00", "08:00:01") }, 14, 0, 0, "not signed"},
		{"the end is of another export", func(l [][]byte) [][]byte { return append(l[:13], other[len(other)-1]) }, 14, 0, 10, "ends with entry 12"},
		{"something behind the end", func(l [][]byte) [][]byte { return append(l, l[1]) }, 15, 0, 0, "more after the end"},
		{"a beginning that was cut is said to be one", func(l [][]byte) [][]byte {
			l = cut(l, 2, 5)
			var previous string
			if _, after, ok := strings.Cut(string(l[4]), `"previous":"`); ok {
				previous = after[:64]
			}
			l[0] = []byte(fmt.Sprintf(`{"audit":1,"public_key":%q,"first_checkpoint":2,"first_entry":4,"previous":%q}`+"\n", trail.Public(), previous))
			return l
		}, 1, 0, 0, "removed from the beginning"},
		{"the heading is gone", func(l [][]byte) [][]byte { return l[1:] }, 1, 0, 0, "no exported audit trail"},
		{"another key", func(l [][]byte) [][]byte { return replace(l, 1, string(trail.Public())[:8], "00000000") }, 1, 0, 0, "says that it was signed with the key 00000000"},
		{"no key", func(l [][]byte) [][]byte { return replace(l, 1, string(trail.Public()), "") }, 1, 0, 0, "changed"},
		{"a newer version", func(l [][]byte) [][]byte { return replace(l, 1, `"audit":1`, `"audit":2`) }, 1, 0, 0, "version 2"},
		{"nothing", func([][]byte) [][]byte { return nil }, 1, 0, 0, "empty"},
	} {
		copied := make([][]byte, len(good))
		for i := range good {
			copied[i] = bytes.Clone(good[i])
		}
		_, err := audit.Verify(bytes.NewReader(bytes.Join(test.do(copied), nil)), trail.Public())
		var f *audit.Fault
		if !errors.As(err, &f) {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		until := max(test.until, test.line)
		if f.Line != test.line || f.Until != until || f.Entry != test.entry || !strings.Contains(f.Error(), test.says) {
			t.Errorf("%s: %+v, want lines %d to %d, entry %d: %s", test.name, f, test.line, until, test.entry, test.says)
		}
	}
}

// TestEveryChangeIsFound changes one byte, or the order of two lines, anywhere.
func TestEveryChangeIsFound(t *testing.T) {
	trail, _ := written(t, 4, 5)
	if _, err := trail.Strip(t.Context(), "birch"); err != nil {
		t.Fatal(err)
	}
	good := lines(export(t, trail))
	file := bytes.Join(good, nil)
	if r, err := audit.Verify(bytes.NewReader(file), trail.Public()); err != nil || r.Stripped != 8 {
		t.Fatal(r, err)
	}
	lineOf := func(at int) int { return bytes.Count(file[:at], []byte{'\n'}) + 1 }
	rapid.Check(t, func(t *rapid.T) {
		var changed []byte
		first := 0
		switch rapid.IntRange(0, 3).Draw(t, "what") {
		case 0:
			at := rapid.IntRange(0, len(file)-1).Draw(t, "at")
			changed = bytes.Clone(file)
			changed[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "bits"))
			first = lineOf(at)
		case 1:
			at := rapid.IntRange(0, len(file)-1).Draw(t, "length")
			changed, first = file[:at], lineOf(at)
		case 2:
			i := rapid.IntRange(0, len(good)-2).Draw(t, "line")
			j := rapid.IntRange(i+1, len(good)-1).Draw(t, "other line")
			swapped := slices.Clone(good)
			swapped[i], swapped[j] = swapped[j], swapped[i]
			changed, first = bytes.Join(swapped, nil), i+1
		case 3:
			from := rapid.IntRange(0, len(good)-1).Draw(t, "first line")
			to := rapid.IntRange(from+1, len(good)).Draw(t, "line after")
			changed, first = bytes.Join(slices.Delete(slices.Clone(good), from, to), nil), from+1
		}
		_, err := audit.Verify(bytes.NewReader(changed), trail.Public())
		var f *audit.Fault
		if !errors.As(err, &f) {
			t.Fatalf("not found: %v", err)
		}
		// The place is that of the change, or what is signed together with it; what the
		// first line says of the beginning is told apart at the second and at the end.
		if last := f.Until; last < first || first > 1 && f.Line > first+6 {
			t.Fatalf("a change of line %d is looked for at %v", first, f)
		}
	})
}

// TestStrip takes away what was told of a tenant. The trail is verified as before,
// and the tenant, and what was asked of it, is nowhere in it.
func TestStrip(t *testing.T) {
	now := newClock()
	store := inMemory(t)
	trail := open(t, store.Trail(), audit.Options{Clock: now.now})
	var want []string
	for i := range 2_000 {
		name := fmt.Sprintf("S.M%d", i)
		tenants := [][]string{{"alder"}, {"birch", "cedar"}, {"cedar"}, nil}[i%4]
		e := entry(name, tenants...)
		if i%4 == 3 {
			e.Content.Of = "birch"
		}
		record(t, trail, e)
		want = append(want, name)
		now.pass(time.Millisecond)
	}
	before := verified(t, trail)
	n, err := trail.Strip(t.Context(), "birch")
	if err != nil || n != 1_000 {
		t.Fatal(n, err)
	}
	after := verified(t, trail)
	same(t, "entries without content", after.Stripped, uint64(1_000))
	same(t, "hash", after.Hash, before.Hash)
	same(t, "entries", methods(t, trail, audit.Filter{}), want)
	for e, err := range trail.Entries(t.Context(), audit.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if gone := e.Number%2 == 0; gone != (e.Content == nil) {
			t.Fatalf("entry %d: %+v", e.Number, e.Content)
		}
		if e.Counts["values"] != 1 || e.Key == "" {
			t.Fatalf("of entry %d more than the content is gone", e.Number)
		}
	}
	if text := string(export(t, trail)); strings.Contains(text, "birch") || strings.Contains(text, "evil-S.M1.") || !strings.Contains(text, "alder") {
		t.Error("what was stripped is there")
	}
	// Nothing is left to do, and the trail goes on.
	if n, err := trail.Strip(t.Context(), "birch"); n != 0 || err != nil {
		t.Error(n, err)
	}
	record(t, trail, entry("S.After", "birch"))
	same(t, "entries about the tenant", methods(t, trail, audit.Filter{Tenant: "birch"}), []string{"S.After"})
	verified(t, trail)
}

// TestExportFrom begins in the middle.
func TestExportFrom(t *testing.T) {
	now := newClock()
	trail := open(t, inMemory(t).Trail(), audit.Options{Clock: now.now})
	for range 5 {
		record(t, trail, entry("S.M"), entry("S.M"))
		if err := trail.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		now.pass(time.Hour)
	}
	start := newClock().now()
	for hours, entries := range map[int]uint64{-1: 10, 0: 10, 1: 8, 4: 2, 5: 0} {
		var file []byte
		for part, err := range trail.Export(t.Context(), start.Add(time.Duration(hours)*time.Hour)) {
			if err != nil {
				t.Fatal(err)
			}
			file = append(file, part...)
		}
		r, err := audit.Verify(bytes.NewReader(file), "")
		if err != nil || r.Entries != entries || r.LastEntry != 10 || r.Key != trail.Public() {
			t.Errorf("from hour %d: %+v, %v", hours, r, err)
		}
	}
}

// TestPublicKey reads keys.
func TestPublicKey(t *testing.T) {
	key := signer(t, 1).Public()
	if got, err := audit.ParsePublicKey(" " + strings.ToUpper(string(key)) + "\n"); got != key || err != nil {
		t.Error(got, err)
	}
	for _, bad := range []string{"", "00", string(key) + "00", "x" + string(key)[1:]} {
		if _, err := audit.ParsePublicKey(bad); err == nil {
			t.Errorf("%q is taken for a key", bad)
		}
	}
	if _, err := audit.NewSigner(make([]byte, 31)); err == nil {
		t.Error("a short secret was taken")
	}
	s := signer(t, 1)
	if text := fmt.Sprintf("%v %+v %#v %s", s, s, s, s.LogValue()); strings.Count(text, "hidden") != 4 {
		t.Errorf("a signer prints itself: %s", text)
	}
	digest := s.Digest("a", []byte("b"))
	if digest == s.Digest("a", []byte("c")) || digest == s.Digest("b", []byte("b")) || digest == signer(t, 2).Digest("a", []byte("b")) ||
		digest != s.Digest("a", []byte("b")) {
		t.Error("digests do not tell requests apart, or keys")
	}
}

// FuzzVerify verifies anything. Nothing but the trail itself is one.
func FuzzVerify(f *testing.F) {
	trail, good := written(f, 2, 2)
	if _, err := trail.Strip(f.Context(), "birch"); err != nil {
		f.Fatal(err)
	}
	file := export(f, trail)
	f.Add(file)
	f.Add(bytes.Join(good[:3], nil))
	f.Add(good[0])
	f.Add([]byte(nil))
	key := trail.Public()
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := audit.Verify(bytes.NewReader(data), key)
		if err == nil && r.LastEntry != 4 {
			t.Errorf("verified: %+v", r)
		}
		if err != nil && !errors.As(err, new(*audit.Fault)) {
			t.Errorf("no fault: %v", err)
		}
		_, _ = audit.Verify(bytes.NewReader(data), "")
	})
}
