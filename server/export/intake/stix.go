package intake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export/misp"
)

// labelOf is the label of a marking definition: those of TLP 2.0, and the one of
// each label that STIX 2.1 itself defines for TLP 1.
func labelOf(marking string) string {
	_, id, _ := strings.Cut(marking, "--")
	switch id {
	case "94868c89-83c2-464b-929b-a1a8aa3c8487", "613f2e26-407d-48c7-9eca-b8e91df99dc9":
		return "clear"
	case "bab4a63c-aed9-4cf5-a766-dfca5abac2bb", "34098fce-860f-48ae-8e50-ebd3cc5e41da":
		return "green"
	case "55d920b0-5e8b-4f79-9ee9-91f868d9b421", "f88d31f6-486f-44da-b317-01333bde0b82":
		return "amber"
	case "939a9414-2ddd-4d32-a0cd-375ea402b003":
		return "amber+strict"
	case "e828b379-4e03-4974-9ac4-e53a884c97c1", "5e57c739-391a-4eb3-b6be-7d15ca92d5ed":
		return "red"
	}
	return ""
}

// comparison finds the comparisons of a pattern that name one value.
var comparison = regexp.MustCompile(
	`([a-z0-9-]+):(value|number|hashes\.'?[A-Za-z0-9-]+'?)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|(\d+))`)

// readBundle reads the objects of a bundle one after the other.
func readBundle(ctx context.Context, r io.Reader, g Guard, f *File) error {
	in := json.NewDecoder(r)
	wrong := func(place string, err error) error {
		if errors.Is(err, ErrTooLong) {
			return ErrTooLong
		}
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			place, err = strings.TrimSuffix(place+"."+t.Field, "."), fmt.Errorf("%s where that does not belong", t.Value)
		}
		return &PlaceError{fmt.Sprintf("%s (byte %d)", place, in.InputOffset()), err}
	}
	s := bundle{guard: g, file: f, own: make(map[string]bool)}
	if token, err := in.Token(); err != nil || token != json.Delim('{') {
		return ErrForm
	}
	for in.More() {
		token, err := in.Token()
		if err != nil {
			return wrong("bundle", err)
		}
		switch token {
		case "type":
			var t string
			if err := in.Decode(&t); err != nil || t != "bundle" {
				return ErrForm
			}
		case "id":
			if err := in.Decode(&f.ID); err != nil {
				return wrong("id", err)
			}
			_, f.ID, _ = strings.Cut(f.ID, "--")
		case "objects":
			if token, err := in.Token(); err != nil || token != json.Delim('[') {
				return wrong("objects", errors.New("want ["))
			}
			for i := 0; in.More(); i++ {
				place := fmt.Sprintf("objects[%d]", i)
				var e element
				if err := in.Decode(&e); err != nil {
					return wrong(place, err)
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := s.take(&e, place); err != nil {
					return err
				}
			}
			if _, err := in.Token(); err != nil {
				return wrong("objects", err)
			}
		default:
			var skipped json.RawMessage
			if err := in.Decode(&skipped); err != nil {
				return wrong(fmt.Sprint(token), err)
			}
		}
	}
	if _, err := in.Token(); err != nil {
		return wrong("bundle", err)
	}
	return s.finish(ctx)
}

// bundle is a bundle that is being read.
type bundle struct {
	guard Guard
	file  *File
	// own are values of objects that we made; others says that there are objects of
	// somebody else.
	own     map[string]bool
	others  bool
	observe []Entry // observables, which say not who made them
}

func (s *bundle) take(e *element, place string) error {
	if e.Revoked {
		return nil
	}
	for _, m := range e.Markings {
		s.file.label(labelOf(m))
	}
	mine := strings.EqualFold(e.CreatedBy, "identity--"+s.guard.Producer.String())
	if e.CreatedBy != "" && !mine {
		s.others = true
	}
	switch e.Type {
	case "indicator":
		return s.indicator(e, place, mine)
	case "attack-pattern":
		for _, x := range e.External {
			if id := technique.FindString(x.ID); id != "" && !mine {
				s.file.technique(id)
			}
		}
	case "report", "grouping":
		if s.file.Title == "" {
			s.file.Title = shorten(e.Name)
		}
		for _, x := range e.External {
			s.file.reference(x.URL)
		}
	case "ipv4-addr", "ipv6-addr", "domain-name", "url", "email-addr", "autonomous-system", "file":
		for _, entry := range observables(e) {
			entry.Place = place + ".value"
			if len(s.observe) == MaxEntries {
				return &PlaceError{place, ErrTooMany}
			}
			s.observe = append(s.observe, entry)
		}
	}
	return nil
}

func (s *bundle) indicator(e *element, place string, mine bool) error {
	if e.PatternType != "" && e.PatternType != "stix" {
		s.file.Skipped++
		return nil
	}
	found := comparison.FindAllStringSubmatch(e.Pattern, MaxEntries+1)
	if len(found) == 0 {
		s.file.Skipped++
		return nil
	}
	for _, m := range found {
		value := m[4]
		if value == "" {
			value = strings.NewReplacer(`\'`, `'`, `\\`, `\`).Replace(m[3])
		}
		kind, value := ofSTIX(m[1], value)
		switch {
		case kind == "":
			s.file.Skipped++
		case mine:
			s.own[string(kind)+" "+value] = true
			s.file.Own++
		default:
			note := e.Name
			if e.Description != "" {
				note = e.Description
			}
			err := s.file.add(Entry{Place: place + ".pattern", Kind: kind, Value: value, Note: note, First: misp.Time(e.ValidFrom)})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// finish takes the observables that are not ours, nor stand in an indicator.
func (s *bundle) finish(ctx context.Context) error {
	published, err := s.guard.published(ctx, s.file.ID)
	if err != nil {
		return err
	}
	if published || len(s.own) > 0 && !s.others {
		s.file.Own, s.file.Entries, s.file.Techniques = max(1, s.file.Own), nil, nil
		return nil
	}
	have := make(map[string]bool)
	for _, e := range s.file.Entries {
		have[string(e.Kind)+" "+e.Value] = true
	}
	for _, e := range s.observe {
		switch key := string(e.Kind) + " " + e.Value; {
		case s.own[key]:
			s.file.Own++
		case !have[key]:
			have[key] = true
			if err := s.file.add(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// observables are the values of a cyber observable.
func observables(e *element) []Entry {
	if e.Type == "file" {
		var out []Entry
		for _, name := range slices.Sorted(maps.Keys(e.Hashes)) {
			if kind, value := ofSTIX("file", e.Hashes[name]); kind != "" {
				out = append(out, Entry{Kind: kind, Value: value})
			}
		}
		return out
	}
	value := e.Value
	if e.Type == "autonomous-system" {
		value = strconv.FormatUint(uint64(e.Number), 10)
	}
	if kind, value := ofSTIX(e.Type, value); kind != "" && value != "" {
		return []Entry{{Kind: kind, Value: value}}
	}
	return nil
}

// ofSTIX is the kind of a value by the type of its observable.
func ofSTIX(typ, value string) (evidence.Kind, string) {
	switch typ {
	case "ipv4-addr", "ipv6-addr":
		return addressKind(value), value
	case "domain-name":
		return evidence.KindDomain, value
	case "url":
		return hostKind(value)
	case "email-addr":
		return evidence.KindEmail, value
	case "autonomous-system":
		return evidence.KindASN, "AS" + strings.TrimPrefix(value, "AS")
	case "file":
		switch len(value) {
		case 32, 40, 64, 128:
			return evidence.KindFileHash, value
		}
	}
	return "", value
}
