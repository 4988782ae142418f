package abuseipdb_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/enrich"
	"github.com/elsewhere-project/elsewhere/enrich/abuseipdb"
	"github.com/elsewhere-project/elsewhere/enrich/abuseipdb/abusetest"
)

const secret = "0123456789abcdef-this-is-the-secret-key"

func key(t *testing.T) abuseipdb.Key {
	t.Helper()
	k, err := abuseipdb.NewKey(secret + "\n")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// client returns a client of the fake.
func client(t *testing.T, fake *abusetest.Fake, store enrich.Store, change func(*abuseipdb.Config)) *abuseipdb.Client {
	t.Helper()
	c := abuseipdb.Config{Key: key(t), Store: store, Transport: fake.Transport()}
	if change != nil {
		change(&c)
	}
	got, err := abuseipdb.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// open permits everything and shields nothing.
type open struct{}

func (open) Permit(context.Context, enrich.Disclosure) (string, error) { return "", nil }
func (open) Shielded(enrich.Value) string                              { return "" }

// enricher returns an enricher that asks the client and logs to log.
func enricher(t *testing.T, c *abuseipdb.Client, store enrich.Store, log *bytes.Buffer) *enrich.Enricher {
	t.Helper()
	book, err := enrich.OpenBook(t.Context(), store, nil)
	if err != nil {
		t.Fatal(err)
	}
	if log == nil {
		log = new(bytes.Buffer)
	}
	e, err := enrich.New(enrich.Config{
		Sources: c.Sources(), Store: store, Book: book, Gate: open{}, Shield: open{},
		Log: slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func ip(s string) enrich.Value { return enrich.Value{Kind: enrich.KindIP, Text: s} }

func fields(r enrich.Record) map[string]string {
	m := make(map[string]string)
	for _, f := range r.Fields {
		if f.Value != "" {
			m[f.Name] = f.Value
		}
	}
	return m
}

// after waits in the time of the test's bubble.
func after(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-ctx.Done()
}

// The addresses of the published case, as the issue says: the third is leased
// only because the service names the marketplace.
func TestPublishedAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := abusetest.New(secret, 1000)
		store := new(enrich.Memory)
		e := enricher(t, client(t, fake, store, nil), store, nil)
		today := "2000-01-01" // when a bubble begins
		for _, c := range []struct {
			addr   string
			class  enrich.Class
			fields map[string]string
		}{
			{
				abusetest.IOFlood,
				enrich.Class{Name: "hosting", Reasons: []string{"abuseipdb " + today + ": usage type Data Center/Web Hosting/Transit (only backs the class)"}},
				map[string]string{
					"scope": "public", "abuse_score": "38", "reports": "7", "reporters": "5", "last_report": "2023-02-20T10:00:00Z",
					"report_window_days": "90", "whitelisted": "false", "usage_type": "Data Center/Web Hosting/Transit",
					"isp": "Input Output Flood LLC", "domain": "ioflood.com", "country": "US",
				},
			},
			{
				abusetest.Leased,
				enrich.Class{Name: "leased", Reasons: []string{
					"abuseipdb " + today + ": domain ipxo.com",
					"abuseipdb " + today + ": usage type Data Center/Web Hosting/Transit (only backs the class)",
				}},
				map[string]string{
					"scope": "public", "abuse_score": "61", "reports": "25", "reporters": "14", "last_report": "2023-02-20T10:00:00Z",
					"report_window_days": "90", "whitelisted": "false", "usage_type": "Data Center/Web Hosting/Transit",
					"isp": "IPXO LLC", "domain": "ipxo.com", "country": "US",
				},
			},
		} {
			r := e.One(t.Context(), enrich.Ask{}, ip(c.addr))
			if d := cmp.Diff(c.fields, fields(r)); d != "" {
				t.Errorf("%s: %s", c.addr, d)
			}
			if d := cmp.Diff(c.class, r.Class); d != "" {
				t.Errorf("%s: %s", c.addr, d)
			}
		}
		calls := fake.Calls()
		want := []abusetest.Call{
			{Endpoint: "check", Query: "ipAddress=104.161.20.102&maxAgeInDays=90", Accept: "application/json", Time: time.Now(), Status: 200},
			{Endpoint: "check", Query: "ipAddress=185.241.149.122&maxAgeInDays=90", Accept: "application/json", Time: time.Now(), Status: 200},
		}
		if d := cmp.Diff(want, calls); d != "" {
			t.Error(d)
		}
	})
}

func TestManyReportersDoubleAlpha(t *testing.T) {
	for reporters, want := range map[int]float64{0: 0, 49: 0, 50: 2, 2500: 2} {
		fake := abusetest.New(secret, 1000)
		fake.Set("104.161.20.103", abusetest.Address{Score: 100, Reports: 3 * reporters, Reporters: reporters, Domain: "notipxo.com"})
		store := new(enrich.Memory)
		r := enricher(t, client(t, fake, store, nil), store, nil).One(t.Context(), enrich.Ask{}, ip("104.161.20.103"))
		if r.Class.Factor != want || r.Class.Name != enrich.ClassUnknown {
			t.Errorf("%d reporters: %+v", reporters, r.Class)
		}
		if want > 0 && !strings.Contains(strings.Join(r.Class.Reasons, "\n"), "50 or more distinct reporters in 90 days (alpha times 2)") {
			t.Errorf("%d reporters: %v", reporters, r.Class.Reasons)
		}
	}
}

func TestCheckBlock(t *testing.T) {
	fake := abusetest.New(secret, 1000)
	store := new(enrich.Memory)
	e := enricher(t, client(t, fake, store, nil), store, nil)
	r := e.One(t.Context(), enrich.Ask{}, enrich.Value{Kind: enrich.KindCIDR, Text: "104.161.20.102/24"})
	want := map[string]string{
		"scope": "public", "reported_addresses": "1", "reports": "7", "abuse_score": "38", "report_window_days": "90",
		"last_report": "2023-02-20T10:00:00Z", "address_space": "Internet",
	}
	if d := cmp.Diff(want, fields(r)); d != "" {
		t.Error(d)
	}
	if r.Class.Name != enrich.ClassUnknown {
		t.Errorf("reports make a class: %s", r.Class.Name)
	}
	for _, wide := range []string{"104.161.0.0/16", "2606:4700::/32"} {
		r = e.One(t.Context(), enrich.Ask{}, enrich.Value{Kind: enrich.KindCIDR, Text: wide})
		if r.Answers[0].Status != enrich.NotLookedUp || !r.Answers[0].LookedUpAt.IsZero() {
			t.Errorf("%s: %+v", wide, r.Answers)
		}
	}
	if n := len(fake.Calls()); n != 1 {
		t.Errorf("%d calls", n)
	}
}

// Sources refuse what is not public even when called around the Enricher.
func TestSourcesSendPublicAddressesOnly(t *testing.T) {
	fake := abusetest.New(secret, 1000)
	for _, s := range client(t, fake, new(enrich.Memory), nil).Sources() {
		for _, v := range []enrich.Value{
			ip("10.0.0.1"), ip("::1"), ip("x"), ip(""),
			{Kind: enrich.KindCIDR, Text: "10.0.0.0/24"},
			{Kind: enrich.KindCIDR, Text: "192.0.2.0/24"},
			{Kind: enrich.KindDomain, Text: "ioflood.com"},
		} {
			if got := s.Lookup(t.Context(), v, enrich.Interactive); got.Status != enrich.NotLookedUp {
				t.Errorf("%s: %s", v.Text, got.Status)
			}
		}
	}
	if n := len(fake.Calls()); n != 0 {
		t.Errorf("%d calls", n)
	}
}

func TestFaults(t *testing.T) {
	asked := abusetest.IOFlood
	number := `"totalReports":0,"numDistinctUsers":0,"lastReportedAt":null,"isPublic":true`
	for name, c := range map[string]struct {
		fault  abusetest.Fault
		status enrich.Status
		calls  int
		most   time.Duration // in the time of the bubble
		retry  time.Duration // 0: not named
	}{
		"429":              {abusetest.TooMany, enrich.Quota, 1, 0, 29241*time.Second + 2*time.Second},
		"429 as a page":    {abusetest.TooManyHTML, enrich.Quota, 1, 0, 15*time.Minute + 2*time.Second},
		"401":              {abusetest.Unauthorized, enrich.Error, 1, 0, time.Minute},
		"500":              {abusetest.ServerError, enrich.Error, 3, 900 * time.Millisecond, 0},
		"a slow body":      {abusetest.SlowBody, enrich.Error, 1, 10 * time.Second, 0},
		"no answer":        {abusetest.Hang, enrich.Error, 1, 10 * time.Second, 0},
		"an endless body":  {abusetest.EndlessBody, enrich.Error, 1, 0, 0},
		"a redirect":       {abusetest.Redirect("https://elsewhere.example/steal"), enrich.Error, 1, 0, 0},
		"half an answer":   {abusetest.Truncated, enrich.Error, 1, 0, 0},
		"garbage":          {abusetest.Body("\x00\xff\x1b[31m garbage " + secret), enrich.Error, 1, 0, 0},
		"a page with 200":  {abusetest.Body("<!DOCTYPE html><html></html>"), enrich.Error, 1, 0, 0},
		"nothing":          {abusetest.Body(""), enrich.Error, 1, 0, 0},
		"null":             {abusetest.Body("null"), enrich.Error, 1, 0, 0},
		"an empty object":  {abusetest.Body("{}"), enrich.Error, 1, 0, 0},
		"no data":          {abusetest.Body(`{"data":null}`), enrich.Error, 1, 0, 0},
		"empty data":       {abusetest.Body(`{"data":{}}`), enrich.Error, 1, 0, 0},
		"errors with 200":  {abusetest.Body(`{"errors":[{"detail":"x","status":429}]}`), enrich.Error, 1, 0, 0},
		"no score":         {abusetest.Body(`{"data":{"ipAddress":"` + asked + `",` + number + `}}`), enrich.Error, 1, 0, 0},
		"a null count":     {abusetest.Body(`{"data":{"ipAddress":"` + asked + `","abuseConfidenceScore":0,"totalReports":null}}`), enrich.Error, 1, 0, 0},
		"another address":  {abusetest.Body(`{"data":{"ipAddress":"104.161.20.103","abuseConfidenceScore":0,` + number + `}}`), enrich.Error, 1, 0, 0},
		"a score of 101":   {abusetest.Body(`{"data":{"ipAddress":"` + asked + `","abuseConfidenceScore":101,` + number + `}}`), enrich.Error, 1, 0, 0},
		"something behind": {abusetest.Body(`{"data":{"ipAddress":"` + asked + `","abuseConfidenceScore":0,` + number + `}}{}`), enrich.Error, 1, 0, 0},
		"not public":       {abusetest.Body(`{"data":{"ipAddress":"` + asked + `","abuseConfidenceScore":0,"totalReports":0,"isPublic":false}}`), enrich.NoData, 1, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := abusetest.New(secret, 1000)
				fake.Fail(-1, c.fault)
				store := new(enrich.Memory)
				var log bytes.Buffer
				abuse := client(t, fake, store, nil)
				e := enricher(t, abuse, store, &log)
				start := time.Now()
				r := e.One(t.Context(), enrich.Ask{}, ip(asked))
				took := time.Since(start)
				got := r.Answers[0]
				if got.Status != c.status || took > c.most {
					t.Errorf("%s after %v: %+v", got.Status, took, got)
				}
				if n := len(fake.Calls()); n != c.calls {
					t.Errorf("%d calls", n)
				}
				if wait := got.RetryAt.Sub(start); c.retry != 0 && wait != c.retry || c.retry == 0 && !got.RetryAt.IsZero() {
					t.Errorf("to be asked again after %v", wait)
				}
				for _, f := range r.Fields[1:] {
					if f.Value != "" || f.Status != c.status {
						t.Errorf("%s is %q, %s", f.Name, f.Value, f.Status)
					}
				}
				if got.Detail == "" || strings.Contains(got.Detail, "gave up") {
					t.Errorf("reason %q", got.Detail)
				}
				text := fmt.Sprintf("%+v %#v %v %s", r, r, abuse, log.String())
				if data, err := json.Marshal(r); err != nil {
					t.Error(err)
				} else {
					text += string(data)
				}
				for _, secret := range []string{secret, "https://", "ipAddress=", "garbage"} {
					if strings.Contains(text, secret) {
						t.Errorf("%q is told: %s", secret, text)
					}
				}
				if leaks := fake.Leaks(); leaks != nil {
					t.Errorf("the key went elsewhere: %v", leaks)
				}
				// Nothing of it is kept: once the service is well, it answers.
				if c.status == enrich.NoData {
					return
				}
				fake.Fail(0, nil)
				after(t.Context(), 30*time.Hour)
				r = e.One(t.Context(), enrich.Ask{}, ip(asked))
				if fields(r)["reports"] != "7" {
					t.Errorf("after the fault: %+v", r.Answers)
				}
			})
		})
	}
}

func TestTenThousandReports(t *testing.T) {
	fake := abusetest.New(secret, 1000)
	fake.Fail(1, abusetest.ManyReports)
	store := new(enrich.Memory)
	e := enricher(t, client(t, fake, store, nil), store, nil)
	r := e.One(t.Context(), enrich.Ask{}, ip(abusetest.IOFlood))
	got := fields(r)
	if got["reports"] != "10000" || got["reporters"] != "2500" || r.Class.Factor != 2 || got["isp"] != "An [31mISP" {
		t.Errorf("%v, %+v", got, r.Class)
	}
	for item, err := range store.Scan(t.Context(), "") {
		if err != nil || bytes.Contains(item.Data, []byte("report \\u001b")) || bytes.Contains(item.Data, []byte("comment")) || len(item.Data) > 8192 {
			t.Errorf("%s: %d bytes: %v", item.Key, len(item.Data), err)
		}
	}
}

func TestWhitelistNullIsNotBenign(t *testing.T) {
	fake := abusetest.New(secret, 1000)
	fake.Fail(1, abusetest.WhitelistNull)
	store := new(enrich.Memory)
	r := enricher(t, client(t, fake, store, nil), store, nil).One(t.Context(), enrich.Ask{}, ip(abusetest.IOFlood))
	for _, f := range r.Fields {
		if f.Name == enrich.FieldWhitelisted && (f.Value != "" || f.Status != enrich.NoData) {
			t.Errorf("%+v", f)
		}
	}
	if r.Answers[0].Status != enrich.OK || fields(r)["reports"] != "0" || r.Class.Name != enrich.ClassUnknown {
		t.Errorf("%+v, %s", r.Answers, r.Class.Name)
	}
	// A whitelisted address is no less its actor's.
	yes := abusetest.Body(`{"data":{"ipAddress":"185.241.149.122","isWhitelisted":true,"abuseConfidenceScore":0,"totalReports":25,"numDistinctUsers":14,"domain":"ipxo.com","lastReportedAt":null}}`)
	fake.Fail(1, yes)
	r = enricher(t, client(t, fake, store, nil), store, nil).One(t.Context(), enrich.Ask{}, ip(abusetest.Leased))
	if r.Class.Name != enrich.ClassLeased || r.Class.Factor != 0 {
		t.Errorf("%+v", r.Class)
	}
}

func TestKeyDoesNotShow(t *testing.T) {
	k := key(t)
	type holder struct {
		Open   abuseipdb.Key
		hidden abuseipdb.Key
		within *abuseipdb.Key
	}
	h := holder{k, k, &k}
	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(handler).Error("x", "key", k, "pointer", &k, "holder", h, "group", slog.GroupValue(slog.Any("k", k)))
	}
	c := client(t, abusetest.New(secret, 1), new(enrich.Memory), nil)
	text := log.String() + fmt.Sprint(k, &k, h, &h, h.hidden, h.within, c)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p"} {
		text += fmt.Sprintf(verb+verb+verb+verb, k, h, &h, c)
	}
	for _, v := range []any{k, &k, h, map[string]any{"k": k}} {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		text += string(data)
	}
	for _, shown := range []string{secret, secret[:16], fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret)} {
		if strings.Contains(text, shown) {
			t.Errorf("%q shows", shown)
		}
	}
	if !strings.Contains(text, "REDACTED") || k.IsZero() || !(abuseipdb.Key{}).IsZero() {
		t.Error("a key is not itself")
	}
	for _, bad := range []string{"", "  ", "a b", secret + "\x00", "schlüssel-" + secret, strings.Repeat("k", 513)} {
		_, err := abuseipdb.NewKey(bad)
		if err == nil || (len(bad) > 4 && strings.Contains(err.Error(), bad)) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// A redirect on the network: neither the other host nor another place of the same
// one sees anything.
func TestRedirectIsNotFollowed(t *testing.T) {
	visited := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visited++ }))
	defer other.Close()
	fake := abusetest.New(secret, 1000)
	server := httptest.NewServer(fake)
	defer server.Close()
	store := new(enrich.Memory)
	for _, to := range []string{other.URL + "/steal", server.URL + "/elsewhere"} {
		fake.Fail(1, abusetest.Redirect(to))
		e := enricher(t, client(t, fake, store, func(c *abuseipdb.Config) { c.Transport, c.BaseURL = nil, server.URL+"/api/v2" }), store, nil)
		r := e.One(t.Context(), enrich.Ask{}, ip(abusetest.IOFlood))
		if r.Answers[0].Status != enrich.Error || !strings.Contains(r.Answers[0].Detail, "redirected (307)") {
			t.Errorf("%+v", r.Answers)
		}
	}
	if calls := fake.Calls(); visited != 0 || len(calls) != 2 || calls[1].Endpoint != "check" {
		t.Errorf("%d visits, calls %+v", visited, calls)
	}
	// The same client over the same network, without a redirect.
	e := enricher(t, client(t, fake, store, func(c *abuseipdb.Config) { c.Transport, c.BaseURL = nil, server.URL+"/api/v2" }), store, nil)
	if got := fields(e.One(t.Context(), enrich.Ask{}, ip(abusetest.IOFlood)))["reports"]; got != "7" {
		t.Errorf("reports %q", got)
	}
}

func TestAnUnreachableService(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	url := server.URL
	server.Close()
	store := new(enrich.Memory)
	var log bytes.Buffer
	e := enricher(t, client(t, abusetest.New(secret, 1), store, func(c *abuseipdb.Config) { c.Transport, c.BaseURL = nil, url }), store, &log)
	r := e.One(t.Context(), enrich.Ask{}, ip(abusetest.IOFlood))
	if got := r.Answers[0]; got.Status != enrich.Error || got.Detail != "AbuseIPDB could not be reached: no connection" {
		t.Errorf("%+v", got)
	}
	if strings.Contains(log.String(), secret) {
		t.Error(log.String())
	}
	// No connection, no call.
	c := client(t, abusetest.New(secret, 1), store, func(c *abuseipdb.Config) { c.Transport, c.BaseURL = nil, url })
	if usage, err := c.Usage(t.Context()); err != nil || usage[0].Left != usage[0].Limit {
		t.Errorf("%+v, %v", usage, err)
	}
}

// While nobody knows what is left and a call may be counted late, none is made.
func TestNoSecondFirstCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := abusetest.New(secret, 1000)
		fake.Fail(1, abusetest.Hang)
		s := client(t, fake, new(enrich.Memory), nil).Sources()[0]
		for i, want := range []enrich.Status{enrich.Error, enrich.Error, enrich.OK} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			got := s.Lookup(ctx, ip(abusetest.IOFlood), enrich.Interactive)
			cancel()
			if got.Status != want || (i == 1) == got.RetryAt.IsZero() {
				t.Errorf("question %d: %+v", i, got)
			}
			if i == 1 {
				after(t.Context(), time.Until(got.RetryAt))
			}
		}
		if n := len(fake.Calls()); n != 2 {
			t.Errorf("%d calls", n)
		}
	})
}

// A service that fails all the time is left alone, so that a list of values does
// not wait for a timeout each.
func TestAFailingServiceIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := abusetest.New(secret, 1000)
		fake.Fail(-1, abusetest.Hang)
		store := new(enrich.Memory)
		e := enricher(t, client(t, fake, store, nil), store, nil)
		var values []enrich.Value
		for i := range 100 {
			values = append(values, ip(fmt.Sprintf("104.161.20.%d", i)))
		}
		start := time.Now()
		for r := range e.Enrich(t.Context(), enrich.Ask{}, values) {
			if r.Answers[0].Status != enrich.Error {
				t.Errorf("%+v", r.Answers)
			}
		}
		if took, n := time.Since(start), len(fake.Calls()); took > 2*time.Minute || n > 20 {
			t.Errorf("%v, %d calls", took, n)
		}
		fake.Fail(0, nil)
		after(t.Context(), 2*time.Minute)
		if got := fields(e.One(t.Context(), enrich.Ask{}, ip(abusetest.IOFlood)))["reports"]; got != "7" {
			t.Errorf("reports %q", got)
		}
	})
}

func TestNew(t *testing.T) {
	store := new(enrich.Memory)
	for name, c := range map[string]abuseipdb.Config{
		"no key":         {Store: store},
		"no store":       {Key: key(t)},
		"all reserved":   {Key: key(t), Store: store, Reserved: 1.5},
		"in the clear":   {Key: key(t), Store: store, BaseURL: "http://api.abuseipdb.com/" + secret},
		"a user":         {Key: key(t), Store: store, BaseURL: "https://u:" + secret + "@api.abuseipdb.com/"},
		"a query":        {Key: key(t), Store: store, BaseURL: "https://api.abuseipdb.com/?key=" + secret},
		"no host":        {Key: key(t), Store: store, BaseURL: "https:///" + secret},
		"another scheme": {Key: key(t), Store: store, BaseURL: "ftp://localhost/" + secret},
		"unreadable":     {Key: key(t), Store: store, BaseURL: "https://%zz" + secret},
	} {
		_, err := abuseipdb.New(c)
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
