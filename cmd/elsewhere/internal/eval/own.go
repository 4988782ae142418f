package eval

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync/atomic"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/eval/measure"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// ErrDisagree is returned where the links that the product stores are not those
// that its score gives.
var ErrDisagree = errors.New("stored links and scores differ")

// own is what the product itself says of a set.
type own struct {
	// couples are the pairs that it was asked about, the sharing ones first, and
	// pairs what it said.
	couples []measure.Couple
	pairs   []measure.Pair
	// clusters are, by case, the actor.
	clusters []int32
	// prior is the score of a pair that nothing is known of, in millibits.
	prior int32
	// stored counts the links that the linker keeps, unproposed the pairs of tier
	// possible or better that share no value that proposes them.
	stored, unproposed int
	// held counts the links, of any tier from possible on, that wait for a review:
	// they are measured as probable at most.
	held int
}

// chunk is how many pairs a goroutine takes at a time.
const chunk = 512

// verdict is what the product says of a pair; a link.Outcome without the names,
// because there may be millions.
type verdict struct {
	millibits int32
	micros    uint32
	shared    uint32
	model     uint32
	tier      link.Tier
}

func verdictOf(o link.Outcome) verdict {
	return verdict{o.Millibits, o.Micros, o.SharedCount, o.ModelVersion, o.Tier}
}

// score compares the given pairs on all cores.
func score(ctx context.Context, t *server.Trial, d *prepared, couples []measure.Couple, progress func(done, of int)) ([]verdict, error) {
	out := make([]verdict, len(couples))
	var next, done atomic.Int64
	err := t.View(ctx, runtime.GOMAXPROCS(0), func(v *server.TrialView) error {
		for {
			from := int(next.Add(chunk)) - chunk
			if from >= len(couples) {
				return nil
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			to := min(from+chunk, len(couples))
			for i, c := range couples[from:to] {
				o, err := v.Score(d.refs[c.I], d.refs[c.J])
				if err != nil {
					return err
				}
				out[from+i] = verdictOf(o)
			}
			progress(int(done.Add(int64(to-from))), len(couples))
		}
	})
	return out, err
}

// judge compares every sharing pair, and what else the linker stored.
func judge(ctx context.Context, t *server.Trial, d *prepared, progress func(done, of int)) (*own, error) {
	rows, err := t.Rows(ctx)
	if err != nil {
		return nil, err
	}
	stored := make(map[measure.Couple]verdict, len(rows))
	held := make(map[measure.Couple]bool)
	couples := slices.Clip(d.sharing)
	for _, row := range rows {
		c := d.couple(row.Outcome)
		stored[c] = verdictOf(row.Outcome)
		held[c] = row.Held
		if _, shares := slices.BinarySearchFunc(d.sharing, c, compareCouples); !shares {
			couples = append(couples, c)
		}
	}
	verdicts, err := score(ctx, t, d, couples, progress)
	if err != nil {
		return nil, err
	}
	o := &own{stored: len(rows), couples: couples}
	if o.unproposed, err = agree(ctx, t, d, couples, verdicts, stored); err != nil {
		return nil, err
	}
	if len(couples) > 0 {
		if o.prior, err = prior(ctx, t, d, couples[0]); err != nil {
			return nil, err
		}
	}
	o.pairs = judged(couples, verdicts)
	for i, c := range couples {
		if t := link.Tier(o.pairs[i].Tier); held[c] && t >= link.Possible {
			o.held++
			o.pairs[i].Tier = uint8(min(t, link.Probable))
		}
	}
	o.clusters = d.actors(o.pairs)
	return o, nil
}

// couple returns the case numbers of a link.
func (d *prepared) couple(o link.Outcome) measure.Couple {
	i, j := d.number[o.A], d.number[o.B]
	return measure.Couple{I: min(i, j), J: max(i, j)}
}

// compareCouples orders pairs by I, then by J.
func compareCouples(x, y measure.Couple) int {
	if x.I != y.I {
		return int(x.I) - int(y.I)
	}
	return int(x.J) - int(y.J)
}

// millibits returns the score of a pair of the product.
func millibits(p measure.Pair) int32 { return int32(math.Round(p.Score * 1000)) }

// judged returns pairs with what the product says of them.
func judged(couples []measure.Couple, verdicts []verdict) []measure.Pair {
	out := make([]measure.Pair, len(couples))
	for i, c := range couples {
		v := verdicts[i]
		out[i] = measure.Pair{
			I: c.I, J: c.J, Score: float64(v.millibits) / 1000, P: float64(v.micros) / 1e6, Tier: uint8(v.tier),
		}
	}
	return out
}

// agree holds the stored links against the scores, and counts the pairs of tier
// possible or better that no value proposes.
func agree(ctx context.Context, t *server.Trial, d *prepared, couples []measure.Couple, verdicts []verdict, stored map[measure.Couple]verdict) (unproposed int, err error) {
	err = t.View(ctx, 1, func(v *server.TrialView) error {
		for i, c := range couples {
			row, has := stored[c]
			if !has && verdicts[i].tier < link.Lead {
				continue
			}
			a, b := d.refs[c.I], d.refs[c.J]
			keeps, err := v.Kept(a, b)
			if err != nil {
				return err
			}
			switch {
			case has != keeps, has && row != verdicts[i]:
				return fmt.Errorf("%w: %s and %s", ErrDisagree, a, b)
			case !has && verdicts[i].tier >= link.Possible:
				unproposed++
			}
		}
		return nil
	})
	return unproposed, err
}

// prior returns the score of a pair that nothing is known of, in millibits.
func prior(ctx context.Context, t *server.Trial, d *prepared, of measure.Couple) (millibits int32, err error) {
	err = t.View(ctx, 1, func(v *server.TrialView) error {
		e, err := v.Explain(d.refs[of.I], d.refs[of.J])
		if err == nil {
			millibits = e.Prior
		}
		return err
	})
	return millibits, err
}
