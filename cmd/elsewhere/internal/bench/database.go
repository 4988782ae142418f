package bench

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// Folders of the baselines, beside the service's.
const (
	rawFolder    = "bench-raw"
	syncedFolder = "bench-synced"
)

// Lengths of the values that the baseline keeps, like those a store of cases
// needs: what is known of a value, a sighting, and what linking reads of a case
// for each of its observables.
const (
	recordBytes          = 64
	postingBytes         = 8
	profileBytesPerValue = 40
)

// First bytes of the baseline's keys.
const (
	recordSpace  = 'v'
	postingSpace = 'p'
	profileSpace = 'f'
	bodySpace    = 'b'
)

// database is Badger with nothing around it: uncompressed, tables read through
// the page cache, no detection of conflicts. Its zero pointer is closed.
type database struct{ *badger.DB }

func openDatabase(dir string, synced bool) (*database, error) {
	db, err := badger.Open(badger.DefaultOptions(dir).
		WithLogger(nil).
		WithSyncWrites(synced).
		WithCompression(options.None).
		WithBlockCacheSize(0).
		WithDetectConflicts(false).
		WithMetricsEnabled(false).
		WithValueThreshold(1 << 10))
	if err != nil {
		return nil, err
	}
	return &database{db}, nil
}

func (d *database) close() error {
	if d == nil {
		return nil
	}
	return d.Close()
}

func recordKey(o *elsewherev1.Observable) []byte { return valueKey(recordSpace, o) }

// postingPrefix begins the keys of all sightings of a value.
func postingPrefix(o *elsewherev1.Observable) []byte { return append(valueKey(postingSpace, o), 0) }

func valueKey(space byte, o *elsewherev1.Observable) []byte {
	k := append(make([]byte, 0, 64), space)
	k = append(k, o.GetKind()...)
	k = append(k, 0)
	return append(k, o.GetValue()...)
}

func appendCase(k []byte, tenant, id string) []byte {
	k = append(k, tenant...)
	k = append(k, 0)
	return append(k, id...)
}

func caseKey(space byte, c *elsewherev1.Case) []byte {
	return appendCase([]byte{space}, c.GetTenant(), c.GetId())
}

// observables returns those of all findings.
func observables(c *elsewherev1.Case) []*elsewherev1.Observable {
	var out []*elsewherev1.Observable
	for _, f := range c.GetFindings() {
		out = append(out, f.GetObservables()...)
	}
	return out
}

// counts reports whether a case has sightings that others may see.
func counts(c *elsewherev1.Case) bool {
	return c.GetState() != elsewherev1.CaseState_CASE_STATE_DISMISSED && !c.GetRestricted()
}

// needRaw fills the database for reads with what the service stores, as fast as
// Badger takes it.
func (r *runner) needRaw(ctx context.Context) error {
	if r.raw != nil {
		return nil
	}
	r.Progress("filling Badger with the same data")
	db, err := openDatabase(filepath.Join(r.dir, rawFolder), false)
	if err != nil {
		return err
	}
	r.raw = db
	began, n := time.Now(), 0
	batch := db.NewWriteBatch()
	defer batch.Cancel()
	for c := range r.Corpus.From(0, r.report.Data.Cases) {
		if err := ctx.Err(); err != nil {
			return err
		}
		all := observables(c)
		if err := batch.Set(caseKey(profileSpace, c), make([]byte, len(all)*profileBytesPerValue)); err != nil {
			return err
		}
		if !counts(c) {
			continue
		}
		for _, o := range all {
			n++
			if err := batch.Set(recordKey(o), make([]byte, recordBytes)); err != nil {
				return err
			}
			posting := appendCase(postingPrefix(o), c.GetTenant(), c.GetId())
			if err := batch.Set(posting, make([]byte, postingBytes)); err != nil {
				return err
			}
		}
	}
	if err := batch.Flush(); err != nil {
		return err
	}
	took := time.Since(began).Seconds()
	fill := Row{
		Name: "bulk/badger", What: "the same keys by Badger's WriteBatch, not durable", N: r.report.Data.Cases,
		Rate: float64(r.report.Data.Cases) / took, Unit: "cases",
	}
	for i, row := range r.report.Rows {
		if row.Name == "bulk/stored" {
			r.report.Rows[i] = row.against("rate", fill)
		}
	}
	r.add(fill)
	return nil
}

// needSynced opens the database for durable commits.
func (r *runner) needSynced() (err error) {
	if r.synced == nil {
		r.synced, err = openDatabase(filepath.Join(r.dir, syncedFolder), true)
	}
	return err
}

// commit stores a body durably, in a transaction of its own.
func (d *database) commit(key, body []byte) error {
	return d.Update(func(txn *badger.Txn) error { return txn.Set(key, body) })
}

// get reads a key's value; one that is not there is no error.
func get(txn *badger.Txn, key []byte) error {
	item, err := txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return item.Value(func([]byte) error { return nil })
}

// scan calls f with what follows a prefix in each key, until f returns false.
func scan(txn *badger.Txn, prefix []byte, f func(rest []byte) bool) {
	it := txn.NewIterator(badger.IteratorOptions{Prefix: prefix})
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		if !f(bytes.TrimPrefix(it.Item().Key(), prefix)) {
			return
		}
	}
}
