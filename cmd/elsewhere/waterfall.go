package main

import (
	"fmt"
	"strings"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// Columns of a waterfall. Together they are a page wide.
const (
	labelColumns = 52
	bitsColumns  = 8
	barColumns   = lineWidth - labelColumns - 2*bitsColumns - 2
)

// waterfall writes an explanation: the answer, then how the bits add up to it.
// Each bar begins where the one before ended, so that they lead from the prior
// to the total. ports are what the cases state of addresses, in phrases by kind
// and value.
func waterfall(e *elsewherev1.Explanation, ports map[string][]string, st style) string {
	w := &drawing{style: st, scale: scaleOf(e), ports: ports}
	w.answer(e)
	w.line(st.dim(left("", labelColumns) + right("weight", bitsColumns) + right("used", bitsColumns)))
	prior := e.GetPriorMillibits()
	w.row("prior", fmt.Sprintf("one in %s cases", thousands(e.GetCorpusN())), "", bits(prior), 0, prior)
	at := prior
	for _, f := range e.GetFamilies() {
		at = w.family(f, at)
	}
	if n := e.GetNegativeMillibits(); n != 0 {
		w.row("negative evidence", "", "", bits(n), at, at+n)
	}
	total := e.GetTotalMillibits()
	w.row("total", "likelihood "+likelihood(e.GetLikelihood()), "", bits(total), 0, total)
	w.after(e)
	return w.out.String()
}

// drawing is a waterfall that is being written.
type drawing struct {
	style style
	scale scale
	ports map[string][]string
	out   strings.Builder
}

func (w *drawing) line(text string) {
	w.out.WriteString(strings.TrimRight(text, " ") + "\n")
}

// fold writes a text that may need several lines.
func (w *drawing) fold(text string) {
	for _, line := range fold("    ", text) {
		w.line(line)
	}
}

// row writes a line with a bar. The name stands out, the note does not.
func (w *drawing) row(name, note, weight, used string, from, to int32) {
	label := w.style.bold(name) + strings.Repeat(" ", 2) + note
	pad := max(0, labelColumns-columnsOf(name)-2-columnsOf(note))
	w.line(label + strings.Repeat(" ", pad) + right(weight, bitsColumns) + right(used, bitsColumns) +
		"  " + w.bar(from, to))
}

// answer writes what people look for first.
func (w *drawing) answer(e *elsewherev1.Explanation) {
	w.line(w.style.bold(fmt.Sprintf("likelihood of same actor (model %d, %s): %s — %s",
		e.GetModelVersion(), calibrated(e.GetCalibratedReviews()), likelihood(e.GetLikelihood()), tierName(e.GetTier()))))
	if !linked(e) {
		w.fold(whyNot(e))
		w.notes(e)
	}
	w.line("A  " + safe(e.GetA(), refWidth))
	w.line("B  " + safe(e.GetB(), refWidth))
	w.line("")
}

// calibrated says what a likelihood was fitted on.
func calibrated(reviews uint32) string {
	if reviews == 0 {
		return "uncalibrated"
	}
	return "calibrated on " + count(int(reviews), "review", "reviews")
}

// family writes a family of evidence and returns where its last bar ends.
func (w *drawing) family(f *elsewherev1.Family, at int32) int32 {
	name := safe(f.GetName(), valueWidth)
	w.line(w.style.bold(left(name, labelColumns+bitsColumns)) + right(bits(f.GetUsedMillibits()), bitsColumns))
	for _, g := range f.GetGroups() {
		for i, v := range g.GetValues() {
			used := v.GetUsedMillibits()
			label, rest := w.label(f.GetName(), v)
			w.line(left(label, labelColumns) + right(bits(v.GetWeightMillibits()), bitsColumns) +
				right(bits(used), bitsColumns) + "  " + w.bar(at, at+used))
			phrases := append(rest, reasons(v, g, i == 0, f.GetName())...)
			phrases = append(phrases, w.ports[v.GetKind()+" "+v.GetValue()]...)
			for _, line := range wrap("    ", phrases) {
				w.line(w.style.dim(line))
			}
			at += used
		}
	}
	if cut := f.GetUsedMillibits() - f.GetRawMillibits(); cut != 0 {
		label := fmt.Sprintf("  capped: all of %s counts %s at most", name, bits(f.GetCapMillibits()))
		w.line(left(safe(label, labelColumns), labelColumns+bitsColumns) + right(bits(cut), bitsColumns) +
			"  " + w.bar(at, at+cut))
		at += cut
	}
	return at
}

// label names a value in its column, and returns what did not fit.
func (w *drawing) label(family string, v *elsewherev1.SharedValue) (label string, rest []string) {
	const columns = labelColumns - 3
	text := v.GetKind() + " " + v.GetValue()
	if whole := safe(text, 0); columnsOf(whole) <= columns {
		return "  " + whole, nil
	}
	rest = []string{safe(v.GetValue(), lineWidth-4)}
	if family == behaviour {
		return "  " + safe(v.GetKind(), columns), rest
	}
	return "  " + safe(text, columns), rest
}

// after writes what does not add up to the total.
func (w *drawing) after(e *elsewherev1.Explanation) {
	if generic := e.GetSharedGeneric(); len(generic) > 0 {
		w.line("")
		w.line("in common, but adds nothing")
		for _, g := range generic {
			w.fold("  " + safe(g.GetKind()+" "+g.GetValue(), valueWidth) + ": " + safe(g.GetReason(), messageWidth))
		}
	}
	if counterfactuals := e.GetCounterfactuals(); len(counterfactuals) > 0 {
		w.line("")
		rows := make([][]string, len(counterfactuals))
		for i, c := range counterfactuals {
			rows[i] = []string{"without " + safe(c.GetWithout(), valueWidth) + ":", likelihood(c.GetLikelihood())}
		}
		w.out.WriteString(table(make([]string, 2), rows))
	}
	if linked(e) && len(e.GetNotes()) > 0 {
		w.line("")
		w.notes(e)
	}
}

func (w *drawing) notes(e *elsewherev1.Explanation) {
	for _, n := range e.GetNotes() {
		w.fold("note: " + safe(n, messageWidth))
	}
}

// bar draws from one number of millibits to another, and the axis at 0.
func (w *drawing) bar(from, to int32) string {
	text := w.scale.draw(from, to)
	if to < from {
		return w.style.red(text)
	}
	return w.style.green(text)
}

// scale maps millibits to half columns.
type scale struct {
	zero int     // the half column of 0, even
	per  float64 // half columns a millibit
}

// scaleOf returns the scale on which every bar of an explanation fits.
func scaleOf(e *elsewherev1.Explanation) scale {
	at := int64(e.GetPriorMillibits())
	low, high := min(0, at), max(0, at)
	add := func(n int32) {
		at += int64(n)
		low, high = min(low, at), max(high, at)
	}
	for _, f := range e.GetFamilies() {
		for _, g := range f.GetGroups() {
			for _, v := range g.GetValues() {
				add(v.GetUsedMillibits())
			}
		}
		add(f.GetUsedMillibits() - f.GetRawMillibits())
	}
	add(e.GetNegativeMillibits())
	total := int64(e.GetTotalMillibits())
	low, high = min(low, total), max(high, total)
	// A column at each end is left for what rounding adds and for the axis.
	per := float64(2*barColumns-4) / float64(max(high-low, 1))
	return scale{zero: 2 * int(float64(-low)*per/2+.5), per: per}
}

// draw writes a bar that is at least half a column long unless it is empty.
func (s scale) draw(from, to int32) string {
	start, end := s.at(from), s.at(to)
	switch {
	case start == end && to > from:
		end++
	case start == end && to < from:
		start++
	}
	start, end = min(start, end), max(start, end)
	var out strings.Builder
	for column := 0; column < barColumns; column++ {
		half := 2 * column
		leftHalf, rightHalf := start <= half && half < end, start <= half+1 && half+1 < end
		switch {
		case leftHalf && rightHalf:
			out.WriteString("█")
		case leftHalf:
			out.WriteString("▌")
		case rightHalf:
			out.WriteString("▐")
		case half == s.zero:
			out.WriteString("│")
		default:
			out.WriteString(" ")
		}
	}
	return strings.TrimRight(out.String(), " ")
}

func (s scale) at(millibits int32) int {
	f := float64(millibits) * s.per
	if f < 0 {
		return s.zero - int(-f+.5)
	}
	return s.zero + int(f+.5)
}
