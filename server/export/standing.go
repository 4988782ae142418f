package export

import (
	"cmp"
	"container/heap"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash"
	"slices"
	"time"

	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/linker"
)

// chooseAll returns the cases of customers that the viewer reads and that may leave
// under the label, the ones that were changed last if there are too many.
func (w *work) chooseAll(ctx context.Context, snap graph.Snapshot) ([]evidence.Ref, error) {
	var newest changes
	for c, err := range w.viewer.Cases(snap, "", evidence.Ref{}) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		if t, ok := w.Tenants.Get(c.Tenant); c.State == evidence.Dismissed || ok && t.Type != access.Customer {
			continue
		}
		err = w.label(ctx, &c.Case)
		var label *LabelError
		if errors.As(err, &label) {
			w.bundle.Counts.TooStrict++
			continue
		}
		if err != nil {
			return nil, err
		}
		heap.Push(&newest, change{c.Ref, c.UpdateTime})
		if len(newest) > maxCases {
			heap.Pop(&newest)
			w.bundle.Counts.Beyond++
		}
	}
	refs := make([]evidence.Ref, len(newest))
	for i, c := range newest {
		refs[i] = c.ref
	}
	return refs, nil
}

// change is when a case was changed.
type change struct {
	ref evidence.Ref
	at  time.Time
}

// changes is a heap of changes, the oldest on top.
type changes []change

// Len implements heap.Interface.
func (c changes) Len() int { return len(c) }

// Less implements heap.Interface.
func (c changes) Less(i, j int) bool {
	return cmp.Or(c[i].at.Compare(c[j].at), c[i].ref.Compare(c[j].ref)) < 0
}

// Swap implements heap.Interface.
func (c changes) Swap(i, j int) { c[i], c[j] = c[j], c[i] }

// Push implements heap.Interface.
func (c *changes) Push(x any) { *c = append(*c, x.(change)) }

// Pop implements heap.Interface.
func (c *changes) Pop() any {
	last := (*c)[len(*c)-1]
	*c = (*c)[:len(*c)-1]
	return last
}

// Basis returns a digest of all that a bundle of a selection would be made from: the
// cases and their revisions, labels and ceilings, what names tenants, classes and the
// model. While it is the same, so is the bundle, but for what follows from the cases of
// others too, as how likely two cases are of one actor. It costs a look at each case.
func (b *Builder) Basis(ctx context.Context, v access.Viewer, s Selection) (sum [sha256.Size]byte, err error) {
	if err := s.check(); err != nil {
		return sum, err
	}
	w := b.work(v, s)
	digest := sha256.New()
	err = b.c.Store.View(ctx, func(snap graph.Snapshot) error { return w.basis(ctx, snap, digest) })
	return [sha256.Size]byte(digest.Sum(nil)), err
}

func (w *work) basis(ctx context.Context, snap graph.Snapshot, to hash.Hash) error {
	classes := w.rules.Classes
	if c, ok := classes.(linker.Changing); ok {
		classes = c.Current()
	}
	refs, _, err := w.choose(ctx, snap)
	if err != nil {
		return err
	}
	slices.SortFunc(refs, evidence.Ref.Compare)
	text := func(parts ...string) {
		for _, p := range parts {
			to.Write(binary.AppendUvarint(nil, uint64(len(p))))
			to.Write([]byte(p))
		}
	}
	number := func(n int64) { to.Write(binary.BigEndian.AppendUint64(nil, uint64(n))) }
	text(w.bundle.Scope, w.selection.Receiver.Name, classes.Version(), w.bundle.Producer.Name)
	number(int64(w.rules.Model.Version()))
	number(int64(w.bundle.Counts.TooStrict))
	number(int64(w.bundle.Counts.Beyond))
	last := ""
	for _, ref := range slices.Compact(refs) {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := snap.Header(ref)
		if errors.Is(err, graph.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		text(ref.Tenant, ref.Case)
		number(int64(h.Revision))
		number(h.UpdateTime.UnixMicro())
		if ref.Tenant == last {
			continue
		}
		last = ref.Tenant
		ceiling, err := w.Ceiling(ctx, ref.Tenant)
		if err != nil {
			return err
		}
		n, err := w.names(ctx, ref.Tenant)
		if err != nil {
			return err
		}
		record, err := json.Marshal(n.tenant)
		if err != nil {
			return err
		}
		text(string(ceiling), string(record))
		for _, h := range n.hashes {
			number(int64(h.Exact))
		}
	}
	return nil
}
