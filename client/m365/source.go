package m365

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Paths finds the sources below files and folders. Folders are walked in the
// order of their names, without files that begin with a dot; a path that leads
// to a file that was already named is taken once.
func Paths(paths ...string) ([]Source, error) {
	var sources []Source
	seen := make(map[string]bool)
	add := func(path string, info fs.FileInfo) {
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			real = path
		}
		if abs, err := filepath.Abs(real); err == nil {
			real = abs
		}
		if seen[real] {
			return
		}
		seen[real] = true
		size := info.Size()
		if !info.Mode().IsRegular() {
			size = 0
		}
		sources = append(sources, Source{
			Name: path, Size: size,
			Open: func() (io.ReadCloser, error) { return os.Open(path) },
		})
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			add(path, info)
			continue
		}
		err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case p != path && d.Name()[0] == '.' && d.IsDir():
				return fs.SkipDir
			case d.Name()[0] == '.' || d.IsDir():
				return nil
			}
			info, err := os.Stat(p)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			if info.Mode().IsRegular() {
				add(p, info)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return sources, nil
}

// Stream is a source that can be read once, as standard input.
func Stream(name string, r io.Reader) Source {
	return Source{Name: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(r), nil }}
}
