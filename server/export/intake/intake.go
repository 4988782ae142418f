package intake

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export"
)

// Entry is one value of a file. Value is as it stands there.
type Entry struct {
	Place       string // line 3, Event.Attribute[2], objects[7]
	Kind        evidence.Kind
	Value, Note string
	First, Last time.Time
}

// The forms of files.
const (
	FormatCSV  = "csv"
	FormatMISP = "misp"
	FormatSTIX = "stix"
)

// File is what was read.
type File struct {
	Format string
	// ID is the UUID of the event or the bundle, "" for tables.
	ID         string
	Title, TLP string
	References []string
	Techniques []string // ATT&CK ids, in order of occurrence
	Entries    []Entry
	// Own are values that we ourselves handed on, Skipped those of kinds that are no
	// observables here.
	Own, Skipped int
}

// Guard knows what is our own.
type Guard struct {
	// Producer is the identity that our exports name.
	Producer export.UUID
	// Published reports whether a bundle or an event is one of ours.
	Published func(ctx context.Context, uuid string) (bool, error)
}

func (g Guard) published(ctx context.Context, uuid string) (bool, error) {
	if g.Published == nil || uuid == "" {
		return false, nil
	}
	return g.Published(ctx, uuid)
}

// Bounds of one file.
const (
	// MaxBytes bounds a file.
	MaxBytes = 64 << 20
	// MaxEntries is what one case holds.
	MaxEntries = evidence.MaxObservables
	// maxNote bounds a note, in bytes.
	maxNote = 500
	maxRefs = 100
)

// Errors of a file. A *PlaceError says where.
var (
	ErrForm    = errors.New("neither a table of indicators, nor a MISP event, nor a STIX bundle")
	ErrTooLong = errors.New("more than 64 MiB")
	ErrTooMany = errors.New("more than 10,000 values; split the file")
	ErrOwn     = errors.New("this is an export of our own")
	ErrNothing = errors.New("there is no value that could be looked for")
)

// PlaceError is what is wrong at a place of a file.
type PlaceError struct {
	Place string
	Err   error
}

func (e *PlaceError) Error() string { return e.Place + ": " + e.Err.Error() }

// Unwrap returns what is wrong.
func (e *PlaceError) Unwrap() error { return e.Err }

// Read reads a file whose form is told by its content. Memory is that of the
// values, not of the file.
func Read(ctx context.Context, r io.Reader, g Guard) (*File, error) {
	in := bufio.NewReaderSize(&bounded{r, MaxBytes}, 64<<10)
	if head, err := in.Peek(3); err == nil && bytes.Equal(head, []byte("\ufeff")) {
		if _, err := in.Discard(3); err != nil {
			return nil, err
		}
	}
	for {
		c, _, err := in.ReadRune()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = &PlaceError{"line 1", ErrNothing}
			}
			return nil, err
		}
		if unicode.IsSpace(c) {
			continue
		}
		if err := in.UnreadRune(); err != nil {
			return nil, err
		}
		f := &File{}
		if c == '{' {
			err = readJSON(ctx, in, g, f)
		} else {
			err = readTable(ctx, in, f)
		}
		if err != nil {
			return nil, err
		}
		if len(f.Entries) == 0 && f.Own > 0 {
			return nil, ErrOwn
		}
		if len(f.Entries) == 0 && len(f.Techniques) == 0 {
			return nil, ErrNothing
		}
		return f, nil
	}
}

// bounded is a reader that fails beyond a number of bytes, where a limited one
// would only end.
type bounded struct {
	r    io.Reader
	left int64
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		var one [1]byte
		if n, err := b.r.Read(one[:]); n == 0 {
			return 0, err
		}
		return 0, ErrTooLong
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// add adds an entry, within bounds.
func (f *File) add(e Entry) error {
	if len(f.Entries) == MaxEntries {
		return &PlaceError{e.Place, ErrTooMany}
	}
	e.Note = shorten(e.Note)
	f.Entries = append(f.Entries, e)
	return nil
}

func (f *File) technique(id string) {
	for _, have := range f.Techniques {
		if have == id {
			return
		}
	}
	if len(f.Techniques) < evidence.MaxFindings/2 {
		f.Techniques = append(f.Techniques, id)
	}
}

func (f *File) reference(url string) {
	if url != "" && len(f.References) < maxRefs {
		f.References = append(f.References, url)
	}
}

// shorten makes a note one line of bounded length.
func shorten(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "")), " ")
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, s)
	for len(s) > maxNote {
		runes := []rune(s)
		s = string(runes[:len(runes)*maxNote/len(s)])
	}
	return s
}

// hostKind is the kind of what stands where a URL is said to be.
func hostKind(value string) (evidence.Kind, string) {
	plain := strings.TrimSpace(value)
	if strings.Contains(plain, "://") || strings.Contains(plain, "[:]//") {
		return evidence.KindURL, plain
	}
	if strings.ContainsAny(plain, "/?") {
		return evidence.KindURL, "http://" + plain
	}
	if k := evidence.Guess(plain); k == evidence.KindIP || k == evidence.KindCIDR {
		return k, plain
	}
	return evidence.KindDomain, plain
}

// addressKind tells an address from a network.
func addressKind(value string) evidence.Kind {
	if strings.Contains(value, "/") {
		return evidence.KindCIDR
	}
	return evidence.KindIP
}

func lineOf(n int) string { return fmt.Sprintf("line %d", n) }
