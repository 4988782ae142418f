package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/eval"
	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/eval/measure"
)

// evalText is a report for people.
func evalText(r *eval.Report) string {
	parts := append([]string{evalHeader(r)}, evalSets(r.Sets)...)
	if len(r.Ablation) > 0 {
		parts = append(parts, evalAblation(r.Ablation))
	}
	if r.Reviews != nil {
		parts = append(parts, evalReviews(r.Reviews)...)
	}
	return strings.Join(parts, "\n")
}

// evalSets is everything about sets under one model.
func evalSets(sets []eval.SetReport) []string {
	parts := []string{evalMethods(sets, true), evalThresholds(sets), evalReliability(sets), evalWords(sets)}
	for _, s := range sets {
		for _, list := range []struct {
			what     string
			mistakes []eval.Mistake
		}{{"two labels, linked", s.Wrong}, {"one label, not linked", s.Missed}} {
			if len(list.mistakes) > 0 {
				parts = append(parts, evalMistakes(s.Name+": "+list.what, list.mistakes))
			}
		}
	}
	return parts
}

// evalHeader says on what it was measured.
func evalHeader(r *eval.Report) string {
	lines := [][]string{
		{"cases", safe(r.Cases, valueWidth)},
		{"model", strconv.FormatUint(uint64(r.Model), 10)},
		{"feeds", safe(r.Feeds, valueWidth)},
		{"draws", fmt.Sprintf("%s over labels for the 95 %% intervals (seed %d)", thousands(uint32(r.Resamples)), r.Seed)},
	}
	for _, s := range r.Sets {
		c := s.Cases
		text := fmt.Sprintf("%s under %s, %s judged, %s of one label; %s share a value, %s of one label; %s stored",
			count(c.Cases, "case", "cases"), count(c.Labels, "label", "labels"), count(c.Judged, "pair", "pairs"), thousands(uint32(c.Same)),
			thousands(uint32(c.Sharing)), thousands(uint32(c.SameSharing)), count(s.Stored, "link", "links"))
		if s.Held > 0 {
			text += fmt.Sprintf(", %s of tier possible or better held for review", thousands(uint32(s.Held)))
		}
		if s.Unproposed > 0 {
			text += fmt.Sprintf(", %s of tier possible or better that no value proposes", count(s.Unproposed, "pair", "pairs"))
		}
		lines = append(lines, []string{s.Name, text})
	}
	if v := r.Sets[0].Values; v.Read > 0 {
		text := fmt.Sprintf("%s read, %s given a scheme", count(v.Read, "value", "values"), count(v.Repaired, "URL", "URLs"))
		for _, d := range v.Dropped {
			text += fmt.Sprintf(", %d of type %s dropped (%s)", d.N, d.Type, d.Reason)
		}
		lines = append(lines, []string{"values", text})
	}
	return table(make([]string, 2), lines)
}

// evalMethods is the table of all methods, each on every set, one under the
// other.
func evalMethods(sets []eval.SetReport, baselines bool) string {
	heading := []string{"method", "cases", ">claimed", "precision", "recall", "recall-all", "avg. precision", "B-cubed F1", "Brier", "ECE", "ECE, listed"}
	var cells [][]string
	add := func(name string, of func(s *eval.SetReport) []string) {
		for i := range sets {
			cells = append(cells, append([]string{name, sets[i].Name}, of(&sets[i])...))
			name = ""
		}
	}
	for i, t := range sets[0].Own.Tiers {
		add("Elsewhere, "+t.Tier, func(s *eval.SetReport) []string {
			o := &s.Own
			row := rates(o.Tiers[i].RateEstimates)
			if i > 0 {
				return append(row, "", "", "", "", "")
			}
			return append(row, estimate(o.AveragePrecision.Sharing), estimate(o.BCubed.F1), fineEstimate(o.Estimates.Brier), fineEstimate(o.Estimates.ECE), fineEstimate(o.Listed.ECE))
		})
	}
	if !baselines {
		return table(heading, cells)
	}
	for i, b := range sets[0].Baselines {
		add(b.Name, func(s *eval.SetReport) []string {
			b := &s.Baselines[i]
			return append(rates(b.RateEstimates), estimate(b.AveragePrecision.Sharing), estimate(b.BCubed.F1), "", "", "")
		})
	}
	return table(heading, cells)
}

func rates(e measure.RateEstimates) []string {
	return []string{thousands(uint32(e.TP + e.FP)), estimate(e.Precision), estimate(e.Recall), estimate(e.RecallAll)}
}

// share writes a share with three decimals, "–" where it is not defined.
func share(v measure.Value) string { return decimals(v, 3) }

func decimals(v measure.Value, n int) string {
	if !v.Defined() {
		return "–"
	}
	s := strconv.FormatFloat(float64(v)+0, 'f', n, 64)
	if rest, ok := strings.CutPrefix(s, "0."); ok {
		return "." + rest
	}
	if rest, ok := strings.CutPrefix(s, "-0."); ok {
		return "-." + rest
	}
	return s
}

// estimate writes a measure with its interval.
func estimate(e measure.Estimate) string {
	if !e.Value.Defined() {
		return "–"
	}
	return share(e.Value) + " " + share(e.Low) + "–" + share(e.High)
}

// fineEstimate writes a measure that is small where most pairs are easy.
func fineEstimate(e measure.Estimate) string {
	if !e.Value.Defined() {
		return "–"
	}
	return decimals(e.Value, 4) + " " + decimals(e.Low, 4) + "–" + decimals(e.High, 4)
}

// evalThresholds is how the product does from likelihoods on.
func evalThresholds(sets []eval.SetReport) string {
	heading := []string{">likelihood ≥"}
	for _, s := range sets {
		heading = append(heading, ">"+s.Name+": claimed", ">precision", ">recall", ">recall-all")
	}
	var cells [][]string
	for i, t := range sets[0].Own.Thresholds {
		row := []string{number(t.Likelihood)}
		for _, s := range sets {
			x := s.Own.Thresholds[i]
			row = append(row, thousands(uint32(x.TP+x.FP)), share(x.Precision), share(x.Recall), share(x.RecallAll))
		}
		cells = append(cells, row)
	}
	return table(heading, cells)
}

// evalReliability is how often pairs are the same actor where the product states
// a likelihood.
func evalReliability(sets []eval.SetReport) string {
	heading := []string{"likelihood"}
	for _, s := range sets {
		heading = append(heading, ">"+s.Name+": pairs", ">stated", ">same")
	}
	var cells [][]string
	for bin := range 10 {
		low := float64(bin) / 10
		row := []string{fmt.Sprintf("%.1f to %.1f", low, low+.1)}
		for _, s := range sets {
			n, stated, same := "", "", ""
			for _, b := range s.Own.Calibration.Width {
				if b.Low > low-.05 && b.Low < low+.05 {
					n, stated, same = thousands(uint32(b.N)), share(b.Mean), share(b.Observed)
				}
			}
			row = append(row, n, stated, same)
		}
		cells = append(cells, row)
	}
	return table(heading, cells)
}

// evalMistakes lists pairs that are judged otherwise than their labels.
func evalMistakes(title string, mistakes []eval.Mistake) string {
	var out strings.Builder
	out.WriteString(title + "\n")
	for _, m := range mistakes {
		fmt.Fprintf(&out, "  %s %s  %s (%s) and %s (%s)\n", likelihood(m.Likelihood), m.Tier,
			safe(m.A, refWidth), safe(m.LabelA, valueWidth), safe(m.B, refWidth), safe(m.LabelB, valueWidth))
		for _, b := range m.Because {
			fmt.Fprintf(&out, "      %s  %s %s  %s\n", bits(b.Millibits), safe(b.Kind, valueWidth), safe(b.Value, refWidth), b.Row)
		}
	}
	return out.String()
}

// evalAblation is how the product does without parts of its score.
func evalAblation(rows []eval.AblationRow) string {
	heading := []string{"without"}
	for _, s := range rows[0].Sets {
		heading = append(heading, ">"+s.Name+": avg. precision", ">difference", ">precision at probable", ">difference", ">recall", ">difference")
	}
	var cells [][]string
	for _, r := range rows {
		row := []string{r.Without}
		if r.Without == "" {
			row[0] = "(nothing)"
		}
		for i, s := range r.Sets {
			full := rows[0].Sets[i].Probable
			row = append(row, share(s.AveragePrecision), signed(s.Difference),
				share(s.Probable.Precision), signed(s.Probable.Precision-full.Precision),
				share(s.Probable.Recall), signed(s.Probable.Recall-full.Recall))
		}
		cells = append(cells, row)
	}
	return table(heading, cells)
}

// evalReviews is what was learned from reviews, and how the product does with it.
func evalReviews(r *eval.ReviewReport) []string {
	lines := [][]string{{"reviews", fmt.Sprintf("%s, %s of the same actor; %s from the queue, %s under .05",
		count(r.Drawn, "pair", "pairs"), thousands(uint32(r.Same)), thousands(uint32(r.Queue)), thousands(uint32(r.Drawn-r.Queue)))}}
	if len(r.Changes) == 0 {
		lines = append(lines, []string{"model", "nothing was learned"})
	}
	for i, c := range r.Changes {
		name := ""
		if i == 0 {
			name = "model " + strconv.FormatUint(uint64(r.Model), 10)
		}
		lines = append(lines, []string{name, fmt.Sprintf("%s = %s (%s)", c.Name, number(c.Value), safe(c.Origin, messageWidth))})
	}
	lines = append(lines, []string{"held out", fmt.Sprintf("mean loss on reviews that were not learned from: %s bits before, %s after",
		share(r.Before), share(r.After))})
	out := append([]string{table(make([]string, 2), lines)}, evalSets(r.Sets)...)
	if r.HeldOut.Labels == 0 {
		return append(out, "no label is left of which no pair was reviewed\n")
	}
	var both []eval.SetReport
	for i := range r.HeldOut.Before {
		before, after := r.HeldOut.Before[i], r.HeldOut.After[i]
		before.Name, after.Name = before.Name+", before", after.Name+", after"
		both = append(both, before, after)
	}
	text := fmt.Sprintf("only the %s of which no pair was reviewed:\n", count(r.HeldOut.Labels, "label", "labels"))
	return append(out, text+evalMethods(both, false))
}

// evalWords says how the product compares.
func evalWords(sets []eval.SetReport) string {
	var out strings.Builder
	say := func(format string, args ...any) {
		for _, line := range fold("  ", fmt.Sprintf(format, args...)) {
			out.WriteString(line + "\n")
		}
	}
	for i := range sets {
		s := &sets[i]
		names := make(map[string]string)
		for _, b := range s.Baselines {
			names[b.Method] = b.Name
		}
		if c := s.Best; c != nil {
			than := "above"
			if c.Value < 0 {
				than = "below"
			}
			say("%s: average precision is %s %s that of the best baseline, %s (95 %%: %s to %s); it is not below in %s of the draws.",
				s.Name, share(abs(c.Value)), than, names[c.Method], signed(c.Low), signed(c.High), share(c.NotBelow))
		}
		for _, t := range s.Own.Tiers {
			switch b := t.Baseline; {
			case !t.Precision.Value.Defined():
				say("%s: nothing is %s.", s.Name, t.Tier)
			case b == nil:
				say("%s: no baseline reaches the precision of %s, %s.", s.Name, t.Tier, share(t.Precision.Value))
			default:
				say("%s: at the precision of %s, %s, recall is %s; the best baseline there, %s, has %s.",
					s.Name, t.Tier, share(t.Precision.Value), share(t.Recall.Value), names[b.Method], share(b.Recall))
			}
		}
		for _, t := range s.Own.Turing {
			if !t.Holds {
				say("%s: a likelihood ratio above %.0f is stated for %s of the different pairs, more than %s.",
					s.Name, t.X, share(t.Share), share(t.Bound))
			}
		}
	}
	return out.String()
}

func abs(v measure.Value) measure.Value { return max(v, -v) }

// signed writes a difference of shares.
func signed(v measure.Value) string {
	if v >= 0 {
		return "+" + share(v)
	}
	return share(v)
}
