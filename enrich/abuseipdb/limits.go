package abuseipdb

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// longestWindow bounds what a server may say about the end of a quota. A reset
	// farther away is none.
	longestWindow = 48 * time.Hour
	// burstPause is how long a refusal counts that names no time and no quota:
	// something before the service refuses, not the day's quota.
	burstPause = 15 * time.Minute
	// resetMargin keeps the first call of a new window clear of the old one.
	resetMargin = 2 * time.Second
)

// limits is what the headers of an answer say about the quota. Numbers are -1
// and times zero where the headers are silent or make no sense.
type limits struct {
	limit, remaining int
	reset            time.Time // by our clock
	midnight         time.Time // the next one, UTC of the server, by our clock
	answered         bool      // the answer is 200: the service itself speaks
	unsent           bool      // there was no connection: the service cannot have counted the call
	refused          bool      // the answer is 429
	until            time.Time // when refused: not to be asked before
}

// readLimits reads the headers of an answer that arrived at now. The server's
// times are read by its own clock, the Date header: ours may be wrong.
func readLimits(status int, h http.Header, now time.Time) limits {
	server := now
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		server = date
	}
	l := limits{limit: count(h.Get("X-RateLimit-Limit")), remaining: count(h.Get("X-RateLimit-Remaining"))}
	l.answered = status == http.StatusOK
	l.midnight = now.Add(server.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour).Sub(server))
	if s, err := strconv.ParseInt(strings.TrimSpace(h.Get("X-RateLimit-Reset")), 10, 64); err == nil && s > 0 && s < 1<<40 {
		if wait := time.Unix(s, 0).Sub(server); wait > 0 && wait <= longestWindow {
			l.reset = now.Add(wait)
		}
	}
	if status != http.StatusTooManyRequests {
		return l
	}
	l.refused = true
	var after time.Time
	switch v := strings.TrimSpace(h.Get("Retry-After")); {
	case count(v) > 0:
		after = now.Add(min(time.Duration(count(v))*time.Second, longestWindow))
	case v != "":
		if date, err := http.ParseTime(v); err == nil && date.After(server) {
			after = now.Add(min(date.Sub(server), longestWindow))
		}
	}
	switch {
	case !l.reset.IsZero():
		l.until = l.reset
	case !after.IsZero():
		l.until = after
	case l.remaining == 0:
		l.until = l.midnight
	default:
		l.until = now.Add(burstPause)
	}
	// Both are promises of the server: the later one keeps both.
	if after.After(l.until) {
		l.until = after
	}
	return l
}

// count reads a number of calls or seconds, -1 if it is none.
func count(s string) int {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || n < 0 || n > 1e9 {
		return -1
	}
	return n
}
