package server

import (
	"bytes"
	"context"
	"os"
	"path/filepath"

	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export"
	"github.com/elsewhere-project/elsewhere/server/export/collection"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/rpc"
)

// newExports returns what makes bundles, and what it looks for in them.
func newExports(c Config, store graph.Store, tenants *access.Tenants, known *enrichment, key *rpc.CorrelationKey, keys *export.Keys) (*export.Builder, *export.Hints) {
	hints := export.NewHints(store.Kept(), keys)
	ceilings := tenantCeilings{c.Ceilings, tenants}
	return export.NewBuilder(export.Config{
		Store: store, Tenants: tenants, Rules: known.rules, Hints: hints, Keys: keys, Producer: c.Producer,
		Actors: rpc.ExportActors{Key: key},
		Ceiling: func(ctx context.Context, tenant string) (evidence.TLP, error) {
			tlp, err := ceilings.Ceiling(ctx, tenant)
			return evidence.TLP(tlp), err
		},
		Scratch: c.scratch,
	}), hints
}

// newShelf returns what has the collections.
func newShelf(c Config, store graph.Store, bundles *export.Builder) *collection.Shelf {
	return collection.NewShelf(collection.Config{Bundles: bundles, Keeper: store.Kept(), Scratch: c.scratch, Clock: c.Clock})
}

// scratch makes room for what does not fit into memory.
func (c Config) scratch() (export.Scratch, error) {
	if c.Memory {
		return &memoryScratch{}, nil
	}
	return newFileScratch(c.DataDir)
}

// fileScratch is a file in the data folder, where what it holds lies anyway.
type fileScratch struct{ *os.File }

func newFileScratch(dir string) (fileScratch, error) {
	f, err := os.CreateTemp(dir, "export-*.scratch")
	if err != nil {
		return fileScratch{}, err
	}
	return fileScratch{f}, nil
}

// Close removes the file.
func (s fileScratch) Close() error {
	err := s.File.Close()
	if removed := os.Remove(s.Name()); err == nil {
		err = removed
	}
	return err
}

// removeScratch removes what exports left behind that a crash ended.
func removeScratch(dir string) error {
	left, err := filepath.Glob(filepath.Join(dir, "export-*.scratch"))
	if err != nil {
		return err
	}
	for _, name := range left {
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	return nil
}

// memoryScratch is for a deployment that keeps nothing on disk.
type memoryScratch struct{ b []byte }

// Write implements io.Writer.
func (s *memoryScratch) Write(b []byte) (int, error) {
	s.b = append(s.b, b...)
	return len(b), nil
}

// ReadAt implements io.ReaderAt.
func (s *memoryScratch) ReadAt(b []byte, at int64) (int, error) {
	return bytes.NewReader(s.b).ReadAt(b, at)
}

// Close forgets what was written.
func (s *memoryScratch) Close() error {
	s.b = nil
	return nil
}
