package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/elsewhere-project/elsewhere/server"
)

// screen is what a service begins with, a name and a text each: where it is reached, what it holds and
// by what it judges. Nothing is said that is not so at that moment.
func screen(s *server.Server, c *serving, o server.Overview, limit string, now time.Time) [][]string {
	var rows [][]string
	say := func(what, text string) { rows = append(rows, []string{what, text}) }
	if at := s.URL(); at != "" {
		stay := "a key is asked for at each visit"
		switch {
		case !s.HasKeys():
			stay = "no key is asked for"
		case c.WebSessions:
			stay = "one can stay signed in"
		}
		say("page", at+"/, "+stay)
		say("REST", at+"/v1, reference at "+at+"/v1/docs")
		if strings.HasPrefix(at, "https:") {
			say("health", at+"/healthz and /readyz")
		} else {
			say("metrics", at+"/metrics, health at /healthz and /readyz")
		}
	}
	if c.Memory {
		say("data", "in memory only")
	} else {
		say("data", "in "+safe(c.DataDir, 0))
	}
	say("feeds", feedsText(o, now))
	say("model", fmt.Sprint(o.Model))
	say("look-ups", safe(disclosures(c.Enrichment), 0))
	say("memory", strings.Replace(limit, "memory ", "", 1))
	if _, made := s.FirstKey(); made {
		say("keys", "1, an admin's: it is on stdout and told once")
	} else if o.Keys > 0 {
		text := fmt.Sprint(o.Keys)
		if c.Init {
			text += "; --init made none"
		}
		say("keys", text)
	}
	// The last line says that all the others hold: whoever waits for the service waits
	// for it.
	say("gRPC", s.Addr()+", "+security(s, c.TLS.CertFile != ""))
	return rows
}

// feedsText says how many feeds there are, how old their data are, and which are damaged.
func feedsText(o server.Overview, now time.Time) string {
	text := fmt.Sprint(len(o.Feeds))
	dated := slices.DeleteFunc(slices.Clone(o.Feeds), func(f server.FeedAge) bool { return f.Date.IsZero() })
	if len(dated) > 0 {
		byDate := func(x, y server.FeedAge) int { return x.Date.Compare(y.Date) }
		oldest, newest := slices.MinFunc(dated, byDate), slices.MaxFunc(dated, byDate)
		text += fmt.Sprintf(", the newest of %s (%s), the oldest of %s (%s, %s)", newest.Date.Format(time.DateOnly), age(now.Sub(newest.Date)),
			oldest.Date.Format(time.DateOnly), age(now.Sub(oldest.Date)), safe(oldest.Name, valueWidth))
	}
	if len(o.Broken) > 0 {
		text += "; damaged: " + strings.Join(safeAll(o.Broken, valueWidth), ", ")
	}
	return text
}
