// Package bench measures a service on this machine: it runs one in the process,
// loads a made-up corpus over loopback gRPC and times what people wait for,
// each beside something that says what the machine can do: a ping on the same
// connection, or Badger with the same keys and nothing around it.
//
// It knows the service from outside, by its wire schema, and how to start one.
// It must not know how the store lays out its keys: Badger is measured on a
// database of its own that holds as many keys of about the same length.
package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/corpus"
)

// Defaults of a Config.
const (
	DefaultCases = 10_000
	DefaultRound = time.Second
	DefaultLimit = 10 * time.Minute
)

// rounds is how often a measurement and its baseline take turns.
const rounds = 5

// Config says what to measure.
type Config struct {
	// Corpus is what is loaded first; DefaultCases if it has no cases.
	Corpus corpus.Generator
	// Only names the benchmarks to run, all if empty; see Names. The corpus is
	// loaded in any event.
	Only []string
	// Dir gets the service's data and stays. It may not hold a store yet. "" is
	// a temporary folder that is removed.
	Dir string
	// Round is how long a measurement runs before its baseline has its turn;
	// DefaultRound if 0.
	Round time.Duration
	// Limit bounds the load, the wait for links and the relink, each;
	// DefaultLimit if 0. What does not end in time is reported as far as it got.
	Limit time.Duration
	// Profiles is a folder that gets a CPU profile of each benchmark; "" is none.
	Profiles string
	// Progress is told what is being done; nil is nobody.
	Progress func(what string)
}

func (c Config) orDefaults() Config {
	if c.Corpus.Cases <= 0 {
		c.Corpus.Cases = DefaultCases
	}
	if c.Corpus.Tenants <= 0 {
		c.Corpus.Tenants = corpus.DefaultTenants
	}
	if c.Corpus.ValuesPerCase <= 0 {
		c.Corpus.ValuesPerCase = corpus.DefaultValuesPerCase
	}
	if c.Round <= 0 {
		c.Round = DefaultRound
	}
	if c.Limit <= 0 {
		c.Limit = DefaultLimit
	}
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	return c
}

// benchmark is one group of measurements.
type benchmark struct {
	name string
	run  func(*runner, context.Context) error
}

// benchmarks in the order in which they run: those that add cases come after
// those that only read, and the relink, which stops the service, is last.
func benchmarks() []benchmark {
	return []benchmark{
		{"seen", (*runner).seen},
		{"seen-1000", (*runner).seenMany},
		{"link", (*runner).link},
		{"submit", (*runner).submit},
		{"relink", (*runner).relink},
	}
}

// load is the name of what runs in any event.
const load = "bulk"

// Names returns the names for Config.Only.
func Names() []string {
	names := []string{load}
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
	service *service
	raw     *database // opened by needRaw
	synced  *database // opened by needSynced
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
	dir, cleanUp, err := folder(c.Dir)
	if err != nil {
		return nil, err
	}
	defer cleanUp()
	r := &runner{Config: c, dir: dir, report: &Report{Machine: machine()}}
	defer func() { err = errors.Join(err, r.close()) }()
	if r.service, err = start(ctx, r.dir); err != nil {
		return r.report, err
	}
	all := append([]benchmark{{load, (*runner).bulk}}, benchmarks()...)
	for _, b := range all {
		if b.name != load && len(c.Only) > 0 && !slices.Contains(c.Only, b.name) {
			continue
		}
		if err := r.profiled(ctx, b); err != nil {
			return r.report, fmt.Errorf("%s: %w", b.name, err)
		}
	}
	return r.report, nil
}

// folder returns the folder to work in and what to do with it at the end.
func folder(given string) (dir string, cleanUp func(), err error) {
	if given == "" {
		dir, err = os.MkdirTemp("", "elsewhere-bench-")
		return dir, func() { _ = os.RemoveAll(dir) }, err
	}
	if _, err := os.Stat(filepath.Join(given, "store")); err == nil {
		return "", nil, ErrHoldsData
	}
	return given, func() {
		for _, name := range []string{rawFolder, syncedFolder} {
			_ = os.RemoveAll(filepath.Join(given, name))
		}
	}, os.MkdirAll(given, 0o700)
}

// profiled runs a benchmark, with a CPU profile if one is wanted.
func (r *runner) profiled(ctx context.Context, b benchmark) error {
	if r.Profiles == "" {
		return b.run(r, ctx)
	}
	f, err := os.Create(filepath.Join(r.Profiles, b.name+".pprof"))
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return errors.Join(err, f.Close())
	}
	err = b.run(r, ctx)
	pprof.StopCPUProfile()
	return errors.Join(err, f.Close())
}

func (r *runner) close() error {
	return errors.Join(r.stopService(), r.closeBaselines())
}

func (r *runner) closeBaselines() error {
	err := errors.Join(r.raw.close(), r.synced.close())
	r.raw, r.synced = nil, nil
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
