package export

import (
	"fmt"

	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/export/victim"
)

// guard looks for victims in all that is about to leave.
type guard struct {
	dictionary *victim.Dictionary
	scanner    *victim.Scanner
}

func newGuard(keys *Keys) guard {
	return guard{dictionary: victim.NewDictionary(keys.tokenHasher(), keys.tokenTagger())}
}

// tenant adds what names a tenant.
func (g *guard) tenant(t *access.Tenant, hashes []victim.Hash) {
	g.dictionary.AddIdentifier(t.ID)
	for _, alias := range t.Aliases {
		g.dictionary.AddIdentifier(alias)
	}
	if t.DisplayName != "" {
		g.dictionary.AddName(t.DisplayName)
	}
	for _, name := range t.Names {
		g.dictionary.AddName(name)
	}
	for _, domain := range t.Domains {
		g.dictionary.AddDomain(domain)
	}
	for _, network := range t.Egress {
		g.dictionary.AddNetwork(network)
	}
	g.dictionary.AddHashes(hashes)
}

// ready ends the adding.
func (g *guard) ready() { g.scanner = g.dictionary.Scanner() }

// item returns a *VictimError for an item that names a victim. What the program
// itself wrote, or lists of everybody's, is not the victim's.
func (g *guard) item(i *Item) error {
	check := func(field, text string) error {
		if why := g.scanner.Check(text); why != "" {
			return &VictimError{Field: i.origin + field, Reason: why}
		}
		return nil
	}
	if err := check(".value", i.Value.Text); err != nil {
		return err
	}
	if i.Written != i.Value.Text {
		if err := check(".value", i.Written); err != nil {
			return err
		}
	}
	for n, role := range i.Roles {
		if knownRoles[role] {
			continue
		}
		if err := check(fmt.Sprintf(".roles[%d]", n), role); err != nil {
			return err
		}
	}
	for n := range i.Facts {
		f := &i.Facts[n]
		for _, part := range []struct{ name, text string }{{"value", f.Value}, {"source", f.Source}} {
			if err := check(fmt.Sprintf(".facts[%d].%s", n, part.name), part.text); err != nil {
				return err
			}
		}
	}
	for n, reason := range i.ClassReasons {
		if err := check(fmt.Sprintf(" class_reasons[%d]", n), reason); err != nil {
			return err
		}
	}
	return nil
}

// knownRoles are the program's own words.
var knownRoles = map[string]bool{
	"login_source": true, "allow_listed": true, "sending_infrastructure": true, "spoofed": true,
	"forward_target": true, "created": true, "referenced": true,
}

// header is item for the rest of a bundle: the names that are not made of numbers,
// keyed digests and the program's own words.
func (g *guard) header(b *Bundle) error {
	texts := []struct{ field, text string }{{"producer.name", b.Producer.Name}, {"feeds_version", b.Feeds}}
	if b.Actor != nil {
		texts = append(texts, struct{ field, text string }{"actor.name", b.Actor.Name})
		for n, alias := range b.Actor.Aliases {
			texts = append(texts, struct{ field, text string }{fmt.Sprintf("actor.aliases[%d]", n), alias})
		}
	}
	for _, t := range texts {
		if why := g.scanner.Check(t.text); why != "" {
			return &VictimError{Field: t.field, Reason: why}
		}
	}
	return nil
}
