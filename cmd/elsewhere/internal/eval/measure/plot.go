package measure

import (
	"bytes"
	"encoding/xml"
	"io"
	"slices"
	"strconv"
	"strings"
)

// The plots are drawn in units of their own and scale with the page. Text is set
// larger where the picture is narrow, so that it can be read on a telephone; all
// distances leave room for the larger text in a wide fallback font.
const (
	plotWidth  = 560.0
	plotLeft   = 74.0 // of the axes
	plotRight  = plotWidth - 18
	lineHeight = 26.0

	titleChars  = 40 // of a line of the title
	columnChars = 22 // of a legend entry that leaves room for another beside it
	legendChars = 44 // of a legend entry
)

// plotStyle colours lines by class. The palettes keep a contrast of 3 to 1 with
// their grounds and differ in lightness for those who see few colours; dashes
// repeat what colours say.
const plotStyle = `
.ew-plot{--ground:#fff;--ink:#1f2328;--faint:#d8dee4;--soft:#59636e;--c0:#0969da;--c1:#b35900;--c2:#1a7f4b;--c3:#a3307f;--c4:#6b5b00;--c5:#57606a}
@media(prefers-color-scheme:dark){.ew-plot{--ground:#0d1117;--ink:#e6edf3;--faint:#30363d;--soft:#9da7b1;--c0:#58a6ff;--c1:#ffa657;--c2:#4ac98a;--c3:#f28bd0;--c4:#d8c251;--c5:#b1bac4}}
.ew-plot text{font:14px system-ui,-apple-system,"Segoe UI",sans-serif;fill:var(--ink)}
.ew-plot .soft{fill:var(--soft)}
.ew-plot .title{font-size:16px;font-weight:600}
@media(max-width:480px){.ew-plot text{font-size:17px}.ew-plot .title{font-size:19px}}
.ew-plot .ground{fill:var(--ground)}
.ew-plot .grid{stroke:var(--faint);fill:none}
.ew-plot .axis{stroke:var(--soft);fill:none}
.ew-plot .ideal{stroke:var(--soft);stroke-width:1.5;stroke-dasharray:3 4;fill:none}
.ew-plot .line{fill:none;stroke-width:1.8;stroke-linejoin:round}
.ew-plot .own{stroke-width:3.2}
.ew-plot .bar{stroke-width:1.8;fill:none}
.ew-plot .band{stroke:none;fill-opacity:.2}
.ew-plot .mark{stroke:var(--ground);stroke-width:1.5}
.ew-plot .key{fill:var(--soft);stroke:none}
`

const plotColours = 6

// dash tells lines apart without colour; the first is a full line.
func dash(k int) string {
	return [...]string{"", "8 4", "2 3", "9 3 2 3", "14 4", "5 2"}[k%plotColours]
}

// canvas collects a picture from its top down.
type canvas struct {
	body bytes.Buffer
	y    float64 // first free unit
}

// num writes a length with one decimal.
func num(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

// escaped is text that may stand in XML.
func escaped(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a buffer takes everything
	return b.String()
}

func (c *canvas) write(parts ...string) {
	for _, p := range parts {
		c.body.WriteString(p)
	}
	c.body.WriteByte('\n')
}

// text writes a label; more holds further attributes.
func (c *canvas) text(x, y float64, anchor, class, more, s string) {
	c.write(`<text x="`, num(x), `" y="`, num(y), `" text-anchor="`, anchor, `" class="`, class, `"`, more, `>`, escaped(s), `</text>`)
}

func (c *canvas) line(class, more string, x1, y1, x2, y2 float64) {
	c.write(`<path class="`, class, `"`, more, ` d="M`, num(x1), ` `, num(y1), `L`, num(x2), ` `, num(y2), `"/>`)
}

// title writes the heading in as many lines as it needs.
func (c *canvas) title(s string) {
	c.y = 8
	for _, l := range wrapped(s, titleChars) {
		c.y += lineHeight - 4
		c.text(16, c.y, "start", "title", "", l)
	}
	c.y += 20
}

// wrapped breaks text between words; a word too long for a line keeps its own.
func wrapped(s string, chars int) []string {
	var lines []string
	for _, word := range strings.Fields(s) {
		last := len(lines) - 1
		if last < 0 || len([]rune(lines[last]))+1+len([]rune(word)) > chars {
			lines = append(lines, word)
			continue
		}
		lines[last] += " " + word
	}
	return lines
}

// shortened cuts text that has no room.
func shortened(s string, chars int) string {
	r := []rune(s)
	if len(r) <= chars {
		return s
	}
	return string(r[:chars-1]) + "…"
}

// frame is a square of the unit interval on both axes.
type frame struct{ top, bottom float64 }

// Products are converted before they are added, so that no machine fuses the two
// and rounds to another decimal.
func (frame) x(v float64) float64   { return plotLeft + float64(v*(plotRight-plotLeft)) }
func (f frame) y(v float64) float64 { return f.bottom - float64(v*(f.bottom-f.top)) }

// at is a point of a path.
func (f frame) at(x, y float64) string { return num(f.x(x)) + " " + num(f.y(y)) }

// axes draws the frame with a grid in steps of a fifth.
func (c *canvas) axes(f frame, xTicks bool, name string) {
	for k := range 6 {
		v := float64(k) / 5
		label := strconv.FormatFloat(v, 'f', 1, 64)
		c.line("grid", "", f.x(0), f.y(v), f.x(1), f.y(v))
		c.line("grid", "", f.x(v), f.y(0), f.x(v), f.y(1))
		c.text(plotLeft-8, f.y(v)+5, "end", "soft", "", label)
		if xTicks {
			c.text(f.x(v), f.bottom+24, "middle", "soft", "", label)
		}
	}
	c.line("axis", "", f.x(0), f.y(0), f.x(1), f.y(0))
	c.line("axis", "", f.x(0), f.y(0), f.x(0), f.y(1))
	c.vertical(f, name)
}

// vertical names the upright axis.
func (c *canvas) vertical(f frame, name string) {
	y := num((f.top + f.bottom) / 2)
	c.text(18, (f.top+f.bottom)/2, "middle", "", ` transform="rotate(-90 18.0 `+y+`)"`, name)
}

// entry is a line of the legend; draw puts its sign around a point.
type entry struct {
	name string
	draw func(x, y float64)
}

// legend lists the entries in one or two columns.
func (c *canvas) legend(entries []entry) {
	columns := 2
	if slices.ContainsFunc(entries, func(e entry) bool { return len([]rune(e.name)) > columnChars }) {
		columns = 1
	}
	rows := (len(entries) + columns - 1) / columns
	for k, e := range entries {
		x := 16 + float64(k/rows)*(plotWidth-32)/2
		y := c.y + float64(float64(k%rows+1)*lineHeight)
		e.draw(x+15, y-5)
		c.text(x+38, y, "start", "", "", shortened(e.name, legendChars))
	}
	c.y += float64(float64(rows) * lineHeight)
}

// colour of series k.
func colour(k int) string { return "var(--c" + strconv.Itoa(k%plotColours) + ")" }

// stroke is the attributes of the line of series k.
func stroke(k int) string {
	s := ` style="stroke:` + colour(k) + `"`
	if d := dash(k); d != "" {
		s += ` stroke-dasharray="` + d + `"`
	}
	return s
}

// fill is the attributes of an area of series k.
func fill(k int) string { return ` style="fill:` + colour(k) + `"` }

// sign draws mark number k around a point.
func (c *canvas) sign(k int, class, more string, x, y float64) {
	var d string
	switch k % 5 {
	case 0: // circle
		d = `M` + num(x-6) + ` ` + num(y) + `a6 6 0 1 0 12 0a6 6 0 1 0 -12 0Z`
	case 1: // square
		d = `M` + num(x-5.5) + ` ` + num(y-5.5) + `h11v11h-11Z`
	case 2: // diamond
		d = `M` + num(x) + ` ` + num(y-7.5) + `l7.5 7.5l-7.5 7.5l-7.5 -7.5Z`
	case 3: // triangle
		d = `M` + num(x) + ` ` + num(y-7) + `l7 12h-14Z`
	case 4: // triangle on its point
		d = `M` + num(x) + ` ` + num(y+7) + `l7 -12h-14Z`
	}
	c.write(`<path class="`, class, `"`, more, ` d="`, d, `"/>`)
}

// writeTo ends the picture. The id keeps its names apart from those of another
// picture on the same page.
func (c *canvas) writeTo(w io.Writer, id, title, description string) error {
	height := num(c.y + 14)
	var out bytes.Buffer
	out.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" class="ew-plot" viewBox="0 0 ` + num(plotWidth) + ` ` + height +
		`" role="img" aria-labelledby="` + id + `-title ` + id + `-desc">` + "\n")
	out.WriteString(`<title id="` + id + `-title">` + escaped(title) + "</title>\n")
	out.WriteString(`<desc id="` + id + `-desc">` + escaped(description) + "</desc>\n")
	out.WriteString("<style>" + plotStyle + "</style>\n")
	out.WriteString(`<rect class="ground" width="` + num(plotWidth) + `" height="` + height + `"/>` + "\n")
	out.Write(c.body.Bytes())
	out.WriteString("</svg>\n")
	_, err := w.Write(out.Bytes())
	return err
}
