package actor

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"slices"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// idDomain separates ids of actors from all else that the key is used for.
const idDomain = "actor id"

const idChars = 10 // 50 bits: two of 100,000 actors share an id once in 200,000 deployments

// ID returns act- and 10 lower-case base32 characters that say nothing of the
// founder to those without the key. mac is HMAC-SHA-256 with the correlation key.
func ID(mac func(message []byte) [sha256.Size]byte, founder evidence.Ref) string {
	sum := mac([]byte(idDomain + "\x00" + founder.String()))
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:])
	return "act-" + strings.ToLower(text[:idChars])
}

// Member is what a summary needs to know of a case.
type Member struct {
	Ref        evidence.Ref
	Active     Span
	Techniques []string // in any order, each counted once
}

// Summary is what the cases of an actor say together.
type Summary struct {
	// Active reaches from the first day to the last on which any case was; days
	// between may be idle.
	Active     Span
	Tenants    []Count // by name
	Techniques []Count // in most cases first, then by name
}

// Count is a name with the number of cases it occurs in.
type Count struct {
	Name  string
	Cases int
}

// Summarize sums up the cases of an actor, whatever their order.
func Summarize(members []Member) Summary {
	var s Summary
	tenants, techniques := map[string]int{}, map[string]int{}
	for i := range members {
		m := &members[i]
		s.Active = s.Active.with(m.Active)
		tenants[m.Ref.Tenant]++
		for _, t := range slices.Compact(slices.Sorted(slices.Values(m.Techniques))) {
			techniques[t]++
		}
	}
	s.Tenants, s.Techniques = counts(tenants), counts(techniques)
	slices.SortFunc(s.Tenants, func(x, y Count) int { return cmp.Compare(x.Name, y.Name) })
	slices.SortFunc(s.Techniques, func(x, y Count) int {
		return cmp.Or(cmp.Compare(y.Cases, x.Cases), cmp.Compare(x.Name, y.Name))
	})
	return s
}

func counts(of map[string]int) []Count {
	out := make([]Count, 0, len(of))
	for name, n := range of {
		out = append(out, Count{name, n})
	}
	return out
}

// with returns the span from the first day of both to the last.
func (x Span) with(y Span) Span {
	switch {
	case !x.Known:
		return y
	case !y.Known:
		return x
	}
	return Span{First: min(x.First, y.First), Last: max(x.Last, y.Last), Known: true}
}

// FounderOf returns which of some cases was opened first: see Actor.Founder. It is
// for who may know a part of an actor only, and returns the zero Ref of none.
func FounderOf(cases []Case) (founder evidence.Ref) {
	if len(cases) == 0 {
		return founder
	}
	first := &cases[0]
	for i := range cases {
		if compareFounders(&cases[i], first) < 0 {
			first = &cases[i]
		}
	}
	return first.Ref
}
