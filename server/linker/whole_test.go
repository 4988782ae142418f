package linker_test

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/linker"
)

// failing is a store that takes so many more changes of the linker.
type failing struct {
	graph.Store
	left int
}

var errTaken = errors.New("the disk is gone")

func (f *failing) Relink(ctx context.Context, b graph.RelinkBatch) error {
	if f.left--; f.left < 0 {
		return errTaken
	}
	return f.Store.Relink(ctx, b)
}

// TestLookAtAllCasesGoesOn ends a look at all cases after each of its changes. Whoever
// comes next, and would look at what is listed alone, has to finish it.
func TestLookAtAllCasesGoesOn(t *testing.T) {
	seed := *operationSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-operations.seed %d", seed)
	w := &operationWorld{Rand: rand.New(rand.NewPCG(seed, 3)), tenants: 20}
	d := deploy(t)
	defer d.store.Close()
	d.linker.RegroupFrom(math.MaxInt)
	stopped, done := 0, 0
	for round := range 24 {
		for range 20 {
			o := w.draw(round / 2)
			d.day = o.day
			o.do(d)
		}
		some := &failing{d.store, 2 + round}
		err := linker.New(some, d.rules, slog.New(slog.DiscardHandler)).
			Alarm(uint32(d.reach), uint32(d.made), uint32(d.groups)).RegroupFrom(1).Drain(t.Context(), nil)
		switch {
		case err == nil:
			done++
		case !errors.Is(err, errTaken):
			t.Fatal(err)
		default:
			stopped++
		}
		d.drain()
		d.compare(d.state(false))
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
	if stopped == 0 || done == 0 {
		t.Errorf("stopped %d times, done %d times: nothing was tested", stopped, done)
	}
}
