package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"

	"github.com/elsewhere-project/elsewhere/server/export"
	"github.com/elsewhere-project/elsewhere/server/export/misp"
)

// Tip is the newest commit of a branch.
type Tip interface {
	// ID is the commit in hexadecimal, "" where the branch has none.
	ID() string
	// Open reads a file; fs.ErrNotExist if there is none.
	Open(ctx context.Context, name string) (io.ReadCloser, error)
}

// Format writes a bundle into a file of its own.
type Format struct {
	Folder, Extension string
	Write             func(ctx context.Context, w io.Writer, b *export.Bundle) error
}

// Layout is what a publication is made of, besides the feed and the index.
type Layout struct {
	// Folder is where all of it is, "" for the top of the repository.
	Folder  string
	Formats []Format
	Event   misp.Options
}

// Op is what a publication does to a file.
type Op string

// The operations.
const (
	Added   Op = "add"
	Changed Op = "change"
)

// File is a file that has to change.
type File struct {
	Op   Op
	Path string
	Data []byte
}

// MaxFile bounds a file; GitHub takes none of more than 100 MB.
const MaxFile = 95 << 20

// SizeError is a file that no server would take.
type SizeError struct{ Path string }

func (e *SizeError) Error() string {
	return fmt.Sprintf("%s has more than %d MB; choose less", e.Path, MaxFile>>20)
}

// Files returns the files that a publication changes, in order of path. Of what is
// there only the feed and the index are read, and the rest is left alone.
func Files(ctx context.Context, tip Tip, b *export.Bundle, l Layout) ([]File, error) {
	s := stage{ctx: ctx, tip: tip, folder: l.Folder, files: make(map[string]*bytes.Buffer)}
	name := b.ID.String()
	for _, f := range l.Formats {
		w := s.create(path.Join(f.Folder, name+f.Extension))
		if err := f.Write(ctx, w, b); err != nil {
			return nil, err
		}
	}
	feed := s.sub("misp")
	if err := misp.WriteFeed(ctx, feed, b, l.Event); err != nil {
		return nil, err
	}
	for _, d := range misp.Definitions() {
		if _, err := s.create(path.Join("misp-objects", d.Name, "definition.json")).Write(d.JSON); err != nil {
			return nil, err
		}
	}
	manifest, err := misp.ReadManifest(feed)
	if err != nil {
		return nil, err
	}
	if err := s.index(manifest, l.Formats); err != nil {
		return nil, err
	}
	return s.changed()
}

// stage holds the files of a publication until they are a commit.
type stage struct {
	ctx    context.Context
	tip    Tip
	folder string
	files  map[string]*bytes.Buffer
}

// boundedFile is a buffer that does not grow beyond MaxFile.
type boundedFile struct {
	buffer *bytes.Buffer
	path   string
}

// Write implements io.Writer.
func (f boundedFile) Write(b []byte) (int, error) {
	if f.buffer.Len()+len(b) > MaxFile {
		return 0, &SizeError{f.path}
	}
	return f.buffer.Write(b)
}

// Close implements io.Closer.
func (boundedFile) Close() error { return nil }

func (s *stage) create(name string) boundedFile {
	buffer := new(bytes.Buffer)
	s.files[name] = buffer
	return boundedFile{buffer, name}
}

// open reads a file as the publication leaves it.
func (s *stage) open(name string) (io.ReadCloser, error) {
	if staged, ok := s.files[name]; ok {
		return io.NopCloser(bytes.NewReader(staged.Bytes())), nil
	}
	return s.tip.Open(s.ctx, path.Join(s.folder, name))
}

// sub is a folder as a directory of a feed.
func (s *stage) sub(folder string) misp.Directory { return directory{s, folder} }

type directory struct {
	stage  *stage
	folder string
}

// Open implements misp.Directory.
func (d directory) Open(name string) (io.ReadCloser, error) {
	return d.stage.open(path.Join(d.folder, name))
}

// Create implements misp.Directory.
func (d directory) Create(name string) (io.WriteCloser, error) {
	return d.stage.create(path.Join(d.folder, name)), nil
}

// changed are the files that are not in the tip as they are here.
func (s *stage) changed() ([]File, error) {
	var out []File
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		data, at := s.files[name].Bytes(), path.Join(s.folder, name)
		same, exists, err := s.same(at, data)
		switch {
		case err != nil:
			return nil, err
		case same:
		case exists:
			out = append(out, File{Changed, at, data})
		default:
			out = append(out, File{Added, at, data})
		}
	}
	return out, nil
}

func (s *stage) same(name string, data []byte) (same, exists bool, err error) {
	f, err := s.tip.Open(s.ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	defer f.Close()
	have, err := io.ReadAll(io.LimitReader(f, int64(len(data))+1))
	return bytes.Equal(have, data), true, err
}
