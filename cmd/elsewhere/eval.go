package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/eval"
	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/eval/set"
	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/world"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/server/learn"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// evaluation is how eval was told to run.
type evaluation struct {
	cases     string
	world     string
	size      int
	noise     world.Noise
	stress    string
	seed      uint64
	resamples int
	svg       string
	model     string
	ablate    bool
	reviews   int
	mistakes  int
	labels    string
	casesOut  string
	known     enrichmentFlags
}

// What flags may ask for at most, and the size of a world unless told otherwise.
const (
	maxResamples = 100_000
	maxReviews   = 100_000
	maxMistakes  = 1_000
	worldSize    = 3_000
	// A hostile world of this size has 2.6 million pairs that share a value, which
	// take 2 GB to compare; twice the size takes four times that.
	maxWorldSize = 6_000
)

func (a *app) evalCommand() *cobra.Command {
	var e evaluation
	cmd := &cobra.Command{
		Use:   "eval",
		Short: "Measure how right the links are, on labelled cases",
		Long: `Put labelled cases into the product's own store, linker and score, in this process and
in memory, and say how right the links are: precision, recall, average precision,
clusters and calibration, with 95 % intervals from a bootstrap over labels. Beside it,
on the same cases, stands what people use today: any shared value, the same without
values that a list knows, rare values only, and two sums of inverse case frequencies,
each from the threshold on that has its best F1 on the cases as they are.

The cases are JSON lines: {"case_id", "label", "date", "indicators": [{"type",
"value"}]}, the types being ipv4, ipv6, domain, url, hash, email and technique. Cases
with one label are the same actor. Each case is in a tenant of its own.

With --stress everything is measured a second time after addresses were added that
many cases share and that say nothing:
  pool        half of the cases also have one to three of 60
  wide        600 are in two to four cases each
  correlated  half of the cases have two to four of the 8 of one of 30 providers

With --world there is no file: cases of mailbox compromise are made up, with the truth
about them, at one of three levels of noise. Reports are cleaner than raw logs and have
no names of mail rules; a made-up world has both, but nothing in it was observed.

With --reviews pairs of the cases, of the stressed ones if there are some, are drawn and
judged by their labels: half from what a review queue would hold, likelihoods from .05
to .95, and half from the pairs under .05. A model learned from them is measured as
well, on everything and on the labels of which no pair was reviewed. With --cases-out and
--labels-out a server can go the same way: submit the cases, then model propose.

Recall is of the pairs of one label that share a value; recall-all is of all pairs of
one label. No threshold of the product is taken from the cases.`,
		Example: `  elsewhere eval --cases reports.jsonl
  elsewhere eval --cases reports.jsonl --stress --svg plots
  elsewhere eval --cases reports.jsonl --stress=correlated --seed 7 --json
  elsewhere eval --cases reports.jsonl --stress --ablate
  elsewhere eval --cases reports.jsonl --stress --reviews 200 --labels-out labels.jsonl --cases-out cases.ndjson
  elsewhere eval --world hostile --size 3000`,
		Args:        args(evalArgs),
		Annotations: map[string]string{noServer: ""},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := e.check(cmd.Flags().Changed); err != nil {
				return err
			}
			return a.eval(cmd.Context(), e)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&e.cases, "cases", "", "`file` of labelled cases")
	flags.StringVar(&e.stress, "stress", "", "measure also with shared addresses added; the `kind` is "+strings.Join(set.Stresses(), ", "))
	flags.Lookup("stress").NoOptDefVal = set.StressPool
	flags.StringVar(&e.world, "world", "", "make cases up instead; the `noise` is "+strings.Join(noises(), ", "))
	flags.IntVar(&e.size, "size", worldSize, "`number` of cases of a world")
	flags.StringVar(&e.model, "model", "", "`file` of the model to measure, as elsewhere model show -o writes it; default the newest of the program")
	flags.BoolVar(&e.ablate, "ablate", false, "measure also with each part of the score turned off")
	flags.IntVar(&e.mistakes, "mistakes", 0, "list this `number` of wrong and of missed links, with what moved their score")
	flags.IntVar(&e.reviews, "reviews", 0, "`number` of pairs to review and to learn from")
	flags.StringVar(&e.labels, "labels-out", "", "`file` for the reviewed pairs, as elsewhere model propose --labels reads them")
	flags.StringVar(&e.casesOut, "cases-out", "", "`file` for the cases, the stressed ones if there are some, as elsewhere submit reads them")
	flags.Uint64Var(&e.seed, "seed", 1, "`number` that decides all chances")
	flags.IntVar(&e.resamples, "resamples", eval.DefaultResamples, "`number` of draws for the intervals")
	flags.StringVar(&e.svg, "svg", "", "`folder` for two plots as SVG: precision over recall, and reliability")
	flags.StringVar(&e.known.feeds, "feeds", "", "`folder` of lists and databases, kept by elsewhere data; default none but what is part of the program")
	flags.StringArrayVar(&e.known.databases, "mmdb", nil, "a MaxMind database `file` of your own; may be repeated, the first that knows an address answers")
	for flag, values := range map[string][]string{"stress": set.Stresses(), "world": noises()} {
		// The names are right, so registering cannot fail.
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
	return cmd
}

// noises are the levels of noise of a world.
func noises() []string {
	return []string{world.Clean.String(), world.Normal.String(), world.Hostile.String()}
}

// check refuses what makes no sense, and reads the level of noise.
func (e *evaluation) check(given func(flag string) bool) (err error) {
	switch {
	case (e.cases == "") == (e.world == ""):
		return usageError{errors.New("eval needs cases: either --cases FILE or --world NOISE")}
	case e.world != "" && e.stress != "":
		return usageError{errors.New("--stress is for --cases: a world has noise of its own")}
	case e.world == "" && given("size"):
		return usageError{errors.New("--size is for --world")}
	case e.world != "" && (given("feeds") || given("mmdb")):
		return usageError{errors.New("--feeds and --mmdb are for --cases: no list knows the addresses of a world")}
	case e.stress != "" && !slices.Contains(set.Stresses(), e.stress):
		return usageError{fmt.Errorf("--stress=%s: there are %s", e.stress, strings.Join(set.Stresses(), ", "))}
	case e.resamples < 1 || e.resamples > maxResamples:
		return usageError{fmt.Errorf("--resamples %d: want 1 to %d", e.resamples, maxResamples)}
	case e.size < world.MinCases || e.size > maxWorldSize:
		return usageError{fmt.Errorf("--size %d: want %d to %d", e.size, world.MinCases, maxWorldSize)}
	case given("reviews") && (e.reviews < learn.MinReviews || e.reviews > maxReviews):
		return usageError{fmt.Errorf("--reviews %d: want %d to %d", e.reviews, learn.MinReviews, maxReviews)}
	case e.mistakes < 0 || e.mistakes > maxMistakes:
		return usageError{fmt.Errorf("--mistakes %d: want 0 to %d", e.mistakes, maxMistakes)}
	case e.stress == "" && given("stress"):
		return usageError{fmt.Errorf("--stress= names no kind: there are %s", strings.Join(set.Stresses(), ", "))}
	case e.cases != "" && (samePath(e.labels, e.cases) || samePath(e.casesOut, e.cases)):
		return usageError{errors.New("the file of --cases would be overwritten")}
	case e.labels != "" && samePath(e.labels, e.casesOut):
		return usageError{errors.New("--labels-out and --cases-out are one file")}
	case e.labels != "" && e.reviews == 0:
		return usageError{errors.New("--labels-out needs --reviews")}
	}
	if e.world != "" {
		if e.noise, err = world.ParseNoise(e.world); err != nil {
			return usageError{fmt.Errorf("--world %s: %w", e.world, err)}
		}
	}
	return nil
}

func (a *app) eval(ctx context.Context, e evaluation) error {
	about, err := e.known.data()
	if err != nil {
		return err
	}
	model := link.Newest()
	if e.model != "" {
		if model, err = readModel(e.model); err != nil {
			return err
		}
	}
	cases, err := e.set()
	if err != nil {
		return err
	}
	// A run takes minutes; what it writes has to have a place before.
	if err := e.canWrite(); err != nil {
		return err
	}
	lists, err := server.OpenLists(about)
	if err != nil {
		return err
	}
	for _, unusable := range lists.Unusable() {
		a.warn("not in use: %s", safe(unusable.Error(), messageWidth))
	}
	as := eval.Clean
	if e.world != "" {
		as = e.noise.String()
	}
	progress := a.newProgress()
	report, err := eval.Run(ctx, eval.Config{
		Set: cases, As: as, Stress: e.stress, Seed: e.seed, Resamples: e.resamples, Model: model, Lists: lists,
		Ablate: e.ablate, Reviews: e.reviews, Mistakes: e.mistakes, Progress: func(what string) { progress.show("%s", what) },
	})
	progress.clear()
	if err != nil {
		return err
	}
	if e.labels != "" {
		err := writeFile(e.labels, func(w io.Writer) error { return eval.WriteLabels(w, report.Reviews.Labels) })
		if err != nil {
			return err
		}
	}
	if e.casesOut != "" {
		if err := writeFile(e.casesOut, report.Last.WriteCases); err != nil {
			return err
		}
	}
	if e.svg != "" {
		if err := eval.WritePlots(e.svg, report); err != nil {
			return err
		}
	}
	text := evalText(report)
	if a.json {
		line, err := json.Marshal(report)
		if err != nil {
			return err
		}
		text = string(line) + "\n"
	}
	if err := a.print(text); err != nil {
		return err
	}
	if r := report.Reviews; r != nil && r.Drawn < learn.MinReviews {
		return fmt.Errorf("the cases have only %s to review; %d are needed to learn from", count(r.Drawn, "pair", "pairs"), learn.MinReviews)
	}
	return nil
}

// set reads the cases or makes them up.
func (e *evaluation) set() (*set.Set, error) {
	if e.world == "" {
		return readSet(e.cases)
	}
	w, err := world.Generate(world.Config{Seed: e.seed, Cases: e.size, Noise: e.noise})
	if err != nil {
		return nil, err
	}
	return &set.Set{
		Name:  fmt.Sprintf("world %s, %d cases", e.noise, e.size),
		Cases: w.Cases, Labels: w.Labels, Classes: w.Classes,
	}, nil
}

// readModel reads a model from a file.
func readModel(name string) (*link.Model, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, link.MaxDefinitionBytes+1))
	if err != nil {
		return nil, err
	}
	d, err := link.ParseDefinition(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return d.Model()
}

// canWrite reports why a file of the results could not be written. A file that is
// there stays as it is, one that is not is not left behind.
func (e *evaluation) canWrite() error {
	for _, name := range []string{e.labels, e.casesOut} {
		if name == "" {
			continue
		}
		_, before := os.Stat(name)
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o666)
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
		if errors.Is(before, fs.ErrNotExist) {
			if err := os.Remove(name); err != nil {
				return err
			}
		}
	}
	if e.svg == "" {
		return nil
	}
	return os.MkdirAll(e.svg, 0o750)
}

func writeFile(name string, fill func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(fill(f), f.Close())
}

// samePath reports whether two names are of one file.
func samePath(a, b string) bool { return a != "" && filepath.Clean(a) == filepath.Clean(b) }

// evalArgs refuses arguments. The kind of a stress is a flag's value only behind
// an equals sign.
func evalArgs(_ *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case slices.Contains(set.Stresses(), args[0]):
		return fmt.Errorf("eval takes no arguments; write --stress=%s", args[0])
	default:
		return fmt.Errorf("eval takes no arguments, and %q is one", args[0])
	}
}

// readSet reads labelled cases from a file.
func readSet(name string) (*set.Set, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s, err := set.Read(f)
	if wrong, ok := errors.AsType[*set.LineError](err); ok {
		return nil, fmt.Errorf("%s:%w", name, wrong)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	s.Name = filepath.Base(name)
	return s, nil
}
