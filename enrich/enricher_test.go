package enrich_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/enrich"
)

// asked is a source that counts what reaches it.
type asked struct {
	about  enrich.About
	answer func(context.Context, enrich.Value, enrich.Purpose) enrich.Answer

	quiet bool // counts nothing, for benchmarks

	mu     sync.Mutex
	values []enrich.Value
	now    int
	most   int
}

func (a *asked) About() enrich.About { return a.about }

func (a *asked) Lookup(ctx context.Context, v enrich.Value, p enrich.Purpose) enrich.Answer {
	if a.quiet {
		return a.answer(ctx, v, p)
	}
	a.mu.Lock()
	a.values = append(a.values, v)
	a.now++
	a.most = max(a.most, a.now)
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		a.now--
		a.mu.Unlock()
	}()
	return a.answer(ctx, v, p)
}

func (a *asked) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.values)
}

// busiest returns how many look-ups ran at the same time.
func (a *asked) busiest() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.most
}

// seen returns the values that were asked about, in order.
func (a *asked) seen() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []string
	for _, v := range a.values {
		all = append(all, v.Text)
	}
	return all
}

// third returns a third party with an answer.
func third(answer func(context.Context, enrich.Value, enrich.Purpose) enrich.Answer) *asked {
	return &asked{answer: answer, about: enrich.About{
		Name: "third", Kinds: []enrich.Kind{enrich.KindIP, enrich.KindCIDR}, Fields: []string{enrich.FieldReports, enrich.FieldISP},
		ThirdParty: true, Fresh: 24 * time.Hour, Stale: 7 * 24 * time.Hour, Concurrency: 4,
	}}
}

func reports(n string, claims ...enrich.Claim) enrich.Answer {
	return enrich.Answer{
		Status: enrich.OK, Claims: claims,
		Fields: []enrich.Field{{Name: enrich.FieldReports, Value: n, Status: enrich.OK}},
	}
}

func local(name string, answer func(enrich.Value) enrich.Answer) *asked {
	return &asked{
		about:  enrich.About{Name: name, Kinds: []enrich.Kind{enrich.KindIP, enrich.KindCIDR}, Fields: []string{enrich.FieldASN}},
		answer: func(_ context.Context, v enrich.Value, _ enrich.Purpose) enrich.Answer { return answer(v) },
	}
}

// shield names values that never leave.
type shield map[string]string

func (s shield) Shielded(v enrich.Value) string { return s[v.Text] }

// after waits in the time of the test's bubble.
func after(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-ctx.Done()
}

// build returns an enricher over sources with everything permitted.
func build(t *testing.T, change func(*enrich.Config), sources ...enrich.Source) *enrich.Enricher {
	t.Helper()
	store := new(enrich.Memory)
	c := enrich.Config{Sources: sources, Store: store, Gate: enrich.TLPGate{Ceilings: ceilings{"": "clear", "a": "green", "b": "amber"}}, Shield: shield{}}
	if change != nil {
		change(&c)
	}
	if c.Book == nil {
		book, err := enrich.OpenBook(t.Context(), c.Store, nil)
		if err != nil {
			t.Fatal(err)
		}
		c.Book = book
	}
	e, err := enrich.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func ip(s string) enrich.Value { return enrich.Value{Kind: enrich.KindIP, Text: s} }

// statuses returns what each source's answer says.
func statuses(r enrich.Record) map[string]enrich.Status {
	m := make(map[string]enrich.Status)
	for _, a := range r.Answers {
		m[a.Source] = a.Status
	}
	return m
}

func value(r enrich.Record, name string) (string, enrich.Status) {
	for _, f := range r.Fields {
		if f.Name == name {
			return f.Value, f.Status
		}
	}
	return "", enrich.NotLookedUp
}

func TestEveryFieldSaysWhereItIsFromAndWhen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asn := local("asn", func(enrich.Value) enrich.Answer {
			return enrich.Answer{Status: enrich.OK, Fields: []enrich.Field{{
				Name: enrich.FieldASN, Value: "53755", Source: "starter data", DataDate: time.Unix(1, 0).UTC(), Status: enrich.OK,
			}}, Claims: []enrich.Claim{{Class: enrich.ClassHosting, Source: "asn", Entry: "AS53755"}}}
		})
		s := third(func(context.Context, enrich.Value, enrich.Purpose) enrich.Answer { return reports("7") })
		e := build(t, nil, s, asn)
		now := time.Now().UTC()
		got := e.One(t.Context(), enrich.Ask{}, ip("::ffff:104.161.20.102"))
		want := enrich.Record{
			Value: ip("104.161.20.102"),
			Class: enrich.Class{Name: "hosting", Reasons: []string{"asn: AS53755"}},
			Fields: []enrich.Field{
				{Name: "scope", Value: "public", Source: "iana", Status: enrich.OK},
				{Name: "reports", Value: "7", Source: "third", LookedUpAt: now, Status: enrich.OK},
				{Name: "isp", Source: "third", LookedUpAt: now, Status: enrich.NoData},
				{Name: "asn", Value: "53755", Source: "starter data", DataDate: time.Unix(1, 0).UTC(), LookedUpAt: now, Status: enrich.OK},
			},
			Answers: []enrich.Answer{
				{Source: "third", Status: enrich.OK, LookedUpAt: now},
				{Source: "asn", Status: enrich.OK, LookedUpAt: now},
			},
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	})
}

func TestNeverSent(t *testing.T) {
	m365 := netip.MustParsePrefix("40.92.0.0/15")
	lists := local("lists", func(v enrich.Value) enrich.Answer {
		p, _ := v.Prefix()
		switch {
		case m365.Contains(p.Addr()):
			return enrich.Answer{Status: enrich.OK, Claims: []enrich.Claim{{Class: enrich.ClassM365Service, Source: "m365"}}}
		case v.Text == "8.8.8.8":
			return enrich.Answer{Status: enrich.OK, Claims: []enrich.Claim{{Class: enrich.ClassTenantEgress, Source: "egress"}}}
		case v.Text == "9.9.9.9":
			return enrich.Answer{Status: enrich.Error, Detail: "broken"}
		}
		return enrich.Answer{Status: enrich.NoData}
	})
	s := third(func(context.Context, enrich.Value, enrich.Purpose) enrich.Answer { return reports("0") })
	e := build(t, func(c *enrich.Config) {
		c.Shield = shield{"1.1.1.1": "egress of a tenant", "40.0.0.0/8": "overlaps Microsoft 365"}
	}, lists, s)
	for _, v := range []enrich.Value{
		ip("10.0.0.1"), ip("127.0.0.1"), ip("::ffff:192.168.0.1"), ip("100.64.1.1"), ip("203.0.113.1"), ip("fe80::1%eth0"),
		ip("2002:0a00:0001::"), ip("no address"), ip("40.92.1.1"), ip("8.8.8.8"), ip("9.9.9.9"), ip("1.1.1.1"),
		{Kind: enrich.KindCIDR, Text: "40.0.0.0/8"},
		{Kind: enrich.KindCIDR, Text: "192.0.0.0/8"},
		{Kind: enrich.KindCIDR, Text: "x"},
	} {
		r := e.One(t.Context(), enrich.Ask{}, v)
		if got := statuses(r)["third"]; got != enrich.NotLookedUp {
			t.Errorf("%s: %s", v.Text, got)
		}
		if text, status := value(r, enrich.FieldReports); text != "" || status != enrich.NotLookedUp {
			t.Errorf("%s: reports %q, %s", v.Text, text, status)
		}
		if !strings.Contains(r.Answers[len(r.Answers)-1].Detail, "sent") {
			t.Errorf("%s: no reason: %+v", v.Text, r.Answers)
		}
	}
	if n := s.count(); n != 0 {
		t.Errorf("%d values were sent: %v", n, s.seen())
	}
	if r := e.One(t.Context(), enrich.Ask{}, ip("10.0.0.1")); r.Class.Name != enrich.ClassBogon {
		t.Errorf("a private address is %s", r.Class.Name)
	}
	if e.One(t.Context(), enrich.Ask{}, ip("104.161.20.102")); s.count() != 1 {
		t.Error("a public address was not asked about")
	}
}

func TestTenantsGate(t *testing.T) {
	s := third(func(context.Context, enrich.Value, enrich.Purpose) enrich.Answer { return reports("7") })
	e := build(t, nil, s)
	v := ip("104.161.20.102")
	for name, ask := range map[string]enrich.Ask{
		"an amber tenant": {Tenant: "b"}, "a tenant nobody knows": {Tenant: "c"}, "a red case": {Tenant: "a", TLP: enrich.TLPRed},
		"a local question": {LocalOnly: true},
	} {
		if got := statuses(e.One(t.Context(), ask, v))["third"]; got != enrich.NotLookedUp {
			t.Errorf("%s: %s", name, got)
		}
	}
	if s.count() != 0 {
		t.Fatal("the address was sent")
	}
	if got := statuses(e.One(t.Context(), enrich.Ask{Tenant: "a"}, v))["third"]; got != enrich.OK {
		t.Errorf("a green tenant: %s", got)
	}
	// What another tenant's question brought is not even hinted at, unless the
	// asker may know.
	if got := statuses(e.One(t.Context(), enrich.Ask{Tenant: "b"}, v))["third"]; got != enrich.NotLookedUp {
		t.Errorf("kept for another: %s", got)
	}
	if got := statuses(e.One(t.Context(), enrich.Ask{Tenant: "b", Kept: true}, v))["third"]; got != enrich.OK {
		t.Errorf("kept, for one who may know: %s", got)
	}
	if got := statuses(e.One(t.Context(), enrich.Ask{Tenant: "b", Kept: true}, ip("185.241.149.122")))["third"]; got != enrich.NotLookedUp {
		t.Errorf("not kept: %s", got)
	}
	if s.count() != 1 {
		t.Errorf("%d look-ups", s.count())
	}
}

func TestAnswersAreKeptAndAgeOpenly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		s := third(func(context.Context, enrich.Value, enrich.Purpose) enrich.Answer { n++; return reports(fmt.Sprint(n)) })
		store := new(enrich.Memory)
		e := build(t, func(c *enrich.Config) { c.Store = store }, s)
		v := ip("104.161.20.102")
		see := func(want string, stale bool) {
			t.Helper()
			r := e.One(t.Context(), enrich.Ask{}, v)
			if got, _ := value(r, enrich.FieldReports); got != want || r.Answers[0].Stale != stale || r.Fields[1].Stale != stale {
				t.Errorf("after %d look-ups: %q, stale %v; want %q, %v", n, got, r.Answers[0].Stale, want, stale)
			}
			synctest.Wait()
		}
		see("1", false)
		after(t.Context(), 24*time.Hour-time.Second)
		see("1", false)
		after(t.Context(), time.Second)
		see("1", true) // and asks again behind the scenes
		see("2", false)
		after(t.Context(), 8*24*time.Hour)
		see("3", false)
		if n != 3 {
			t.Errorf("%d look-ups", n)
		}
		// Another process finds what is kept.
		e = build(t, func(c *enrich.Config) { c.Store = store }, s)
		see("3", false)
	})
}

func TestOneCallRefreshesNoMoreThanItMayLookUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := third(func(context.Context, enrich.Value, enrich.Purpose) enrich.Answer { return reports("7") })
		e := build(t, nil, s)
		var values []enrich.Value
		for i := range 200 {
			values = append(values, enrich.AddressValue(netip.AddrFrom4([4]byte{20, 1, 0, byte(i)})))
		}
		for range e.Enrich(t.Context(), enrich.Ask{MaxLookups: 200}, values) {
		}
		after(t.Context(), 2*24*time.Hour)
		for r := range e.Enrich(t.Context(), enrich.Ask{MaxLookups: 30}, values) {
			if got, _ := value(r, enrich.FieldReports); got != "7" {
				t.Fatalf("%+v", r)
			}
		}
		synctest.Wait()
		if s.count() != 230 {
			t.Errorf("%d look-ups", s.count())
		}
		for r := range e.Enrich(t.Context(), enrich.Ask{MaxLookups: -1}, []enrich.Value{ip("20.2.0.1")}) {
			if got := statuses(r)["third"]; got != enrich.NotLookedUp {
				t.Errorf("a call without look-ups: %s", got)
			}
		}
	})
}

func TestARefusedAskerDoesNotRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := third(func(context.Context, enrich.Value, enrich.Purpose) enrich.Answer { return reports("7") })
		e := build(t, nil, s)
		e.One(t.Context(), enrich.Ask{Tenant: "a"}, ip("104.161.20.102"))
		after(t.Context(), 2*24*time.Hour)
		r := e.One(t.Context(), enrich.Ask{Tenant: "b", Kept: true}, ip("104.161.20.102"))
		synctest.Wait()
		if !r.Answers[0].Stale || s.count() != 1 {
			t.Errorf("stale %v, %d look-ups", r.Answers[0].Stale, s.count())
		}
	})
}

func TestOnlyAnswersAreKept(t *testing.T) {
	retry := time.Now().Add(time.Hour).UTC()
	for _, failed := range []enrich.Answer{
		{Status: enrich.Quota, RetryAt: retry, Fields: []enrich.Field{{Name: enrich.FieldReports, Value: "0", Status: enrich.OK}}},
		{Status: enrich.Error, Detail: "garbage"},
		{Status: enrich.NotLookedUp},
		{Status: enrich.Status(77)},
	} {
		next := failed
		s := third(func(context.Context, enrich.Value, enrich.Purpose) enrich.Answer { return next })
		e := build(t, nil, s)
		r := e.One(t.Context(), enrich.Ask{}, ip("104.161.20.102"))
		want := failed.Status
		if want > enrich.Error {
			want = enrich.Error
		}
		if text, status := value(r, enrich.FieldReports); text != "" || status != want {
			t.Errorf("%s: reports %q, %s", failed.Status, text, status)
		}
		if failed.Status == enrich.Quota && !r.Answers[0].RetryAt.Equal(retry) {
			t.Error("when to ask again was lost")
		}
		next = reports("7")
		r = e.One(t.Context(), enrich.Ask{}, ip("104.161.20.102"))
		if text, _ := value(r, enrich.FieldReports); text != "7" || s.count() != 2 {
			t.Errorf("after %s: %q from %d look-ups", failed.Status, text, s.count())
		}
	}
}

func TestNoDataIsKeptAsSuch(t *testing.T) {
	s := third(func(context.Context, enrich.Value, enrich.Purpose) enrich.Answer {
		return enrich.Answer{Status: enrich.NoData}
	})
	e := build(t, nil, s)
	for range 2 {
		if got := statuses(e.One(t.Context(), enrich.Ask{}, ip("104.161.20.102")))["third"]; got != enrich.NoData {
			t.Error(got)
		}
	}
	if s.count() != 1 {
		t.Errorf("%d look-ups", s.count())
	}
}

func TestManyAskersShareOneLookup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := third(func(ctx context.Context, _ enrich.Value, _ enrich.Purpose) enrich.Answer {
			after(ctx, time.Second)
			return reports("7")
		})
		e := build(t, nil, s)
		var wg sync.WaitGroup
		var served atomic.Int64
		for range 64 {
			wg.Go(func() {
				if got, _ := value(e.One(t.Context(), enrich.Ask{}, ip("104.161.20.102")), enrich.FieldReports); got == "7" {
					served.Add(1)
				}
			})
		}
		wg.Wait()
		if s.count() != 1 || served.Load() != 64 {
			t.Errorf("%d look-ups served %d", s.count(), served.Load())
		}
	})
}

func TestAPersonDoesNotGetTheQuotaOfABackgroundQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := third(func(ctx context.Context, _ enrich.Value, p enrich.Purpose) enrich.Answer {
			after(ctx, time.Second)
			if p == enrich.Background {
				return enrich.Answer{Status: enrich.Quota}
			}
			return reports("7")
		})
		e := build(t, nil, s)
		go e.One(t.Context(), enrich.Ask{Purpose: enrich.Background}, ip("104.161.20.102"))
		synctest.Wait()
		if got, _ := value(e.One(t.Context(), enrich.Ask{}, ip("104.161.20.102")), enrich.FieldReports); got != "7" {
			t.Errorf("%q", got)
		}
	})
}

func TestTenThousandValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := third(func(ctx context.Context, v enrich.Value, _ enrich.Purpose) enrich.Answer {
			after(ctx, 50*time.Millisecond)
			return reports(v.Text)
		})
		e := build(t, nil, s)
		var values []enrich.Value
		for i := range 10_000 {
			values = append(values, enrich.AddressValue(netip.AddrFrom4([4]byte{20, 1, byte(i >> 8), byte(i)})))
		}
		got, looked := 0, 0
		for r := range e.Enrich(t.Context(), enrich.Ask{}, values) {
			if r.Value != values[got] {
				t.Fatalf("record %d is about %s", got, r.Value.Text)
			}
			got++
			switch text, status := value(r, enrich.FieldReports); {
			case status == enrich.OK && text == r.Value.Text:
				looked++
			case status != enrich.NotLookedUp:
				t.Fatalf("%s: %q %s", r.Value.Text, text, status)
			}
		}
		if got != len(values) || looked != enrich.DefaultMaxLookups || s.count() != looked {
			t.Errorf("%d records, %d looked up, %d look-ups", got, looked, s.count())
		}
		if most := s.busiest(); most > 4 {
			t.Errorf("%d look-ups at a time", most)
		}
		// A caller that may spend more gets more, and one that leaves spends no more.
		n := 0
		for range e.Enrich(t.Context(), enrich.Ask{MaxLookups: 10_000}, values) {
			if n++; n == 200 {
				break
			}
		}
		synctest.Wait()
		if most := 200 + 64; s.count() > most {
			t.Errorf("%d look-ups for 200 records", s.count())
		}
	})
}

func TestPartialAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asn := local("asn", func(enrich.Value) enrich.Answer {
			return enrich.Answer{Status: enrich.OK, Fields: []enrich.Field{{Name: enrich.FieldASN, Value: "1", Status: enrich.OK}}}
		})
		slow := third(func(ctx context.Context, _ enrich.Value, _ enrich.Purpose) enrich.Answer {
			after(ctx, 5*time.Second)
			if ctx.Err() != nil {
				return enrich.Answer{Status: enrich.Error}
			}
			return reports("7")
		})
		wild := third(func(_ context.Context, v enrich.Value, _ enrich.Purpose) enrich.Answer {
			return reports(strings.Split(v.Text, ".")[4])
		})
		wild.about.Name = "wild"
		e := build(t, nil, asn, slow, wild)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		r := e.One(ctx, enrich.Ask{}, ip("104.161.20.102"))
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %v", took)
		}
		want := map[string]enrich.Status{"asn": enrich.OK, "third": enrich.Error, "wild": enrich.Error}
		if d := cmp.Diff(want, statuses(r)); d != "" {
			t.Error(d)
		}
		// The look-up was paid for: it goes on, and the next one finds its answer.
		after(t.Context(), 10*time.Second)
		if got, _ := value(e.One(t.Context(), enrich.Ask{}, ip("104.161.20.102")), enrich.FieldReports); got != "7" || slow.count() != 1 {
			t.Errorf("%q after %d look-ups", got, slow.count())
		}
		// Who comes too late gets what is in memory.
		r = e.One(ctx, enrich.Ask{}, ip("104.161.20.103"))
		if got := statuses(r); got["asn"] != enrich.OK || got["third"] != enrich.NotLookedUp {
			t.Errorf("too late: %v", got)
		}
	})
}

func TestALookupHasItsOwnTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := third(func(ctx context.Context, _ enrich.Value, _ enrich.Purpose) enrich.Answer {
			<-ctx.Done()
			return enrich.Answer{Status: enrich.Error}
		})
		e := build(t, nil, s)
		start := time.Now()
		r := e.One(t.Context(), enrich.Ask{}, ip("104.161.20.102"))
		if took := time.Since(start); took != enrich.DefaultTimeout || statuses(r)["third"] != enrich.Error {
			t.Errorf("%v after %v", statuses(r), took)
		}
	})
}

func TestCloseEndsLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := third(func(ctx context.Context, _ enrich.Value, _ enrich.Purpose) enrich.Answer {
			<-ctx.Done()
			return enrich.Answer{Status: enrich.Error}
		})
		e := build(t, nil, s)
		done := make(chan enrich.Record, 8)
		for i := range 8 {
			go func() { done <- e.One(t.Context(), enrich.Ask{}, ip(fmt.Sprintf("104.161.20.%d", i))) }()
		}
		synctest.Wait()
		start := time.Now()
		e.Close()
		for range 8 {
			if r := <-done; statuses(r)["third"].Answered() {
				t.Error("an answer without a look-up")
			}
		}
		if time.Since(start) != 0 {
			t.Error("closing took time")
		}
		if r := e.One(t.Context(), enrich.Ask{}, ip("104.161.20.9")); statuses(r)["third"].Answered() {
			t.Error("a closed enricher asks")
		}
	})
}

func TestThirdPartyTextIsTame(t *testing.T) {
	s := third(func(context.Context, enrich.Value, enrich.Purpose) enrich.Answer {
		a := enrich.Answer{Status: enrich.OK, Detail: "d\x1b[31m"}
		for i := range 1000 {
			a.Fields = append(a.Fields, enrich.Field{Name: "ptr", Source: "iana", Value: fmt.Sprintf("h%d\x00\u202e", i) + strings.Repeat("x", 1000), Status: enrich.OK, CaseTime: true})
		}
		a.Claims = []enrich.Claim{{Effect: enrich.Multiplies, Factor: -1}, {Effect: enrich.Grades, Grade: 7}, {Effect: 200}, {Class: "leased", Source: "third", Entry: "a\x07b"}}
		return a
	})
	e := build(t, nil, s)
	for range 2 { // asked, then kept
		r := e.One(t.Context(), enrich.Ask{}, ip("104.161.20.102"))
		if len(r.Fields) > 70 || s.count() != 1 {
			t.Errorf("%d fields", len(r.Fields))
		}
		for _, f := range r.Fields {
			if len(f.Value) > 512 || f.Name != "scope" && f.Source != "third" || strings.ContainsAny(f.Value, "\x00\x1b\u202e") || f.CaseTime {
				t.Fatalf("%+v", f)
			}
		}
		if d := cmp.Diff(enrich.Class{Name: "leased", Reasons: []string{"third: ab"}}, r.Class); d != "" {
			t.Error(d)
		}
		if r.Answers[0].Detail != "d[31m" {
			t.Errorf("%q", r.Answers[0].Detail)
		}
	}
}

// brokenStore fails as told.
type brokenStore struct {
	enrich.Memory
	get, put atomic.Bool
}

var errDisk = errors.New("disk")

func (b *brokenStore) Get(ctx context.Context, key string) ([]byte, error) {
	if b.get.Load() {
		return nil, errDisk
	}
	return b.Memory.Get(ctx, key)
}

func (b *brokenStore) Put(ctx context.Context, key string, data []byte, expire time.Time) error {
	if b.put.Load() {
		return errDisk
	}
	return b.Memory.Put(ctx, key, data, expire)
}

func TestABrokenStore(t *testing.T) {
	s := third(func(context.Context, enrich.Value, enrich.Purpose) enrich.Answer {
		return reports("7", enrich.Claim{Class: enrich.ClassLeased, Source: "third"})
	})
	store := new(brokenStore)
	e := build(t, func(c *enrich.Config) { c.Store = store }, s)
	store.get.Store(true)
	if got := statuses(e.One(t.Context(), enrich.Ask{}, ip("104.161.20.102")))["third"]; got != enrich.Error || s.count() != 0 {
		t.Errorf("%s after %d look-ups", got, s.count())
	}
	store.get.Store(false)
	store.put.Store(true)
	// The answer is good, but neither it nor the class is claimed to be kept.
	r := e.One(t.Context(), enrich.Ask{}, ip("104.161.20.102"))
	if got, _ := value(r, enrich.FieldReports); got != "7" || r.Class.Name != enrich.ClassUnknown {
		t.Errorf("%q, %s", got, r.Class.Name)
	}
	store.put.Store(false)
	if r = e.One(t.Context(), enrich.Ask{}, ip("104.161.20.102")); r.Class.Name != enrich.ClassLeased || s.count() != 2 {
		t.Errorf("%s after %d look-ups", r.Class.Name, s.count())
	}
	// What is kept but cannot be read is asked for again.
	if err := store.Put(t.Context(), "answer/third/ip/104.161.20.102", []byte(`{"status":"quota"}`), time.Time{}); err != nil {
		t.Fatal(err)
	}
	if got := statuses(e.One(t.Context(), enrich.Ask{}, ip("104.161.20.102")))["third"]; got != enrich.OK || s.count() != 3 {
		t.Errorf("%s after %d look-ups", got, s.count())
	}
}

func TestNewRefusesWhatCouldLeak(t *testing.T) {
	s := third(nil)
	for name, c := range map[string]enrich.Config{
		"no store":       {Sources: []enrich.Source{s}, Book: new(enrich.Book), Gate: enrich.TLPGate{}, Shield: shield{}},
		"no book":        {Sources: []enrich.Source{s}, Store: new(enrich.Memory), Gate: enrich.TLPGate{}, Shield: shield{}},
		"no gate":        {Sources: []enrich.Source{s}, Store: new(enrich.Memory), Book: new(enrich.Book), Shield: shield{}},
		"no shield":      {Sources: []enrich.Source{s}, Store: new(enrich.Memory), Book: new(enrich.Book), Gate: enrich.TLPGate{}},
		"one name twice": {Sources: []enrich.Source{local("a", nil), local("a", nil)}},
		"no name":        {Sources: []enrich.Source{local("", nil)}},
	} {
		if _, err := enrich.New(c); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := enrich.New(enrich.Config{Sources: []enrich.Source{local("a", nil)}}); err != nil {
		t.Errorf("local sources alone: %v", err)
	}
}
