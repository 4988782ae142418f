package measure

import (
	"io"
	"math"
	"strconv"
)

// ReliabilityPlot draws how often pairs are the same over the likelihood stated,
// and below it how many pairs stand behind each point.
type ReliabilityPlot struct {
	Title       string // one sentence, drawn and read aloud
	Description string // read aloud: what the picture shows
	Series      []ReliabilitySeries
}

// ReliabilitySeries is the bins of one method or one set of data.
type ReliabilitySeries struct {
	Name string // in the legend, at most 44 characters of it
	Bins []Bin  // Calibration.Width
}

// WriteSVG draws the diagram. The same plot gives the same bytes.
func (p ReliabilityPlot) WriteSVG(w io.Writer) error {
	var c canvas
	c.title(p.Title)
	f := frame{top: c.y, bottom: c.y + 380}
	c.axes(f, false, "share that is the same actor")
	c.line("ideal", "", f.x(0), f.y(0), f.x(1), f.y(1))
	for k, s := range p.Series {
		c.reliability(f, k, s)
	}
	sizes := frame{top: f.bottom + 20, bottom: f.bottom + 140}
	c.sizes(sizes, p.Series)
	c.text((plotLeft+plotRight)/2, sizes.bottom+48, "middle", "", "", "likelihood stated")
	c.y = sizes.bottom + 58

	var entries []entry
	for k, s := range p.Series {
		entries = append(entries, entry{s.Name, func(x, y float64) {
			c.line("line", stroke(k), x-15, y, x+15, y)
			c.sign(k, "mark", fill(k), x, y)
		}})
	}
	entries = append(entries, entry{"exactly as stated", func(x, y float64) { c.line("ideal", "", x-15, y, x+15, y) }})
	c.legend(entries)
	return c.writeTo(w, "ew-reliability", p.Title, p.Description)
}

// reliability draws the points of series k, one a bin.
func (c *canvas) reliability(f frame, k int, s ReliabilitySeries) {
	var points []string
	for _, b := range s.Bins {
		if b.Mean.Defined() && b.Observed.Defined() {
			points = append(points, f.at(float64(b.Mean), float64(b.Observed)))
		}
	}
	if len(points) == 0 {
		return
	}
	c.write(`<path class="line"`, stroke(k), ` d="`, path(points), `"/>`)
	for _, b := range s.Bins {
		if b.Mean.Defined() && b.Observed.Defined() {
			c.sign(k, "mark", fill(k), f.x(float64(b.Mean)), f.y(float64(b.Observed)))
		}
	}
}

// sizes draws how many pairs are in each bin, in powers of ten: most pairs have
// the least likelihood.
func (c *canvas) sizes(f frame, series []ReliabilitySeries) {
	most := 10
	for _, s := range series {
		for _, b := range s.Bins {
			most = max(most, b.N)
		}
	}
	decades := math.Ceil(math.Log10(float64(most)))
	// One pair is a bar too, so the axis starts at half a pair.
	height := func(n float64) float64 { return (math.Log10(n) + .3) / (decades + .3) }

	every := 1 + int(decades)/5
	for d := 0; d <= int(decades); d += every {
		y := f.y(height(math.Pow10(d)))
		c.line("grid", "", f.x(0), y, f.x(1), y)
		c.text(plotLeft-8, y+5, "end", "soft", "", tenfold(d))
	}
	for k, s := range series {
		for _, b := range s.Bins {
			if b.N <= 0 {
				continue
			}
			slot := (f.x(b.High) - f.x(b.Low) - 6) / float64(len(series))
			x, y := f.x(b.Low)+3+float64(slot*float64(k)), f.y(height(float64(b.N)))
			c.write(`<rect`, fill(k), ` x="`, num(x), `" y="`, num(y), `" width="`, num(max(slot-1, 2)), `" height="`, num(f.bottom-y),
				`"><title>`, strconv.Itoa(b.N), ` pairs</title></rect>`)
		}
	}
	c.line("axis", "", f.x(0), f.bottom, f.x(1), f.bottom)
	for k := range 6 {
		v := float64(k) / 5
		c.text(f.x(v), f.bottom+24, "middle", "soft", "", strconv.FormatFloat(v, 'f', 1, 64))
	}
	c.vertical(f, "pairs")
}

// tenfold names a power of ten.
func tenfold(d int) string {
	return [...]string{"1", "10", "100"}[d%3] + [...]string{"", "k", "M", "G"}[min(d/3, 3)]
}
