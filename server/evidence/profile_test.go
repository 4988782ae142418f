package evidence_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

func TestProfile(t *testing.T) {
	at := func(o evidence.Observable, first, last time.Time, count uint32) evidence.Observable {
		o.FirstSeen, o.LastSeen, o.Count = first, last, count
		return o
	}
	c := mustParse(t, evidence.Draft{
		Ref: evidence.Ref{Tenant: "acme", Case: "C-1"}, Kind: "bec",
		OpenedAt: day(20), ClosedAt: day(22), EvidenceFrom: day(1).Add(time.Millisecond),
		Findings: []evidence.Finding{
			{
				Technique: "T1564.008", FirstSeen: day(5).Add(time.Millisecond), LastSeen: day(9),
				Observables: []evidence.Observable{
					at(value("ip", "1.1.1.1", "login_source"), day(2), day(3).Add(time.Nanosecond), 1<<32-1),
					value("rule_name", "Copy of Spam"),
					value("rule_name", "SPAM", "created"),
				},
			},
			{
				Technique: "T1078",
				Observables: []evidence.Observable{
					at(value("ip", "1.1.1.1", "allow_listed"), time.Time{}, day(11), 5),
					value("domain", "example.com", "spoofed"),
				},
			},
			{Technique: "T1078", Observables: []evidence.Observable{value("rule_name", "Spam")}},
			{},
		},
	})
	want := &evidence.Profile{
		Ref: evidence.Ref{Tenant: "acme", Case: "C-1"}, Kind: "bec", Live: true,
		First: day(5), Last: day(11), EvidenceFrom: day(1),
		Techniques: []string{"T1078", "T1564.008"},
		Sightings: []evidence.Sighting{
			{
				Value: evidence.Value{Kind: "domain", Text: "example.com"}, Roles: []string{"spoofed"},
				First: day(20), Last: day(22), Techniques: []string{"T1078"},
			},
			{
				Value: evidence.Value{Kind: "ip", Text: "1.1.1.1"}, Roles: []string{"allow_listed", "login_source"},
				First: day(2), Last: day(11), Count: 1<<32 - 1, Techniques: []string{"T1078", "T1564.008"},
			},
			{
				Value: evidence.Value{Kind: "rule_name", Text: "spam"}, Roles: []string{"created", "referenced"},
				First: day(5), Last: day(9), Techniques: []string{"T1078", "T1564.008"},
				Written: []string{"Copy of Spam", "SPAM", "Spam"},
			},
		},
	}
	if diff := cmp.Diff(want, c.Profile()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestProfileWithoutTimes(t *testing.T) {
	d := draft(value("ip", "1.1.1.1"))
	d.OpenedAt = day(7)
	p := mustParse(t, d).Profile()
	if !p.First.IsZero() || !p.Last.IsZero() || !p.EvidenceFrom.IsZero() {
		t.Errorf("activity %v to %v, evidence from %v", p.First, p.Last, p.EvidenceFrom)
	}
	if s := p.Sightings[0]; !s.First.Equal(day(7)) || !s.Last.Equal(day(7)) {
		t.Errorf("sighting %v to %v", s.First, s.Last)
	}
	d.OpenedAt = time.Time{}
	if s := mustParse(t, d).Profile().Sightings[0]; !s.First.IsZero() || !s.Last.IsZero() {
		t.Errorf("sighting %v to %v", s.First, s.Last)
	}
}

func TestProfileOfWhatDoesNotLink(t *testing.T) {
	for name, tt := range map[string]struct {
		change          func(*evidence.Draft)
		live, dismissed bool
	}{
		"open":       {func(*evidence.Draft) {}, true, false},
		"closed":     {func(d *evidence.Draft) { d.State = evidence.Closed }, true, false},
		"dismissed":  {func(d *evidence.Draft) { d.State = evidence.Dismissed }, false, true},
		"restricted": {func(d *evidence.Draft) { d.Restricted = true }, false, false},
		"red":        {func(d *evidence.Draft) { d.TLP = "red" }, false, false},
	} {
		d := draft(value("ip", "1.1.1.1"))
		tt.change(&d)
		if p := mustParse(t, d).Profile(); p.Live != tt.live || p.Dismissed != tt.dismissed {
			t.Errorf("%s: live %v, dismissed %v", name, p.Live, p.Dismissed)
		}
	}
}
