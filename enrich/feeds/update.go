package feeds

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/elsewhere-project/elsewhere/enrich/mmdb"
	"github.com/elsewhere-project/elsewhere/enrich/netclass"
)

// Request says what to update.
type Request struct {
	// Names are the feeds to update. None means, from publishers, all that the
	// program knows an address of and those in the folder; from elsewhere, all
	// that are found there.
	Names []string
	// From is an http(s) URL or a file of one feed, or a folder of files; "" is
	// each publisher's own address.
	From string
	// Force lets in a list that is older or shorter than the one in use. It never
	// lets in one that is broken.
	Force bool
	// Progress is called now and then from the calling goroutine; nil is allowed.
	Progress func(Progress)
}

// Progress is how far the update of one feed is.
type Progress struct {
	Name string
	// Done and Total are bytes; Total is 0 where it is not known.
	Done, Total int64
}

// Outcome says what came of one feed.
type Outcome uint8

// The outcomes.
const (
	// Refused: the file was not let in, or did not come; Err says why. What was
	// there before stays.
	Refused Outcome = iota
	// Unchanged: the publisher has nothing new.
	Unchanged
	// Updated: the new version is in use.
	Updated
)

// String returns the outcome for people.
func (o Outcome) String() string {
	switch o {
	case Unchanged:
		return "unchanged"
	case Updated:
		return "updated"
	}
	return "refused"
}

// Result is the outcome for one feed.
type Result struct {
	Name    string
	Outcome Outcome
	// Info describes the version in use afterwards, where there is one.
	Info netclass.Info
	Err  error
}

// Update brings feeds up to date and reports on each. An error means that
// nothing could be tried; a feed that is refused does not keep back the others.
func (f *Folder) Update(ctx context.Context, r Request) ([]Result, error) {
	jobs, err := f.jobs(r)
	if err != nil {
		return nil, err
	}
	if len(jobs) == 0 {
		return nil, fmt.Errorf("%s holds no file of a known feed", r.From)
	}
	unlock, err := f.lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := f.sweep(); err != nil {
		return nil, err
	}
	results := make([]Result, 0, len(jobs))
	for _, j := range jobs {
		if err := ctx.Err(); err != nil {
			return results, err
		}
		results = append(results, f.update(ctx, r, j))
		// So that nobody takes a long update for one that is gone.
		now := time.Now()
		_ = os.Chtimes(f.path(lockName), now, now)
	}
	return results, nil
}

// sweep removes what an update left that was cut short long ago.
func (f *Folder) sweep() error {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		ours := slices.ContainsFunc([]string{".new-", ".state-", ".mmdb-"}, func(p string) bool { return strings.HasPrefix(e.Name(), p) })
		if !ours {
			continue
		}
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > staleAfter {
			if err := os.Remove(f.path(e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// job is one feed and where it comes from.
type job struct {
	name string
	spec netclass.Spec // zero for databases
	from string        // URL or path
}

func (f *Folder) jobs(r Request) ([]job, error) {
	if r.From == "" {
		return f.publishers(r.Names)
	}
	if isURL(r.From) {
		u, err := url.Parse(r.From)
		if err != nil {
			return nil, errors.New("not a URL")
		}
		j, err := named(r.Names, r.From, u.Path, nil)
		return []job{j}, err
	}
	info, err := os.Stat(r.From)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return folderJobs(r.From, r.Names)
	}
	head, err := readHead(r.From)
	if err != nil {
		return nil, err
	}
	j, err := named(r.Names, r.From, filepath.ToSlash(r.From), head)
	return []job{j}, err
}

func isURL(s string) bool { return strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://") }

// publishers returns the feeds that can be fetched from their own addresses.
func (f *Folder) publishers(names []string) ([]job, error) {
	asked := len(names) > 0
	if !asked {
		for _, s := range netclass.Known() {
			names = append(names, s.Name)
		}
		held, err := f.names()
		if err != nil {
			return nil, err
		}
		names = append(names, held...)
	}
	var jobs []job
	for _, name := range names {
		spec, ok := netclass.Lookup(name)
		switch {
		case slices.ContainsFunc(jobs, func(j job) bool { return j.name == name }):
		case ok && spec.URL != "":
			jobs = append(jobs, job{name: name, spec: spec, from: spec.URL})
		case asked && ok:
			return nil, fmt.Errorf("%s: its publisher has no lasting address: give a file", name)
		case asked:
			return nil, fmt.Errorf("%q: %w", netclass.Word(name), ErrUnknown)
		}
	}
	return jobs, nil
}

// named makes the job of one file, which may be told by its name.
func named(names []string, from, file string, head []byte) (job, error) {
	if len(names) > 1 {
		return job{}, fmt.Errorf("one file is of one feed, not of %d", len(names))
	}
	j := job{from: from}
	if len(names) == 1 {
		spec, ok := netclass.Lookup(names[0])
		if !ok && !(isDatabase(names[0]) && netclass.ValidName(names[0])) {
			return job{}, fmt.Errorf("%q: %w", netclass.Word(names[0]), ErrUnknown)
		}
		j.name, j.spec = names[0], spec
		return j, nil
	}
	if j.name = databaseName(file); j.name != "" {
		return j, nil
	}
	spec, ok := netclass.Recognise(file, head)
	if !ok {
		return job{}, fmt.Errorf("%s is not the usual name of a known feed: name the feed", path.Base(file))
	}
	j.name, j.spec = spec.Name, spec
	return j, nil
}

// databaseName returns the feed of a database file, "" for others.
func databaseName(file string) string {
	base, ok := strings.CutSuffix(path.Base(file), ".mmdb")
	if name := DatabasePrefix + base; ok && netclass.ValidName(name) {
		return name
	}
	return ""
}

// folderJobs finds the files of known feeds below a folder.
func folderJobs(dir string, names []string) ([]job, error) {
	var jobs []job
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		head, err := readHead(file)
		if err != nil {
			return err
		}
		j, err := named(nil, file, filepath.ToSlash(file), head)
		if err != nil || len(names) > 0 && !slices.Contains(names, j.name) {
			return nil // other files may lie there too
		}
		if slices.ContainsFunc(jobs, func(other job) bool { return other.name == j.name }) {
			return fmt.Errorf("%s: two files are of the feed %s", filepath.Base(file), j.name)
		}
		jobs = append(jobs, j)
		return nil
	})
	for _, name := range names {
		if !slices.ContainsFunc(jobs, func(j job) bool { return j.name == name }) {
			err = errors.Join(err, fmt.Errorf("%s: no file of it is in the folder", netclass.Word(name)))
		}
	}
	return jobs, err
}

func readHead(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head, _ := bufio.NewReader(f).Peek(4096) // as much as there is
	return head, nil
}

func (f *Folder) update(ctx context.Context, r Request, j job) Result {
	s, err := f.read(j.name)
	if err != nil && !errors.Is(err, ErrUnknown) {
		return Result{j.name, Refused, netclass.Info{}, err}
	}
	held := err == nil
	refuse := func(err error) Result { return Result{j.name, Refused, s.Current.Info, err} }
	ctx, cancel := context.WithTimeout(ctx, f.options.Timeout)
	defer cancel()
	temp, err := os.CreateTemp(f.dir, ".new-*")
	if err != nil {
		return refuse(err)
	}
	defer os.Remove(temp.Name()) // gone already when all went well
	defer temp.Close()
	got, err := f.fetch(ctx, temp, j, s, r.Progress)
	if err != nil {
		return refuse(err)
	}
	now := time.Now().UTC()
	s.Checked = now
	same := held && got.digest == s.Current.Info.Digest
	if got.unchanged || same && f.intact(s.Current) {
		if err := f.write(j.name, s); err != nil {
			return refuse(err)
		}
		return Result{j.name, Unchanged, s.Current.Info, nil}
	}
	info, err := f.judge(temp, j, got, s, held, r.Force)
	if err != nil {
		return refuse(err)
	}
	next := version{File: j.name + "." + got.digest[:digestLetters], Info: info, Fetched: now, From: got.from}
	if err := errors.Join(temp.Sync(), os.Rename(temp.Name(), f.path(next.File))); err != nil {
		return refuse(err)
	}
	if held && !same {
		before := s.Current
		s.Previous = &before
	}
	old := s.Current.Info
	s.Current, s.ETag, s.Modified = next, got.etag, got.modified
	if err := f.write(j.name, s); err != nil {
		return Result{j.name, Refused, old, err}
	}
	return Result{j.name, Updated, info, nil}
}

// minShare is the smallest part of the entries in use, in percent, that a new
// version may have: a file that was cut off, or that a publisher emptied by
// mistake, is far below.
const minShare = 70

// judge reads a fetched file and compares it with what is in use.
func (f *Folder) judge(temp *os.File, j job, got fetched, s state, held, force bool) (netclass.Info, error) {
	if isDatabase(j.name) {
		replaces := ""
		if held && !force {
			replaces = f.path(s.Current.File)
		}
		info, err := mmdb.Check(temp.Name(), replaces, mmdb.Options{Scratch: f.dir})
		info.Name = j.name
		return info, err
	}
	if _, err := temp.Seek(0, io.SeekStart); err != nil {
		return netclass.Info{}, err
	}
	spec := j.spec
	spec.Date = cmp.Or(spec.Date, got.date)
	feed, err := netclass.Parse(spec, temp)
	if err != nil {
		return netclass.Info{}, err
	}
	info := feed.Info()
	if !held || force {
		return info, nil
	}
	old := s.Current.Info
	if info.Entries*100 < old.Entries*minShare {
		return info, fmt.Errorf("%s: %w: %d, not %d", j.name, ErrShrunken, info.Entries, old.Entries)
	}
	if info.Date != "" && old.Date != "" && info.Time().Before(old.Time()) {
		return info, fmt.Errorf("%s: %w: of %s, not %s", j.name, ErrOlder, info.Date, old.Date)
	}
	return info, nil
}

// fetched is what is known of a file beside its contents.
type fetched struct {
	unchanged      bool
	digest         string
	from           string // without what could be a secret
	date           string
	etag, modified string
}

// fetch copies a file from wherever it is.
func (f *Folder) fetch(ctx context.Context, to io.Writer, j job, s state, progress func(Progress)) (fetched, error) {
	limit := j.spec.MaxBytes
	if isDatabase(j.name) {
		limit = maxDatabase
	}
	hash := sha256.New()
	out := &counter{w: io.MultiWriter(to, hash), name: j.name, progress: progress, left: limit}
	var got fetched
	var err error
	if isURL(j.from) {
		got, err = f.download(ctx, out, j, s)
	} else {
		got, err = copyFile(ctx, out, j.from)
	}
	got.digest = hex.EncodeToString(hash.Sum(nil))
	return got, err
}

// maxDatabase bounds a database in bytes.
const maxDatabase = 2 << 30

func copyFile(ctx context.Context, out *counter, file string) (fetched, error) {
	in, err := os.Open(file)
	if err != nil {
		return fetched{}, err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return fetched{}, err
	}
	out.total = info.Size()
	_, err = io.Copy(out, reader{ctx, in})
	return fetched{from: file, date: dateInName(filepath.Base(file))}, err
}

// dateInName finds the day in a name such as ServiceTags_Public_20260810.json.
func dateInName(base string) string {
	const layout = "20060102"
	for i := 0; i+len(layout) <= len(base); i++ {
		if t, err := time.Parse(layout, base[i:i+len(layout)]); err == nil && t.Year() > 2000 && t.Year() < 2100 {
			return t.Format(time.DateOnly)
		}
	}
	return ""
}

// reader ends with its context.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// counter bounds what is written, and reports it.
type counter struct {
	w                 io.Writer
	name              string
	progress          func(Progress)
	done, total, left int64
	told              int64
}

// tellEvery is how many bytes pass between two reports.
const tellEvery = 1 << 20

func (c *counter) Write(p []byte) (int, error) {
	if int64(len(p)) > c.left {
		return 0, netclass.ErrTooLarge
	}
	n, err := c.w.Write(p)
	c.left -= int64(n)
	c.done += int64(n)
	if c.progress != nil && (c.done-c.told >= tellEvery || c.done == c.total) {
		c.told = c.done
		c.progress(Progress{c.name, c.done, c.total})
	}
	return n, err
}
