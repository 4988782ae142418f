package server_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
)

// What the medians of two worlds may differ by: one part in so many, or so long.
const (
	timedCalls = 1_000
	timedShare = 10
	timedFloor = 20 * time.Microsecond
	// timedTries are how often calls are timed again that differ: a machine does
	// other things too, and only what differs each time is of the worlds.
	timedTries = 4
)

// timedWorld is a world with callers by name.
type timedWorld map[string]caller

// openTimedWorld makes a world of cases of some tenants, in which those of the
// hidden tenant and the restricted ones may be missing.
func openTimedWorld(b *testing.B, hiddenCases int) timedWorld {
	g := guard(b, server.Config{Memory: true, Access: server.Access{DiscloseAtOnce: true}})
	for _, t := range worldTenants {
		g.tenant(b, t)
	}
	all, _ := g.make(b, elsewherev1.Key_builder{Role: lead, AllTenants: true, Restricted: true}.Build())
	for _, tenant := range []string{"alder", "birch", "cedar"} {
		for i := range 20 {
			values := []*elsewherev1.Observable{obs("ip", "70.1.0.1", "login_source")}
			for n := range 20 {
				values = append(values, obs("ip", fmt.Sprintf("70.1.%d.%d", i, n+2), "login_source"))
			}
			all.put(b, newCase(tenant, fmt.Sprint(i), values...))
		}
	}
	// Many cases of one tenant on one value, and a restricted case of some size.
	for i := range 40 * hiddenCases {
		all.put(b, newCase(hidden, fmt.Sprint("small-", i), obs("ip", "70.9.9.8", "login_source"), obs("ip", "70.1.0.2", "login_source")))
	}
	if hiddenCases > 0 {
		large := newCase("alder", "secret-large")
		for n := range 5_000 {
			large.GetFindings()[0].SetObservables(append(large.GetFindings()[0].GetObservables(), obs("ip", fmt.Sprintf("71.%d.%d.1", n>>8, n&255))))
		}
		large.SetRestricted(true)
		all.put(b, large)
	}
	for i := range hiddenCases {
		values := []*elsewherev1.Observable{obs("ip", "70.1.0.1", "login_source"), obs("ip", "70.9.9.9", "login_source")}
		for n := range 20 {
			values = append(values, obs("ip", fmt.Sprintf("70.9.%d.%d", i, n), "login_source"))
		}
		all.put(b, newCase(hidden, fmt.Sprint(i), values...))
		secret := newCase("alder", fmt.Sprint("secret-", i), values...)
		secret.SetRestricted(true)
		all.put(b, secret)
	}
	w := timedWorld{
		"submitter": g.key(b, submitter, "alder"),
		"analyst":   g.key(b, analyst, "alder", "birch", "elm", "trial"),
	}
	w["tenant"], _ = g.make(b, elsewherev1.Key_builder{Role: tenantKey, Tenants: []string{"alder"}, CallsPerSecond: 1e6, Burst: 1e6}.Build())
	// The links are there before anything is timed.
	if _, err := w["analyst"].ListLinks(b.Context(), elsewherev1.ListLinksRequest_builder{Tenant: new("alder")}.Build()); err != nil {
		b.Fatal(err)
	}
	return w
}

// timedCall is a question whose time is looked at.
type timedCall struct {
	name, who string
	want      codes.Code
	ask       func(context.Context, caller) error
	// calls are those that are timed, timedCalls if it is 0.
	calls int
}

func timedQuestions() []timedCall {
	seen := func(values ...*elsewherev1.Observable) func(context.Context, caller) error {
		return func(ctx context.Context, c caller) error {
			_, err := c.Seen(ctx, elsewherev1.SeenRequest_builder{Observables: values}.Build())
			return err
		}
	}
	var many []*elsewherev1.Observable
	for n := range 100 {
		many = append(many, obs("ip", fmt.Sprintf("70.9.%d.%d", n%10, n/10)))
	}
	get := func(ref string) func(context.Context, caller) error {
		return func(ctx context.Context, c caller) error {
			_, err := c.GetCase(ctx, elsewherev1.GetCaseRequest_builder{CaseRef: ref}.Build())
			return err
		}
	}
	remove := func(ref string) func(context.Context, caller) error {
		return func(ctx context.Context, c caller) error {
			_, err := c.DeleteCase(ctx, elsewherev1.DeleteCaseRequest_builder{CaseRef: ref}.Build())
			return err
		}
	}
	explain := func(a, b string) func(context.Context, caller) error {
		return func(ctx context.Context, c caller) error {
			_, err := c.ExplainLink(ctx, elsewherev1.ExplainLinkRequest_builder{A: a, B: b}.Build())
			return err
		}
	}
	list := func(tenant string) func(context.Context, caller) error {
		return func(ctx context.Context, c caller) error {
			_, err := c.ListCases(ctx, elsewherev1.ListCasesRequest_builder{Tenant: tenant, PageSize: 10}.Build())
			return err
		}
	}
	sightings := func(o *elsewherev1.Observable) func(context.Context, caller) error {
		return func(ctx context.Context, c caller) error {
			_, err := c.ListSightings(ctx, elsewherev1.ListSightingsRequest_builder{Observable: o}.Build())
			return err
		}
	}
	links := func(b elsewherev1.ListLinksRequest_builder) func(context.Context, caller) error {
		return func(ctx context.Context, c caller) error {
			_, err := c.ListLinks(ctx, b.Build())
			return err
		}
	}
	submit := func(of *elsewherev1.Case) func(context.Context, caller) error {
		return func(ctx context.Context, c caller) error {
			_, err := c.SubmitCase(ctx, elsewherev1.SubmitCaseRequest_builder{Case: of, ValidateOnly: true, ExpectedRevision: new(uint32(7))}.Build())
			return err
		}
	}
	var calls []timedCall
	for _, who := range []string{"tenant", "analyst"} {
		calls = append(calls,
			timedCall{"Seen of what nobody else has", who, codes.OK, seen(obs("ip", "70.9.9.9")), 0},
			timedCall{"Seen of what others have too", who, codes.OK, seen(obs("ip", "70.1.0.1")), 0},
			timedCall{"Seen of 100 values of the hidden cases", who, codes.OK, seen(many...), 0},
			timedCall{"Seen of what the hidden tenant has often", who, codes.OK, seen(obs("ip", "70.9.9.8")), 0},
			timedCall{"Seen of what the hidden tenant has often too", who, codes.OK, seen(obs("ip", "70.1.0.2")), 0},
			timedCall{"GetCase of a large restricted case", who, codes.NotFound, get("alder/secret-large"), 0},
			timedCall{"DeleteCase of a large restricted case", who, codes.NotFound, remove("alder/secret-large"), 0},
			timedCall{"ListSightings of what nobody else has", who, codes.OK, sightings(obs("ip", "70.9.9.9")), 0},
			timedCall{"ListSightings of what others have too", who, codes.OK, sightings(obs("ip", "70.1.0.1")), 0},
			timedCall{"ListCases of all", who, codes.OK, list(""), 0},
			timedCall{"ListCases of one's own", who, codes.OK, list("alder"), 0},
			timedCall{"ListCases of the hidden tenant", who, codes.OK, list(hidden), 0},
			timedCall{"GetCase of the hidden tenant", who, codes.NotFound, get(hidden + "/1"), 0},
			timedCall{"GetCase of a restricted case", who, codes.NotFound, get("alder/secret-1"), 0},
			timedCall{"DeleteCase of the hidden tenant", who, codes.NotFound, remove(hidden + "/1"), 0},
			timedCall{"DeleteCase of a restricted case", who, codes.NotFound, remove("alder/secret-1"), 0},
		)
	}
	return append(calls,
		timedCall{"SubmitCase for the hidden tenant", "submitter", codes.NotFound, submit(newCase(hidden, "1", obs("ip", "70.9.9.9"))), 0},
		timedCall{"SubmitCase of one's own", "submitter", codes.Aborted, submit(newCase("alder", "new", obs("ip", "70.9.9.9"))), 0},
		timedCall{"GetCase of a restricted case", "submitter", codes.NotFound, get("alder/secret-1"), 0},
		timedCall{"ExplainLink with a hidden case", "analyst", codes.NotFound, explain("alder/1", hidden+"/1"), 0},
		timedCall{"ExplainLink with a restricted case", "analyst", codes.NotFound, explain("birch/1", "alder/secret-1"), 0},
		timedCall{"ListLinks of a restricted case", "analyst", codes.NotFound, links(elsewherev1.ListLinksRequest_builder{CaseRef: new("alder/secret-1")}), 0},
		timedCall{"ListLinks of the hidden tenant", "analyst", codes.OK, links(elsewherev1.ListLinksRequest_builder{Tenant: new(hidden)}), 0},
	)
}

// BenchmarkTwoWorldTimings asks the same in a world with a hidden tenant's cases and
// with restricted ones, and in one without, and compares the medians of 1,000 calls,
// of 200 where a call asks for 1,000 values.
// What scores depend on is granted, so the time of links that are shown is not
// compared, nor that of ListLinks and ExplainLink of a case that the caller reads: they
// look at up to four cases of each tenant on each of its values.
//
//	go test ./server -run '^$' -bench TwoWorldTimings -benchtime 1x
func BenchmarkTwoWorldTimings(b *testing.B) {
	compareWorlds(b, openTimedWorld(b, 10), openTimedWorld(b, 0), timedQuestions())
	compareWorlds(b, openHotWorld(b, true), openHotWorld(b, false), hotQuestions())
}

func compareWorlds(b *testing.B, with, without timedWorld, calls []timedCall) {
	for _, call := range calls {
		b.Run(call.who+" asks "+call.name, func(b *testing.B) {
			for b.Loop() {
				x, y := timeWorlds(b, call, with[call.who], without[call.who])
				for tries := 1; differ(x, y) && tries < timedTries; tries++ {
					x, y = timeWorlds(b, call, with[call.who], without[call.who])
				}
				b.ReportMetric(float64(x)/1e3, "µs-with")
				b.ReportMetric(float64(y)/1e3, "µs-without")
				if differ(x, y) {
					b.Errorf("%v with what is hidden, %v without", x, y)
				}
			}
		})
	}
}

func differ(x, y time.Duration) bool {
	d := (x - y).Abs()
	return d > timedFloor && d > min(x, y)/timedShare
}

// timeWorlds returns the medians of calls that alternate between two worlds.
func timeWorlds(b *testing.B, call timedCall, with, without caller) (x, y time.Duration) {
	took := [2][]time.Duration{}
	calls := cmp.Or(call.calls, timedCalls)
	for i := range calls {
		for k := range 2 {
			// Who comes first alternates too.
			world := (i + k) % 2
			c := []caller{with, without}[world]
			began := time.Now()
			err := call.ask(b.Context(), c)
			took[world] = append(took[world], time.Since(began))
			if status.Code(err) != call.want {
				b.Fatal(err)
			}
		}
	}
	for _, t := range took {
		slices.Sort(t)
	}
	return took[0][calls/2], took[1][calls/2]
}
