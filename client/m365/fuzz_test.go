package m365_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/client/m365"
)

// told is all that a reader says of an input, with small limits so that short
// inputs reach them.
func told(t testing.TB, src m365.Source, workers int) string {
	t.Helper()
	all, a := readSources(t, []m365.Source{src}, m365.Options{Workers: workers, MaxRecord: 2000, MaxFingerprints: 3})
	// How much is read of a file that is refused depends on how it arrives.
	a.Bytes = 0
	for i := range a.Files {
		a.Files[i].Bytes = 0
	}
	var b strings.Builder
	fmt.Fprintln(&b, a.Tally, a.Forms, a.Reasons, a.Operations, a.First, a.Last, a.Undated, a.Days, a.Gaps, a.Files)
	for _, p := range a.Problems {
		fmt.Fprintf(&b, "%+v\n", p)
	}
	for _, r := range all {
		if r.Operation != m365.FoldOperation(r.OperationRaw) {
			t.Errorf("operation %q of %q", r.Operation, r.OperationRaw)
		}
		if r.Origin.Number < 1 || r.Origin.Line < 1 || r.Origin.Form == "" {
			t.Errorf("origin %+v", r.Origin)
		}
		if raw := r.Raw.JSON(); raw != "" && !json.Valid([]byte(raw)) && !strings.ContainsAny(raw, "0123456789\\") {
			t.Errorf("kept %q", raw)
		}
		fmt.Fprintln(&b, r.Origin, r.Time, r.ID, r.Operation, r.User, r.Actors, r.Addresses, r.Parameters, r.Changes, r.Result, r.Partial, r.Raw.JSON(), r.Envelope.JSON())
	}
	return b.String()
}

// steady reads an input at once and byte by byte, with one worker and with two.
// All must agree.
func steady(t *testing.T, text string) {
	want := told(t, m365.Stream("f", strings.NewReader(text)), 1)
	if got := told(t, m365.Stream("f", strings.NewReader(text)), 2); got != want {
		t.Errorf("two workers: %s", cmp.Diff(want, got))
	}
	if got := told(t, m365.Stream("f", iotest.OneByteReader(strings.NewReader(text))), 1); got != want {
		t.Errorf("byte by byte: %s", cmp.Diff(want, got))
	}
}

// FuzzRead reads anything, in every form and compression.
func FuzzRead(f *testing.F) {
	for _, text := range containers(f, evidence) {
		f.Add([]byte(text))
		f.Add([]byte(text[:len(text)*2/3]))
	}
	f.Add([]byte(sentinelTable))
	f.Add([]byte(signIn))
	f.Fuzz(func(t *testing.T, text []byte) { steady(t, string(text)) })
}

// FuzzTable reads rows under the headers of the forms, in every delimiter.
func FuzzTable(f *testing.F) {
	heads := []string{
		"RecordId,CreationDate,RecordType,Operation,UserId,AuditData",
		`"RunspaceId","CreationDate","UserIds","Operations","AuditData"`,
		"creation_time,user_id,operation,client_ip,parameters,item",
		"TimeGenerated,OfficeId,OfficeWorkload,Operation,UserId,Parameters",
		"Timestamp,ActionType,RawEventData",
	}
	for i := range heads {
		f.Add(uint8(i), byte(','), "a,b,c,\"d\"\"\",e,\""+strings.ReplaceAll(evidence[1], `"`, `""`)+"\"\r\n")
		f.Add(uint8(i), byte(';'), "a;\"b\n;c\n\n")
		f.Add(uint8(i), byte('\t'), "\"x\"y\"\t\" \t\x00")
		f.Add(uint8(i), byte(','), "a,\""+strings.Repeat("x\n", 1500)+"\",b\nc,d,e\n")
	}
	f.Fuzz(func(t *testing.T, head uint8, delimiter byte, rows string) {
		steady(t, strings.ReplaceAll(heads[int(head)%len(heads)], ",", string(rune(delimiter)))+"\n"+rows)
	})
}

// FuzzObjects reads damaged lists of records, with whole ones around.
func FuzzObjects(f *testing.F) {
	for i, s := range []string{"[", `{"value":[`, "", `{"hits":{"hits":[`} {
		f.Add(s, `{"CreationTime":"x`, uint8(i))
		f.Add(s, evidence[1][:300], uint8(i))
		f.Add(s, `[[{"a":[{}`, uint8(i))
		f.Add(s, "\n  {\n", uint8(i))
		f.Add(s, `{"CreationTime":"`+strings.Repeat("x", 2500)+`"}`, uint8(i))
		f.Add(s, `{"a":[`+strings.Repeat("{},", 1000)+`{}]}`, uint8(i))
	}
	f.Fuzz(func(t *testing.T, before, damage string, at uint8) {
		list := append([]string{}, evidence...)
		i := int(at) % (len(list) + 1)
		list = append(list[:i], append([]string{damage}, list[i:]...)...)
		steady(t, before+strings.Join(list, ",\n"))
	})
}

// FuzzAudit reads the same fields as a bare record and in a row: both agree.
func FuzzAudit(f *testing.F) {
	f.Add("Add user.", "ann@alder.example", "[::ffff:1.2.3.4]:5", `-Name "x" -Value y`, `[{"Name":"a","NewValue":"b"}]`, "2021-04-16T12:08:47")
	f.Add("UserLoggedIn", "S-1-5-18", "SERVER (1.2.3.4)", `[{"Name":"Identity","Value":"y"},`, `["a","b"]`, "/Date(1618574927000)/")
	f.Add("", "", "null", "{“Name”:“x”}", "\"", "9/20/2023 4:05:03 AM")
	f.Fuzz(func(t *testing.T, operation, user, ip, parameters, changed, at string) {
		b, err := json.Marshal(map[string]any{
			"Operation": operation, "UserId": user, "ClientIP": ip, "Parameters": parameters, "ModifiedProperties": changed,
			"CreationTime": at, "Workload": "Exchange", "RecordType": 1, "ExtendedProperties": parameters, "Item": changed,
			"ClientInfoString": parameters, "Id": user,
		})
		if err != nil {
			t.Fatal(err)
		}
		bare, _ := read(t, string(b))
		row, _ := read(t, "AuditData\n"+quoteCSV(string(b))+"\n")
		if diff := cmp.Diff(bare, row, sameEvidence); diff != "" {
			t.Errorf("a row differs: %s", diff)
		}
		if len(bare) != 1 {
			t.Fatalf("%d records", len(bare))
		}
		for _, c := range bare[0].Changes {
			c.NewValue().Strings()
		}
		for _, p := range bare[0].Parameters {
			bare[0].Parameters.List(p.Name)
		}
	})
}

// FuzzParseValue agrees with encoding/json on what is JSON, and mends the rest
// into something that is.
func FuzzParseValue(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,2.5e3,true,null,"\u00e9\ud83d\ude00\n"]}`, `[{"Name":"a","Value":"b"`, `{“a”:“b”}`, `[[[[`, `"x"`, `{"a":"b" "c":"d"}`,
		`{"a":"b,"c":"d"}`, `[{"a":1,{"b":2}]`, `{"a":1},{"b":2}`, `{""a"":""b""}`, "[\"a\x00b\"]",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v := m365.ParseValue(text)
		v.Strings()
		if v.Kind() == m365.Array || v.Kind() == m365.Object {
			if again := m365.ParseValue(v.JSON()); cmp.Diff(v.Strings(), again.Strings()) != "" {
				t.Errorf("%q is read otherwise again", text)
			}
		}
		var want any
		if json.Unmarshal([]byte(text), &want) != nil {
			return
		}
		if s, ok := want.(string); ok && v.Text() != s && !strings.Contains(text, "\ufffd") && json.Valid([]byte(text)) && utf8Text(text) {
			t.Errorf("%q is %q, want %q", text, v.Text(), s)
		}
		if m, ok := want.(map[string]any); ok && v.Kind() == m365.Object {
			n := 0
			for range v.Fields() {
				n++
			}
			if n < len(m) {
				t.Errorf("%q has %d fields, want %d", text, n, len(m))
			}
		}
	})
}

func utf8Text(s string) bool { return strings.ToValidUTF8(s, "") == s }

// FuzzEncodings reads the same text in other encodings and compressions.
func FuzzEncodings(f *testing.F) {
	f.Add(evidence[0], true)
	f.Add("RecordId,AuditData\nx,\"{\"\"Operation\"\":\"\"é\"\"}\"\n", false)
	f.Fuzz(func(t *testing.T, text string, little bool) {
		if !utf8Text(text) || strings.Contains(text, "\x00") || strings.HasPrefix(text, "\ufeff") || strings.HasPrefix(text, "\x1f\x8b") {
			return
		}
		order := binary.AppendByteOrder(binary.BigEndian)
		if little {
			order = binary.LittleEndian
		}
		describe := func(text string) []string {
			all, a := read(t, text)
			list := problems(a)
			for _, r := range all {
				list = append(list, fmt.Sprint(r.Origin, r.ID, r.Operation, r.User, r.Raw.JSON()))
			}
			return list
		}
		want := describe(text)
		for name, other := range map[string]string{"UTF-16": wide(text, order, true), "BOM": "\ufeff" + text, "gzip": zip(text), "gzip twice": zip(zip(text))} {
			if diff := cmp.Diff(want, describe(other)); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	})
}
