package measure

import (
	"io"
	"slices"
	"strings"
)

// PrecisionRecallPlot draws one line of precision over recall a method.
type PrecisionRecallPlot struct {
	Title       string // one sentence, drawn and read aloud
	Description string // read aloud: what the picture shows
	Curves      []PlotCurve
}

// PlotCurve is the line of one method. It is drawn in steps, as average
// precision adds them up: between two points the precision is that of the later.
type PlotCurve struct {
	Name   string     // in the legend, at most 44 characters of it
	Points []Point    // Method.Curve
	Band   []Estimate // interval of the precision at each point (Resamples.Band), or nil
	Marks  []PlotMark // its tiers, or its best threshold
	Own    bool       // drawn thicker and above the others
}

// PlotMark is a point of a curve that has a name, such as a tier. Marks of one
// name have one shape. Recall is that over sharing pairs. Estimates whose bounds
// are undefined or both zero draw no interval; undefined marks are left out.
type PlotMark struct {
	Name              string
	Recall, Precision Estimate
}

// bounds returns the interval to draw, if there is one.
func (e Estimate) bounds() (low, high float64, ok bool) {
	ok = e.Low.Defined() && e.High.Defined() && (e.Low != 0 || e.High != 0)
	return float64(e.Low), float64(e.High), ok
}

// WriteSVG draws the plot. The same plot gives the same bytes.
func (p PrecisionRecallPlot) WriteSVG(w io.Writer) error {
	var c canvas
	c.title(p.Title)
	f := frame{top: c.y, bottom: c.y + 380}
	c.axes(f, true, "precision")
	c.text((plotLeft+plotRight)/2, f.bottom+48, "middle", "", "", "recall over pairs that share a value")
	c.y = f.bottom + 58

	var shapes []string
	for _, curve := range p.Curves {
		for _, m := range curve.Marks {
			if !slices.Contains(shapes, m.Name) {
				shapes = append(shapes, m.Name)
			}
		}
	}
	// What is drawn later lies above.
	for _, draw := range []func(k int, curve PlotCurve){
		func(k int, curve PlotCurve) { c.curve(f, k, curve) },
		func(k int, curve PlotCurve) {
			for _, m := range curve.Marks {
				c.mark(f, k, slices.Index(shapes, m.Name), m)
			}
		},
	} {
		for _, own := range []bool{false, true} {
			for k, curve := range p.Curves {
				if curve.Own == own {
					draw(k, curve)
				}
			}
		}
	}

	var entries []entry
	for k, curve := range p.Curves {
		entries = append(entries, entry{curve.Name, func(x, y float64) {
			c.line(lineClass(curve), stroke(k), x-15, y, x+15, y)
		}})
	}
	for k, name := range shapes {
		entries = append(entries, entry{name, func(x, y float64) { c.sign(k, "key", "", x, y) }})
	}
	c.legend(entries)
	return c.writeTo(w, "ew-precision", p.Title, p.Description)
}

func lineClass(curve PlotCurve) string {
	if curve.Own {
		return "line own"
	}
	return "line"
}

// curve draws the band and the line of series k.
func (c *canvas) curve(f frame, k int, curve PlotCurve) {
	var forth, back, line []string
	var from float64
	for i, p := range curve.Points {
		if !p.Recall.Defined() || !p.Precision.Defined() {
			continue
		}
		to := float64(p.Recall)
		line = append(line, f.at(from, float64(p.Precision)), f.at(to, float64(p.Precision)))
		if i < len(curve.Band) {
			low, high, ok := curve.Band[i].bounds()
			if !ok {
				low, high = float64(p.Precision), float64(p.Precision)
			}
			forth = append(forth, f.at(from, high), f.at(to, high))
			back = append(back, f.at(from, low), f.at(to, low))
		}
		from = to
	}
	if len(forth) > 0 {
		slices.Reverse(back)
		c.write(`<path class="band"`, fill(k), ` d="`, path(append(forth, back...)), `Z"/>`)
	}
	if len(line) > 0 {
		c.write(`<path class="`, lineClass(curve), `"`, stroke(k), ` d="`, path(line), `"/>`)
	}
}

// path joins points, each once where several in a row are equal.
func path(points []string) string {
	var b strings.Builder
	b.WriteString("M" + points[0])
	for k, p := range points[1:] {
		if p != points[k] {
			b.WriteString("L" + p)
		}
	}
	return b.String()
}

// mark draws a named point of series k with its intervals.
func (c *canvas) mark(f frame, k, shape int, m PlotMark) {
	if !m.Recall.Value.Defined() || !m.Precision.Value.Defined() {
		return
	}
	r, p := float64(m.Recall.Value), float64(m.Precision.Value)
	colour := ` style="stroke:` + colour(k) + `"`
	if low, high, ok := m.Recall.bounds(); ok {
		c.line("bar", colour, f.x(low), f.y(p), f.x(high), f.y(p))
	}
	if low, high, ok := m.Precision.bounds(); ok {
		c.line("bar", colour, f.x(r), f.y(low), f.x(r), f.y(high))
	}
	c.sign(shape, "mark", fill(k), f.x(r), f.y(p))
}
