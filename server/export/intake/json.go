package intake

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export/misp"
)

// readJSON tells an event from a bundle by the first name in it.
func readJSON(ctx context.Context, in *bufio.Reader, g Guard, f *File) error {
	// A name stands within the first bytes, or it is neither.
	head, err := in.Peek(4 << 10)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if len(head) == 0 {
		return ErrForm
	}
	switch {
	case bytes.Contains(head, []byte(`"Event"`)):
		f.Format = FormatMISP
		return readEvent(ctx, in, g, f)
	case bytes.Contains(head, []byte(`"bundle`)) || bytes.Contains(head, []byte(`"objects"`)):
		f.Format = FormatSTIX
		return readBundle(ctx, in, g, f)
	}
	return ErrForm
}

// technique finds the id of a technique in the tag of a galaxy.
var technique = regexp.MustCompile(`\bT\d{4}(\.\d{3})?\b`)

func readEvent(ctx context.Context, r io.Reader, g Guard, f *File) error {
	take := func(a *misp.Attribute, place string) error {
		if a.Deleted {
			return nil
		}
		for _, t := range a.Tag {
			f.tag(t.Name)
		}
		entries := ofMISP(a)
		if len(entries) == 0 {
			if a.Type == "link" {
				f.reference(a.Value)
			} else {
				f.Skipped++
			}
			return nil
		}
		for _, e := range entries {
			e.Place, e.Note = place+".value", a.Comment
			if a.FirstSeen != nil {
				e.First = misp.Time(*a.FirstSeen)
			}
			if a.LastSeen != nil {
				e.Last = misp.Time(*a.LastSeen)
			}
			if err := f.add(e); err != nil {
				return err
			}
		}
		return nil
	}
	stored, err := misp.Read(ctx, r, misp.Visitor{
		Attribute: func(a *misp.StoredAttribute) error { return take(&a.Attribute, a.Path) },
		Object: func(o *misp.StoredObject) error {
			for i := range o.Attribute {
				if o.Deleted {
					break
				}
				if err := take(&o.Attribute[i], fmt.Sprintf("%s.Attribute[%d]", o.Path, i)); err != nil {
					return err
				}
			}
			return nil
		},
	})
	if s, ok := errors.AsType[*misp.SyntaxError](err); ok && errors.Is(s.Err, ErrTooLong) {
		return ErrTooLong
	}
	if err != nil {
		return err
	}
	for _, t := range stored.Tag {
		f.tag(t.Name)
	}
	f.ID, f.Title = stored.UUID, shorten(stored.Info)
	own, err := g.published(ctx, stored.UUID)
	if err != nil {
		return err
	}
	if own || stored.Orgc != nil && strings.EqualFold(stored.Orgc.UUID, g.Producer.String()) {
		f.Own, f.Entries = max(1, len(f.Entries)), nil
	}
	return nil
}

// tag takes from a tag what is known of it.
func (f *File) tag(name string) {
	switch {
	case strings.HasPrefix(strings.ToLower(name), "tlp:"):
		f.label(strings.ToLower(name[len("tlp:"):]))
	case strings.HasPrefix(name, "misp-galaxy:mitre-attack-pattern"):
		if id := technique.FindString(name); id != "" {
			f.technique(id)
		}
	}
}

// label sets the label of the file; of two the stricter holds.
func (f *File) label(tlp string) {
	if tlp == "white" {
		tlp = string(evidence.TLPClear)
	}
	order := []string{"clear", "green", "amber", "amber+strict", "red"}
	at := func(s string) int {
		for i, o := range order {
			if o == s {
				return i
			}
		}
		return -1
	}
	if at(tlp) > at(f.TLP) {
		f.TLP = tlp
	}
}

// ofMISP are the values of an attribute, without place and times.
func ofMISP(a *misp.Attribute) []Entry {
	first, second, _ := strings.Cut(a.Value, "|")
	one := func(k evidence.Kind, v string) []Entry { return []Entry{{Kind: k, Value: v}} }
	switch a.Type {
	case "ip-src", "ip-dst":
		return one(addressKind(a.Value), a.Value)
	case "ip-src|port", "ip-dst|port":
		if strings.Contains(first, ":") {
			return one(evidence.KindIP, "["+first+"]:"+second)
		}
		return one(evidence.KindIP, first+":"+second)
	case "domain", "hostname":
		return one(evidence.KindDomain, a.Value)
	case "hostname|port":
		return one(evidence.KindDomain, first)
	case "domain|ip":
		return append(one(evidence.KindDomain, first), one(addressKind(second), second)...)
	case "url":
		kind, value := hostKind(a.Value)
		return one(kind, value)
	case "email", "email-src", "email-dst", "email-reply-to":
		return one(evidence.KindEmail, a.Value)
	case "md5", "sha1", "sha256", "sha512":
		return one(evidence.KindFileHash, a.Value)
	case "filename|md5", "filename|sha1", "filename|sha256", "filename|sha512":
		return one(evidence.KindFileHash, second)
	case "AS":
		return one(evidence.KindASN, a.Value)
	case "user-agent":
		return one(evidence.KindUserAgent, a.Value)
	}
	return nil
}

// element is an object of a STIX bundle, as far as it is read.
type element struct {
	Type          string   `json:"type"`
	ID            string   `json:"id"`
	CreatedBy     string   `json:"created_by_ref"`
	Revoked       bool     `json:"revoked"`
	Name          string   `json:"name"`
	Description   string   `json:"description"`
	Pattern       string   `json:"pattern"`
	PatternType   string   `json:"pattern_type"`
	ValidFrom     string   `json:"valid_from"`
	FirstObserved string   `json:"first_observed"`
	LastObserved  string   `json:"last_observed"`
	Value         string   `json:"value"`
	Number        uint32   `json:"number"`
	Markings      []string `json:"object_marking_refs"`
	External      []struct {
		Source string `json:"source_name"`
		ID     string `json:"external_id"`
		URL    string `json:"url"`
	} `json:"external_references"`
	Hashes map[string]string `json:"hashes"`
}
