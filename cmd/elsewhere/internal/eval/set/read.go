package set

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

const (
	// MaxLineBytes bounds a case, as the product bounds one.
	MaxLineBytes = evidence.MaxCaseBytes
	// MaxCases bounds a file: every pair of its cases is judged.
	MaxCases = 100_000
)

// KindReport is the case kind of a published report.
const KindReport = "report"

// LineError says which line of a file cannot be read.
type LineError struct {
	Line int // from 1
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("%d: %v", e.Line, e.Err) }

// Unwrap returns why.
func (e *LineError) Unwrap() error { return e.Err }

// What can be wrong with a file or a line.
var (
	ErrEmpty    = errors.New("no cases")
	ErrTooLong  = fmt.Errorf("more than %d bytes", MaxLineBytes)
	ErrTooMany  = fmt.Errorf("more than %d cases", MaxCases)
	ErrCaseID   = errors.New("case_id is missing")
	ErrLabel    = errors.New("label is missing")
	ErrDate     = errors.New("date is neither null nor of the form 2006-01-02")
	ErrTwice    = errors.New("this case_id was there before")
	ErrNoObject = errors.New("not one JSON object of the format")
	ErrUTF8     = errors.New("the line is not UTF-8")
)

// Read reads labelled cases. Errors are ErrEmpty, a *LineError or what r returns.
func Read(r io.Reader) (*Set, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	f := reading{set: &Set{}, seen: make(map[string]int), dropped: make(map[Dropped]int)}
	for n := 1; ; n++ {
		text, err := line(in)
		if err != nil && !errors.Is(err, io.EOF) {
			if errors.Is(err, ErrTooLong) {
				err = &LineError{n, err}
			}
			return nil, err
		}
		if n == 1 {
			text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
		}
		if text = bytes.TrimSpace(text); len(text) > 0 {
			if err := f.add(n, text); err != nil {
				return nil, &LineError{n, err}
			}
		}
		if err != nil {
			break
		}
	}
	if len(f.set.Cases) == 0 {
		return nil, ErrEmpty
	}
	for d, n := range f.dropped {
		d.N = n
		f.set.Values.Dropped = append(f.set.Values.Dropped, d)
	}
	slices.SortFunc(f.set.Values.Dropped, func(x, y Dropped) int {
		return cmp.Or(cmp.Compare(x.Type, y.Type), cmp.Compare(x.Reason, y.Reason))
	})
	return f.set, nil
}

// line returns the next line without its end. The error is io.EOF with the last.
func line(in *bufio.Reader) ([]byte, error) {
	var text []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(text)+len(part) > MaxLineBytes {
			return nil, ErrTooLong
		}
		text = append(text, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return text, err
		}
	}
}

// record is a line.
type record struct {
	CaseID     string  `json:"case_id"`
	Label      string  `json:"label"`
	Date       *string `json:"date"`
	Indicators []struct {
		Type  string `json:"type"`
		Value string `json:"value"`
	} `json:"indicators"`
}

// reading is a file while it is read.
type reading struct {
	set     *Set
	seen    map[string]int // lines of case ids
	dropped map[Dropped]int
}

func (f *reading) add(n int, text []byte) error {
	if !utf8.Valid(text) {
		// Labels that differ only in what is not text would become one.
		return ErrUTF8
	}
	var r record
	if err := json.Unmarshal(text, &r); err != nil || text[0] != '{' {
		// What the decoder says may quote the line.
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			return fmt.Errorf("%w: byte %d", ErrNoObject, syntax.Offset)
		}
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
			return fmt.Errorf("%w: %s is of another type", ErrNoObject, wrong.Field)
		}
		return ErrNoObject
	}
	label := strings.TrimSpace(r.Label)
	switch {
	case r.CaseID == "":
		return ErrCaseID
	case label == "":
		return ErrLabel
	case f.seen[r.CaseID] != 0:
		return fmt.Errorf("%w, on line %d", ErrTwice, f.seen[r.CaseID])
	case len(f.set.Cases) == MaxCases:
		return ErrTooMany
	}
	var at time.Time
	if r.Date != nil {
		var err error
		if at, err = time.Parse(time.DateOnly, *r.Date); err != nil {
			return ErrDate
		}
	}
	d := evidence.Draft{
		Ref:  evidence.Ref{Tenant: fmt.Sprintf("t%06d", len(f.set.Cases)+1), Case: r.CaseID},
		Kind: KindReport, State: evidence.Closed,
	}
	seen := evidence.Finding{FirstSeen: at, LastSeen: at}
	var techniques []evidence.Finding
	for _, i := range r.Indicators {
		if i.Type == "technique" {
			techniques = append(techniques, evidence.Finding{Technique: i.Value, FirstSeen: at, LastSeen: at})
			continue
		}
		if o, ok := f.observable(i.Type, i.Value); ok {
			seen.Observables = append(seen.Observables, o)
		}
	}
	if len(seen.Observables) > 0 {
		d.Findings = append(d.Findings, seen)
	}
	for _, t := range techniques {
		f.technique(&d, t)
	}
	c, _, err := evidence.Parse(d, evidence.Options{})
	if err != nil {
		return err
	}
	f.seen[r.CaseID] = n
	f.set.Cases = append(f.set.Cases, c)
	f.set.Labels = append(f.set.Labels, label)
	return nil
}

// kinds are the product's names for the types of the format.
func kindOf(t string) (evidence.Kind, bool) {
	switch t {
	case "ipv4", "ipv6":
		return evidence.KindIP, true
	case "domain":
		return evidence.KindDomain, true
	case "url":
		return evidence.KindURL, true
	case "hash":
		return evidence.KindFileHash, true
	case "email":
		return evidence.KindEmail, true
	}
	return "", false
}

// observable reads a value; false if the product does not take it.
func (f *reading) observable(t, raw string) (o evidence.Observable, ok bool) {
	kind, known := kindOf(t)
	if !known {
		f.dropped[Dropped{Type: "other", Reason: ReasonType}]++
		return o, false
	}
	// A reader of reports sees what host and path are; the product insists on a
	// scheme, because of which what follows is no file name.
	repaired := kind == evidence.KindURL && !strings.Contains(raw, "://")
	if repaired {
		raw = "http://" + raw
	}
	p, wrong := evidence.ParseValue(kind, raw, evidence.Options{})
	if wrong != nil {
		f.dropped[Dropped{Type: t, Reason: wrong.Reason}]++
		return o, false
	}
	f.set.Values.Read++
	if repaired {
		f.set.Values.Repaired++
	}
	return evidence.Observable{Value: p.Value, Written: p.Written, Roles: []string{evidence.RoleReferenced}}, true
}

// technique adds a finding unless the product does not take its technique.
func (f *reading) technique(d *evidence.Draft, t evidence.Finding) {
	_, left, err := evidence.Parse(evidence.Draft{Ref: d.Ref, Findings: []evidence.Finding{t}}, evidence.Options{Partial: true})
	if err == nil && len(left) > 0 {
		f.dropped[Dropped{Type: "technique", Reason: left[0].Reason}]++
		return
	}
	f.set.Values.Read++
	d.Findings = append(d.Findings, t)
}
