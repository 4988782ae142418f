package link

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// TestInBoth holds which rows two cases have values of, whichever comes first.
func TestInBoth(t *testing.T) {
	host, vpn, office := ip("45.83.1.7"), ip("45.83.2.7"), ip("20.190.1.1")
	c := &table{size: 1000, classes: map[evidence.Value]Class{
		host: {Name: ClassHosting}, ip("45.83.9.9"): {Name: ClassHosting}, vpn: {Name: ClassVPN}, office: {Name: ClassM365Service},
	}}
	domain := func(s string) evidence.Value { return evidence.Value{Kind: evidence.KindDomain, Text: s} }
	referenced := func(v ...evidence.Value) []evidence.Sighting { return sightings("referenced", time.Time{}, v...) }
	x, y := pair(
		slices.Concat(login(host, vpn, office), referenced(domain("evil-one.com"), ip("5.6.7.8"))),
		slices.Concat(login(ip("45.83.9.9"), vpn, office), referenced(domain("evil-two.com"))),
	)
	s, err := NewScorer(Version1(), Caps{CandidateTenants: 64, ExplainingTenants: 4, ExplainingCases: 256, ScoringTenants: 512}, c, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []InBoth{{"address.hosting", false}, {"address.vpn", true}, {"name.other", false}}
	for _, order := range [][2]*evidence.Profile{{x, y}, {y, x}} {
		got, err := s.InBoth(order[0], order[1])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	var many []evidence.Value
	for i := range 65 {
		many = append(many, ip(fmt.Sprintf("45.84.1.%d", i)))
	}
	bulk, _ := pair(login(append(many, vpn)...), nil)
	if got, err := s.InBoth(bulk, y); err != nil || len(got) != 0 {
		t.Errorf("a list speaks of %v, %v", got, err)
	}
	if _, err := s.InBoth(x, x); err != ErrSameCase {
		t.Error(err)
	}
}
