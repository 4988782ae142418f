package m365

import (
	"cmp"
	"errors"
	"maps"
	"math/bits"
	"slices"
	"time"
)

const (
	maxProblems   = 200
	maxOperations = 4096
	maxGaps       = 50
	minGap        = 24 * time.Hour
	// portalRows is where an export of the portal stops (Microsoft, "Export,
	// configure, and view audit log records").
	portalRows = 50_000
	// maxHeld and maxHeldBytes bound the partial records that wait for a whole
	// one. Beyond them partial records are yielded at once.
	maxHeld      = 20_000
	maxHeldBytes = 64 << 20
)

// tally counts rows as they come and keeps what Account needs.
type tally struct {
	sources  []Source
	sums     Account
	days     map[int64]hours
	seen     prints
	progress func(Progress)

	partial      []held
	partialBytes int
	cut          bool  // the last row seems to lack its end
	before       int64 // bytes of the files before the one under way
	total        int64
}

// hours are those of a day that have records, as bits, and the records' number.
type hours struct {
	bits    uint32
	records int
}

// held is a partial record that waits for the end.
type held struct {
	rec  *Record
	mark mark
	file int
}

func newTally(sources []Source) *tally {
	t := &tally{
		sources: sources,
		sums: Account{
			Forms: make(map[Form]int), Reasons: make(map[Reason]int), Operations: make(map[string]int),
			Files: make([]FileAccount, len(sources)),
		},
		days: make(map[int64]hours),
	}
	for i, s := range sources {
		t.sums.Files[i].Name = s.Name
		if s.Size <= 0 {
			t.total = -1
		} else if t.total >= 0 {
			t.total += s.Size
		}
	}
	t.total = max(t.total, 0)
	return t
}

// chunk counts a chunk and yields its records; false means to stop.
func (t *tally) chunk(c *chunk, yield func(*Record, error) bool) (bool, error) {
	f := &t.sums.Files[c.file]
	f.Bytes = c.read
	f.Rows += c.lost
	f.Unreadable += c.lost
	problems := c.problems
	// Splitting and parsing find problems; both are in the order of rows.
	for i := range c.out {
		o := &c.out[i]
		for len(problems) > 0 && problems[0].Line != 0 && problems[0].Number < o.number {
			t.problem(problems[0])
			problems = problems[1:]
		}
		if o.header {
			continue
		}
		t.cut = errors.Is(o.err, errEnd) && c.header == nil || errors.Is(o.err, errFew)
		f.Rows++
		if ok, err := t.row(c.file, o, yield); !ok || err != nil {
			return ok, err
		}
		c.out[i] = outcome{}
	}
	for _, p := range problems {
		t.problem(p)
	}
	if c.end {
		f.Truncated = c.truncated
		if t.cut && !c.truncated {
			f.Truncated = true
			t.problem(Problem{File: f.Name, Reason: ReasonTruncated, Detail: "the last row is cut"})
		}
		t.cut = false
		if f.Rows == portalRows && slices.Contains(f.Forms, FormPurview) {
			t.problem(Problem{File: f.Name, Reason: ReasonFull, Detail: "the portal writes no more rows into a file; export shorter spans"})
		}
		if f.Rows == 0 && len(c.problems) == 0 {
			t.problem(Problem{File: f.Name, Reason: ReasonNoRecords})
		}
		t.before += c.read
	}
	t.report(c)
	return true, nil
}

func (t *tally) report(c *chunk) {
	if t.progress == nil {
		return
	}
	p := Progress{File: t.sources[c.file].Name, Bytes: t.before, Total: t.total}
	if !c.end {
		p.Bytes += c.read
	}
	for i := range t.sums.Files[:c.file+1] {
		p.Rows += t.sums.Files[i].Rows
		p.Records += t.sums.Files[i].Records
	}
	t.progress(p)
}

func (t *tally) row(file int, o *outcome, yield func(*Record, error) bool) (bool, error) {
	f := &t.sums.Files[file]
	if o.rec != nil {
		t.form(f, o.rec.Origin.Form)
	}
	if o.err == nil {
		added, err := t.seen.add(o.mark)
		switch {
		case err != nil:
			return false, err
		case !added:
			f.Duplicates++
			return true, nil
		}
		f.Records++
		t.delivered(o.rec)
		return yield(o.rec, nil), nil
	}
	why, detail := reason(o.err)
	if why == ReasonNoAudit {
		f.Empty++
	} else {
		f.Unreadable++
	}
	t.problem(Problem{File: f.Name, Line: o.line, Number: o.number, Reason: why, Detail: detail})
	if o.rec == nil {
		return true, nil
	}
	size := len(o.rec.Raw.JSON()) + len(o.rec.Envelope.JSON())
	if len(t.partial) < maxHeld && t.partialBytes+size <= maxHeldBytes {
		t.partialBytes += size
		t.partial = append(t.partial, held{o.rec, o.mark, file})
		return true, nil
	}
	return t.keep(held{o.rec, o.mark, file}, yield)
}

// held yields the partial records that no whole one made needless.
func (t *tally) held(yield func(*Record, error) bool) error {
	for _, h := range t.partial {
		if ok, err := t.keep(h, yield); !ok || err != nil {
			return err
		}
	}
	return nil
}

func (t *tally) keep(h held, yield func(*Record, error) bool) (bool, error) {
	added, err := t.seen.add(h.mark)
	if err != nil || !added {
		return err == nil, err
	}
	t.sums.Files[h.file].Kept++
	t.delivered(h.rec)
	return yield(h.rec, nil), nil
}

func (t *tally) form(f *FileAccount, form Form) {
	t.sums.Forms[form]++
	if !slices.Contains(f.Forms, form) {
		f.Forms = append(f.Forms, form)
	}
}

func (t *tally) problem(p Problem) {
	t.sums.Reasons[p.Reason]++
	if len(t.sums.Problems) < maxProblems {
		t.sums.Problems = append(t.sums.Problems, p)
	}
}

// delivered counts a record that is yielded.
func (t *tally) delivered(r *Record) {
	op := r.Operation
	if len(op) > 200 {
		op = op[:200]
	}
	if _, have := t.sums.Operations[op]; have {
		t.sums.Operations[op]++
	} else if len(t.sums.Operations) < maxOperations {
		// The name must not keep the whole record in memory.
		t.sums.Operations[string([]byte(op))] = 1
	} else {
		t.sums.OtherOperations++
	}
	if r.Time.IsZero() {
		t.sums.Undated++
		return
	}
	if t.sums.First.IsZero() || r.Time.Before(t.sums.First) {
		t.sums.First = r.Time
	}
	if r.Time.After(t.sums.Last) {
		t.sums.Last = r.Time
	}
	unix := r.Time.Unix()
	day, hour := unix/86400, unix%86400/3600
	h := t.days[day]
	h.bits |= 1 << hour
	h.records++
	t.days[day] = h
}

// account sums up.
func (t *tally) account() *Account {
	a := t.sums
	for _, f := range a.Files {
		a.Bytes += f.Bytes
		a.Rows += f.Rows
		a.Records += f.Records
		a.Duplicates += f.Duplicates
		a.Empty += f.Empty
		a.Unreadable += f.Unreadable
		a.Kept += f.Kept
	}
	a.Fingerprints = t.seen.count
	a.Spilled = t.seen.spilled
	last := int64(-1) // the hour after the last record
	for _, day := range slices.Sorted(maps.Keys(t.days)) {
		h := t.days[day]
		a.Days = append(a.Days, Day{time.Unix(day*86400, 0).UTC(), h.records})
		first := day*24 + int64(bits.TrailingZeros32(h.bits))
		if gap := time.Duration(first-last) * time.Hour; last >= 0 && gap >= minGap {
			a.Gaps = append(a.Gaps, Gap{time.Unix(last*3600, 0).UTC(), time.Unix(first*3600, 0).UTC()})
		}
		last = day*24 + int64(bits.Len32(h.bits))
	}
	slices.SortStableFunc(a.Gaps, func(x, y Gap) int {
		return cmp.Compare(y.To.Sub(y.From), x.To.Sub(x.From))
	})
	a.Gaps = a.Gaps[:min(len(a.Gaps), maxGaps)]
	slices.SortFunc(a.Gaps, func(x, y Gap) int { return x.From.Compare(y.From) })
	return &a
}
