package learn

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// priorPairs is how many judged pairs the default counts for.
const priorPairs = 4

// minPairs is the number of judged pairs of a row below which it is left alone.
const minPairs = 5

// The range of a learned alpha.
const (
	leastAlpha = .005
	mostAlpha  = 500
)

const (
	siblingsName = "siblings"
	alphaSuffix  = ".alpha"
	shareSuffix  = ".m"
)

// rowOf returns the row of an alpha or an m.
func rowOf(name string) string {
	return strings.TrimSuffix(strings.TrimSuffix(name, alphaSuffix), shareSuffix)
}

const noChange = "no change"

// value returns a constant that every model has.
func value(m *link.Model, name string) float64 {
	p, _ := m.Parameter(name)
	return p.Value
}

// learnAlphas learns, for each row of constants, how many unrelated users its
// values have that nobody has seen. A row is one class in one role, so that what
// published reports say of their addresses says nothing of sign-ins. only are the
// rows to learn, all if nil; constant tells the m and the siblings beside which.
func (l *lesson) learnAlphas(seen []observation, only map[string]bool, constant func(name string) float64) (out []Considered) {
	byRow := make(map[string][]observation)
	for _, o := range seen {
		if o.row != "" && (only == nil || only[o.row]) {
			byRow[o.row] = append(byRow[o.row], o)
		}
	}
	rows := make([]string, 0, len(byRow))
	for row := range byRow {
		rows = append(rows, row)
	}
	slices.Sort(rows)
	for _, row := range rows {
		if c, ok := l.learnAlpha(row, byRow[row], constant); ok {
			out = append(out, c)
		}
	}
	return out
}

func (l *lesson) learnAlpha(row string, seen []observation, constant func(name string) float64) (Considered, bool) {
	alpha, ok := l.base.Parameter(row + alphaSuffix)
	if !ok {
		return Considered{}, false
	}
	c := Considered{Name: alpha.Name, From: alpha.Value, To: alpha.Value}
	reports := false
	for _, o := range seen {
		if o.Same {
			c.Same++
		} else {
			c.Different++
		}
		reports = reports || published(o.A) || published(o.B)
	}
	switch {
	case len(seen) < minPairs:
		c.Reason = fmt.Sprintf("too few judged pairs with this alone; %d are needed", minPairs)
	case reports && strings.HasPrefix(row, "address."):
		c.Reason = "published reports say nothing of sign-ins"
	default:
		prior := float64(value(l.defaults, row+shareSuffix)*value(l.defaults, siblingsName)) / value(l.defaults, row+alphaSuffix)
		learned := estimate(seen, prior, float64(constant(row+shareSuffix)*constant(siblingsName)))
		c.To = significant(min(mostAlpha, max(leastAlpha, learned, alpha.Min)))
		if c.Applied = c.To != c.From; c.Applied {
			c.Reason = origin(len(seen))
		} else {
			c.Reason = noChange
		}
	}
	return c, true
}

// estimate returns the alpha at which a lone value has the odds with which the
// pairs were judged to be of one actor. prior are those odds by default, scale is
// alpha times the odds. Pairs with any number of unexplained tenants count: those
// without any are the lucky ones, and what they say is too much where the customers of
// a provider share its addresses.
func estimate(seen []observation, prior, scale float64) float64 {
	var same, all float64
	for _, o := range seen {
		all += o.Weight
		if o.Same {
			same += o.Weight
		}
	}
	// Weights count within a row only: they do not make many reviews of few.
	n := float64(len(seen))
	q := (float64(n*same/all) + float64(priorPairs*prior/(1+prior))) / (n + priorPairs)
	return scale * (1 - q) / q
}

// published reports whether a case is one of a publisher of reports.
func published(r evidence.Ref) bool { return strings.HasPrefix(r.Tenant, "reports-") }

func origin(reviews int) string {
	if reviews == 1 {
		return "learned from 1 review"
	}
	return fmt.Sprintf("learned from %d reviews", reviews)
}

// significant rounds to three digits, which people can read and which are the same
// on every processor.
func significant(v float64) float64 {
	digits := math.Pow(10, 2-math.Floor(math.Log10(v)))
	return math.RoundToEven(float64(v*digits)) / digits
}
