package link

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Definition is a model written down: a built-in version and what differs from it.
type Definition struct {
	Version uint32 `json:"version"`
	// Base is the built-in version.
	Base    uint32   `json:"base"`
	Changes []Change `json:"changes"` // in order of name
	// CreatedAt is when it was made, in UTC and whole seconds.
	CreatedAt time.Time `json:"created_at"`
	// Note is for people: why it was made.
	Note string `json:"note"`
}

// Bounds of a Definition.
const (
	MaxDefinitionBytes = 60 << 10
	MaxNote            = 1000 // bytes
	maxOrigin          = 200  // bytes
	maxChanges         = 400
)

// UnknownBaseError is returned where a model was made from a built-in version that
// this program does not have.
type UnknownBaseError struct{ Version, Base uint32 }

func (e *UnknownBaseError) Error() string {
	return fmt.Sprintf("model %d is made from model %d, which this program does not have; it needs a newer program", e.Version, e.Base)
}

// ParseDefinition reads the JSON form. It is strict: unknown and repeated fields,
// bad ranges and unknown names are errors.
func ParseDefinition(data []byte) (*Definition, error) {
	if len(data) > MaxDefinitionBytes {
		return nil, fmt.Errorf("a model has at most %d bytes, not %d", MaxDefinitionBytes, len(data))
	}
	if !utf8.Valid(data) {
		return nil, errors.New("a model is UTF-8")
	}
	if err := noRepeats(data); err != nil {
		return nil, err
	}
	d := &Definition{}
	in := json.NewDecoder(bytes.NewReader(data))
	in.DisallowUnknownFields()
	if err := in.Decode(d); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("model: something follows it")
	}
	if d.Changes == nil {
		d.Changes = []Change{}
	}
	d.CreatedAt = d.CreatedAt.UTC().Truncate(time.Second)
	return d, d.check()
}

// noRepeats reports a field that an object has twice: which one counts would
// depend on the reader.
func noRepeats(data []byte) error {
	in := json.NewDecoder(bytes.NewReader(data))
	type level struct {
		object, value bool
		names         map[string]bool
	}
	var open []level
	for {
		token, err := in.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("model: %w", err)
		}
		if n := len(open); n > 0 && open[n-1].object {
			top := &open[n-1]
			if name, ok := token.(string); ok && !top.value {
				// The decoder takes names whatever their case.
				if folded := strings.ToLower(name); top.names[folded] {
					return fmt.Errorf("model: %.40q is given twice", name)
				} else {
					top.names[folded], top.value = true, true
				}
				continue
			}
			top.value = false
		}
		if d, ok := token.(json.Delim); ok {
			switch d {
			case '{', '[':
				open = append(open, level{object: d == '{', names: make(map[string]bool)})
			case '}', ']':
				open = open[:len(open)-1]
				if n := len(open); n > 0 {
					open[n-1].value = false
				}
			}
		}
	}
}

func (d *Definition) check() error {
	if err := CheckNote(d.Note); err != nil {
		return err
	}
	if len(d.Changes) > maxChanges {
		return fmt.Errorf("a model has at most %d changes, not %d", maxChanges, len(d.Changes))
	}
	if y := d.CreatedAt.Year(); y < 1 || y > 9999 {
		return errors.New("created_at is not a time")
	}
	for _, c := range d.Changes {
		if err := checkText(c.Origin, maxOrigin); err != nil {
			return &ParameterError{c.Name, "its origin " + err.Error()}
		}
	}
	if !slices.IsSortedFunc(d.Changes, func(x, y Change) int { return strings.Compare(x.Name, y.Name) }) {
		slices.SortStableFunc(d.Changes, func(x, y Change) int { return strings.Compare(x.Name, y.Name) })
	}
	_, err := d.Model()
	return err
}

// CheckNote reports why a text is no note.
func CheckNote(note string) error {
	if err := checkText(note, MaxNote); err != nil {
		return fmt.Errorf("a note %w", err)
	}
	return nil
}

func checkText(s string, limit int) error {
	switch {
	case len(s) > limit:
		return fmt.Errorf("has at most %d bytes, not %d", limit, len(s))
	case !utf8.ValidString(s):
		return errors.New("is UTF-8")
	case strings.ContainsFunc(s, unicode.IsControl):
		return errors.New("is one line without control characters")
	}
	return nil
}

// Model returns the model that is written down.
func (d *Definition) Model() (*Model, error) {
	base, ok := BuiltIn(d.Base)
	switch {
	case !ok:
		return nil, &UnknownBaseError{d.Version, d.Base}
	case d.Version == d.Base && len(d.Changes) == 0:
		return base, nil
	case d.Version < FirstOwnVersion:
		return nil, fmt.Errorf("model version %d: a model that differs from a built-in one has a version of %d or more", d.Version, FirstOwnVersion)
	}
	return base.With(d.Version, d.Changes)
}

// Define writes a model down.
func (m *Model) Define(at time.Time, note string) *Definition {
	changes := m.Changes()
	if changes == nil {
		changes = []Change{}
	}
	return &Definition{
		Version: m.version, Base: m.base, Changes: changes,
		CreatedAt: at.UTC().Truncate(time.Second), Note: note,
	}
}

// JSON returns the form that ParseDefinition reads, indented and with a new line
// at the end.
func (d *Definition) JSON() ([]byte, error) {
	data, err := json.MarshalIndent(d, "", "  ")
	return append(data, '\n'), err
}
