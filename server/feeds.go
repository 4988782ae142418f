package server

import (
	"context"
	"net/url"
	"path/filepath"

	"github.com/elsewhere-project/elsewhere/enrich/feeds"
	"github.com/elsewhere-project/elsewhere/enrich/mmdb"
	"github.com/elsewhere-project/elsewhere/enrich/netclass"
	"github.com/elsewhere-project/elsewhere/server/rpc"
)

// builtIn is the origin of what is part of the program.
const builtIn = "built in"

// Feeds implements rpc.Feeds: what is in use, then what cannot be used, then who
// may be asked.
func (e *enrichment) Feeds(context.Context) ([]rpc.Feed, error) {
	report := e.report.Load()
	used := make(map[int]bool)     // of report.Feeds
	database := make(map[int]bool) // of report.Databases
	var out []rpc.Feed
	for _, info := range e.data.Lists() {
		feed := feedOf(info)
		for i, s := range report.Feeds {
			if s.Name == info.Name && s.Digest == info.Digest {
				used[i] = true
				describeKept(&feed, s)
			}
		}
		for i, s := range report.Databases {
			if s.Info.Name == info.Name && s.Info.Digest == info.Digest {
				database[i] = true
				describeDatabase(&feed, s)
			}
		}
		out = append(out, feed)
	}
	for i, s := range report.Feeds {
		if s.Err != nil && !used[i] {
			feed := feedOf(s.Info)
			describeKept(&feed, s)
			feed.Status = rpc.FeedUnusable
			out = append(out, feed)
		}
	}
	for i, s := range report.Databases {
		if s.Err != nil && !database[i] {
			feed := feedOf(s.Info)
			feed.Name = filepath.Base(s.Path)
			describeDatabase(&feed, s)
			feed.Status = rpc.FeedUnusable
			out = append(out, feed)
		}
	}
	return append(out, e.abuseIPDB()), nil
}

func feedOf(i netclass.Info) rpc.Feed {
	return rpc.Feed{
		Kind: rpc.FeedList, Status: rpc.FeedInUse, Name: i.Name, Title: i.Title,
		Licence: i.Licence, Attribution: i.Attribution, URL: i.URL, Date: i.Date, Entries: i.Entries,
		Digest: i.Digest, Origin: builtIn,
	}
}

// describeKept adds what is known of a feed in the folder.
func describeKept(f *rpc.Feed, s feeds.Status) {
	f.Fetched, f.Checked, f.Origin = s.Fetched, s.Checked, origin(s.From)
	if s.Err != nil {
		f.Status, f.Err = rpc.FeedOutdated, s.Err
	}
}

// origin returns an address without what may be a secret, and of a file its name:
// folders of the machine are nobody's business.
func origin(from string) string {
	u, err := url.Parse(from)
	if err != nil || u.Host == "" {
		return filepath.Base(from)
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// describeDatabase adds what is known of a database.
func describeDatabase(f *rpc.Feed, s mmdb.Status) {
	f.Kind, f.Fetched = rpc.FeedDatabase, s.Loaded
	if f.Origin == builtIn {
		f.Origin = filepath.Base(s.Path)
	}
	if s.Err != nil {
		f.Status, f.Err = rpc.FeedOutdated, s.Err
	}
}

// abuseIPDB is the service that is asked where a key is given.
func (e *enrichment) abuseIPDB() rpc.Feed {
	status := rpc.FeedOff
	if e.asksAbuseIPDB {
		status = rpc.FeedInUse
	}
	return rpc.Feed{
		Kind: rpc.FeedService, Status: status, Name: "abuseipdb", Title: "AbuseIPDB", Licence: "terms of AbuseIPDB",
		Attribution: "AbuseIPDB", URL: "https://www.abuseipdb.com/",
	}
}
