package server

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// fileWatch tells when the data of an operator may have changed.
type fileWatch struct {
	// folder holds feeds, "" for none. Each state of a feed is a file in it that
	// is replaced as a whole; other files come and go.
	folder string
	files  []string
	seen   string
}

// changed reports whether anything is not as it was at the call before.
func (w *fileWatch) changed() bool {
	now := w.look()
	was := w.seen
	w.seen = now
	return now != was
}

// look returns what tells one state of the files from another.
func (w *fileWatch) look() string {
	var b strings.Builder
	one := func(path string) {
		info, err := os.Stat(path)
		if err != nil {
			fmt.Fprintf(&b, "%s: none\n", path)
			return
		}
		fmt.Fprintf(&b, "%s %d %d\n", path, info.Size(), info.ModTime().UnixNano())
	}
	for _, path := range w.files {
		one(path)
	}
	if w.folder == "" {
		return b.String()
	}
	entries, err := os.ReadDir(w.folder)
	if err != nil {
		fmt.Fprintf(&b, "%s: none\n", w.folder)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".json") {
			one(filepath.Join(w.folder, e.Name()))
		}
	}
	return b.String()
}
