package enrich

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Effect is what a claim does to the class of a value.
type Effect uint8

// The effects.
const (
	// Sets: the claim gives the class. Ranges published by their owner, flags of
	// a database, category lists of ASNs and hits on the very address.
	Sets Effect = iota
	// Backs: the claim gives the class where no other claim sets one.
	Backs
	// Grades: the claim leaves the class and pulls its alpha towards that of the
	// claimed class, Grade far. Community lists of prefixes.
	Grades
	// Multiplies: the claim multiplies alpha by Factor.
	Multiplies
)

// Claim is one source's statement about the class of a value.
type Claim struct {
	Effect Effect `json:"effect,omitempty"`
	Class  string `json:"class,omitempty"`
	// Grade, for Grades, is in [0, 1]: 0 leaves alpha alone, 1 is a hit as good
	// as one on the very address.
	Grade float64 `json:"grade,omitempty"`
	// Factor, for Multiplies, is above 0.
	Factor float64 `json:"factor,omitempty"`
	// Source names the feed, Entry what matched in it.
	Source   string    `json:"source"`
	Entry    string    `json:"entry,omitempty"`
	DataDate time.Time `json:"data_date,omitzero"`
}

// String returns the claim as a reason for people.
func (c Claim) String() string {
	b := make([]byte, 0, 96)
	b = append(b, c.Source...)
	if !c.DataDate.IsZero() {
		b = c.DataDate.UTC().AppendFormat(append(b, ' '), time.DateOnly)
	}
	if c.Entry != "" {
		b = append(append(b, ": "...), c.Entry...)
	}
	switch c.Effect {
	case Backs:
		b = append(b, " (only backs the class)"...)
	case Grades:
		b = fmt.Appendf(b, " (grades towards %s, %.2f)", c.Class, c.Grade)
	case Multiplies:
		b = fmt.Appendf(b, " (alpha times %g)", c.Factor)
	}
	return string(b)
}

// The classes of addresses and names, as server/link names them.
const (
	ClassUnknown            = "unknown"
	ClassUnknownMicrosoft   = "unknown_microsoft"
	ClassBogon              = "bogon"
	ClassTenantEgress       = "tenant_egress"
	ClassM365Service        = "m365_service"
	ClassService            = "service"
	ClassCDN                = "cdn"
	ClassTor                = "tor"
	ClassPrivacyRelay       = "privacy_relay"
	ClassVPN                = "vpn"
	ClassResidentialProxy   = "residential_proxy"
	ClassCorporateProxy     = "corporate_proxy"
	ClassMobile             = "mobile"
	ClassCloudVM            = "cloud_vm"
	ClassLeased             = "leased"
	ClassHosting            = "hosting"
	ClassResidentialStatic  = "residential_static"
	ClassResidentialDynamic = "residential_dynamic"
	ClassBusiness           = "business"
	ClassEducation          = "education"
	ClassGovernment         = "government"
	ClassFreemail           = "freemail"
	ClassMailProvider       = "mail_provider"
	ClassURLShortener       = "url_shortener"
	ClassDynamicDNS         = "dynamic_dns"
	ClassDisposable         = "disposable"
	ClassParking            = "parking"
	ClassTopDomain          = "top_domain"
)

// Precedence returns the rank of a class among claims for one value, 0 first.
// Lists of data centres name all of Microsoft's network, so what is known of that
// network comes before hosting. A class that is not named here comes after all that are, before unknown.
func Precedence(class string) int {
	order := []string{
		ClassBogon, ClassTenantEgress, ClassM365Service, ClassService, ClassTor, ClassPrivacyRelay, ClassVPN,
		ClassResidentialProxy, ClassCorporateProxy, ClassCDN, ClassMobile, ClassCloudVM, ClassLeased,
		ClassUnknownMicrosoft, ClassHosting, ClassResidentialStatic, ClassResidentialDynamic, ClassBusiness,
		ClassEducation, ClassGovernment, ClassFreemail, ClassMailProvider, ClassDisposable, ClassURLShortener,
		ClassDynamicDNS, ClassParking, ClassTopDomain,
	}
	if i := slices.Index(order, class); i >= 0 {
		return i
	}
	if class == "" || class == ClassUnknown {
		return len(order) + 1
	}
	return len(order)
}

// Class is what a value is now.
type Class struct {
	// Name is one of the classes; "" counts as unknown.
	Name string
	// Grades pull alpha towards other classes; of several the largest alpha wins.
	Grades []Claim
	// Factor multiplies alpha; 0 counts as 1.
	Factor float64
	// Reasons are for people: the claim that decided first, then every other.
	Reasons []string
}

// Decide returns the one class that follows from all claims about a value,
// whatever their order.
func Decide(claims ...Claim) Class {
	claims = slices.Clone(claims)
	slices.SortFunc(claims, func(a, b Claim) int {
		return cmp.Or(
			cmp.Compare(a.Effect, b.Effect),
			cmp.Compare(Precedence(a.Class), Precedence(b.Class)),
			cmp.Compare(a.Class, b.Class),
			cmp.Compare(a.Source, b.Source),
			cmp.Compare(a.Entry, b.Entry),
			cmp.Compare(a.Grade, b.Grade),
			cmp.Compare(a.Factor, b.Factor),
			a.DataDate.Compare(b.DataDate),
		)
	})
	claims = slices.Compact(claims)
	c := Class{Name: ClassUnknown}
	for _, claim := range claims {
		switch claim.Effect {
		case Sets, Backs:
			if c.Name == ClassUnknown && claim.Class != "" {
				c.Name = claim.Class
			}
		case Grades:
			if claim.Grade > 0 {
				c.Grades = append(c.Grades, claim)
			}
		case Multiplies:
			c.Factor = max(c.Factor, claim.Factor)
		}
		c.Reasons = append(c.Reasons, claim.String())
	}
	return c
}

// Changed reports whether a value of class a may weigh differently as b. Reasons
// and dates alone change nothing.
func Changed(a, b Class) bool {
	name := func(c Class) string { return cmp.Or(c.Name, ClassUnknown) }
	type pull struct {
		class string
		grade float64
	}
	pulls := func(c Class) map[pull]bool {
		m := make(map[pull]bool, len(c.Grades))
		for _, g := range c.Grades {
			m[pull{g.Class, g.Grade}] = true
		}
		return m
	}
	if name(a) != name(b) || cmp.Or(a.Factor, 1) != cmp.Or(b.Factor, 1) {
		return true
	}
	pa, pb := pulls(a), pulls(b)
	if len(pa) != len(pb) {
		return true
	}
	for p := range pa {
		if !pb[p] {
			return true
		}
	}
	return false
}
