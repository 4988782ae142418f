package mmdb

import (
	"context"
	"strings"

	"github.com/elsewhere-project/elsewhere/enrich"
	"github.com/elsewhere-project/elsewhere/enrich/netclass"
)

// sourceName is the name under which databases stand in records.
const sourceName = "databases"

type recordSource struct{ current func() *View }

// NewSource returns the databases as a source of what no list of classes says:
// where an address is, whose, and in which ways it hides somebody. The network,
// and the class that follows from flags, come through the table of classes that
// was given the view.
func NewSource(current func() *View) enrich.Source { return recordSource{current} }

// About implements enrich.Source.
func (s recordSource) About() enrich.About {
	return enrich.About{
		Name: sourceName, Kinds: []enrich.Kind{enrich.KindIP},
		Fields: []string{
			enrich.FieldCountry, fieldSubdivision, enrich.FieldCity, enrich.FieldISP, fieldOrganization, enrich.FieldDomain,
			enrich.FieldUsageType, enrich.FieldAnonymity, enrich.FieldService,
		},
	}
}

const (
	fieldSubdivision  = "subdivision" // region is the cloud provider's word
	fieldOrganization = "organization"
)

// Lookup implements enrich.Source.
func (s recordSource) Lookup(_ context.Context, v enrich.Value, _ enrich.Purpose) enrich.Answer {
	a := enrich.Answer{Source: sourceName, Status: enrich.NoData}
	p, ok := v.Prefix()
	view := s.current()
	if len(view.databases) == 0 {
		return enrich.Answer{Source: sourceName, Detail: "no database is loaded"}
	}
	if !ok || !p.IsSingleIP() {
		return a
	}
	r, err := view.Lookup(p.Addr())
	if err != nil {
		a.Status, a.Detail = enrich.Error, "a database does not decode"
	}
	add := func(name, value string, list *netclass.Info) {
		if value != "" && list != nil {
			a.Fields = append(a.Fields, enrich.Field{
				Name: name, Value: value, Source: list.Title, DataDate: list.Time(), Status: enrich.OK,
			})
			a.Status = enrich.OK
		}
	}
	add(enrich.FieldCountry, r.Place.Country, r.Place.List)
	add(fieldSubdivision, r.Place.Region, r.Place.List)
	add(enrich.FieldCity, r.Place.City, r.Place.List)
	add(enrich.FieldISP, r.User.ISP, r.User.List)
	add(fieldOrganization, r.User.Organization, r.User.List)
	add(enrich.FieldDomain, r.User.Domain, r.User.List)
	add(enrich.FieldUsageType, r.User.Type, r.User.List)
	var ways []string
	for _, f := range r.Hides.flags() {
		if f.set {
			ways = append(ways, f.word)
		}
	}
	add(enrich.FieldAnonymity, strings.Join(ways, ", "), r.Hides.List)
	add(enrich.FieldService, r.Hides.Service, r.Hides.List)
	return a
}
