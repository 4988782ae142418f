package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"time"

	"github.com/spf13/cobra"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/bench"
	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/corpus"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

func (a *app) benchCommand() *cobra.Command {
	var c bench.Config
	cmd := &cobra.Command{
		Use:   "bench [-- SERVE-FLAG...]",
		Short: "Measure a service on this machine",
		Long: `Run elsewhere serve in a process of its own on free loopback ports, load a made-up
corpus into it and measure what people wait for, each beside a baseline of the same
run: a ping on the same connection, or Badger with as many keys and nothing around it.
What stands after -- is given to serve.

Service, clients and baselines share the machine; nothing else should use it. A
measurement and its baseline take five turns each after a warm-up; the rate is the
median of the turns. Where the design has a goal, the row says whether it is met: a
goal for more cases than were loaded stays open as long as it is not missed.

  popular    one after the other, cases that share a value: do they cost ever more?
  bulk       load the corpus, wait for its links, read memory and disk
  start      new processes until their first answer
  seen       one value, beside a ping
  seen-1000  1,000 values in a call, beside as many Gets
  link       a case of 50 observables with its links, beside what has to be read
  submit     durable cases, beside a transaction and a sync for each
  giant      small cases while somebody else stores the largest
  relink     check --rebuild, its check and a scan of all sightings reported apart

bulk runs before those that need the corpus, all after start. A million cases take
20 GB of disk with the baselines, and an hour or more: give --limit.`,
		Example: `  elsewhere bench
  elsewhere bench --cases 100000 --only seen,seen-1000
  elsewhere bench --cases 1000000 --only link,relink --limit 2h --data /srv/bench
  elsewhere bench --cases 1000000 --limit 3h --rest 3m --data /srv/bench --json > million.json
  elsewhere bench --cases 1000000 --data /srv/bench --loaded --only seen,seen-1000
  elsewhere bench --only popular --popular 100000 --limit 1h`,
		Annotations: map[string]string{noServer: ""},
		Args: func(cmd *cobra.Command, given []string) error {
			if at := cmd.ArgsLenAtDash(); at > 0 || at < 0 && len(given) > 0 {
				return usageError{errors.New("flags for serve come after --, other arguments mean nothing")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, given []string) error {
			c.ServeFlags = given
			return a.bench(cmd.Context(), c)
		},
	}
	corpusFlags(cmd, &c.Corpus, bench.DefaultCases)
	flags := cmd.Flags()
	flags.StringSliceVar(&c.Only, "only", nil, "`names` of the benchmarks to run")
	flags.IntVar(&c.Popular, "popular", bench.DefaultPopular, "`number` of cases that share a value")
	flags.StringVar(&c.Dir, "data", "", "new `folder` for the data, which stays; default a temporary one, which does not")
	flags.BoolVar(&c.Loaded, "loaded", false, "the folder of --data holds the corpus of an earlier run: load nothing")
	flags.DurationVar(&c.Round, "round", bench.DefaultRound, "how long a measurement runs at a turn")
	flags.DurationVar(&c.Limit, "limit", bench.DefaultLimit, "at most so long for loading, linking, a popular value, the check and the relink, each")
	flags.DurationVar(&c.Rest, "rest", bench.DefaultRest, "how long the loaded service is left alone before its memory is read; the runtime collects by itself after two minutes")
	flags.StringVar(&c.Profiles, "profiles", "", "existing `folder` for CPU profiles of the service, five seconds each")
	cmd.AddCommand(a.generateCommand(), a.rebuildCommand())
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

// rebuildCommand is how bench runs a relink in a process of its own.
func (a *app) rebuildCommand() *cobra.Command {
	var dir, profile string
	cmd := &cobra.Command{
		Use:         "rebuild",
		Short:       "Make all links of a store anew, for bench",
		Hidden:      true,
		Args:        args(cobra.NoArgs),
		Annotations: map[string]string{noServer: "", noJSON: ""},
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, restore := limitMemory(rebuildMemoryLimit)
			defer restore()
			return bench.Rebuild(cmd.Context(), dir, profile, a.stdout)
		},
	}
	cmd.Flags().StringVar(&dir, "data", "", "`folder` of the store")
	cmd.Flags().StringVar(&profile, "profile", "", "`file` for a CPU profile")
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
	if c.Round <= 0 || c.Limit <= 0 || c.Rest <= 0 {
		return usageError{errors.New("--round, --limit and --rest are more than nothing")}
	}
	if c.Loaded && c.Dir == "" {
		return usageError{errors.New("--loaded needs --data")}
	}
	if c.Popular < 1 {
		return usageError{fmt.Errorf("--popular %d: want 1 or more", c.Popular)}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	c.Program = func(args ...string) *exec.Cmd {
		cmd := exec.Command(self, args...)
		cmd.Args[0] = os.Args[0]
		return cmd
	}
	progress := a.newProgress()
	c.Progress = a.benchProgress(progress)
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

// linesEvery is how often a run tells a log how far it is.
const linesEvery = 30 * time.Second

// benchProgress returns what shows how far a run is: a line that changes on a
// terminal, else a line now and then.
func (a *app) benchProgress(p *progress) func(string) {
	began := time.Now()
	next := began.Add(linesEvery)
	return func(what string) {
		p.show("%s", what)
		if now := time.Now(); !a.progress && now.After(next) {
			next = now.Add(linesEvery)
			a.warn("%v: %s", now.Sub(began).Round(time.Second), what)
		}
	}
}
