// Package local puts together all that the program knows about values without
// asking anybody: the starter data, the operator's folder of feeds and his
// databases.
//
// It knows which of them come first, and exchanges them while others read. It
// must not know what a class is worth.
package local

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/elsewhere-project/elsewhere/enrich"
	"github.com/elsewhere-project/elsewhere/enrich/feeds"
	"github.com/elsewhere-project/elsewhere/enrich/mmdb"
	"github.com/elsewhere-project/elsewhere/enrich/netclass"
	"github.com/elsewhere-project/elsewhere/enrich/starter"
)

// Options of the local data. The zero value is the starter data alone.
type Options struct {
	// Folder is the folder of feeds, nil for none.
	Folder *feeds.Folder
	// Databases are paths of the operator's own databases, in the order of their
	// precedence; they come before those of the folder.
	Databases []string
	// Scratch is where databases are copied to (mmdb.Options).
	Scratch string
}

// Data are the local data. Use Open.
type Data struct {
	options Options
	starter *starter.Data
	own     *mmdb.Set

	mu      sync.Mutex // one reload at a time
	paths   []string   // of the folder's databases
	kept    *mmdb.Set  // of the folder's databases
	current atomic.Pointer[state]
	good    map[string]*netclass.Feed // of the folder, as they were read last
}

// state is what readers see.
type state struct {
	table *netclass.Table
	view  *mmdb.View
	lists []netclass.Info
	// unreadable says that a list of the folder is missing here.
	unreadable bool
}

// Open loads the starter data and whatever else there is. A feed or database
// that cannot be used is no error; the report says so.
func Open(o Options) (*Data, Report, error) {
	s, err := starter.Load()
	if err != nil {
		return nil, Report{}, err
	}
	d := &Data{options: o, starter: s, own: mmdb.New(mmdb.Options{Scratch: o.Scratch}, o.Databases...)}
	report, err := d.Reload()
	return d, report, err
}

// Report says what a reload found.
type Report struct {
	// Changed says that classes may have changed: Table has another version.
	Changed bool
	// Feeds are those of the folder, Databases the operator's own and then the
	// folder's; Err of each says why it, or its newest version, is not in use.
	Feeds     []feeds.Status
	Databases []mmdb.Status
}

// Reload reads the folder and the databases that changed again. With an error
// everything stays as it was.
func (d *Data) Reload() (Report, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var contents feeds.Contents
	if d.options.Folder != nil {
		var err error
		if contents, err = d.options.Folder.Load(); err != nil {
			return Report{}, fmt.Errorf("reading the folder of feeds: %w", err)
		}
	}
	report := Report{Feeds: contents.Statuses, Databases: d.own.Reload()}
	if d.kept == nil || !slices.Equal(d.paths, contents.Databases) {
		d.kept = mmdb.New(mmdb.Options{Scratch: d.options.Scratch}, contents.Databases...)
		d.paths = contents.Databases
	}
	report.Databases = append(report.Databases, d.kept.Reload()...)

	unreadable := d.keepGood(&contents)

	view := mmdb.Join(d.own.View(), d.kept.View())
	next := &state{
		table: netclass.New(netclass.Data{
			Feeds:  slices.Concat(contents.Feeds, d.starter.Feeds),
			Routes: []netclass.Router{view, d.starter.ASNs},
			Marks:  []netclass.Marker{view},
		}),
		view:       view,
		unreadable: unreadable,
	}
	next.lists = slices.Concat(view.Lists(), []netclass.Info{d.starter.ASNs.Info()}, next.table.Lists())
	before := d.current.Swap(next)
	report.Changed = before == nil || before.table.Version() != next.table.Version()
	return report, nil
}

// keepGood puts lists that could be read before in the place of those that cannot
// be read now, and reports whether one is left without.
func (d *Data) keepGood(c *feeds.Contents) (unreadable bool) {
	good := make(map[string]*netclass.Feed)
	for _, f := range c.Feeds {
		good[f.Info().Name] = f
	}
	for _, s := range c.Statuses {
		if s.Err == nil || good[s.Name] != nil || strings.HasPrefix(s.Name, feeds.DatabasePrefix) {
			continue
		}
		last := d.good[s.Name]
		if last == nil {
			unreadable = true
			continue
		}
		good[s.Name] = last
		c.Feeds = append(c.Feeds, last)
	}
	d.good = good
	return unreadable
}

// Unreadable reports whether a list of the folder cannot be read and never could:
// it may be the one that says what must not be sent anywhere.
func (d *Data) Unreadable() bool { return d.current.Load().unreadable }

// Table returns the lists as they are now.
func (d *Data) Table() *netclass.Table { return d.current.Load().table }

// View returns the databases as they are now.
func (d *Data) View() *mmdb.View { return d.current.Load().view }

// Lists describes all data in use, with licence, attribution and date, in the
// order of their precedence.
func (d *Data) Lists() []netclass.Info { return slices.Clone(d.current.Load().lists) }

// PublicSources are Sources for those who may not know who the tenants are.
func (d *Data) PublicSources() []enrich.Source {
	return []enrich.Source{netclass.NewPublicSource(d.Table), mmdb.NewSource(d.View)}
}

// Sources returns the local data as sources of records. They follow reloads.
func (d *Data) Sources() []enrich.Source {
	return []enrich.Source{netclass.NewSource(d.Table), mmdb.NewSource(d.View)}
}
