package badger

import (
	"context"
	"sync"

	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Views implements graph.Reader.
func (s *Store) Views(ctx context.Context, n int, f func(graph.Snapshot) error) error {
	errs := make([]error, n)
	err := s.read(ctx, func(sn *snapshot) error {
		var others sync.WaitGroup
		defer others.Wait()
		for i := 1; i < n; i++ {
			others.Go(func() {
				own := &snapshot{reader: sn.reader, ctx: ctx, limits: sn.limits, pack: sn.pack}
				defer own.end()
				errs[i] = f(own)
			})
		}
		errs[0] = f(sn)
		return nil
	})
	if err != nil {
		return err
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
