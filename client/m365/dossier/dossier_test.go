package dossier_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/client/m365"
	"github.com/elsewhere-project/elsewhere/client/m365/dossier"
)

const (
	intruder = "203.0.113.9" // of a hosting provider, here
	second   = "198.51.100.4"
	office   = "192.0.2.10"
	service  = "2603:10a6:208:ac::18"
)

func classify(a netip.Addr) dossier.Nature {
	switch {
	case a.String() == intruder:
		return dossier.Nature{Class: "hosting"}
	case strings.HasPrefix(a.String(), "2603:10"):
		return dossier.Nature{Microsoft: true}
	case a.IsPrivate(), a.IsLoopback():
		return dossier.Nature{Reserved: true}
	}
	return dossier.Nature{}
}

type event map[string]any

// at returns a record of an operation by a user of the tenant at a time.
func at(hour float64, op, user, ip string, more ...event) event {
	t := time.Date(2023, 1, 10, 0, 0, 0, 0, time.UTC).Add(time.Duration(hour * float64(time.Hour)))
	e := event{
		"CreationTime": t.Format("2006-01-02T15:04:05"), "Operation": op, "UserId": user + "@larch.example", "UserType": 0,
		"RecordType": 1, "Workload": "Exchange", "ResultStatus": "True", "OrganizationName": "larchinc.onmicrosoft.com",
	}
	if ip != "" {
		e["ClientIP"] = ip
	}
	if strings.HasPrefix(op, "UserLog") {
		e["RecordType"], e["Workload"] = 15, "AzureActiveDirectory"
	}
	for _, m := range more {
		for k, v := range m {
			e[k] = v
		}
	}
	return e
}

func parameters(pairs ...string) event {
	var list []event
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, event{"Name": pairs[i], "Value": pairs[i+1]})
	}
	return event{"Parameters": list}
}

func inSession(id string) event { return event{"SessionId": id} }

// report hunts in events, in any order.
func report(t *testing.T, f dossier.Filter, o dossier.Options, events ...event) *dossier.Report {
	t.Helper()
	events = slices.Clone(events)
	rand.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	var b strings.Builder
	for i, e := range events {
		e["Id"] = fmt.Sprintf("0b9b7c9e-3f7b-4a0e-9d5d-%012x", i+1)
		line, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(line, '\n'))
	}
	o.Classify, o.Public = classify, func(d string) bool { return d == "freemail.example" }
	d := dossier.New(o)
	r := m365.NewReader([]m365.Source{{Name: "log.ndjson", Open: func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(b.String())), nil
	}}}, m365.Options{})
	for record, err := range r.Records(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		d.Add(record)
	}
	if r.Account().Records != len(events) {
		t.Fatalf("%d of %d records: %+v", r.Account().Records, len(events), r.Account().Problems)
	}
	return d.Report(f)
}

// found writes findings with their addresses; ? marks one that was inferred.
func found(r *dossier.Report) []string {
	out := []string{}
	for _, f := range r.Findings {
		s := fmt.Sprintf("%s x%d", f.ID, f.Count)
		for _, u := range f.Addresses {
			s += " " + u.Addr.String()
			if u.Inferred {
				s += "?"
			}
		}
		out = append(out, s)
	}
	return out
}

func jane() dossier.Filter { return dossier.Filter{Users: []string{"JANE@larch.example"}} }

func check(t *testing.T, r *dossier.Report, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, found(r)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func addUser(hour float64, user string, more ...event) event {
	return at(hour, "Add user.", user, "", append(more, event{"ObjectId": "helpdesk7@larch.example", "RecordType": 8})...)
}

func TestADirectoryEventComesFromTheActorsSignIn(t *testing.T) {
	login := at(8, "UserLoggedIn", "jane", intruder)
	check(t, report(t, jane(), dossier.Options{}, login, addUser(10, "jane")),
		"external-login.userloggedin x1 "+intruder, "new-account.add-user x1 "+intruder+"?")
	check(t, report(t, jane(), dossier.Options{}, login, addUser(7, "jane"), addUser(21, "jane")),
		"external-login.userloggedin x1 "+intruder, "new-account.add-user x2")
	// Of two places nobody knows which it was, unless the session says so, or
	// only one of them is asked about.
	two := []event{at(8, "UserLoggedIn", "jane", intruder, inSession("s1")), at(9, "UserLoggedIn", "jane", second, inSession("s2"))}
	check(t, report(t, jane(), dossier.Options{}, append(two, addUser(10, "jane"))...),
		"external-login.userloggedin x2 "+second+" "+intruder, "new-account.add-user x1")
	check(t, report(t, jane(), dossier.Options{}, append(two, addUser(10, "jane", inSession("s2")))...),
		"external-login.userloggedin x2 "+second+" "+intruder, "new-account.add-user x1 "+second+"?")
	f := dossier.Filter{Prefixes: []netip.Prefix{netip.MustParsePrefix(second + "/32")}}
	check(t, report(t, f, dossier.Options{}, append(two, addUser(10, "jane"))...),
		"external-login.userloggedin x1 "+second, "new-account.add-user x1 "+second+"?")
}

func TestMicrosoftsAddressesAreNobodys(t *testing.T) {
	rule := parameters("Name", "x1", "BlindCopyTo", "drop@mail.example")
	r := report(t, jane(), dossier.Options{},
		at(8, "UserLoggedIn", "jane", intruder),
		at(9, "New-TransportRule", "jane", "["+service+"]:443", rule),
		at(9.5, "New-TransportRule", "jane", "127.0.0.1", rule),
		at(10, "UserLoggedIn", "jane", "::1"),
	)
	check(t, r, "external-login.userloggedin x2 "+intruder, "transport-rules.new-transportrule x2 "+intruder+"?")
	private := report(t, jane(), dossier.Options{}, at(9, "New-TransportRule", "jane", "10.1.2.3", rule))
	if a := private.Addresses; len(a) != 1 || a[0].Stays == "" {
		t.Errorf("a private address may leave: %+v", a)
	}
}

func TestTenantEgressStays(t *testing.T) {
	var events []event
	for i, u := range []string{"ann", "bob", "cyd", "dan", "eve", "fay", "jane"} {
		events = append(events, at(float64(i), "UserLoggedIn", u, office))
	}
	events = append(events, at(9, "UserLoggedIn", "jane", intruder), at(9.2, "Reset user password.", "jane", office))
	r := report(t, jane(), dossier.Options{}, events...)
	check(t, r, "external-login.userloggedin x1 "+intruder, "password-reset.reset-user-password x1 "+office)
	stays := func(r *dossier.Report) (list []string) {
		for _, a := range r.Addresses {
			if a.Stays != "" {
				list = append(list, a.Addr.String())
			}
		}
		return list
	}
	if diff := cmp.Diff([]string{office}, stays(r)); diff != "" {
		t.Error(diff)
	}
	// An analyst who names it knows better.
	f := jane()
	f.Prefixes = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	r = report(t, f, dossier.Options{}, events...)
	check(t, r, "external-login.userloggedin x1 "+office, "password-reset.reset-user-password x1 "+office)
	if list := stays(r); list != nil {
		t.Errorf("%q stay", list)
	}
}

// Who phished many people signs in as many, from a rented machine.
func TestAnIntruderWithManyVictimsIsNoEgress(t *testing.T) {
	var events []event
	for i := range 20 {
		u := fmt.Sprint("user", i)
		events = append(events, at(float64(i), "UserLoggedIn", u, office))
		if i < 8 {
			events = append(events, at(float64(30+i), "UserLoggedIn", u, intruder),
				at(float64(31+i), "New-InboxRule", u, intruder, parameters("Name", ".", "MoveToFolder", "RSS Feeds")))
		}
	}
	r := report(t, dossier.Filter{}, dossier.Options{}, events...)
	check(t, r, "external-login.userloggedin x8 "+intruder, "inbox-rules.new-inboxrule x8 "+intruder)
	if a := r.Addresses; len(a) != 1 || a[0].Stays != "" {
		t.Errorf("%+v", a)
	}
}

func TestWhereNobodyGotInFromStays(t *testing.T) {
	r := report(t, jane(), dossier.Options{}, at(8, "UserLoggedIn", "jane", intruder), at(9, "UserLoginFailed", "jane", second),
		at(10, "UserLoginFailed", "jane", intruder), at(11, "UserLoggedIn", "jane", second, event{"ErrorNumber": "50140"}))
	check(t, r, "external-login.userloggedin x1 "+intruder, "external-login.userloginfailed.failed x2 "+second+" "+intruder)
	for _, a := range r.Addresses {
		if got, want := a.Stays != "", a.Addr.String() == second; got != want {
			t.Errorf("%v stays: %q", a.Addr, a.Stays)
		}
	}
}

func TestOneSessionFromSeveralAddresses(t *testing.T) {
	r := report(t, dossier.Filter{Prefixes: []netip.Prefix{netip.MustParsePrefix(intruder + "/32")}}, dossier.Options{},
		at(8, "UserLoggedIn", "jane", second, inSession("s1")), at(8.5, "SendAs", "jane", intruder, inSession("s1")),
		at(8, "UserLoggedIn", "joe", second, inSession("s2")), at(9, "SendAs", "joe", "198.51.100.77", inSession("s2")))
	check(t, r, "mailbox-use.sendas x1 "+intruder, "roaming-session.session x1 "+intruder)
	if f := r.Findings[len(r.Findings)-1]; f.Technique != "T1557" || f.Sessions != 1 || f.Users[0] != "jane@larch.example" {
		t.Errorf("%+v", f)
	}
}

func TestProposals(t *testing.T) {
	events := []event{
		at(30, "UserLoggedIn", "jane", intruder),
		at(31, "New-TransportRule", "jane", intruder, parameters("Name", "Spam", "RedirectMessageTo", "drop@mail.example")),
		addUser(32, "jane"),
	}
	for i := range 60 {
		u := fmt.Sprint("user", i%6)
		events = append(events, at(float64(i), "UserLoggedIn", u, second),
			at(float64(i), "SoftDelete", u, second, event{"AffectedItems": []event{{"Subject": "Security alert"}}}), at(float64(i), "SendAs", u, "198.51.100.200"))
	}
	r := report(t, dossier.Filter{}, dossier.Options{}, events...)
	var who []string
	for _, s := range r.Suspects {
		if s.User != "" {
			who = append(who, s.User)
		} else {
			who = append(who, s.Address.String())
		}
		if len(s.Reasons) == 0 || s.Points < 6 {
			t.Errorf("%+v", s)
		}
	}
	if diff := cmp.Diff([]string{"jane@larch.example", intruder}, who); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	check(t, r, "external-login.userloggedin x1 "+intruder, "new-account.add-user x1 "+intruder+"?", "transport-rules.new-transportrule x1 "+intruder)
	if !r.Proposed || r.AtStart {
		t.Errorf("proposed %v, at the start %v", r.Proposed, r.AtStart)
	}
	if quiet := report(t, dossier.Filter{}, dossier.Options{}, events[3:]...); len(quiet.Suspects)+len(quiet.Findings) > 0 {
		t.Errorf("ordinary days look like %+v", quiet.Suspects)
	}
}

func TestServicesAreNoFindings(t *testing.T) {
	rule := parameters("Name", "Spam", "RedirectMessageTo", "drop@mail.example")
	for _, user := range []string{
		`NT AUTHORITY\SYSTEM (Microsoft.Exchange.ServiceHost)`, "ServicePrincipal_8c2f0d3e-51c4-4f62-9b59-3f1d0f7e1a55", "S-1-5-18",
		`Microsoft\ServiceOperator`, "app@sharepoint", "Not Available", "admin@EURPR01A001.prod.outlook.com", "x@support.onmicrosoft.com", "Certificate", "",
	} {
		r := report(t, dossier.Filter{Prefixes: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}}, dossier.Options{},
			at(8, "New-TransportRule", "x", intruder, rule, event{"UserId": user}), at(9, "UserLoggedIn", "jane", intruder))
		check(t, r, "external-login.userloggedin x1 "+intruder)
		if r.Services != 1 {
			t.Errorf("%q: %d records of services", user, r.Services)
		}
	}
}

func TestBoundsAndTrace(t *testing.T) {
	day := time.Date(2023, 1, 10, 0, 0, 0, 0, time.UTC)
	events := []event{at(1, "UserLoggedIn", "jane", intruder), at(30, "UserLoggedIn", "jane", intruder), at(50, "UserLoggedIn", "jane", intruder)}
	r := report(t, jane(), dossier.Options{From: day.AddDate(0, 0, 1), To: day.AddDate(0, 0, 2)}, events...)
	check(t, r, "external-login.userloggedin x1 "+intruder)
	if r.Outside != 2 || !r.From.Equal(day.Add(30*time.Hour)) || !r.To.Equal(r.From) || !r.AtStart {
		t.Errorf("%d outside, %v to %v, at start %v", r.Outside, r.From, r.To, r.AtStart)
	}
	all := report(t, jane(), dossier.Options{}, events...)
	o := all.Findings[0].Origins
	if len(o) != 3 || o[0].File != "log.ndjson" || o[0].Line < 1 || o[0].ID == "" || !o[0].Time.Equal(day.Add(time.Hour)) {
		t.Errorf("%+v", o)
	}
}

// A flood of different users and addresses is left out in part, the same part in
// any order, and counted.
func TestAFloodIsCounted(t *testing.T) {
	const n, rounds = 20_500, 2
	var want []string
	for round := range rounds {
		d := dossier.New(dossier.Options{Classify: classify, Public: func(string) bool { return false }})
		for _, i := range rand.Perm(n) {
			d.Add(&m365.Record{
				Time: time.Date(2023, 1, 10, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Minute), Operation: "userloggedin",
				User:      fmt.Sprintf("u%d@larch.example", i),
				Addresses: []m365.Address{{Addr: netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)})}},
			})
		}
		r := d.Report(dossier.Filter{Prefixes: []netip.Prefix{netip.MustParsePrefix("198.18.0.0/15")}})
		if len(r.LeftOut) != 1 || r.LeftOut[0].Records != uint64(n-20_000) {
			t.Fatalf("left out %+v", r.LeftOut)
		}
		if got := found(r); round == 0 {
			want = got
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	}
}
