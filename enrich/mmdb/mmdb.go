// Package mmdb answers from databases in MaxMind's format: which network
// announces an address, where it is, and whether it hides somebody.
//
// It knows the databases of MaxMind and DB-IP by their types and those of other
// vendors by their fields. It must not know what follows from an answer, other
// than the class that a flag names.
//
// A file is taken over only whole and sane: it is copied to a place of its own
// (so that nobody can cut it off under a reader, which would end the process),
// verified to the last record, held against a few addresses that everybody
// knows, and never older or much smaller than what it replaces. Whatever is
// refused, the last good one stays, and Status says why.
package mmdb

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/elsewhere-project/elsewhere/enrich/netclass"
)

// Refusals of a file.
var (
	ErrNotDatabase = errors.New("not a MaxMind database")
	ErrBroken      = errors.New("a broken MaxMind database")
	ErrOlder       = errors.New("older than the one in use")
	ErrShrunken    = errors.New("much smaller than the one in use")
	ErrForgetful   = errors.New("knows little of what the one in use knows")
	ErrOtherKind   = errors.New("of another kind than the one in use")
	ErrTooLarge    = errors.New("larger than a database may be")
)

// Options of a set. The zero value is good.
type Options struct {
	// Scratch is where private copies are made, "" for the system's temporary
	// folder. A copy has no name and its space is free when nobody reads it.
	Scratch string
	// Canaries are addresses that a good database knows if the one before did;
	// none means a few public resolvers.
	Canaries []netip.Addr
	// MaxBytes bounds a file; 0 is 2 GiB.
	MaxBytes int64
}

// defaultCanaries are addresses of public resolvers, announced for many years.
func defaultCanaries() []netip.Addr {
	return []netip.Addr{
		netip.MustParseAddr("1.1.1.1"), netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("9.9.9.9"),
		netip.MustParseAddr("2001:4860:4860::8888"), netip.MustParseAddr("2606:4700:4700::1111"),
	}
}

func (o Options) withDefaults() Options {
	if len(o.Canaries) == 0 {
		o.Canaries = defaultCanaries()
	}
	o.MaxBytes = cmp.Or(o.MaxBytes, 2<<30)
	return o
}

// minShare is the smallest part of the old search tree, in percent, that a new
// database may have.
const minShare = 50

// Set is several databases, reloaded while others read. Use New.
type Set struct {
	options Options
	view    atomic.Pointer[View]

	mu    sync.Mutex // one reload at a time
	files []*file
}

// file is one path and what came of it.
type file struct {
	path string
	seen fs.FileInfo // of the last attempt
	db   *database
	at   time.Time
	err  error
}

// Status is the state of one file of a set.
type Status struct {
	Path string
	// Info describes the database in use; its Name is "" when there is none.
	Info netclass.Info
	// Type is the database's own word for its kind.
	Type string
	// Built is when the vendor built the database in use.
	Built time.Time
	// Loaded is when it was taken into use.
	Loaded time.Time
	// Err is why the file that is there now was refused, nil if it is in use.
	Err error
}

// New returns a set over files, which may be missing as yet. Their order is that
// of precedence. Reload reads them.
func New(o Options, paths ...string) *Set {
	s := &Set{options: o.withDefaults()}
	for _, p := range paths {
		s.files = append(s.files, &file{path: p})
	}
	s.view.Store(&View{})
	return s
}

// View returns the databases as they are now. A view stays as it is, whatever is
// reloaded; it holds its databases until nobody holds it.
func (s *Set) View() *View { return s.view.Load() }

// Reload takes over the files that changed since the last call, and returns the
// state of all. Readers are never kept waiting.
func (s *Set) Reload() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := false
	for _, f := range s.files {
		changed = s.reload(f) || changed
	}
	if changed {
		v := &View{}
		for _, f := range s.files {
			if f.db != nil {
				v.databases = append(v.databases, f.db)
			}
		}
		s.view.Store(v)
	}
	return s.status()
}

// Status returns the state of all files.
func (s *Set) Status() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status()
}

func (s *Set) status() []Status {
	out := make([]Status, 0, len(s.files))
	for _, f := range s.files {
		st := Status{Path: f.path, Loaded: f.at, Err: f.err}
		if f.db != nil {
			st.Info, st.Type, st.Built = f.db.info, f.db.kind, f.db.built
		}
		out = append(out, st)
	}
	return out
}

// reload reports whether another database is in use than before.
func (s *Set) reload(f *file) bool {
	now, err := os.Stat(f.path)
	if err != nil {
		f.seen, f.err = nil, err
		return false
	}
	if f.seen != nil && os.SameFile(f.seen, now) && f.seen.ModTime().Equal(now.ModTime()) && f.seen.Size() == now.Size() {
		return false
	}
	f.seen = now
	db, err := load(f.path, s.options)
	if err == nil && f.db != nil {
		err = db.succeeds(f.db, s.options.Canaries)
	}
	if err != nil {
		f.err = fmt.Errorf("%s: %w", filepath.Base(f.path), err)
		return false
	}
	f.err = nil
	if f.db != nil && f.db.info.Digest == db.info.Digest {
		return false
	}
	f.db, f.at = db, time.Now()
	return true
}

// Check verifies a file as a set would, and describes it. If replaces is not "",
// the file must be fit to take the place of that one.
func Check(path, replaces string, o Options) (netclass.Info, error) {
	o = o.withDefaults()
	db, err := load(path, o)
	if err != nil {
		return netclass.Info{}, err
	}
	if replaces != "" {
		// What cannot be read is no measure of what follows it.
		if old, err := load(replaces, o); err == nil {
			if err := db.succeeds(old, o.Canaries); err != nil {
				return netclass.Info{}, err
			}
		}
	}
	return db.info, nil
}

// database is one verified database. It is never closed: the last reader's view
// going away unmaps it.
type database struct {
	reader *maxminddb.Reader
	info   netclass.Info
	kind   string
	built  time.Time
	decode decodeFunc
}

// load copies, opens and verifies a file.
func load(path string, o Options) (*database, error) {
	reader, digest, err := open(path, o)
	if err != nil {
		return nil, err
	}
	// Opening looks at the last few hundred bytes; only this reads every record.
	if err := reader.Verify(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	meta := reader.Metadata
	db := &database{
		reader: reader, kind: meta.DatabaseType, built: meta.BuildTime().UTC(), decode: decoderOf(meta.DatabaseType),
	}
	db.info = netclass.Info{
		Name: "mmdb-" + netclass.Word(meta.DatabaseType), Title: netclass.Word(meta.DatabaseType),
		Licence: "the operator's own copy", Attribution: netclass.Word(meta.Description["en"]),
		Date: db.built.Format(time.DateOnly), Digest: digest, Entries: int(meta.NodeCount),
	}
	for _, a := range o.Canaries {
		if _, err := db.record(a); err != nil {
			return nil, fmt.Errorf("%w: %s does not decode: %w", ErrBroken, a, err)
		}
	}
	return db, nil
}

// open maps a private copy of a file into memory.
func open(path string, o Options) (*maxminddb.Reader, string, error) {
	from, err := os.Open(path)
	if err != nil {
		return nil, "", err
	}
	defer from.Close()
	copied, err := os.CreateTemp(o.Scratch, ".mmdb-*")
	if err != nil {
		return nil, "", err
	}
	// The copy lives on without a name for as long as it is mapped.
	defer os.Remove(copied.Name())
	defer copied.Close()
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(copied, hash), io.LimitReader(from, o.MaxBytes+1))
	if err != nil {
		return nil, "", err
	}
	if n > o.MaxBytes {
		return nil, "", ErrTooLarge
	}
	reader, err := maxminddb.Open(copied.Name())
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrNotDatabase, err)
	}
	return reader, hex.EncodeToString(hash.Sum(nil)), nil
}

// succeeds says why a database may not take the place of another.
func (d *database) succeeds(old *database, canaries []netip.Addr) error {
	switch {
	case d.kind != old.kind:
		return fmt.Errorf("%w: %q, not %q", ErrOtherKind, netclass.Word(d.kind), netclass.Word(old.kind))
	case d.built.Before(old.built):
		return fmt.Errorf("%w: built %s, not %s", ErrOlder, d.built.Format(time.RFC3339), old.built.Format(time.RFC3339))
	case d.info.Entries*100 < old.info.Entries*minShare:
		return fmt.Errorf("%w: %d nodes, not %d", ErrShrunken, d.info.Entries, old.info.Entries)
	}
	known, kept := 0, 0
	for _, a := range canaries {
		if had, err := old.record(a); err != nil || had.empty() {
			continue
		}
		known++
		if has, err := d.record(a); err == nil && !has.empty() {
			kept++
		}
	}
	// One of them may have moved; most have not.
	if kept*2 < known {
		return fmt.Errorf("%w: %d of %d canary addresses", ErrForgetful, kept, known)
	}
	return nil
}

func (d *database) record(a netip.Addr) (Record, error) {
	var r Record
	err := d.add(&r, a.Unmap().WithZone(""))
	return r, err
}

// add fills in what the database knows and the record does not hold yet.
func (d *database) add(r *Record, a netip.Addr) error {
	// The mapping goes when the reader is collected, even in the middle of this.
	defer runtime.KeepAlive(d.reader)
	if a.Is6() && d.reader.Metadata.IPVersion == 4 {
		return nil
	}
	found := d.reader.Lookup(a)
	if err := found.Err(); err != nil {
		return err
	}
	if !found.Found() {
		return nil
	}
	return d.decode(found, r, source{&d.info, found.Prefix()})
}

// View is an immutable state of a set. The zero value knows nothing.
type View struct{ databases []*database }

// Join returns a view of the databases of several, in order.
func Join(views ...*View) *View {
	all := &View{}
	for _, v := range views {
		all.databases = append(all.databases, v.databases...)
	}
	return all
}

// Lookup returns what the databases know of an address; of two that fill the
// same field the first counts. With an error the record holds what the other
// databases know.
func (v *View) Lookup(a netip.Addr) (Record, error) {
	a = a.Unmap().WithZone("")
	var r Record
	if !a.IsValid() {
		return r, nil
	}
	var errs []error
	for _, d := range v.databases {
		if err := d.add(&r, a); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", d.info.Name, err))
		}
	}
	return r, errors.Join(errs...)
}

// Lists describes the databases.
func (v *View) Lists() []netclass.Info {
	out := make([]netclass.Info, 0, len(v.databases))
	for _, d := range v.databases {
		out = append(out, d.info)
	}
	return out
}

// Version implements netclass.Router and netclass.Marker.
func (v *View) Version() string {
	names := make([]string, 0, len(v.databases))
	for _, d := range v.databases {
		names = append(names, d.info.Name+" "+d.info.Digest)
	}
	return strings.Join(names, ", ")
}
