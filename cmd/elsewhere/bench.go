package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/spf13/cobra"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/bench"
	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/corpus"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

func (a *app) benchCommand() *cobra.Command {
	var c bench.Config
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure a service on this machine",
		Long: `Run a service of its own on a free loopback port, load a made-up corpus into it and
measure what people wait for, each beside a baseline of the same run: a ping on the
same connection, or Badger with the same keys and nothing around it.

Service, clients and baselines share the machine; nothing else should use it. A
measurement and its baseline take five turns each after a warm-up; the rate is the
median of the turns.

  ` + strings.Join(bench.Names(), "  ") + `

bulk loads the corpus and runs in any event.`,
		Example: `  elsewhere bench
  elsewhere bench --cases 100000 --only seen,seen-1000
  elsewhere bench --json > today.json`,
		Args:        args(cobra.NoArgs),
		Annotations: map[string]string{noServer: ""},
		RunE:        func(cmd *cobra.Command, _ []string) error { return a.bench(cmd.Context(), c) },
	}
	corpusFlags(cmd, &c.Corpus, bench.DefaultCases)
	flags := cmd.Flags()
	flags.StringSliceVar(&c.Only, "only", nil, "`names` of the benchmarks to run")
	flags.StringVar(&c.Dir, "data", "", "new `folder` for the data, which stays; default a temporary one, which does not")
	flags.DurationVar(&c.Round, "round", bench.DefaultRound, "how long a measurement runs at a turn")
	flags.DurationVar(&c.Limit, "limit", bench.DefaultLimit, "at most so long for loading, linking and the relink, each")
	flags.StringVar(&c.Profiles, "profiles", "", "existing `folder` for a CPU profile of each benchmark")
	cmd.AddCommand(a.generateCommand())
	return cmd
}

func (a *app) generateCommand() *cobra.Command {
	var g corpus.Generator
	cmd := &cobra.Command{
		Use:   "generate",
		Short: "Write a made-up corpus as NDJSON",
		Long: `Write made-up cases of mailbox compromise to standard output, one a line, as submit
takes them. The same flags write the same bytes, and fewer cases are the beginning of
more.`,
		Example:     `  elsewhere bench generate --cases 1000 | elsewhere submit -q -`,
		Args:        args(cobra.NoArgs),
		Annotations: map[string]string{noServer: "", noJSON: ""},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkCorpus(g); err != nil {
				return err
			}
			return a.generate(cmd.Context(), g)
		},
	}
	corpusFlags(cmd, &g, bench.DefaultCases)
	return cmd
}

func (a *app) generate(ctx context.Context, g corpus.Generator) error {
	err := corpus.WriteNDJSON(a.stdout, func(yield func(*elsewherev1.Case) bool) {
		for c := range g.All() {
			if ctx.Err() != nil || !yield(c) {
				return
			}
		}
	})
	if err == nil {
		err = ctx.Err()
	}
	return err
}

func corpusFlags(cmd *cobra.Command, g *corpus.Generator, cases int) {
	flags := cmd.Flags()
	flags.IntVar(&g.Cases, "cases", cases, "`number` of cases")
	flags.IntVar(&g.Tenants, "tenants", corpus.DefaultTenants, "`number` of tenants")
	flags.IntVar(&g.ValuesPerCase, "values", corpus.DefaultValuesPerCase, "mean `number` of observables of a case")
	flags.Uint64Var(&g.Seed, "seed", 1, "`number` that decides all chances")
}

// checkCorpus refuses what the generator would replace by a default.
func checkCorpus(g corpus.Generator) error {
	for _, flag := range []struct {
		name     string
		got, max int
	}{
		{"cases", g.Cases, math.MaxInt32},
		{"tenants", g.Tenants, corpus.MaxTenants},
		{"values", g.ValuesPerCase, corpus.MaxValuesPerCase},
	} {
		if flag.got < 1 || flag.got > flag.max {
			return usageError{fmt.Errorf("--%s %d: want 1 to %d", flag.name, flag.got, flag.max)}
		}
	}
	return nil
}

func (a *app) bench(ctx context.Context, c bench.Config) error {
	if err := checkCorpus(c.Corpus); err != nil {
		return err
	}
	if c.Round <= 0 || c.Limit <= 0 {
		return usageError{errors.New("--round and --limit are more than nothing")}
	}
	progress := a.newProgress()
	c.Progress = func(what string) { progress.show("%s", what) }
	report, err := bench.Run(ctx, c)
	progress.clear()
	if unknown, ok := errors.AsType[*bench.UnknownError](err); ok {
		return usageError{unknown}
	}
	if report != nil {
		if printErr := a.printReport(report); err == nil {
			err = printErr
		}
	}
	return err
}

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

// header says where and on what it was measured.
func header(r *bench.Report) string {
	m, d, f := r.Machine, r.Data, r.Footprint
	return table(make([]string, 2), [][]string{
		{"machine", fmt.Sprintf("%s, %s, %s; %s, %s; load average %.2f before",
			safe(m.CPU, valueWidth), count(m.Cores, "core", "cores"), size(m.MemoryBytes), m.Go, safe(m.OS, valueWidth), m.Load)},
		{"data", fmt.Sprintf("%s of %d observables (seed %d), %s, %s", count(d.Cases, "case", "cases"), d.ValuesPerCase, d.Seed,
			count(d.Tenants, "tenant", "tenants"), count(d.Postings, "posting", "postings"))},
		{"memory", fmt.Sprintf("%s anonymous, %s at most while loading; %s of mapped files; %s of live heap; generator and client included",
			size(f.Anon), size(f.PeakAnon), size(f.File), size(f.Heap))},
		{"disk", fmt.Sprintf("%s, %.0f bytes a posting", size(f.Disk), f.DiskPerPosting)},
	})
}

// measurements is the table of all rows, with the notes under it.
func measurements(rows []bench.Row) string {
	var cells [][]string
	var notes []string // each once, in order
	noted := make(map[string][]string)
	for _, r := range rows {
		var ratios []string
		for _, ratio := range r.Ratios {
			ratios = append(ratios, fmt.Sprintf("%s × %s of %s", significant(ratio.Value), ratio.Of, ratio.To))
		}
		name := r.Name
		if r.Note != "" {
			name += " *"
			if noted[r.Note] == nil {
				notes = append(notes, r.Note)
			}
			noted[r.Note] = append(noted[r.Note], r.Name)
		}
		cells = append(cells, []string{
			name, r.What, thousands(uint32(r.N)), latency(r.P50), latency(r.P99), significant(r.Rate) + " " + r.Unit + "/s", strings.Join(ratios, ", "),
		})
	}
	out := table([]string{"name", "what", ">n", ">p50", ">p99", ">rate", "ratio"}, cells)
	for _, note := range notes {
		for _, line := range fold("  ", "* "+strings.Join(noted[note], ", ")+": "+note) {
			out += line + "\n"
		}
	}
	return out
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
