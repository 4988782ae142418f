package abuseipdb

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/elsewhere-project/elsewhere/enrich"
)

// DefaultBaseURL is the service.
const DefaultBaseURL = "https://api.abuseipdb.com/api/v2/"

// Config is what a Client needs. Key and Store have no default.
type Config struct {
	Key Key
	// Store keeps the ledgers of the quotas.
	Store enrich.Store
	// Account names the account whose quota is counted. Keys of one account share
	// a quota, so they need one name; "" is a name made from the key.
	Account string
	// Daily are the limits until the service names its own; 0 is the smallest
	// plan's.
	Daily Limits
	// Reserved is the share of a quota that only interactive questions may use, in
	// [0, 1]; 0 is a fifth, a negative share none.
	Reserved float64
	// BaseURL is where the API is; "" is DefaultBaseURL. It must be https, or http
	// on a loopback address.
	BaseURL string
	// Transport sends requests; nil is one of the client's own. It must not follow
	// redirects.
	Transport http.RoundTripper
}

// Limits are calls a day.
type Limits struct{ Check, CheckBlock, Blacklist int }

// Client asks AbuseIPDB. Many goroutines may use it at once.
type Client struct {
	key   Key
	base  *url.URL
	http  *http.Client
	check *ledger
	block *ledger
	list  *ledger

	mu       sync.Mutex
	failures int       // since the last answer
	paused   time.Time // until when nothing is asked
	why      string
}

const (
	maxRetries     = 2
	firstBackoff   = 200 * time.Millisecond
	lookupTimeout  = 10 * time.Second
	listTimeout    = 2 * time.Minute
	maxLookupBytes = 4 << 20
	maxListBytes   = 64 << 20

	// After so many failures in a row the service is left alone for a while, so
	// that a list of values does not wait for a timeout each.
	maxFailures  = 5
	failurePause = 30 * time.Second
	keyPause     = time.Minute
)

// New returns a client.
func New(c Config) (*Client, error) {
	if c.Key.IsZero() || c.Store == nil {
		return nil, errors.New("AbuseIPDB needs a key and a store")
	}
	base, err := baseURL(cmp.Or(c.BaseURL, DefaultBaseURL))
	if err != nil {
		return nil, err
	}
	if c.Reserved == 0 {
		c.Reserved = 0.2
	}
	if c.Reserved > 1 || c.Reserved != c.Reserved {
		return nil, errors.New("the reserved share of a quota is at most 1")
	}
	if c.Transport == nil {
		c.Transport = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: lookupTimeout}).DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:      true,
			MaxResponseHeaderBytes: 64 << 10,
			MaxConnsPerHost:        enrich.DefaultConcurrency,
			IdleConnTimeout:        time.Minute,
		}
	}
	account := enrich.Sanitize(c.Account, 64)
	if account == "" {
		account = c.Key.account()
	}
	led := func(endpoint string, given, smallest int) *ledger {
		return &ledger{
			store: c.Store, key: "quota/abuseipdb/" + account + "/" + endpoint, endpoint: endpoint,
			assumed: cmp.Or(max(0, given), smallest), share: max(0, c.Reserved),
		}
	}
	return &Client{
		key: c.Key, base: base,
		http: &http.Client{
			Transport: c.Transport,
			// The key goes to no other host, and not to another place of this one.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		check: led("check", c.Daily.Check, 1000),
		block: led("check-block", c.Daily.CheckBlock, 100),
		list:  led("blacklist", c.Daily.Blacklist, 5),
	}, nil
}

// baseURL reads where the API is. The error does not repeat it: somebody may
// have put a secret there.
func baseURL(s string) (*url.URL, error) {
	bad := errors.New("the address of AbuseIPDB is not an https URL without user, query and fragment")
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, bad
	}
	addr, err := netip.ParseAddr(u.Hostname())
	loopback := u.Hostname() == "localhost" || (err == nil && addr.IsLoopback())
	if u.Scheme != "https" && !(u.Scheme == "http" && loopback) {
		return nil, bad
	}
	if !strings.HasSuffix(u.Path, "/") {
		u.Path += "/"
	}
	return u, nil
}

// Usage returns the state of the quotas of check, check-block and blacklist.
func (c *Client) Usage(ctx context.Context) ([]Usage, error) {
	var all []Usage
	for _, l := range []*ledger{c.check, c.block, c.list} {
		u, err := l.usage(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, u)
	}
	return all, nil
}

// callError is a call that brought no usable answer. Its text is for people and
// holds nothing that a server sent.
type callError struct {
	what  string
	until time.Time // asking before makes no sense; zero is unknown
	// again says that the service may answer if asked at once.
	again bool
}

func (e *callError) Error() string { return e.what }

// get calls an endpoint and reads its answer with read.
func (c *Client) get(ctx context.Context, l *ledger, purpose enrich.Purpose, query url.Values, limit int64, read func(io.Reader) error) error {
	for try := 0; ; try++ {
		if err := c.pausedNow(); err != nil {
			return err
		}
		err := c.once(ctx, l, purpose, query, limit, read)
		failed, ok := errors.AsType[*callError](err)
		if !ok || !failed.again || try == maxRetries {
			return err
		}
		wait := time.NewTimer(time.Duration(float64(firstBackoff<<try) * (0.5 + rand.Float64())))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return err
		}
	}
}

// once makes one call, if the quota allows.
func (c *Client) once(ctx context.Context, l *ledger, purpose enrich.Purpose, query url.Values, limit int64, read func(io.Reader) error) error {
	u := c.base.JoinPath(l.endpoint)
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return &callError{what: "no request could be made"}
	}
	req.Header.Set("Key", c.key.reveal())
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "elsewhere")
	r, err := l.reserve(ctx, purpose)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var got *limits
		if unsent(err) {
			got = &limits{unsent: true}
		}
		settled := l.settle(ctx, r, got)
		c.failed()
		return errors.Join(transportError(ctx, err), settled)
	}
	defer resp.Body.Close()
	got := readLimits(resp.StatusCode, resp.Header, time.Now())
	if err := l.settle(ctx, r, &got); err != nil {
		// The call is written down as one without an answer: nothing is exceeded.
		return err
	}
	if err := c.status(resp.StatusCode, l.endpoint, got); err != nil {
		return err
	}
	body := &io.LimitedReader{R: resp.Body, N: limit + 1}
	err = read(body)
	switch {
	case body.N <= 0:
		err = &callError{what: fmt.Sprintf("the answer is longer than %d bytes", limit)}
	case err != nil && ctx.Err() != nil:
		err = transportError(ctx, ctx.Err())
	case err != nil:
		err = &callError{what: err.Error()}
	}
	if err != nil {
		c.failed()
		return err
	}
	c.mu.Lock()
	c.failures = 0
	c.mu.Unlock()
	return nil
}

// status turns the status of an answer into an error; nil is 200.
func (c *Client) status(code int, endpoint string, got limits) error {
	switch {
	case code == http.StatusOK:
		return nil
	case code == http.StatusTooManyRequests:
		return &quotaError{endpoint, got.until.Add(resetMargin), false}
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		what := "AbuseIPDB refused the key (" + http.StatusText(code) + ")"
		until := c.pause(keyPause, what)
		return &callError{what: what, until: until}
	case code == http.StatusUnprocessableEntity:
		return &callError{what: "AbuseIPDB refused the question (422)"}
	case code >= 300 && code < 400:
		return &callError{what: fmt.Sprintf("AbuseIPDB redirected (%d), which is not followed", code)}
	case code >= 500:
		c.failed()
		return &callError{what: fmt.Sprintf("AbuseIPDB failed (%d)", code), again: true}
	}
	return &callError{what: fmt.Sprintf("AbuseIPDB answered with status %d", code)}
}

// pausedNow returns an error while nothing is asked.
func (c *Client) pausedNow() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Now().Before(c.paused) {
		return &callError{what: c.why, until: c.paused}
	}
	return nil
}

// pause stops all questions for a while and returns until when.
func (c *Client) pause(d time.Duration, why string) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures, c.paused, c.why = 0, time.Now().Add(d), why
	return c.paused
}

// failed counts a call without a usable answer.
func (c *Client) failed() {
	c.mu.Lock()
	c.failures++
	enough := c.failures >= maxFailures
	c.mu.Unlock()
	if enough {
		c.pause(failurePause, "AbuseIPDB failed several times in a row and is left alone for a while")
	}
}

// transportError says in our words why a call brought no answer. The text of the
// cause names the URL and may repeat what a proxy said.
func transportError(ctx context.Context, err error) error {
	what := "AbuseIPDB could not be reached"
	_, dns := errors.AsType[*net.DNSError](err)
	_, cert := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(ctx.Err(), context.DeadlineExceeded):
		what = "AbuseIPDB did not answer in time"
	case ctx.Err() != nil:
		what = "the question to AbuseIPDB was given up"
	case dns:
		what += ": its name was not found"
	case cert:
		what += ": its certificate is not valid"
	case unsent(err):
		what += ": no connection"
	}
	return &callError{what: what}
}

// unsent reports that no connection came about.
func unsent(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}
