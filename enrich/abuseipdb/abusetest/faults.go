package abusetest

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// RetryAfter is a Retry-After in seconds as the service has sent it: most of a
// working day.
const RetryAfter = 29241

// tooMany is the service's 429: a page where the client does not ask for JSON.
func tooMany(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Accept") != "application/json" {
		page(w, http.StatusTooManyRequests)
		return
	}
	failWith(w, http.StatusTooManyRequests, "Daily rate limit of 1000 requests exceeded for this endpoint. See headers for additional details.", "")
}

func page(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<!DOCTYPE html><html><head><title>%s</title></head><body><h1>%[1]s</h1></body></html>", http.StatusText(status))
}

// TooMany answers 429 with a Retry-After of RetryAfter seconds and the reset of
// the documentation's example, which lies in the past.
func TooMany(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Retry-After", fmt.Sprint(RetryAfter))
	w.Header().Set("X-RateLimit-Remaining", "0")
	w.Header().Set("X-RateLimit-Reset", "1545973200")
	tooMany(w, r)
}

// TooManyHTML answers 429 with a page and no other header.
func TooManyHTML(w http.ResponseWriter, _ *http.Request) {
	w.Header().Del("X-RateLimit-Limit")
	w.Header().Del("X-RateLimit-Remaining")
	page(w, http.StatusTooManyRequests)
}

// WhitelistNull answers check about an address that nobody reported with
// isWhitelisted null.
func WhitelistNull(w http.ResponseWriter, r *http.Request) {
	respond(w, "%s", checkBody(r.URL.Query().Get("ipAddress"), Address{Country: "US"}, "null", ""))
}

// ManyReports answers check with 10,000 reports by 2,500 reporters, all of them
// in the answer, with comments that carry control characters.
func ManyReports(w http.ResponseWriter, r *http.Request) {
	const n = 10_000
	var b strings.Builder
	b.WriteString(`,"reports":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"reportedAt":"2023-02-20T10:00:00+00:00","comment":"report \u001b[31m\u202e %d","categories":[18,22],"reporterId":%d,"reporterCountryCode":"DE","reporterCountryName":"Germany"}`, i, i%2500)
	}
	b.WriteByte(']')
	respond(w, "%s", checkBody(r.URL.Query().Get("ipAddress"), Address{
		Score: 100, Reports: n, Reporters: n / 4, Country: "US", Usage: "Fixed Line ISP", ISP: "An \u001b[31mISP\u202e", Domain: "isp.example",
	}, "false", b.String()))
}

// SlowBody sends the beginning of an answer and then nothing until the client
// leaves.
func SlowBody(w http.ResponseWriter, r *http.Request) {
	respond(w, `{"data":{"ipAddress":%q,`, r.URL.Query().Get("ipAddress"))
	// Without a flush the client waits for the headers; it leaves either way.
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// Hang sends nothing until the client leaves.
func Hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// EndlessBody sends an answer that never ends.
func EndlessBody(w http.ResponseWriter, r *http.Request) {
	respond(w, `{"data":{"ipAddress":%q,"isp":"`, r.URL.Query().Get("ipAddress"))
	chunk := []byte(strings.Repeat("a", 64<<10))
	for r.Context().Err() == nil {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// Unauthorized answers 401 and repeats the key it was sent.
func Unauthorized(w http.ResponseWriter, r *http.Request) {
	failWith(w, http.StatusUnauthorized, "Authentication failed for key "+r.Header.Get("Key"), "")
}

// ServerError answers 500 with a page, without the quota's headers.
func ServerError(w http.ResponseWriter, _ *http.Request) {
	w.Header().Del("X-RateLimit-Limit")
	w.Header().Del("X-RateLimit-Remaining")
	page(w, http.StatusInternalServerError)
}

// Body answers 200 with a body.
func Body(body string) Fault {
	return func(w http.ResponseWriter, _ *http.Request) { respond(w, "%s", body) }
}

// Truncated answers check with the first half of an answer.
func Truncated(w http.ResponseWriter, r *http.Request) {
	body := checkBody(r.URL.Query().Get("ipAddress"), Address{Country: "US"}, "false", "")
	respond(w, "%s", body[:len(body)/2])
}

// Redirect answers 307 to a URL.
func Redirect(to string) Fault {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusTemporaryRedirect) }
}

// Late answers like next, after d.
func Late(d time.Duration, next Fault) Fault {
	return func(w http.ResponseWriter, r *http.Request) {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			next(w, r)
		case <-r.Context().Done():
		}
	}
}
