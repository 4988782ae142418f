package abuseipdb

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/enrich"
)

func TestReadLimits(t *testing.T) {
	now := time.Date(2026, 8, 1, 10, 0, 0, 0, time.UTC)
	midnight := time.Date(2026, 8, 2, 0, 0, 0, 0, time.UTC)
	const refused = http.StatusTooManyRequests
	for name, c := range map[string]struct {
		status int
		header map[string]string
		want   limits
	}{
		"silence": {200, nil, limits{limit: -1, remaining: -1, midnight: midnight, answered: true}},
		"as documented": {
			200,
			map[string]string{"X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "998"},
			limits{limit: 1000, remaining: 998, midnight: midnight, answered: true},
		},
		"nonsense": {
			200,
			map[string]string{"X-RateLimit-Limit": "-1", "X-RateLimit-Remaining": "lots", "X-RateLimit-Reset": "99999999999999999999", "Date": "today"},
			limits{limit: -1, remaining: -1, midnight: midnight, answered: true},
		},
		"a reset in ten minutes": {
			200,
			map[string]string{"X-RateLimit-Reset": "1785578400"}, // 10:00 of that day
			limits{limit: -1, remaining: -1, midnight: midnight, answered: true},
		},
		"429 with Retry-After and a reset long ago": {
			refused,
			map[string]string{"Retry-After": "29241", "X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1545973200"},
			limits{limit: 1000, remaining: 0, midnight: midnight, refused: true, until: now.Add(29241 * time.Second)},
		},
		"429 with a reset": {
			refused,
			map[string]string{"X-RateLimit-Reset": "1785582000"},
			limits{limit: -1, remaining: -1, midnight: midnight, refused: true, reset: now.Add(time.Hour), until: now.Add(time.Hour)},
		},
		"429 with both: the later": {
			refused,
			map[string]string{"X-RateLimit-Reset": "1785582000", "Retry-After": "7200"},
			limits{limit: -1, remaining: -1, midnight: midnight, refused: true, reset: now.Add(time.Hour), until: now.Add(2 * time.Hour)},
		},
		"429 with a date": {
			refused,
			map[string]string{"Retry-After": "Sat, 01 Aug 2026 12:00:00 GMT"},
			limits{limit: -1, remaining: -1, midnight: midnight, refused: true, until: now.Add(2 * time.Hour)},
		},
		"429 with nothing left": {
			refused,
			map[string]string{"X-RateLimit-Remaining": "0"},
			limits{limit: -1, remaining: 0, midnight: midnight, refused: true, until: midnight},
		},
		"429 without a word": {
			refused, nil,
			limits{limit: -1, remaining: -1, midnight: midnight, refused: true, until: now.Add(burstPause)},
		},
		"429 for ever": {
			refused,
			map[string]string{"Retry-After": "999999999"},
			limits{limit: -1, remaining: -1, midnight: midnight, refused: true, until: now.Add(longestWindow)},
		},
		"our clock is four hours slow": {
			refused,
			map[string]string{"Date": "Sat, 01 Aug 2026 14:00:00 GMT", "X-RateLimit-Reset": "1785596400"}, // 15:00
			limits{limit: -1, remaining: -1, midnight: midnight.Add(-4 * time.Hour), refused: true, reset: now.Add(time.Hour), until: now.Add(time.Hour)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := make(http.Header)
			for k, v := range c.header {
				h.Set(k, v)
			}
			if d := cmp.Diff(c.want, readLimits(c.status, h, now), cmp.AllowUnexported(limits{})); d != "" {
				t.Error(d)
			}
		})
	}
}

func FuzzReadLimits(f *testing.F) {
	f.Add(429, "1000", "0", "1545973200", "29241", "Sat, 01 Aug 2026 12:00:00 GMT")
	f.Add(200, "", "", "", "", "")
	f.Fuzz(func(t *testing.T, status int, limit, remaining, reset, after, date string) {
		now := time.Date(2026, 8, 1, 10, 0, 0, 0, time.UTC)
		l := readLimits(status, http.Header{
			"X-Ratelimit-Limit": {limit}, "X-Ratelimit-Remaining": {remaining}, "X-Ratelimit-Reset": {reset}, "Retry-After": {after}, "Date": {date},
		}, now)
		for _, at := range []time.Time{l.reset, l.until, l.midnight} {
			if !at.IsZero() && (!at.After(now) || at.After(now.Add(longestWindow))) {
				t.Fatalf("%+v", l)
			}
		}
		if l.refused != (status == 429) || l.refused == l.until.IsZero() || l.limit < -1 || l.remaining < -1 {
			t.Fatalf("%+v", l)
		}
	})
}

func FuzzReadCheck(f *testing.F) {
	asked := netip.MustParseAddr("104.161.20.102")
	f.Add([]byte(`{"data":{"ipAddress":"104.161.20.102","isPublic":true,"ipVersion":4,"isWhitelisted":null,"abuseConfidenceScore":38,"countryCode":"US","usageType":"Data Center/Web Hosting/Transit","isp":"Input Output Flood LLC","domain":"ipxo.com","hostnames":["a"],"isTor":true,"totalReports":7,"numDistinctUsers":50,"lastReportedAt":"2023-02-20T10:00:00+00:00"}}`))
	f.Add([]byte(`{"data":{"ipAddress":"::ffff:104.161.20.102","abuseConfidenceScore":0,"totalReports":0}}`))
	f.Add([]byte(`{"errors":[{"detail":"x","status":429}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := readCheck(bytes.NewReader(data), asked)
		if err != nil {
			return
		}
		a := c.answer(time.Unix(0, 0))
		if !a.Status.Answered() {
			t.Fatalf("%+v", a)
		}
		for _, claim := range a.Claims {
			if claim.Effect == enrich.Multiplies && claim.Factor != manyFactor || claim.Source != sourceName {
				t.Fatalf("%+v", claim)
			}
		}
		for _, f := range a.Fields {
			if f.Value == "" || f.Status != enrich.OK {
				t.Fatalf("%+v", f)
			}
		}
	})
}

func FuzzReadBlock(f *testing.F) {
	asked := netip.MustParsePrefix("104.161.20.0/24")
	f.Add([]byte(`{"data":{"networkAddress":"104.161.20.0","addressSpaceDesc":"Internet","reportedAddress":[{"ipAddress":"104.161.20.102","numReports":7,"mostRecentReport":"2023-02-20T10:00:00+00:00","abuseConfidenceScore":38}]}}`))
	f.Add([]byte(`{"data":{"networkAddress":"104.161.20.0","reportedAddress":[]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := readBlock(bytes.NewReader(data), asked)
		if err != nil {
			return
		}
		if a := b.answer(time.Unix(0, 0)); a.Status != enrich.OK || len(a.Claims) != 0 || len(a.Fields) < 4 {
			t.Fatalf("%+v", a)
		}
	})
}

func FuzzReadBlacklist(f *testing.F) {
	f.Add([]byte(`{"meta":{"generatedAt":"2026-08-01T00:00:00+00:00"},"data":[{"ipAddress":"20.0.0.1","abuseConfidenceScore":100,"lastReportedAt":"2026-07-31T00:00:00+00:00"},{"ipAddress":"10.0.0.1"}]}`))
	f.Add([]byte(`{"data":[],"meta":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := ReadBlacklist(bytes.NewReader(data))
		if err != nil {
			return
		}
		var file bytes.Buffer
		if _, err := b.WriteTo(&file); err != nil {
			// A date that JSON cannot hold came from JSON: it cannot happen.
			t.Fatal(err)
		}
		again, err := ReadBlacklist(&file)
		if err != nil {
			t.Fatal(err)
		}
		if again.Len() != b.Len() || !again.GeneratedAt().Equal(b.GeneratedAt()) {
			t.Fatalf("%d entries became %d", b.Len(), again.Len())
		}
	})
}

func FuzzDecodePage(f *testing.F) {
	f.Add([]byte(`{"until":"2026-08-02T00:00:02Z","limit":1000,"left":998,"flying":1,"strays":0,"serial":2,"window":1,"sure":true}`))
	f.Add([]byte(`{"left":-1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := decodePage(data)
		if err != nil {
			return
		}
		if p.Left < 0 || p.Limit < 0 || p.Flying < 0 || p.Strays < 0 {
			t.Fatalf("%+v", p)
		}
		if _, err := json.Marshal(p); err != nil {
			t.Fatal(err)
		}
	})
}

// A ledger that cannot be read knows nothing: the next call goes alone.
func TestUnreadableLedger(t *testing.T) {
	for _, data := range []string{"garbage", `{"left":-5}`, strings.Repeat(" ", 5000), `{"left":1e300}`} {
		store := new(enrich.Memory)
		if err := store.Put(t.Context(), "k", []byte(data), time.Time{}); err != nil {
			t.Fatal(err)
		}
		l := &ledger{store: store, key: "k", endpoint: "check", assumed: 1000}
		r, err := l.reserve(t.Context(), enrich.Interactive)
		if err != nil || !r.first {
			t.Errorf("%.20q: %+v, %v", data, r, err)
		}
	}
}

// What an answer does to the page, call by call.
func TestSettle(t *testing.T) {
	now := time.Date(2026, 8, 1, 10, 0, 0, 0, time.UTC)
	end := time.Date(2026, 8, 2, 0, 0, 0, 0, time.UTC)
	sure := page{Until: end, Limit: 100, Left: 50, Flying: 3, Sure: true, Window: 7}
	change := func(f func(*page)) page {
		p := sure
		f(&p)
		return p
	}
	said := func(n int) *limits { return &limits{limit: 100, remaining: n, midnight: end, answered: true} }
	for name, c := range map[string]struct {
		before page
		got    *limits
		want   page
	}{
		"others used the account": {sure, said(10), change(func(p *page) { p.Flying, p.Low, p.Left = 2, 11, 8 })},
		"an answer was overtaken": {
			change(func(p *page) { p.Low = 11 }), said(30), change(func(p *page) { p.Flying, p.Low, p.Left = 2, 11, 8 }),
		},
		"more is left than we thought, with calls under way": {sure, said(90), change(func(p *page) { p.Flying, p.Low = 2, 91 })},
		"and with none": {
			change(func(p *page) { p.Flying = 1 }), said(90), change(func(p *page) { p.Flying, p.Low, p.Left = 0, 91, 90 }),
		},
		"and with a stray": {
			change(func(p *page) { p.Flying, p.Strays, p.Lost = 1, 1, now.Add(time.Second) }), said(90),
			change(func(p *page) { p.Flying, p.Strays, p.Lost, p.Low = 0, 1, now.Add(time.Second), 91 }),
		},
		"and with a stray of long ago": {
			change(func(p *page) { p.Flying, p.Strays, p.Lost = 1, 1, now }), said(90),
			change(func(p *page) { p.Flying, p.Strays, p.Lost, p.Low, p.Left = 0, 1, now, 91, 90 }),
		},
		"and with an answer that did not say": {
			change(func(p *page) { p.Flying, p.Blurred = 1, 1 }), said(90), change(func(p *page) { p.Flying, p.Blurred, p.Low = 0, 1, 91 }),
		},
		"no connection": {sure, &limits{unsent: true}, change(func(p *page) { p.Flying, p.Left = 2, 51 })},
		"no answer":     {sure, nil, change(func(p *page) { p.Flying, p.Strays, p.Lost = 2, 1, now.Add(strayTime) })},
		"an answer of another window": {
			change(func(p *page) { p.Window = 8 }), said(0), change(func(p *page) { p.Window, p.Flying, p.Blurred = 8, 2, 1 }),
		},
		"refused": {
			sure, &limits{refused: true, until: now.Add(time.Hour)},
			change(func(p *page) { p.Flying, p.Left, p.Until, p.Window = 2, 0, now.Add(time.Hour+resetMargin), 8 }),
		},
		"refused for longer already": {
			change(func(p *page) { p.Left = 0 }), &limits{refused: true, until: now.Add(time.Hour)},
			change(func(p *page) { p.Flying, p.Left, p.Window = 2, 0, 8 }),
		},
		"the first answer of a window": {
			change(func(p *page) { p.Sure, p.Flying, p.Left = false, 1, 999 }),
			&limits{limit: 10, remaining: 9, midnight: end, answered: true},
			page{Until: end.Add(resetMargin), Limit: 10, Left: 9, Low: 10, Sure: true, Window: 7},
		},
		"and one from before the service": {
			change(func(p *page) { p.Sure, p.Flying = false, 1 }), &limits{limit: -1, remaining: -1, midnight: end},
			change(func(p *page) { p.Sure, p.Flying, p.Blurred = false, 0, 1 }),
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := c.before
			p.settle(reservation{window: 7}, c.got, now)
			if d := cmp.Diff(c.want, p); d != "" {
				t.Error(d)
			}
		})
	}
}
