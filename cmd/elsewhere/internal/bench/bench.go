// Package bench measures a service on this machine: it runs one as a process of
// its own, as an operator would, loads a made-up corpus over loopback gRPC and
// times what people wait for, each beside something that says what the machine
// can do: a ping on the same connection, or Badger with the same keys and
// nothing around it.
//
// It knows the service from outside, by its wire schema, its metrics and what it
// says when it starts. It must not know how the store lays out its keys: Badger
// is measured on a database of its own that holds as many keys of about the same
// length.
package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/corpus"
)

// Defaults of a Config.
const (
	DefaultCases   = 10_000
	DefaultPopular = 2_000
	DefaultRound   = time.Second
	DefaultLimit   = 10 * time.Minute
	DefaultRest    = 40 * time.Second
)

// rounds is how often a measurement and its baseline take turns.
const rounds = 5

// Config says what to measure.
type Config struct {
	// Program returns a command that runs the program with arguments:
	//
	//	serve --data DIR --grpc ADDR --http ADDR   the service
	//	bench rebuild --data DIR [--profile FILE]  what Rebuild does
	Program func(args ...string) *exec.Cmd
	// ServeFlags are further flags for serve.
	ServeFlags []string
	// Corpus is what is loaded first; DefaultCases if it has no cases.
	Corpus corpus.Generator
	// Popular is how many cases share a value in the benchmark of that name;
	// DefaultPopular if 0.
	Popular int
	// Only names the benchmarks to run, all if empty; see Names. The corpus is
	// loaded for those that need it.
	Only []string
	// Dir gets the service's data and stays. It may not hold a store yet, unless it
	// is Loaded. "" is a temporary folder that is removed.
	Dir string
	// Loaded says that Dir holds the corpus of an earlier run, which is not loaded
	// again.
	Loaded bool
	// Round is how long a measurement runs before its baseline has its turn;
	// DefaultRound if 0.
	Round time.Duration
	// Limit bounds the load, the wait for links, each series of the popular
	// value, the check and the relink, each; DefaultLimit if 0. What does not end
	// in time is reported as far as it got.
	Limit time.Duration
	// Rest is how long the loaded service is left alone before its memory is
	// read; DefaultRest if 0.
	Rest time.Duration
	// Profiles is a folder that gets CPU profiles of the service; "" is none.
	Profiles string
	// Progress is told what is being done; nil is nobody.
	Progress func(what string)
}

func (c Config) orDefaults() Config {
	number := func(n *int, otherwise int) {
		if *n <= 0 {
			*n = otherwise
		}
	}
	duration := func(d *time.Duration, otherwise time.Duration) {
		if *d <= 0 {
			*d = otherwise
		}
	}
	number(&c.Corpus.Cases, DefaultCases)
	number(&c.Corpus.Tenants, corpus.DefaultTenants)
	number(&c.Corpus.ValuesPerCase, corpus.DefaultValuesPerCase)
	number(&c.Popular, DefaultPopular)
	duration(&c.Round, DefaultRound)
	duration(&c.Limit, DefaultLimit)
	duration(&c.Rest, DefaultRest)
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	return c
}

// benchmark is one group of measurements.
type benchmark struct {
	name string
	run  func(*runner, context.Context) error
	// loaded says that it needs the corpus, reopened that the service has to be
	// started again after the load, so that what it reads lies in tables.
	loaded, reopened bool
}

// benchmarks in the order in which they run: those that add cases come after
// those that only read, and the relink, which stops the service, is last.
func benchmarks() []benchmark {
	return []benchmark{
		{"popular", (*runner).popular, false, false},
		{"bulk", (*runner).bulk, false, false},
		{"start", (*runner).starts, true, false},
		{"seen", (*runner).seen, true, true},
		{"seen-1000", (*runner).seenMany, true, true},
		{"link", (*runner).link, true, true},
		{"submit", (*runner).submit, true, true},
		{"giant", (*runner).giant, true, true},
		{"relink", (*runner).relink, true, true},
	}
}

// Names returns the names for Config.Only.
func Names() []string {
	var names []string
	for _, b := range benchmarks() {
		names = append(names, b.name)
	}
	return names
}

// ErrHoldsData is returned for a folder that is not new.
var ErrHoldsData = errors.New("the folder holds a store already; measurements begin with an empty one")

// UnknownError names a benchmark that does not exist.
type UnknownError struct{ Name string }

func (e *UnknownError) Error() string {
	return fmt.Sprintf("no benchmark %q; there are %s", e.Name, strings.Join(Names(), ", "))
}

// runner is one run.
type runner struct {
	Config
	dir     string // the service's, with those of the baselines in it
	report  *Report
	service *service  // nil while none runs
	raw     *database // opened by needRaw
	// running is the name of the benchmark, for the profiles.
	running atomic.Pointer[string]
	// next is the index of the first case of the corpus that nobody has made.
	next int
	// stored is how many cases the service has.
	stored atomic.Int64
	// behind says that the linker was still busy the last time anybody looked.
	behind bool
}

// Run measures. Where it fails, the report holds what was measured until then.
func Run(ctx context.Context, c Config) (report *Report, err error) {
	c = c.orDefaults()
	for _, name := range c.Only {
		if !slices.Contains(Names(), name) {
			return nil, &UnknownError{name}
		}
	}
	dir, cleanUp, err := folder(c.Dir, c.Loaded)
	if err != nil {
		return nil, err
	}
	defer cleanUp()
	r := &runner{Config: c, dir: dir, report: &Report{Machine: machine()}}
	defer func() { err = errors.Join(err, r.close()) }()
	for _, b := range c.chosen() {
		r.running.Store(&b.name)
		if c.Loaded && b.name == "bulk" {
			b.run = (*runner).again
		}
		if b.reopened && r.report.Data.Service == (Tables{}) {
			err = r.reopen(ctx)
		}
		if err == nil {
			err = b.run(r, ctx)
		}
		if ctx.Err() != nil {
			// The service may have been interrupted as well, and said so first.
			return r.report, ctx.Err()
		}
		if err != nil {
			return r.report, fmt.Errorf("%s: %w", b.name, err)
		}
	}
	return r.report, nil
}

// chosen returns the benchmarks to run, with the load if one of them needs it.
func (c Config) chosen() []benchmark {
	wanted := func(b benchmark) bool { return len(c.Only) == 0 || slices.Contains(c.Only, b.name) }
	load := slices.ContainsFunc(benchmarks(), func(b benchmark) bool { return b.loaded && wanted(b) })
	return slices.DeleteFunc(benchmarks(), func(b benchmark) bool { return !wanted(b) && (b.name != "bulk" || !load) })
}

// folder returns the folder to work in and what to do with it at the end.
func folder(given string, loaded bool) (dir string, cleanUp func(), err error) {
	if given == "" {
		dir, err = os.MkdirTemp("", "elsewhere-bench-")
		return dir, func() { _ = os.RemoveAll(dir) }, err
	}
	cleanUp = func() { _ = os.RemoveAll(filepath.Join(given, rawFolder)) }
	if loaded {
		return given, cleanUp, nil
	}
	if _, err := os.Stat(storeFolder(given)); err == nil {
		return "", nil, ErrHoldsData
	}
	return given, cleanUp, os.MkdirAll(given, 0o700)
}

// storeFolder is where a service keeps its data, in the folder that it is given.
func storeFolder(dir string) string { return filepath.Join(dir, "store") }

func (r *runner) close() error { return errors.Join(r.stopService(), r.closeRaw(), r.noteLoaded()) }

func (r *runner) closeRaw() error {
	err := r.raw.close()
	r.raw = nil
	return err
}

// startService starts the service on the folder of the run.
func (r *runner) startService(ctx context.Context) (err error) {
	r.service, err = r.start(ctx, r.dir)
	return err
}

func (r *runner) stopService() error {
	s := r.service
	r.service = nil
	if s == nil {
		return nil
	}
	return s.stop()
}

// reopen starts the service again, so that what it holds is in tables, and says
// in how many. The baseline is reopened after its load as well.
func (r *runner) reopen(ctx context.Context) (err error) {
	if err := r.stopService(); err != nil {
		return err
	}
	if r.report.Data.Service, err = tablesOf(storeFolder(r.dir)); err != nil {
		return err
	}
	return r.startService(ctx)
}
