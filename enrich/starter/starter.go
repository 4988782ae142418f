// Package starter holds the data with which the program knows addresses on its
// first run, with no account and no network: which network announces them, and
// the ranges and names of the lists in package netclass that their publishers
// let everybody pass on.
//
// It knows its own file format, and whose data they are, of what day and under
// what licence. It must not know what follows from them. The files under data
// are written by the program in generate and by nothing else; an operator's own
// databases and feeds come before them.
package starter

import (
	_ "embed" // the data are part of the program
	"errors"
	"sync"

	"github.com/elsewhere-project/elsewhere/enrich/netclass"
)

//go:embed data/asn.zst
var asnFile []byte

//go:embed data/feeds.zst
var feedsFile []byte

// Data are the starter data in memory, immutable and for concurrent use.
type Data struct {
	ASNs  *ASNs
	Feeds []*netclass.Feed
}

// Load decompresses the starter data, which takes some 20 MB and most of a
// tenth of a second: call it once.
func Load() (*Data, error) {
	var d Data
	var asnsErr, feedsErr error
	var both sync.WaitGroup
	both.Go(func() { d.ASNs, asnsErr = decodeASNs(asnFile) })
	both.Go(func() { d.Feeds, feedsErr = decodeFeeds(feedsFile) })
	both.Wait()
	if err := errors.Join(asnsErr, feedsErr); err != nil {
		return nil, err
	}
	return &d, nil
}

// Lists describes all of the data, with licence, attribution and day.
func (d *Data) Lists() []netclass.Info {
	out := []netclass.Info{d.ASNs.info}
	for _, f := range d.Feeds {
		out = append(out, f.Info())
	}
	return out
}
