package measure_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/eval/measure"
)

// box is the place of a label.
type box struct {
	text                     string
	left, top, right, bottom float64
}

// picture is what the tests look at in a plot.
type picture struct {
	width, height float64
	elements      map[string]int
	texts         []box
	title, desc   string
	d             []string // paths
}

// look reads a plot. Labels are measured at the size of narrow screens, in a font
// as wide as fallback fonts are.
func look(t *testing.T, svg []byte) picture {
	t.Helper()
	p := picture{elements: map[string]int{}}
	var label *box
	var attributes map[string]string
	var inside []string
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return p
		}
		if err != nil {
			t.Fatalf("not XML: %v\n%s", err, svg)
		}
		switch e := token.(type) {
		case xml.StartElement:
			inside = append(inside, e.Name.Local)
			p.elements[e.Name.Local]++
			attributes = map[string]string{}
			for _, a := range e.Attr {
				attributes[a.Name.Local] = a.Value
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					t.Errorf("%s=%q", a.Name.Local, a.Value)
				}
			}
			switch e.Name.Local {
			case "svg":
				if _, err := fmt.Sscanf(attributes["viewBox"], "0 0 %f %f", &p.width, &p.height); err != nil {
					t.Fatal(err)
				}
			case "text":
				label = &box{}
			case "path":
				p.d = append(p.d, attributes["d"])
			}
		case xml.CharData:
			switch {
			case label != nil:
				label.text += string(e)
			case len(inside) == 2 && inside[1] == "title":
				p.title += string(e)
			case len(inside) == 2 && inside[1] == "desc":
				p.desc += string(e)
			}
		case xml.EndElement:
			inside = inside[:len(inside)-1]
			if e.Name.Local == "text" {
				p.texts = append(p.texts, placed(t, *label, attributes))
				label = nil
			}
		}
	}
}

// placed works out where a label stands.
func placed(t *testing.T, b box, a map[string]string) box {
	t.Helper()
	number := func(s string) float64 {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	x, y := number(a["x"]), number(a["y"])
	size := 17.
	if a["class"] == "title" {
		size = 19
	}
	length := size * .6 * float64(len([]rune(b.text)))
	before := map[string]float64{"start": 0, "middle": length / 2, "end": length}[a["text-anchor"]]
	b.left, b.right, b.top, b.bottom = x-before, x-before+length, y-size*.76, y+size*.22
	if a["transform"] != "" { // turned to the left around its anchor
		b.left, b.right, b.top, b.bottom = x-size*.76, x+size*.22, y-length/2, y+length/2
	}
	return b
}

func (p picture) check(t *testing.T) {
	t.Helper()
	for i, b := range p.texts {
		if b.left < 0 || b.top < 0 || b.right > p.width || b.bottom > p.height {
			t.Errorf("%q leaves the picture: %+v", b.text, b)
		}
		for _, o := range p.texts[:i] {
			if b.left < o.right && o.left < b.right && b.top < o.bottom && o.top < b.bottom {
				t.Errorf("%q lies over %q", b.text, o.text)
			}
		}
	}
}

func (p picture) says(text string) bool {
	return slices.ContainsFunc(p.texts, func(b box) bool { return b.text == text })
}

type plot interface{ WriteSVG(w io.Writer) error }

func drawn(t *testing.T, p plot) []byte {
	t.Helper()
	var b, again bytes.Buffer
	if err := errors.Join(p.WriteSVG(&b), p.WriteSVG(&again)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), again.Bytes()) {
		t.Error("drawn twice, other bytes")
	}
	return b.Bytes()
}

// gallery is plots as an evaluation draws them.
func gallery(t *testing.T) (measure.PrecisionRecallPlot, measure.ReliabilityPlot) {
	g, pairs := campaign(t, 12_000, 5)
	own := method(t, g, .001, pairs...)
	r := g.Resample(100, 1)
	curve := own.Curve(200)
	main := measure.PlotCurve{Name: "elsewhere", Points: curve, Band: r.Band(own, curve), Own: true}
	for tier, name := range map[uint8]string{4: "possible", 5: "probable"} {
		e := r.AtTier(own, tier)
		main.Marks = append(main.Marks, measure.PlotMark{Name: name, Recall: e.Recall, Precision: e.Precision})
	}
	slices.SortFunc(main.Marks, func(x, y measure.PlotMark) int { return strings.Compare(x.Name, y.Name) })
	precision := measure.PrecisionRecallPlot{
		Title:       "Precision over recall, 772 cases with a shared pool",
		Description: "One line a method; the band is the 95 % interval over labels.",
		Curves:      []measure.PlotCurve{main},
	}
	for k, name := range []string{"any shared value", "any after warninglists", "in at most 5 cases", "IDF cosine", "IDF sum"} {
		worse := slices.Clone(pairs)
		for i := range worse {
			worse[i].Score = math.Round(worse[i].Score / float64(20-4*k) * 4)
		}
		m := method(t, g, nan, worse...)
		best, _ := m.BestF1()
		precision.Curves = append(precision.Curves, measure.PlotCurve{
			Name: name, Points: m.Curve(200),
			Marks: []measure.PlotMark{{Name: "best F1", Recall: measure.Estimate{Value: best.Recall}, Precision: measure.Estimate{Value: best.Precision}}},
		})
	}
	for i := range pairs {
		pairs[i].P = math.Sqrt(pairs[i].P)
	}
	return precision, measure.ReliabilityPlot{
		Title:       "How often pairs are the same actor, over the likelihood stated",
		Description: "Points on the diagonal are as likely as stated.",
		Series: []measure.ReliabilitySeries{
			{Name: "as shipped", Bins: own.Calibration().Width},
			{Name: "after 200 labels", Bins: method(t, g, .001, pairs...).Calibration().Width},
		},
	}
}

func TestPlots(t *testing.T) {
	precision, reliability := gallery(t)
	a, b := drawn(t, precision), drawn(t, reliability)
	p := look(t, a)
	p.check(t)
	for _, c := range precision.Curves {
		if !p.says(c.Name) {
			t.Errorf("the legend does not name %s", c.Name)
		}
	}
	for _, text := range []string{"probable", "possible", "best F1", "precision", "0.2"} {
		if !p.says(text) {
			t.Errorf("%q is not written", text)
		}
	}
	if p.title != precision.Title || p.desc != precision.Description {
		t.Errorf("titled %q, described %q", p.title, p.desc)
	}
	r := look(t, b)
	r.check(t)
	for _, text := range []string{"as shipped", "after 200 labels", "exactly as stated", "pairs", "1k"} {
		if !r.says(text) {
			t.Errorf("%q is not written", text)
		}
	}
	bars := 1 // the ground
	for _, s := range reliability.Series {
		bars += len(s.Bins)
	}
	if r.elements["rect"] != bars {
		t.Errorf("%d bars and ground, want %d", r.elements["rect"], bars)
	}
	for _, svg := range [][]byte{a, b} {
		if !bytes.Contains(svg, []byte("prefers-color-scheme:dark")) || !bytes.Contains(svg, []byte(`role="img"`)) {
			t.Error("no dark colours, or no role")
		}
		if len(svg) > 64<<10 {
			t.Errorf("%d bytes", len(svg))
		}
	}
}

// The first point at recall .5 and precision 1, the second at 1 and .5: two
// steps.
func TestPrecisionIsDrawnInSteps(t *testing.T) {
	svg := drawn(t, measure.PrecisionRecallPlot{Title: "Steps", Curves: []measure.PlotCurve{{
		Name: "m",
		Points: []measure.Point{
			{Threshold: 2, Rates: measure.Rates{Recall: .5, Precision: 1}}, {Threshold: 1, Rates: measure.Rates{Recall: 1, Precision: .5}},
		},
		Band: []measure.Estimate{{Value: 1, Low: .75, High: 1}, {Value: .5, Low: .25, High: .75}},
	}}})
	// The axes go from 74 to 542 across and from 50 to 430 down.
	for what, want := range map[string]string{
		"line": "M74.0 50.0L308.0 50.0L308.0 240.0L542.0 240.0",
		"band": "M74.0 50.0L308.0 50.0L308.0 145.0L542.0 145.0L542.0 335.0L308.0 335.0L308.0 145.0L74.0 145.0Z",
	} {
		if !slices.Contains(look(t, svg).d, want) {
			t.Errorf("no %s %s in\n%s", what, want, svg)
		}
	}
}

func TestPlotsOfNothingAndOfAnything(t *testing.T) {
	undefined := measure.Estimate{Value: measure.Value(nan), Low: measure.Value(nan), High: measure.Value(nan)}
	bad := measure.Rates{Recall: measure.Value(nan), Precision: measure.Value(nan)}
	long := "A <name> & \"more\" \x00 " + strings.Repeat("that goes on ", 9)
	many := make([]measure.PlotCurve, 14)
	series := make([]measure.ReliabilitySeries, 9)
	for k := range many {
		many[k] = measure.PlotCurve{Name: fmt.Sprint("method ", k), Marks: []measure.PlotMark{{Name: fmt.Sprint("tier ", k)}}}
	}
	for k := range series {
		series[k] = measure.ReliabilitySeries{Name: fmt.Sprint("series ", k), Bins: []measure.Bin{{Low: .3, High: .3, N: 7_000_000, Mean: .3, Observed: .1}, {N: -1}}}
	}
	for name, p := range map[string]plot{
		"no curves": measure.PrecisionRecallPlot{},
		"no series": measure.ReliabilityPlot{},
		"undefined": measure.PrecisionRecallPlot{Title: "x", Curves: []measure.PlotCurve{{
			Name: "m", Points: []measure.Point{{Rates: bad}}, Band: []measure.Estimate{undefined, undefined, undefined},
			Marks: []measure.PlotMark{{Name: "t", Recall: undefined, Precision: undefined}}, Own: true,
		}}},
		"undefined bounds": measure.PrecisionRecallPlot{Title: "x", Curves: []measure.PlotCurve{{
			Name: "m", Points: []measure.Point{{}}, Band: []measure.Estimate{undefined},
			Marks: []measure.PlotMark{{Name: "t", Recall: measure.Estimate{Low: measure.Value(nan)}}},
		}}},
		"undefined bins": measure.ReliabilityPlot{Title: "x", Series: []measure.ReliabilitySeries{{Bins: []measure.Bin{{Mean: measure.Value(nan)}}}, {}}},
		"long names":     measure.PrecisionRecallPlot{Title: long, Description: long, Curves: []measure.PlotCurve{{Name: long}, {Name: long}}},
		"long series":    measure.ReliabilityPlot{Title: long, Description: long, Series: []measure.ReliabilitySeries{{Name: long}}},
		"many":           measure.PrecisionRecallPlot{Title: "x", Curves: many},
		"many series":    measure.ReliabilityPlot{Title: "x", Series: series},
	} {
		t.Run(name, func(t *testing.T) { look(t, drawn(t, p)).check(t) })
	}
}

type broken struct{}

var errFull = errors.New("no room")

func (broken) Write([]byte) (int, error) { return 0, errFull }

func TestPlotsReportWriteErrors(t *testing.T) {
	for _, p := range []plot{measure.PrecisionRecallPlot{}, measure.ReliabilityPlot{}} {
		if err := p.WriteSVG(broken{}); !errors.Is(err, errFull) {
			t.Errorf("%T: %v", p, err)
		}
	}
}
