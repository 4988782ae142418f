package rest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/jsonform"
)

// newBody returns a body of so many bytes at most.
func newBody(text string, most int64, stream bool) *body {
	return &body{ReadCloser: io.NopCloser(strings.NewReader(text)), most: most, left: most, stream: stream}
}

func TestBodies(t *testing.T) {
	for name, test := range map[string]struct {
		text   string
		stream bool
		want   []string // the faults, "" where a message is read
	}{
		"a message":           {`{"observables":[{"value":"1.2.3.4"}]}`, false, []string{""}},
		"nothing":             {"", false, []string{"EOF"}},
		"null":                {"null", false, []string{""}},
		"two messages":        {`{} {}`, false, []string{"more follows the object, at byte 4 of the body"}},
		"two of a stream":     {"{}\n{}", true, []string{"", "", "EOF"}},
		"an unknown field":    {`{"observables":[{"valeu":"x"}]}`, false, []string{"observables[0].valeu: observable has no such field"}},
		"a wrong type":        {`{"observables":[{"value":7}]}`, false, []string{"observables[0].value: a number where a string belongs"}},
		"a list":              {`[]`, false, []string{"a list where an object belongs"}},
		"cut off":             {`{"observables":[`, false, []string{"the text ends within an object, at byte 16 of the body"}},
		"no JSON":             {`{"a" 1}`, false, []string{"not JSON, at byte 6 of the body"}},
		"not UTF-8":           {"{\"observables\":[{\"value\":\"\xff\"}]}", false, []string{"not UTF-8, at byte 0 of the body"}},
		"too large":           {`{"observables":[{"value":"` + strings.Repeat("x", 100) + `"}]}`, false, []string{"http: request body too large"}},
		"too large in stream": {"{}\n" + `{"observables":[{"value":"` + strings.Repeat("x", 200) + `"}]}`, true, []string{"", "http: request body too large"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBody(test.text, 64, test.stream)
			d := codec{}.NewDecoder(b)
			for i, want := range test.want {
				got := ""
				err := d.Decode(&elsewherev1.SeenRequest{})
				if fault := b.wrong(); fault != nil {
					err = fault
				}
				if err != nil {
					got = err.Error()
				}
				if got != want {
					t.Errorf("message %d: %q, want %q", i, got, want)
				}
			}
		})
	}
}

// FuzzBody reads bodies: what is taken is written and read again as the same.
func FuzzBody(f *testing.F) {
	for _, s := range []string{
		`{"case":{"tenant":"alder","id":"1","findings":[{"observables":[{"kind":"ip","value":"1.2.3.4"}]}]},"expectedRevision":0}`,
		`{"case":{"openedAt":"2023-02-22T15:04:05Z","labels":{"a":"b"}}}`, `{}`, `null`, `[]`, "{}\n{}", `{"case":{"case":1}}`, "{\"\xff\":1}",
	} {
		f.Add(s, false)
		f.Add(s, true)
	}
	form := codec{&jsonform.Writer{}}
	f.Fuzz(func(t *testing.T, text string, stream bool) {
		b := newBody(text, 1<<16, stream)
		d := codec{}.NewDecoder(b)
		for {
			var m elsewherev1.SubmitCaseRequest
			if err := d.Decode(&m); err != nil {
				var fields *fieldsError
				if errors.As(b.wrong(), &fields) && len(fields.found) > jsonform.MaxFindings {
					t.Errorf("%d faults", len(fields.found))
				}
				return
			}
			line, err := form.Marshal(&m)
			if err != nil {
				t.Fatal(err)
			}
			var again elsewherev1.SubmitCaseRequest
			if err := (codec{}).Unmarshal(bytes.TrimSpace(line), &again); err != nil || !proto.Equal(&m, &again) {
				t.Fatalf("%s is another message when it is read again: %v", line, err)
			}
			if !stream {
				return
			}
		}
	})
}

// BenchmarkBody reads a question about 5,000 values.
func BenchmarkBody(b *testing.B) {
	var text strings.Builder
	text.WriteString(`{"observables":[`)
	for i := range 5_000 {
		if i > 0 {
			text.WriteByte(',')
		}
		fmt.Fprintf(&text, `{"kind":"ip","value":"70.%d.%d.%d"}`, i>>16&255, i>>8&255, i&255)
	}
	text.WriteString("]}")
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if err := (codec{}).NewDecoder(newBody(text.String(), 1<<20, false)).Decode(&elsewherev1.SeenRequest{}); err != nil {
			b.Fatal(err)
		}
	}
}
