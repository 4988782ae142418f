package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/corpus"
)

// loadedFile says, in a folder that stays, what was loaded.
const loadedFile = "bench.json"

// loaded is what a later run on a folder needs to know of those before.
type loaded struct {
	Corpus corpus.Generator `json:"corpus"`
	Data   Data             `json:"data"`
	// Next is the index of the first case that no run has made.
	Next   int   `json:"next"`
	Stored int64 `json:"stored"`
}

// NotLoadedError is returned for a folder that does not hold what a run was to
// begin with.
type NotLoadedError struct {
	Dir string
	Err error
}

func (e *NotLoadedError) Error() string {
	return fmt.Sprintf("%s holds no corpus of an earlier run: %v", e.Dir, e.Err)
}

func (e *NotLoadedError) Unwrap() error { return e.Err }

// errOtherCorpus is returned for a folder with other cases than were asked for.
var errOtherCorpus = errors.New("it was loaded with other --cases, --tenants, --values or --seed")

// again takes up what an earlier run has loaded, in the place of loading it.
func (r *runner) again(ctx context.Context) error {
	l, err := readLoaded(r.dir)
	if err == nil && l.Corpus != r.Corpus {
		err = errOtherCorpus
	}
	if err != nil {
		return &NotLoadedError{r.dir, err}
	}
	r.report.Data, r.next = l.Data, l.Next
	// The tables are those of now.
	r.report.Data.Service, r.report.Data.Baseline = Tables{}, Tables{}
	r.stored.Store(l.Stored)
	if err := r.startService(ctx); err != nil {
		return err
	}
	return r.settled(ctx)
}

func readLoaded(dir string) (l loaded, err error) {
	text, err := os.ReadFile(filepath.Join(dir, loadedFile))
	if err != nil {
		return l, err
	}
	if _, err := os.Stat(storeFolder(dir)); err != nil {
		return l, err
	}
	return l, json.Unmarshal(text, &l)
}

// noteLoaded writes down what a folder that stays holds now.
func (r *runner) noteLoaded() error {
	if r.Dir == "" || r.report.Data.Cases == 0 {
		return nil
	}
	text, err := json.Marshal(loaded{r.Corpus, r.report.Data, r.next, r.stored.Load()})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.dir, loadedFile), append(text, '\n'), 0o600)
}
