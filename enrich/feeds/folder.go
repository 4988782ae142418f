// Package feeds keeps files of lists and databases in a folder: it fetches them,
// lets in only what is whole and sane, and can go back to what was there before.
//
// It knows files, addresses to fetch from and the state of each feed. It must
// not know what lists mean; netclass and mmdb read and judge them.
//
// A feed NAME is a file NAME.DIGEST, which is never written again once it has
// that name, and NAME.json, which says which such file is current and which was
// before. Replacing NAME.json is the one step in which a feed changes.
package feeds

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/elsewhere-project/elsewhere/enrich/mmdb"
	"github.com/elsewhere-project/elsewhere/enrich/netclass"
)

// Refusals of a file.
var (
	ErrShrunken   = errors.New("many entries fewer than in the one in use")
	ErrOlder      = errors.New("older than the one in use")
	ErrUnknown    = errors.New("no such feed")
	ErrNoPrevious = errors.New("there is no version before")
	ErrChanged    = errors.New("the file is not the one that was let in")
	ErrStrange    = errors.New("there are files, and none of them was let in by elsewhere data update")
	ErrBusy       = errors.New("another process changes the folder")
)

// Options of a folder. The zero value is good.
type Options struct {
	// Client fetches. nil is a client with timeouts of its own.
	Client *http.Client
	// Timeout bounds the fetching of one file; 0 is five minutes.
	Timeout time.Duration
}

// Folder is a folder of feeds. One process at a time may change it; others may
// read it meanwhile.
type Folder struct {
	dir     string
	options Options
}

// Open returns a folder and makes it where it is missing.
func Open(dir string, o Options) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	if o.Client == nil {
		o.Client = newClient()
	}
	o.Timeout = cmp.Or(o.Timeout, 5*time.Minute)
	return &Folder{dir, o}, nil
}

// version is one file of a feed.
type version struct {
	File    string        `json:"file"`
	Info    netclass.Info `json:"info"`
	Fetched time.Time     `json:"fetched"`
	From    string        `json:"from"`
}

// state is what NAME.json holds.
type state struct {
	Current  version  `json:"current"`
	Previous *version `json:"previous,omitempty"`
	// Checked is when the publisher was last asked.
	Checked time.Time `json:"checked"`
	// ETag and Modified are the publisher's, for the current version.
	ETag     string `json:"etag,omitempty"`
	Modified string `json:"modified,omitempty"`
}

const stateSuffix = ".json"

// Status is one feed of a folder.
type Status struct {
	// Info says name, licence, attribution, date and entries.
	netclass.Info
	// Fetched is when the current version came, Checked when its publisher was
	// last asked for a newer one.
	Fetched, Checked time.Time
	// From is where the current version came from.
	From string
	// Age is the time since the date of the data, or since they were fetched
	// where they have none.
	Age time.Duration
	// CanRollBack says that there is a version before.
	CanRollBack bool
	// Err is why the feed cannot be used, or why an older version is used.
	Err error
}

// List returns the feeds in the order of their names.
func (f *Folder) List() ([]Status, error) {
	names, err := f.names()
	if err != nil {
		return nil, err
	}
	out := make([]Status, 0, len(names))
	for _, name := range names {
		s, err := f.read(name)
		out = append(out, status(name, s, err))
	}
	return out, nil
}

func status(name string, s state, err error) Status {
	out := Status{
		Info: s.Current.Info, Fetched: s.Current.Fetched, Checked: s.Checked, From: s.Current.From,
		CanRollBack: s.Previous != nil, Err: err,
	}
	out.Name = name
	since := out.Time()
	if since.IsZero() {
		since = out.Fetched
	}
	if !since.IsZero() {
		out.Age = max(0, time.Since(since))
	}
	return out
}

// Verify reads every file again: each must be the one that was let in and must
// still be good. The statuses say which are not.
func (f *Folder) Verify() ([]Status, error) {
	all, err := f.List()
	if err != nil {
		return nil, err
	}
	for i, st := range all {
		if st.Err != nil {
			continue
		}
		s, err := f.read(st.Name)
		if err == nil {
			err = f.check(s.Current)
		}
		all[i].Err = err
	}
	return all, nil
}

// Contents is what a folder holds, read.
type Contents struct {
	Feeds []*netclass.Feed
	// Databases are the paths of files for mmdb.New, in the order of their names.
	Databases []string
	// Statuses are of all feeds; Err says which could not be read.
	Statuses []Status
}

// Load reads all feeds. Where the current file is damaged the version before is
// taken, and the status says so.
func (f *Folder) Load() (Contents, error) {
	names, err := f.names()
	if err != nil {
		return Contents{}, err
	}
	var c Contents
	for _, name := range names {
		s, err := f.read(name)
		if err == nil {
			if err = f.add(&c, s.Current); err != nil && s.Previous != nil {
				if f.add(&c, *s.Previous) == nil {
					err = fmt.Errorf("the version before is in use: %w", err)
					s.Current = *s.Previous
				}
			}
		}
		c.Statuses = append(c.Statuses, status(name, s, err))
	}
	return c, nil
}

func (f *Folder) add(c *Contents, v version) error {
	if isDatabase(v.Info.Name) {
		if err := f.check(v); err != nil {
			return err
		}
		c.Databases = append(c.Databases, f.path(v.File))
		return nil
	}
	feed, err := f.parse(v)
	if err != nil {
		return err
	}
	c.Feeds = append(c.Feeds, feed)
	return nil
}

func (f *Folder) check(v version) error {
	if isDatabase(v.Info.Name) {
		info, err := mmdb.Check(f.path(v.File), "", mmdb.Options{Scratch: f.dir})
		if err == nil && info.Digest != v.Info.Digest {
			err = ErrChanged
		}
		return err
	}
	_, err := f.parse(v)
	return err
}

func (f *Folder) parse(v version) (*netclass.Feed, error) {
	spec, ok := netclass.Lookup(v.Info.Name)
	if !ok {
		return nil, ErrUnknown
	}
	// The day that was told by hand, or by the file's own date, is kept.
	spec.Date = v.Info.Date
	file, err := os.Open(f.path(v.File))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	feed, err := netclass.Parse(spec, file)
	if err != nil {
		return nil, err
	}
	if feed.Info().Digest != v.Info.Digest {
		return nil, ErrChanged
	}
	return feed, nil
}

// Rollback makes the version before the current one, and the current one the
// version before.
func (f *Folder) Rollback(name string) (Status, error) {
	unlock, err := f.lock()
	if err != nil {
		return Status{}, err
	}
	defer unlock()
	s, err := f.read(name)
	if err != nil {
		return Status{}, err
	}
	if s.Previous == nil {
		return Status{}, fmt.Errorf("%s: %w", name, ErrNoPrevious)
	}
	if err := f.check(*s.Previous); err != nil {
		return Status{}, fmt.Errorf("%s: the version before: %w", name, err)
	}
	current := s.Current
	s.Current, s.Previous = *s.Previous, &current
	s.ETag, s.Modified = "", ""
	return status(name, s, nil), f.write(name, s)
}

// DatabasePrefix begins the names of databases.
const DatabasePrefix = "mmdb-"

func isDatabase(name string) bool { return strings.HasPrefix(name, DatabasePrefix) }

func (f *Folder) names() ([]string, error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), stateSuffix); ok && !strings.HasPrefix(name, ".") && e.Type().IsRegular() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Strange returns ErrStrange for a folder with files that is none of feeds.
func (f *Folder) Strange() error {
	names, err := f.names()
	if err != nil || len(names) > 0 {
		return err
	}
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(entries, func(e os.DirEntry) bool { return !strings.HasPrefix(e.Name(), ".") }) {
		return ErrStrange
	}
	return nil
}

// lockName is the file that is there while a process changes the folder.
const lockName = ".lock"

// lock keeps other processes from changing the folder until unlock. A lock that has
// not been touched for an hour is of a process that is gone.
func (f *Folder) lock() (unlock func(), err error) {
	path := f.path(lockName)
	if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) > staleAfter {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("%w; if there is none, remove %s", ErrBusy, path)
	}
	if err != nil {
		return nil, err
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	// One that stays is taken for stale after a while.
	return func() { _ = os.Remove(path) }, nil
}

// staleAfter is when what an update left is of one that was cut short.
const staleAfter = time.Hour

func (f *Folder) path(name string) string { return filepath.Join(f.dir, filepath.Base(name)) }

// maxState bounds a state file in bytes.
const maxState = 1 << 16

func (f *Folder) read(name string) (state, error) {
	if !netclass.ValidName(name) {
		return state{}, fmt.Errorf("%q: %w", netclass.Word(name), ErrUnknown)
	}
	file, err := os.Open(f.path(name + stateSuffix))
	if errors.Is(err, os.ErrNotExist) {
		return state{}, fmt.Errorf("%s: %w", name, ErrUnknown)
	}
	if err != nil {
		return state{}, err
	}
	defer file.Close()
	var s state
	if err := json.NewDecoder(io.LimitReader(file, maxState)).Decode(&s); err != nil {
		return state{}, fmt.Errorf("%s: %s.json in the folder cannot be read; remove it and update the list again: %w", name, name, err)
	}
	return s, nil
}

// write replaces the state of a feed, and drops files that it does not name.
func (f *Folder) write(name string, s state) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(f.dir, ".state-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // gone already when all went well
	_, err = temp.Write(b)
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp.Name(), f.path(name+stateSuffix)); err != nil {
		return err
	}
	if err := syncDir(f.dir); err != nil {
		return err
	}
	return f.drop(name, s)
}

func (f *Folder) drop(name string, s state) error {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		digest, ok := strings.CutPrefix(e.Name(), name+".")
		// A feed may be named like the beginning of another.
		if !ok || len(digest) != digestLetters || e.Name() == s.Current.File || s.Previous != nil && e.Name() == s.Previous.File {
			continue
		}
		errs = append(errs, os.Remove(f.path(e.Name())))
	}
	return errors.Join(errs...)
}

// digestLetters are how many letters of the digest a file name carries.
const digestLetters = 16

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
