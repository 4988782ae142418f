// Package abusetest is a fake of AbuseIPDB's API v2 for tests: it replays answers
// about the addresses of the published case, counts calls against a quota and
// fails in the ways the service does.
//
// It must not know the client. It says what the service is documented to say.
package abusetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Address is what the fake knows about one address.
type Address struct {
	Score, Reports, Reporters   int
	Country, Usage, ISP, Domain string
}

// The addresses of the published case.
const (
	IOFlood = "104.161.20.102"
	Azure   = "20.232.202.245"
	Leased  = "185.241.149.122"
)

// Fault answers in place of the fake. The call has been counted already; the
// quota's headers are set.
type Fault func(http.ResponseWriter, *http.Request)

// Fake is the service. It is an http.Handler and, for tests without a network or
// in a synctest bubble, has a Transport.
type Fake struct {
	key   string
	quota int
	host  string

	mu        sync.Mutex
	addresses map[string]Address
	fault     Fault
	faults    int // how often; below 0 always
	calls     []Call
	used      map[string]int
	reset     time.Time
	exceeded  int
	strays    []*http.Request
	headers   bool
}

// Call is a call that the fake served.
type Call struct {
	Endpoint string
	Query    string
	Accept   string
	Time     time.Time
	Status   int
}

// New returns a fake that accepts one key and so many calls to each endpoint
// until midnight UTC.
func New(key string, quota int) *Fake {
	return &Fake{
		key: key, quota: quota, used: make(map[string]int), headers: true,
		addresses: map[string]Address{
			IOFlood: {38, 7, 5, "US", "Data Center/Web Hosting/Transit", "Input Output Flood LLC", "ioflood.com"},
			Azure:   {0, 0, 0, "US", "Data Center/Web Hosting/Transit", "Microsoft Corporation", "microsoft.com"},
			Leased:  {61, 25, 14, "US", "Data Center/Web Hosting/Transit", "IPXO LLC", "ipxo.com"},
		},
	}
}

// Set says what the fake answers about an address.
func (f *Fake) Set(addr string, a Address) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.addresses[addr] = a
}

// Fail answers the next n calls with a fault; below 0 all, 0 none.
func (f *Fake) Fail(n int, fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults, f.fault = n, fault
}

// Silent leaves the quota's headers out.
func (f *Fake) Silent() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.headers = false
}

// Spend counts n calls of somebody else on the account.
func (f *Fake) Spend(endpoint string, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.roll()
	f.used[endpoint] += n
}

// Calls returns what was served.
func (f *Fake) Calls() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Call(nil), f.calls...)
}

// Exceeded returns how many calls came after the quota was used up.
func (f *Fake) Exceeded() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.exceeded
}

// Leaks returns what reached the fake in a way that gives the key away: as
// another host, or with the key anywhere but in its header. There should be none.
func (f *Fake) Leaks() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for _, r := range f.strays {
		all = append(all, r.Method+" "+r.Host+r.URL.Path)
	}
	return all
}

// roll opens a new window at midnight. It needs f.mu.
func (f *Fake) roll() {
	if now := time.Now(); !now.Before(f.reset) {
		clear(f.used)
		f.reset = now.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
	}
}

// ServeHTTP implements http.Handler.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	endpoint := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	rec := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	f.mu.Lock()
	f.roll()
	if f.host == "" {
		f.host = r.Host
	}
	if r.Host != f.host || strings.Contains(r.URL.String(), f.key) {
		f.strays = append(f.strays, r.Clone(r.Context()))
	}
	f.used[endpoint]++
	over := f.used[endpoint] > f.quota
	if over {
		f.exceeded++
	}
	if f.headers {
		w.Header().Set("X-RateLimit-Limit", strconv.Itoa(f.quota))
		w.Header().Set("X-RateLimit-Remaining", strconv.Itoa(max(0, f.quota-f.used[endpoint])))
	}
	w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
	var fault Fault
	if f.faults != 0 {
		fault, f.faults = f.fault, f.faults-1
	}
	reset := f.reset
	call := len(f.calls)
	f.calls = append(f.calls, Call{Endpoint: endpoint, Query: r.URL.RawQuery, Accept: r.Header.Get("Accept"), Time: time.Now()})
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.calls[call].Status = rec.status
	}()
	switch {
	case fault != nil:
		fault(rec, r)
	case r.Header.Get("Key") != f.key:
		failWith(rec, http.StatusUnauthorized, "Authentication failed. Your API key is either missing, incorrect, or revoked.", "")
	case over:
		w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(reset.Unix(), 10))
		w.Header().Set("Retry-After", strconv.Itoa(int(time.Until(reset)/time.Second)+1))
		tooMany(rec, r)
	default:
		f.serve(rec, r, endpoint)
	}
}

func (f *Fake) serve(w http.ResponseWriter, r *http.Request, endpoint string) {
	q := r.URL.Query()
	days, err := strconv.Atoi(q.Get("maxAgeInDays"))
	if q.Has("maxAgeInDays") && (err != nil || days < 1 || days > 365) {
		failWith(w, http.StatusUnprocessableEntity, "The max age in days must be between 1 and 365.", "maxAgeInDays")
		return
	}
	switch endpoint {
	case "check":
		addr, err := netip.ParseAddr(q.Get("ipAddress"))
		if err != nil {
			failWith(w, http.StatusUnprocessableEntity, "The ip address must be a valid IPv4 or IPv6 address.", "ipAddress")
			return
		}
		f.mu.Lock()
		a := f.addresses[addr.String()]
		f.mu.Unlock()
		respond(w, "%s", checkBody(addr.String(), a, "false", ""))
	case "check-block":
		p, err := netip.ParsePrefix(q.Get("network"))
		if err != nil {
			failWith(w, http.StatusUnprocessableEntity, "The network must be a valid CIDR.", "network")
			return
		}
		f.serveBlock(w, p)
	case "blacklist":
		respond(w, `{"meta":{"generatedAt":%q},"data":[{"ipAddress":%q,"countryCode":"US","abuseConfidenceScore":61,"lastReportedAt":"2023-02-20T10:00:00+00:00"},{"ipAddress":%q,"countryCode":"US","abuseConfidenceScore":38,"lastReportedAt":"2023-02-19T10:00:00+00:00"}]}`,
			time.Now().UTC().Format(time.RFC3339), Leased, IOFlood)
	default:
		failWith(w, http.StatusNotFound, "The requested resource was not found.", "")
	}
}

func (f *Fake) serveBlock(w http.ResponseWriter, p netip.Prefix) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var reported []string
	for text, a := range f.addresses {
		if addr, err := netip.ParseAddr(text); err == nil && p.Contains(addr) && a.Reports > 0 {
			reported = append(reported, fmt.Sprintf(`{"ipAddress":%q,"numReports":%d,"mostRecentReport":"2023-02-20T10:00:00+00:00","abuseConfidenceScore":%d,"countryCode":%q}`,
				text, a.Reports, a.Score, a.Country))
		}
	}
	respond(w, `{"data":{"networkAddress":%q,"netmask":"255.255.255.0","numPossibleHosts":254,"addressSpaceDesc":"Internet","reportedAddress":[%s]}}`,
		p.Addr().String(), strings.Join(reported, ","))
}

// checkBody is the answer of check. more is put into data as it stands.
func checkBody(addr string, a Address, whitelisted, more string) string {
	last := "null"
	if a.Reports > 0 {
		last = `"2023-02-20T10:00:00+00:00"`
	}
	version := 4
	if strings.Contains(addr, ":") {
		version = 6
	}
	return fmt.Sprintf(`{"data":{"ipAddress":%q,"isPublic":true,"ipVersion":%d,"isWhitelisted":%s,"abuseConfidenceScore":%d,"countryCode":%q,"usageType":%s,"isp":%s,"domain":%s,"hostnames":[],"isTor":false,"totalReports":%d,"numDistinctUsers":%d,"lastReportedAt":%s%s}}`,
		addr, version, whitelisted, a.Score, a.Country, quote(a.Usage), quote(a.ISP), quote(a.Domain), a.Reports, a.Reporters, last, more)
}

// quote writes text as JSON, whatever it holds.
func quote(s string) string {
	data, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return string(data)
}

func respond(w http.ResponseWriter, format string, args ...any) {
	w.Header().Set("Content-Type", "application/json")
	// A client that has left wants no answer.
	_, _ = fmt.Fprintf(w, format, args...)
}

func failWith(w http.ResponseWriter, status int, detail, parameter string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	source := ""
	if parameter != "" {
		source = fmt.Sprintf(`,"source":{"parameter":%q}`, parameter)
	}
	_, _ = fmt.Fprintf(w, `{"errors":[{"detail":%q,"status":%d%s}]}`, detail, status, source)
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController find the writer.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
