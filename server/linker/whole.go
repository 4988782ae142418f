package linker

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// From how much on it costs less to look at all cases at once than at what is listed:
// entries of the list, and their number for each case of the store. A case that is
// listed costs as much as 30 in a look at all of them, .35 ms beside .011 (20,000 linked
// cases of the made-up corpus): what hangs together with it is read case by case.
const (
	regroupAtLeast = 512
	regroupShare   = 1. / 32
)

// mostListed bounds the entries that one look at all cases takes off the list; 256 of
// them are one part of 16 bytes.
const mostListed = 64 << 20

// muchListed reports whether so much is listed that a look at all cases costs less.
func (l *Linker) muchListed(ctx context.Context) (bool, error) {
	enough := l.regroupFrom
	err := l.store.View(ctx, func(s graph.Snapshot) error {
		size, err := s.Size()
		enough = max(enough, int(regroupShare*float64(size)))
		return err
	})
	if err != nil {
		return false, err
	}
	listed, err := l.store.Listed(ctx, enough)
	return listed.Entries >= enough, err
}

// regroupAll brings the fan-outs and actors of all cases up to date at once: the rows
// are read a single time, into numbers, and what hangs together is found in memory.
// That it is under way is noted first, since a part of it alone leaves sums of which the
// list does not say that they have changed.
func (l *Linker) regroupAll(ctx context.Context) error {
	began := time.Now()
	under := graph.Grouping{Regrouping: &graph.Regrouping{Pending: true, Actors: true}}
	if err := l.store.Relink(ctx, graph.RelinkBatch{Grouping: under}); err != nil {
		return err
	}
	listed, err := l.store.Listed(ctx, mostListed)
	if err != nil {
		return err
	}
	if err := l.rescore(ctx, listed.Pairs); err != nil {
		return err
	}
	cases := 0
	err = l.together(ctx, l.workers(), func(c *crew) error {
		w := &whole{crew: c, linker: l}
		if err := w.read(); err != nil {
			return err
		}
		cases = len(w.net.Cases)
		if err := w.fanOut(); err != nil {
			return err
		}
		return w.cluster()
	})
	if err != nil {
		return err
	}
	for part := range slices.Chunk(listed.Marks, marksPerStep) {
		if err := l.store.Relink(ctx, graph.RelinkBatch{Grouping: graph.Grouping{Looked: part}}); err != nil {
			return err
		}
	}
	l.worked += cases
	l.log.LogAttrs(ctx, slog.LevelInfo, "grouped all cases anew", slog.Int("cases", cases),
		slog.Int("listed", listed.Entries), slog.Duration("took", time.Since(began)))
	return l.store.Relink(ctx, graph.RelinkBatch{Grouping: graph.Grouping{Regrouping: &graph.Regrouping{}}})
}

// whole is a look at all cases. Cases are numbered as in the network; see
// clusterWhole for those that have no rows.
type whole struct {
	*crew
	linker *Linker
	net    *graph.Network
	// begins are where the links of each case as the smaller end begin.
	begins []int32
	// tenants number the tenants of cases, in order.
	tenants []int32
	fanouts []graph.Fanout
}

func (w *whole) read() (err error) {
	if w.net, err = w.own.Network(); err != nil {
		return err
	}
	n := len(w.net.Cases)
	if len(w.net.Links) > math.MaxInt32/2 {
		return errTooMany
	}
	w.begins, w.tenants, w.fanouts = make([]int32, n+1), make([]int32, n), make([]graph.Fanout, n)
	for i := range w.net.Links {
		w.begins[w.net.Links[i].A+1]++
	}
	for i := range n {
		w.begins[i+1] += w.begins[i]
		if i > 0 {
			w.tenants[i] = w.tenants[i-1]
			if w.net.Cases[i].Tenant != w.net.Cases[i-1].Tenant {
				w.tenants[i]++
			}
		}
	}
	return nil
}

// counts reports whether a link counts in fan-outs.
func counts(x *graph.Link) bool {
	return x.Verdict != graph.Refuted && link.Tier(x.Tier) >= link.Lead
}

// ways are the links that count, at both of their ends: of each case by the other end.
type ways struct {
	links    []graph.Link
	at, ends []int32
}

func (w *whole) ways() *ways {
	n := len(w.net.Cases)
	y := &ways{links: w.net.Links, ends: make([]int32, n+1)}
	// First ends has, one place ahead, how many there are, then where they begin; each
	// that is put there moves that on.
	for i := range y.links {
		if x := &y.links[i]; counts(x) {
			y.ends[x.A+1]++
			y.ends[x.B+1]++
		}
	}
	for i := range n {
		y.ends[i+1] += y.ends[i]
	}
	y.at = make([]int32, y.ends[n])
	put := func(end int32, i int) {
		y.at[y.ends[end]] = int32(i)
		y.ends[end]++
	}
	for i := range y.links {
		if x := &y.links[i]; counts(x) {
			put(x.A, i)
			put(x.B, i)
		}
	}
	return y
}

// of calls f with the other ends of a case, in order, until f wants no more.
func (y *ways) of(i int32, f func(other int32, tier link.Tier) bool) {
	from := int32(0)
	if i > 0 {
		from = y.ends[i-1]
	}
	for _, k := range y.at[from:y.ends[i]] {
		x := &y.links[k]
		other := x.A
		if other == i {
			other = x.B
		}
		if !f(other, link.Tier(x.Tier)) {
			return
		}
	}
}

// casesAtOnce is how many cases a goroutine takes at a time.
const casesAtOnce = 512

// fanOut works out how widely all cases are linked, and stores what changes.
func (w *whole) fanOut() error {
	y := w.ways()
	days := make([]int32, len(w.net.Cases))
	err := w.each(len(days), casesAtOnce, func(s graph.Snapshot, from, to int) error {
		f := &fans{alarms: &alarms{snapshot: s}, days: make(map[evidence.Ref]int32)}
		for i := from; i < to; i++ {
			dated := false
			y.of(int32(i), func(_ int32, tier link.Tier) bool {
				dated = tier >= link.Probable
				return !dated
			})
			if dated {
				var err error
				if days[i], err = f.day(w.net.Cases[i]); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = w.each(len(days), casesAtOnce, func(_ graph.Snapshot, from, to int) error {
		for i := from; i < to; i++ {
			w.measure(y, int32(i), days)
		}
		return nil
	})
	if err != nil {
		return err
	}
	type tenantDay struct{ tenant, day int32 }
	sums := make(map[tenantDay]uint32)
	for i := range w.fanouts {
		if f := &w.fanouts[i]; f.Made > 0 {
			sums[tenantDay{w.tenants[i], f.Day}] += f.Made
		}
	}
	for i := range w.fanouts {
		if f := &w.fanouts[i]; f.Made > 0 {
			f.Alarm = f.Alarm || sums[tenantDay{w.tenants[i], f.Day}] > w.linker.bounds.links
		}
	}
	return w.storeFanouts()
}

// measure is fans.measure in numbers.
func (w *whole) measure(y *ways, i int32, days []int32) {
	f := &w.fanouts[i]
	reached, last, lastMade := uint32(0), int32(-1), int32(-1)
	y.of(i, func(other int32, tier link.Tier) bool {
		tenant := w.tenants[other]
		if tenant != last {
			reached++
			last = tenant
		}
		if tier >= link.Probable && tenant != lastMade && days[other] < days[i] {
			f.Made++
			lastMade = tenant
		}
		return true
	})
	if f.Made > 0 {
		f.Day = days[i]
	}
	b := &w.linker.bounds
	f.Alarm, f.Wide = reached > b.tenants, reached > b.groups
	if f.Wide && !f.Alarm {
		f.Alarm = w.groups(y, i) > int(b.groups)
	}
}

// groups is fans.groups of what a case is linked with.
func (w *whole) groups(y *ways, i int32) int {
	var cases []int32
	y.of(i, func(other int32, _ link.Tier) bool {
		cases = append(cases, other)
		return true
	})
	up := forest(len(cases))
	for k, c := range cases {
		if k > 0 && w.tenants[c] == w.tenants[cases[k-1]] {
			up.join(int32(k), int32(k-1))
		}
		y.of(c, func(other int32, _ link.Tier) bool {
			if at, ok := slices.BinarySearch(cases, other); ok {
				up.join(int32(k), int32(at))
			}
			return true
		})
	}
	return up.count()
}

// storeFanouts stores the fan-outs that are not those of before, and what they say of
// rows. Cases that have no rows any more have none.
func (w *whole) storeFanouts() error {
	b := &batch{linker: w.linker}
	set := func(ref evidence.Ref, f graph.Fanout) error {
		if b.rows.Fanouts == nil {
			b.rows.Fanouts = make(map[evidence.Ref]graph.Fanout)
		}
		b.rows.Fanouts[ref] = f
		if len(b.rows.Fanouts) < rowsPerBatch {
			return nil
		}
		full := b.rows
		b.rows = graph.RelinkBatch{}
		return w.linker.apply(w.ctx, full)
	}
	next := 0
	// upTo stores those of cases before one that had none.
	upTo := func(n int) error {
		for ; next < n; next++ {
			if f := w.fanouts[next]; f != (graph.Fanout{}) {
				if err := set(w.net.Cases[next], f); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for old, err := range w.own.Fanouts() {
		if err != nil {
			return err
		}
		at, found := slices.BinarySearchFunc(w.net.Cases[next:], old.Ref, evidence.Ref.Compare)
		if err := upTo(next + at); err != nil {
			return err
		}
		now := graph.Fanout{}
		if found {
			now = w.fanouts[next]
			next++
		}
		if now != old.Fanout {
			if err := set(old.Ref, now); err != nil {
				return err
			}
		}
	}
	if err := upTo(len(w.net.Cases)); err != nil {
		return err
	}
	if err := w.flip(b); err != nil {
		return err
	}
	return w.linker.apply(w.ctx, b.rows)
}

// held reports whether the alarms of now hold a link.
func (w *whole) held(x *graph.Link) bool {
	return x.Verdict == graph.Unreviewed && link.Tier(x.Tier) >= link.Lead && (w.fanouts[x.A].Alarm || w.fanouts[x.B].Alarm)
}

// flip stores what the alarms of now say of rows, where that is something else. The
// rows are read again at the end with more of them.
func (w *whole) flip(b *batch) error {
	differ := make(map[int32]int)
	for i := range w.net.Links {
		if x := &w.net.Links[i]; w.held(x) != x.Held {
			differ[x.A]++
			differ[x.B]++
		}
	}
	if len(differ) == 0 {
		return nil
	}
	read := make(map[int32]bool)
	for i := range w.net.Links {
		if x := &w.net.Links[i]; w.held(x) != x.Held && !read[x.A] && !read[x.B] {
			end := x.A
			if differ[x.B] > differ[x.A] {
				end = x.B
			}
			read[end] = true
		}
	}
	for end := range read {
		for row, err := range w.own.RowsOfCase(w.net.Cases[end]) {
			if err != nil {
				return err
			}
			other, ok := w.find(row.B)
			if other == end {
				other, ok = w.find(row.A)
			}
			if !ok {
				continue
			}
			held := mayHold(&row) && (w.fanouts[end].Alarm || w.fanouts[other].Alarm)
			if held == row.Held {
				continue
			}
			row.Held = held
			b.rows.Put = append(b.rows.Put, row)
			if err := b.spill(w.ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// find returns the number of a case that has rows.
func (w *whole) find(ref evidence.Ref) (int32, bool) {
	at, ok := slices.BinarySearchFunc(w.net.Cases, ref, evidence.Ref.Compare)
	return int32(at), ok
}
