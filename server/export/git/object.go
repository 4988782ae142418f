package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/storage/memory"
)

// commitTip is the tip of a repository whose objects are here.
type commitTip struct {
	id    plumbing.Hash
	store *memory.Storage
	tree  *object.Tree // nil where there is no commit
}

// ID implements Tip.
func (t *commitTip) ID() string {
	if t.id.IsZero() {
		return ""
	}
	return t.id.String()
}

// Open implements Tip.
func (t *commitTip) Open(_ context.Context, name string) (io.ReadCloser, error) {
	if t.tree == nil {
		return nil, fs.ErrNotExist
	}
	f, err := t.tree.File(name)
	if errors.Is(err, object.ErrFileNotFound) {
		return nil, fs.ErrNotExist
	}
	if err != nil {
		return nil, err
	}
	return f.Reader()
}

// LayoutError is a path where something else than a folder or a file stands.
type LayoutError struct{ Path string }

func (e *LayoutError) Error() string {
	return fmt.Sprintf("%s stands in the repository and is not what a publication needs there", e.Path)
}

// grow writes the blobs and trees that files add to a tree, and returns the new
// tree and all that was written.
func grow(store *memory.Storage, base *object.Tree, files []File) (plumbing.Hash, []plumbing.Hash, error) {
	g := grower{store: store}
	blobs := make(map[string]plumbing.Hash)
	for _, f := range files {
		hash, err := g.write(plumbing.BlobObject, f.Data)
		if err != nil {
			return plumbing.ZeroHash, nil, err
		}
		blobs[f.Path] = hash
	}
	root, err := g.tree("", base, blobs)
	return root, g.written, err
}

type grower struct {
	store   *memory.Storage
	written []plumbing.Hash
}

func (g *grower) write(t plumbing.ObjectType, data []byte) (plumbing.Hash, error) {
	o := g.store.NewEncodedObject()
	o.SetType(t)
	w, err := o.Writer()
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return plumbing.ZeroHash, err
	}
	return g.keep(o)
}

func (g *grower) keep(o plumbing.EncodedObject) (plumbing.Hash, error) {
	hash, err := g.store.SetEncodedObject(o)
	g.written = append(g.written, hash)
	return hash, err
}

// tree writes a folder with files below it exchanged or added.
func (g *grower) tree(at string, base *object.Tree, files map[string]plumbing.Hash) (plumbing.Hash, error) {
	entries := make(map[string]object.TreeEntry)
	if base != nil {
		for _, e := range base.Entries {
			entries[e.Name] = e
		}
	}
	below := make(map[string]map[string]plumbing.Hash)
	for name, hash := range files {
		folder, rest, deep := strings.Cut(name, "/")
		if deep {
			if below[folder] == nil {
				below[folder] = make(map[string]plumbing.Hash)
			}
			below[folder][rest] = hash
			continue
		}
		if e, ok := entries[name]; ok && !e.Mode.IsFile() {
			return plumbing.ZeroHash, &LayoutError{path.Join(at, name)}
		}
		entries[name] = object.TreeEntry{Name: name, Mode: filemode.Regular, Hash: hash}
	}
	for _, folder := range slices.Sorted(maps.Keys(below)) {
		var sub *object.Tree
		if e, ok := entries[folder]; ok {
			var err error
			if e.Mode != filemode.Dir {
				return plumbing.ZeroHash, &LayoutError{path.Join(at, folder)}
			}
			if sub, err = object.GetTree(g.store, e.Hash); err != nil {
				return plumbing.ZeroHash, err
			}
		}
		hash, err := g.tree(path.Join(at, folder), sub, below[folder])
		if err != nil {
			return plumbing.ZeroHash, err
		}
		entries[folder] = object.TreeEntry{Name: folder, Mode: filemode.Dir, Hash: hash}
	}
	t := object.Tree{Entries: slices.Collect(maps.Values(entries))}
	sort.Sort(object.TreeEntrySorter(t.Entries))
	o := g.store.NewEncodedObject()
	if err := t.Encode(o); err != nil {
		return plumbing.ZeroHash, err
	}
	return g.keep(o)
}
