package main

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/bench"
)

func (a *app) printReport(r *bench.Report) error {
	if a.json {
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		return a.print(string(line) + "\n")
	}
	return a.print(header(r) + "\n" + measurements(r.Rows))
}

// header says where and on what it was measured, and how the goals fared.
func header(r *bench.Report) string {
	m, d, f := r.Machine, r.Data, r.Footprint
	lines := [][]string{
		{"machine", fmt.Sprintf("%s, %s, %s; %s, %s; load average %.2f before",
			safe(m.CPU, valueWidth), count(m.Cores, "core", "cores"), size(m.MemoryBytes), m.Go, safe(m.OS, valueWidth), m.Load)},
	}
	if d.Cases > 0 {
		lines = append(lines,
			[]string{"data", fmt.Sprintf("%s of %d observables (seed %d), %s, %s", count(d.Cases, "case", "cases"), d.ValuesPerCase, d.Seed,
				count(d.Tenants, "tenant", "tenants"), count(d.Postings, "posting", "postings"))},
			[]string{"backlog", fmt.Sprintf("%s at most while loading, the oldest for %.1f s", marks(d.MarksMost), d.AgeMost)},
			[]string{"memory", fmt.Sprintf("of the service: %s anonymous, %s at most while loading; %s of mapped files; %s of heap",
				size(f.Anon), size(f.PeakAnon), size(f.File), size(f.Heap))},
			[]string{"disk", fmt.Sprintf("%s, %.0f bytes a posting", size(f.Disk), f.DiskPerPosting)})
	}
	return table(make([]string, 2), append(lines, []string{"goals", goals(r.Rows)}))
}

// marks writes a number of values, which is counted up to a bound.
func marks(n int) string {
	if n >= bench.MostMarks {
		return thousands(bench.MostMarks) + " values or more"
	}
	return count(n, "value", "values")
}

// goals counts verdicts and names the rows that miss theirs.
func goals(rows []bench.Row) string {
	verdicts := make(map[string]int)
	var missed []string
	for _, r := range rows {
		before := verdicts[bench.Missed]
		for _, ratio := range r.Ratios {
			if ratio.Goal != nil {
				verdicts[ratio.Goal.Verdict]++
			}
		}
		for _, bound := range r.Bounds {
			verdicts[bound.Goal.Verdict]++
		}
		if verdicts[bench.Missed] > before {
			missed = append(missed, r.Name)
		}
	}
	text := fmt.Sprintf("%d met, %d missed, %d open", verdicts[bench.Met], verdicts[bench.Missed], verdicts[bench.Open])
	if len(missed) > 0 {
		text += "; missed by " + strings.Join(missed, ", ")
	}
	return text
}

// measurements is the table of all rows, with the notes under it.
func measurements(rows []bench.Row) string {
	var cells [][]string
	var notes []string // each once, in order
	noted := make(map[string][]string)
	for _, r := range rows {
		name, rate, bytes := r.Name, "", ""
		if r.Note != "" {
			name += " *"
			if noted[r.Note] == nil {
				notes = append(notes, r.Note)
			}
			noted[r.Note] = append(noted[r.Note], r.Name)
		}
		if r.Rate > 0 {
			rate = significant(r.Rate) + " " + r.Unit + "/s"
		}
		if r.Bytes > 0 {
			bytes = size(r.Bytes)
		}
		cells = append(cells, []string{
			name, r.What, thousands(uint32(r.N)), latency(r.P50), latency(r.P99), rate, bytes, strings.Join(comparisons(r), ", "),
		})
	}
	out := table([]string{"name", "what", ">n", ">p50", ">p99", ">rate", ">bytes", "against"}, cells)
	for _, note := range notes {
		for _, line := range fold("  ", "* "+strings.Join(noted[note], ", ")+": "+note) {
			out += line + "\n"
		}
	}
	return out
}

// comparisons are the ratios and bounds of a row, with the goals in brackets.
func comparisons(r bench.Row) []string {
	var out []string
	for _, ratio := range r.Ratios {
		text := fmt.Sprintf("%s × %s of %s", significant(ratio.Value), ratio.Of, ratio.To)
		if ratio.Goal != nil {
			text += verdict(*ratio.Goal, significant)
		}
		out = append(out, text)
	}
	for _, bound := range r.Bounds {
		form := significant
		switch bound.Of {
		case "p50", "p99":
			form = latency
		case "bytes":
			form = func(f float64) string { return size(uint64(f)) }
		}
		out = append(out, bound.Of+verdict(bound.Goal, form))
	}
	return out
}

// verdict writes a goal and whether it is met.
func verdict(g bench.Goal, form func(float64) string) string {
	bound, sign := g.AtMost, "≤"
	if g.AtLeast > 0 {
		bound, sign = g.AtLeast, "≥"
	}
	said := g.Verdict
	switch said {
	case bench.Missed:
		said = "MISSED"
	case bench.Open:
		said = "open below " + count(g.Cases, "case", "cases")
	}
	return fmt.Sprintf(" (%s %s: %s)", sign, form(bound), said)
}

// latency writes microseconds in the unit that fits, nothing for 0.
func latency(micros float64) string {
	switch {
	case micros == 0:
		return ""
	case micros < 1e3:
		return significant(micros) + " µs"
	case micros < 1e6:
		return significant(micros/1e3) + " ms"
	default:
		return significant(micros/1e6) + " s"
	}
}

// significant writes a number with three digits that mean something.
func significant(f float64) string {
	switch {
	case f >= 100:
		return thousands(uint32(min(f+.5, math.MaxUint32)))
	case f >= 10:
		return fmt.Sprintf("%.1f", f)
	default:
		return fmt.Sprintf("%.2f", f)
	}
}

// size writes bytes in binary units.
func size(bytes uint64) string {
	const mebibyte = 1 << 20
	if bytes >= 10<<30 {
		return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
	}
	return significant(float64(bytes)/mebibyte) + " MiB"
}
