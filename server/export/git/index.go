package git

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/export/misp"
)

// Marks around what is written into README.md; the rest of it belongs to people.
const (
	indexFile  = "README.md"
	indexBegin = "<!-- elsewhere: begin of the index -->"
	indexEnd   = "<!-- elsewhere: end of the index -->"
	// maxIndex bounds what is read of it.
	maxIndex = 4 << 20
)

// errIndex is returned for an index with one mark and without the other.
var errIndex = errors.New("the marks of the index in " + indexFile + " are damaged")

// index writes the list of publications, of the manifest of the feed, into
// README.md.
func (s *stage) index(manifest map[string]misp.ManifestEntry, formats []Format) error {
	var list strings.Builder
	list.WriteString(indexBegin + "\n\n| date | publication | label |")
	for _, f := range formats {
		fmt.Fprintf(&list, " %s |", f.Folder)
	}
	list.WriteString(" misp |\n|---|---|---|" + strings.Repeat("---|", len(formats)+1) + "\n")
	ids := slices.SortedFunc(maps.Keys(manifest), func(a, b string) int {
		return cmp.Or(cmp.Compare(manifest[b].Date, manifest[a].Date), cmp.Compare(a, b))
	})
	for _, id := range ids {
		e := manifest[id]
		label := ""
		for _, t := range e.Tag {
			if strings.HasPrefix(t.Name, "tlp:") {
				label = t.Name
			}
		}
		fmt.Fprintf(&list, "| %s | %s | %s |", cell(e.Date), cell(e.Info), cell(label))
		for _, f := range formats {
			name := path.Join(f.Folder, id+f.Extension)
			fmt.Fprintf(&list, " [%s](%s) |", strings.TrimPrefix(f.Extension, "."), name)
		}
		fmt.Fprintf(&list, " [json](misp/%s.json) |\n", id)
	}
	list.WriteString("\n`misp/` is a feed that MISP servers can pull.\n\n" + indexEnd)
	before, err := s.readIndex()
	if err != nil {
		return err
	}
	begin, end := bytes.Index(before, []byte(indexBegin)), bytes.Index(before, []byte(indexEnd))
	out := s.create(indexFile)
	switch {
	case begin < 0 && end < 0 && len(before) == 0:
		fmt.Fprintf(out, "# Publications\n\n%s\n", list.String())
	case begin < 0 && end < 0:
		fmt.Fprintf(out, "%s\n\n%s\n", bytes.TrimRight(before, "\n"), list.String())
	case begin < 0 || end < begin:
		return errIndex
	default:
		fmt.Fprintf(out, "%s%s%s", before[:begin], list.String(), before[end+len(indexEnd):])
	}
	return nil
}

func (s *stage) readIndex() ([]byte, error) {
	f, err := s.open(indexFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxIndex+1))
	if err == nil && len(b) > maxIndex {
		err = &SizeError{indexFile}
	}
	return b, err
}

// cell writes a text as a cell of a table, in which it is nothing else.
func cell(s string) string {
	return strings.NewReplacer(
		"\\", "\\\\", "|", "\\|", "<", "&lt;", "[", "\\[", "]", "\\]", "`", "\\`", "*", "\\*", "_", "\\_", "\n", " ", "\r", " ",
	).Replace(s)
}
