package server_test

import (
	"context"
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
)

const (
	// hotCases are the hidden tenant's cases in a world of hot values.
	hotCases = 10_000
	// hotMany are the values of a larger question; half of them are in hot cases.
	hotMany = 1_000
	// hotOwners are the tenants of who reads many.
	hotOwners = 20
)

// hotSizes are how many hidden cases hold a value.
var hotSizes = []int{10, 100, hotCases}

func hotOwner(i int) string { return fmt.Sprintf("own-%02d", i) }

// hotValue is a value in the first n hidden cases, before or after it was seen in the
// callers' own.
func hotValue(n, day int) *elsewherev1.Observable {
	return dated(fmt.Sprintf("74.%d.%d.%d", day, n>>8&255, n&255), day)
}

// hotOwned and hotForeign are the values of larger questions: those of a case of the
// callers' own, and those of none.
func hotOwned(i int) *elsewherev1.Observable   { return manyValue(72, i) }
func hotForeign(i int) *elsewherev1.Observable { return manyValue(73, i) }
func hotSecret() *elsewherev1.Observable       { return dated("75.0.0.1", 1) }

func manyValue(net, i int) *elsewherev1.Observable {
	return dated(fmt.Sprintf("%d.0.%d.%d", net, i>>8, i&255), 10)
}

// openHotWorld makes a world in which values of the callers' own cases are in many of
// the hidden tenant's too, or these have other values: how large the store is may be
// told by the time of everything.
func openHotWorld(b *testing.B, hot bool) timedWorld {
	g := guard(b, server.Config{Memory: true, HTTPAddr: "127.0.0.1:0", Access: server.Access{DiscloseAtOnce: true}})
	var own []string
	for i := range hotOwners {
		own = append(own, hotOwner(i))
	}
	// Between the callers' tenants, not behind them all.
	other := hotOwner(0) + "-hidden"
	g.tenants(b, append(own, other)...)
	g.tenant(b, elsewherev1.Tenant_builder{Id: "trial", Type: elsewherev1.TenantType_TENANT_TYPE_TEST}.Build())
	all, _ := g.make(b, elsewherev1.Key_builder{Role: lead, AllTenants: true, Restricted: true}.Build())
	for _, tenant := range own {
		var values []*elsewherev1.Observable
		for _, n := range hotSizes {
			for _, day := range []int{1, 20} {
				o := hotValue(n, day)
				o.SetFirstSeen(dated("", 10).GetFirstSeen())
				o.SetLastSeen(dated("", 10).GetLastSeen())
				values = append(values, o)
			}
		}
		all.put(b, newCase(tenant, "hot", values...))
	}
	var values []*elsewherev1.Observable
	for i := range hotMany {
		values = append(values, hotOwned(i))
	}
	all.put(b, newCase(hotOwner(0), "many", values...))
	submitMany(b, all, hotCases, func(i int) *elsewherev1.Case {
		values := []*elsewherev1.Observable{hotOwned(i % (hotMany / 2)), hotForeign(i % (hotMany / 2))}
		for _, n := range hotSizes {
			if i < n {
				values = append(values, hotValue(n, 1), hotValue(n, 20))
			}
		}
		secret := i >= hotCases-100
		if secret {
			values = append(values, hotSecret())
		}
		if !hot {
			for _, o := range values {
				o.SetValue("1" + o.GetValue())
			}
		}
		c := newCase(other, fmt.Sprint(i), values...)
		c.SetRestricted(secret)
		return c
	})
	w := timedWorld{}
	for name, key := range map[string]elsewherev1.Key_builder{
		"tenant":         {Role: tenantKey, Tenants: own[:1]},
		"analyst":        {Role: analyst, Tenants: own[:1]},
		"analyst of 20":  {Role: analyst, Tenants: own, Restricted: true},
		"analyst of all": {Role: analyst, AllTenants: true},
	} {
		key.CallsPerSecond, key.Burst = 1e6, 1e6
		c, secret := g.make(b, key.Build())
		w[name] = c
		w[name+" over REST"] = overREST(b, site{g.http, secret})
	}
	if err := w["analyst of all"].settled(b.Context()); err != nil {
		b.Fatal(err)
	}
	return w
}

// settled asks for links, which waits until all there are have been made.
func (c caller) settled(ctx context.Context) error {
	_, err := c.ListLinks(ctx, elsewherev1.ListLinksRequest_builder{Tenant: new(hotOwner(0))}.Build())
	return err
}

func hotQuestions() (calls []timedCall) {
	seen := func(values ...*elsewherev1.Observable) func(context.Context, caller) error {
		for i, o := range values {
			values[i] = obs(o.GetKind(), o.GetValue())
		}
		req := elsewherev1.SeenRequest_builder{Observables: values}.Build()
		return func(ctx context.Context, c caller) error {
			_, err := c.Seen(ctx, req)
			return err
		}
	}
	many := func(value func(int) *elsewherev1.Observable) func(context.Context, caller) error {
		var values []*elsewherev1.Observable
		for i := range hotMany {
			values = append(values, value(i))
		}
		return seen(values...)
	}
	sightings := elsewherev1.ListSightingsRequest_builder{Observable: obs("ip", hotValue(hotCases, 20).GetValue())}.Build()
	for _, who := range []string{"tenant", "analyst", "analyst of 20"} {
		for _, n := range hotSizes {
			calls = append(calls,
				timedCall{fmt.Sprintf("Seen of what %d older hidden cases have", n), who, codes.OK, seen(hotValue(n, 1)), 0},
				timedCall{fmt.Sprintf("Seen of what %d newer hidden cases have", n), who, codes.OK, seen(hotValue(n, 20)), 0},
			)
		}
		calls = append(calls,
			timedCall{"Seen of what hidden restricted cases have", who, codes.OK, seen(hotSecret()), 0},
			timedCall{"Seen of 1,000 values of one's own", who, codes.OK, many(hotOwned), 200},
			timedCall{"Seen of 1,000 values of nobody else", who, codes.OK, many(hotForeign), 200},
			timedCall{"ListSightings of what hidden cases have", who, codes.OK, func(ctx context.Context, c caller) error {
				_, err := c.ListSightings(ctx, sightings)
				return err
			}, 0},
			timedCall{"GetCase of one's own", who, codes.OK, func(ctx context.Context, c caller) error {
				_, err := c.GetCase(ctx, elsewherev1.GetCaseRequest_builder{CaseRef: hotOwner(0) + "/many"}.Build())
				return err
			}, 0},
		)
	}
	return append(calls,
		timedCall{"Seen of what 10000 newer hidden cases have", "analyst of 20 over REST", codes.OK, seen(hotValue(hotCases, 20)), 0},
	)
}
