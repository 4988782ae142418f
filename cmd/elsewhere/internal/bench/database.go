package bench

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"google.golang.org/protobuf/proto"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// rawFolder is where the baseline lies, beside the service's data.
const rawFolder = "bench-raw"

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
	// otherSpace has keys that nobody asks for: as many as the service keeps
	// beside those for cases, values and sightings.
	otherSpace = 'z'
)

// database is Badger with nothing around it: uncompressed, tables read through
// the page cache. Its zero pointer is closed.
type database struct {
	*badger.DB
	// turn is held by those who write one after the other.
	turn sync.Mutex
}

func databaseOptions(dir string) badger.Options {
	return badger.DefaultOptions(dir).
		WithLogger(nil).
		WithCompression(options.None).
		WithBlockCacheSize(0).
		WithMetricsEnabled(false).
		WithValueThreshold(1 << 10)
}

func openDatabase(o badger.Options) (*database, error) {
	db, err := badger.Open(o)
	if err != nil {
		return nil, err
	}
	return &database{DB: db}, nil
}

func (d *database) close() error {
	if d == nil {
		return nil
	}
	return d.Close()
}

// tables returns the state in which the database is.
func (d *database) tables() (t Tables) {
	for _, table := range d.Tables() {
		t.Keys += int(table.KeyCount)
		t.Count++
		if table.Level == 0 {
			t.LevelZero++
		}
	}
	return t
}

// tablesOf returns the state of a store that nobody has open.
func tablesOf(dir string) (Tables, error) {
	db, err := openDatabase(databaseOptions(dir).WithReadOnly(true))
	if err != nil {
		return Tables{}, fmt.Errorf("tables of the service: %w", err)
	}
	return db.tables(), db.close()
}

func (t Tables) String() string {
	return fmt.Sprintf("%d keys, tables: %d, of these at level 0: %d", t.Keys, t.Count, t.LevelZero)
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

// put stores a case with all its keys: body, profile, and for each value its
// record and a sighting. record returns the value of a record's key, and whether the
// record has room for the sighting.
func put(c *elsewherev1.Case, set func(key, val []byte) error, record func(key []byte) (val []byte, room bool, err error)) error {
	all := observables(c)
	if err := set(caseKey(bodySpace, c), make([]byte, proto.Size(c))); err != nil {
		return err
	}
	if err := set(caseKey(profileSpace, c), make([]byte, len(all)*profileBytesPerValue)); err != nil {
		return err
	}
	if !counts(c) {
		return nil
	}
	for _, o := range all {
		key := recordKey(o)
		val, room, err := record(key)
		if err != nil {
			return err
		}
		if err := set(key, val); err != nil {
			return err
		}
		if room {
			continue
		}
		if err := set(appendCase(postingPrefix(o), c.GetTenant(), c.GetId()), make([]byte, postingBytes)); err != nil {
			return err
		}
	}
	return nil
}

// needRaw fills the baseline with as many keys as the service has, as fast as
// Badger takes them, and opens it again.
func (r *runner) needRaw(ctx context.Context) error {
	if r.raw != nil {
		return nil
	}
	dir := filepath.Join(r.dir, rawFolder)
	db, err := openDatabase(databaseOptions(dir).WithSyncWrites(false).WithDetectConflicts(false))
	if err != nil {
		return err
	}
	began := time.Now()
	err = errors.Join(r.fill(ctx, db), db.close())
	if err != nil {
		return err
	}
	fill := Row{
		Name: "bulk/badger", What: "as many keys by Badger's WriteBatch, not durable, nothing read", N: r.report.Data.Cases,
		Rate: float64(r.report.Data.Cases) / time.Since(began).Seconds(), Unit: "cases",
	}
	for i, row := range r.report.Rows {
		if row.Name == "bulk/stored" {
			r.report.Rows[i] = row.against(ofRate, fill)
		}
	}
	if r.raw, err = openDatabase(databaseOptions(dir).WithSyncWrites(true)); err != nil {
		return err
	}
	r.report.Data.Baseline = r.raw.tables()
	r.add(fill)
	return nil
}

// fill writes what the service stores, and a key for each sighting, by which plans find
// cases. The service has none for the only sighting of a value.
func (r *runner) fill(ctx context.Context, db *database) error {
	batch := db.NewWriteBatch()
	defer batch.Cancel()
	data := r.report.Data
	// What cases, values and sightings do not explain.
	others := max(0, data.Service.Keys-2*data.Cases-2*data.Postings)
	blind := func([]byte) ([]byte, bool, error) { return make([]byte, recordBytes), false, nil }
	done, other := 0, 0
	for c := range r.Corpus.From(0, data.Cases) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := put(c, batch.Set, blind); err != nil {
			return err
		}
		for done++; other < others*done/data.Cases; other++ {
			// Spread like keys that begin with a value.
			key := binary.BigEndian.AppendUint64([]byte{otherSpace}, uint64(other)*0x9e3779b97f4a7c15)
			if err := batch.Set(append(key, make([]byte, recordBytes)...), make([]byte, postingBytes)); err != nil {
				return err
			}
		}
		if done%1_000 == 0 {
			r.Progress(fmt.Sprintf("%d of %d cases in Badger alone", done, data.Cases))
		}
	}
	return batch.Flush()
}

// state says in what state the two sides of a row were measured.
func (r *runner) state(row *Row) {
	row.note("Badger holds %v; the service %v; both were opened again after the load, neither compacted by request",
		r.report.Data.Baseline, r.report.Data.Service)
}

// commit stores a body durably, in a transaction of its own.
func (d *database) commit(key, body []byte) error {
	return d.Update(func(txn *badger.Txn) error { return txn.Set(key, body) })
}

// putCase is what storing a case needs at least, in one durable transaction: it
// looks whether the case is there, reads and rewrites the record of each value,
// and writes the profile, the body and a sighting of each value that others have: as
// the service does, which keeps the only one in the record.
func (d *database) putCase(c *elsewherev1.Case) error {
	return d.Update(func(txn *badger.Txn) error {
		if err := get(txn, caseKey(bodySpace, c)); err != nil {
			return err
		}
		return put(c, txn.Set, func(key []byte) (val []byte, room bool, err error) {
			val = make([]byte, recordBytes)
			item, err := txn.Get(key)
			switch {
			case errors.Is(err, badger.ErrKeyNotFound):
				room = true
			case err != nil:
				return nil, false, err
			default:
				if val, err = item.ValueCopy(val); err != nil {
					return nil, false, err
				}
			}
			// One more case.
			binary.LittleEndian.PutUint64(val, binary.LittleEndian.Uint64(val)+1)
			return val, room, nil
		})
	})
}

// putAgain is putCase by somebody who tries again where another transaction has
// changed the same record.
func (d *database) putAgain(c *elsewherev1.Case) error {
	for {
		if err := d.putCase(c); !errors.Is(err, badger.ErrConflict) {
			return err
		}
	}
}

// putInTurn is putCase by somebody who lets one transaction at a time be under
// way.
func (d *database) putInTurn(c *elsewherev1.Case) error {
	d.turn.Lock()
	defer d.turn.Unlock()
	return d.putCase(c)
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

// representatives yields, of each tenant on a value, so many sightings as count,
// until f returns false.
func representatives(txn *badger.Txn, prefix []byte, f func(tenant, ref []byte) bool) {
	it := txn.NewIterator(badger.IteratorOptions{Prefix: prefix})
	defer it.Close()
	var tenant []byte
	n := 0
	for it.Rewind(); it.Valid(); {
		ref := bytes.TrimPrefix(it.Item().Key(), prefix)
		of, _, _ := bytes.Cut(ref, []byte{0})
		if n++; !bytes.Equal(of, tenant) {
			tenant, n = bytes.Clone(of), 1
		}
		if !f(of, ref) {
			return
		}
		if n < casesPerTenant {
			it.Next()
		} else {
			it.Seek(append(append(bytes.Clone(prefix), tenant...), 1))
		}
	}
}
