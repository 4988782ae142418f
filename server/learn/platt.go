package learn

import (
	"math"

	"github.com/elsewhere-project/elsewhere/server/link"
)

// scaling is the calibration that turns a score into log2 odds.
type scaling struct{ scale, shift float64 } // shift in bits

// Bounds of a calibration.
const (
	leastScale = .5
	mostScale  = 2
	mostShift  = 4 // bits
)

// Ridge: how many pairs' worth of doubt there is of any other scale and shift.
const (
	ridgeScale = 4.
	ridgeShift = 10.
)

// fit returns the scale and shift under which the judged pairs are likeliest, held
// back towards the score as it is.
func fit(seen []observation) scaling {
	prior := scaling{scale: 1}
	c := prior
	for range 50 {
		// Newton's method on a convex loss.
		ga, gb := ridgeScale*(c.scale-prior.scale), ridgeShift*(c.shift-prior.shift)
		haa, hab, hbb := ridgeScale, 0., ridgeShift
		for i := range seen {
			o := &seen[i]
			s := max(-40, min(40, o.score))
			p := 1 / (1 + math.Exp2(-(float64(c.scale*s) + c.shift)))
			w := o.pull
			y := 0.
			if o.Same {
				y = 1
			}
			g, h := float64(w*(p-y)*math.Ln2), float64(w*p*(1-p)*math.Ln2*math.Ln2)
			ga += float64(g * s)
			gb += g
			haa += float64(h * s * s)
			hab += float64(h * s)
			hbb += h
		}
		det := float64(haa*hbb) - float64(hab*hab)
		da, db := (float64(hbb*ga)-float64(hab*gb))/det, (float64(haa*gb)-float64(hab*ga))/det
		limit := 1.
		if n := max(math.Abs(da), math.Abs(db)); n > 1 {
			limit = 1 / n
		}
		c.scale -= limit * da
		c.shift -= limit * db
		if math.Abs(da)+math.Abs(db) < 1e-9 {
			break
		}
	}
	c.scale = math.RoundToEven(1000*min(mostScale, max(leastScale, c.scale))) / 1000
	c.shift = math.RoundToEven(1000*min(mostShift, max(-mostShift, c.shift))) / 1000
	return c
}

// over returns observations with the likelihoods of this calibration.
func (c scaling) over(m *link.Model, seen []observation) []observation {
	ceiling, _ := m.Parameter("ceiling")
	out := make([]observation, len(seen))
	for i, o := range seen {
		o.chance = ceiling.Value / (1 + math.Exp2(-(float64(c.scale*o.score) + c.shift)))
		out[i] = o
	}
	return out
}

func (c scaling) changes(reviews int) []link.Change {
	because := origin(reviews)
	return []link.Change{
		{Name: "calibration.scale", Value: c.scale, Origin: because},
		{Name: "calibration.shift", Value: 1000 * c.shift, Origin: because},
		{Name: "calibration.reviews", Value: float64(reviews), Origin: because},
	}
}

func (c scaling) considered(m *link.Model, p *Proposal, applied bool, why string) []Considered {
	var out []Considered
	for _, ch := range c.changes(p.Reviews)[:2] {
		was, _ := m.Parameter(ch.Name)
		out = append(out, Considered{
			Name: ch.Name, Same: p.Same, Different: p.Reviews - p.Same,
			From: was.Value, To: ch.Value, Applied: applied, Reason: why,
		})
	}
	return out
}
