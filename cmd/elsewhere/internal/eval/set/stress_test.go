package set_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/cmd/elsewhere/internal/eval/set"
	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// added returns what the cases of a stressed set have more, by address and by
// case.
func added(t *testing.T, before, after *set.Set) (users map[string]int, of [][]string) {
	t.Helper()
	users = make(map[string]int)
	for i, c := range before.Cases {
		if before.Labels[i] != after.Labels[i] || c.Ref != after.Cases[i].Ref {
			t.Fatalf("case %d is another", i)
		}
		had := make(map[evidence.Value]bool)
		x, y := c.Profile(), after.Cases[i].Profile()
		for _, s := range x.Sightings {
			had[s.Value] = true
		}
		var more []string
		for _, s := range y.Sightings {
			if had[s.Value] {
				delete(had, s.Value)
				continue
			}
			if s.Kind != evidence.KindIP || !s.First.Equal(x.First) || !s.Last.Equal(x.Last) || !cmp.Equal(s.Roles, []string{evidence.RoleReferenced}) {
				t.Errorf("added %v to a case of %v", s, x.First)
			}
			users[s.Text]++
			more = append(more, s.Text)
		}
		if len(had) > 0 {
			t.Errorf("%v went", had)
		}
		of = append(of, more)
	}
	return users, of
}

func TestStressed(t *testing.T) {
	s := sample(t, 800)
	for kind, want := range map[string]struct {
		addresses, fewestUsers, mostUsers int
		cases, fewest, most               int // 0 cases: any number
	}{
		set.StressPool:       {60, 1, 40, 400, 1, 3},
		set.StressWide:       {600, 2, 4, 0, 0, 20},
		set.StressCorrelated: {240, 1, 40, 400, 2, 4},
	} {
		noisy, err := s.Stressed(kind, 7)
		if err != nil {
			t.Fatal(err)
		}
		users, of := added(t, s, noisy)
		if n := len(users); n > want.addresses || n < want.addresses*9/10 {
			t.Errorf("%s: %d addresses, want about %d", kind, n, want.addresses)
		}
		for text, n := range users {
			a := netip.MustParseAddr(text)
			if !a.Is4() || !a.IsGlobalUnicast() || a.IsPrivate() || n < want.fewestUsers || n > want.mostUsers {
				t.Errorf("%s: %d cases have %v", kind, n, a)
			}
		}
		cases := 0
		for _, more := range of {
			if len(more) == 0 {
				continue
			}
			cases++
			if len(more) < want.fewest || len(more) > want.most {
				t.Errorf("%s: a case has %d more", kind, len(more))
			}
		}
		if want.cases > 0 && cases != want.cases {
			t.Errorf("%s: %d cases have more, want %d", kind, cases, want.cases)
		}
		again, err := s.Stressed(kind, 7)
		if err != nil {
			t.Fatal(err)
		}
		if _, same := added(t, s, again); !cmp.Equal(of, same) {
			t.Errorf("%s: the same seed adds something else", kind)
		}
		other, err := s.Stressed(kind, 8)
		if err != nil {
			t.Fatal(err)
		}
		if _, others := added(t, s, other); cmp.Equal(of, others) {
			t.Errorf("%s: another seed adds the same", kind)
		}
	}
}

// TestStressedCorrelated looks for the providers: who shares two addresses of
// those added shares a provider.
func TestStressedCorrelated(t *testing.T) {
	s := sample(t, 800)
	noisy, err := s.Stressed(set.StressCorrelated, 1)
	if err != nil {
		t.Fatal(err)
	}
	_, of := added(t, s, noisy)
	together := make(map[string]map[string]bool)
	for _, more := range of {
		for _, a := range more {
			if together[a] == nil {
				together[a] = make(map[string]bool)
			}
			for _, b := range more {
				together[a][b] = true
			}
		}
	}
	for a, others := range together {
		if len(others) > 8 {
			t.Errorf("%s is with %d others", a, len(others)-1)
		}
	}
}

func TestStressedUnknown(t *testing.T) {
	if _, err := sample(t, 2).Stressed("loud", 1); !errors.Is(err, set.ErrStress) {
		t.Errorf("an unknown stress: %v", err)
	}
}
