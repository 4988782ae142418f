package eval

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/eval/measure"
)

// ownName is the product in plots.
const ownName = "Elsewhere"

// WritePlots draws precision over recall, a picture a set, and how far likelihoods
// can be believed, into a folder, which is made if it is missing.
func WritePlots(dir string, r *Report) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	reliability := measure.ReliabilityPlot{
		Title:       "Reliability of the likelihoods",
		Description: "How often pairs are the same actor, over the likelihood that the product states.",
	}
	for i := range r.Sets {
		s := &r.Sets[i]
		name := "precision-recall.svg"
		if i > 0 {
			name = "precision-recall-" + s.Name + ".svg"
		}
		if err := write(filepath.Join(dir, name), s.plot(r.Sets[0].Name).WriteSVG); err != nil {
			return err
		}
		reliability.Series = append(reliability.Series, measure.ReliabilitySeries{Name: s.Name, Bins: s.Own.Calibration.Width})
	}
	return write(filepath.Join(dir, "reliability.svg"), reliability.WriteSVG)
}

// write fills a file.
func write(name string, fill func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	err = fill(f)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// plot draws a set; the thresholds of the baselines are from the set first.
func (s *SetReport) plot(first string) measure.PrecisionRecallPlot {
	p := measure.PrecisionRecallPlot{
		Title: "Precision and recall, " + s.Name + " cases",
		Description: fmt.Sprintf("Precision over recall of the %d pairs of one actor that share a value, for the product and for what people use today.",
			s.Cases.SameSharing),
	}
	own := measure.PlotCurve{Name: ownName, Points: s.Own.Curve, Band: s.Own.Band, Own: true}
	for _, t := range s.Own.Tiers {
		own.Marks = append(own.Marks, measure.PlotMark{Name: t.Tier, Recall: t.Recall, Precision: t.Precision})
	}
	p.Curves = append(p.Curves, own)
	for _, b := range s.Baselines {
		p.Curves = append(p.Curves, measure.PlotCurve{
			Name: b.Name, Points: b.Curve,
			Marks: []measure.PlotMark{{Name: "best F1 on " + first + " cases", Recall: b.Recall, Precision: b.Precision}},
		})
	}
	return p
}
