package misp

import (
	"bytes"
	"cmp"
	_ "embed" // templates
	"strconv"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export"
)

// template names an object template of misp-objects, or of ours.
type template struct {
	name, meta, description, uuid, version string
}

// Templates of MISP/misp-objects, and below them ours.
var (
	templateASN = template{
		"asn", "network", "Autonomous system object describing an autonomous system",
		"4ec55cc6-9e49-4c64-b794-03c25c1a6587", "6",
	}
	templateIPPort = template{
		"ip-port", "network", "An IP address and a port seen as a tuple",
		"9f8cea74-16fe-4968-a2b4-026676949ac6", "10",
	}
	templateAbuseIPDB = template{
		"abuseipdb", "network", "AbuseIPDB checks an ip address against a central blacklist",
		"cccdaaf6-c140-461c-8d1c-aa79bbd029e0", "1",
	}
	templateGeolocation = template{
		"geolocation", "misc", "An object to describe a geographic location",
		"cd6f2238-ba55-4888-82c4-104e6e1acf21", "8",
	}
	templateIntrusionSet = template{
		"intrusion-set", "misc", "A grouped set of adversarial behaviors and resources",
		"bfe96eae-e37a-4ecf-8012-1cdb478571a5", "1",
	}
	templateAnnotation = template{
		"annotation", "misc", "An annotation object allowing analysts to add annotations",
		"5d8dc046-15a1-4ca3-a09f-ed4ede7c4487", "3",
	}
	templateMailRule = template{
		"elsewhere-mail-rule", "misc", "A mail rule that an intruder made in a mailbox or a tenant",
		"7b0f4f0e-3d0a-4c59-9c8b-1f6d7a2e5b91", "1",
	}
	templateSpoofEntry = template{
		"elsewhere-spoof-entry", "misc", "An entry of a tenant's allow list that lets infrastructure send as somebody",
		"e1b7b1c5-5c5d-4c0f-8a1e-6a4f0d8c2f37", "1",
	}
)

//go:embed templates/elsewhere-mail-rule.json
var mailRuleDefinition []byte

//go:embed templates/elsewhere-spoof-entry.json
var spoofEntryDefinition []byte

// Definition is an object template of ours, for a server's objects directory.
type Definition struct {
	Name string
	JSON []byte
}

// Definitions returns our object templates in the form of misp-objects.
func Definitions() []Definition {
	return []Definition{
		{templateMailRule.name, bytes.Clone(mailRuleDefinition)},
		{templateSpoofEntry.name, bytes.Clone(spoofEntryDefinition)},
	}
}

// object returns an empty object that is identified by its template and parts.
func (c *Content) object(t template, parts ...string) Object {
	return Object{
		UUID: export.NewUUID(c.uuid, append([]string{"object", t.name}, parts...)...).String(),
		Name: t.name, MetaCategory: t.meta, Description: t.description, TemplateUUID: t.uuid, TemplateVersion: t.version,
		Timestamp: c.Event.Timestamp, Distribution: inherit, SharingGroupID: "0", Deleted: c.all,
	}
}

// add adds an attribute to an object; none for an empty value.
func (c *Content) add(o *Object, relation, typ, category, value string) {
	if value == "" {
		return
	}
	o.Attribute = append(o.Attribute, Attribute{
		UUID: export.NewUUID(c.uuid, "in object", o.UUID, relation, value).String(), ObjectRelation: relation,
		Type: typ, Category: category, Value: value, Timestamp: c.Event.Timestamp,
		Distribution: inherit, SharingGroupID: "0", Deleted: c.all, DisableCorrelation: true,
	})
}

// refer adds a reference from an object to an attribute.
func (c *Content) refer(o *Object, attribute, relationship string) {
	o.Reference = append(o.Reference, Reference{
		UUID:       export.NewUUID(c.uuid, "reference", o.UUID, attribute, relationship).String(),
		ObjectUUID: o.UUID, ReferencedUUID: attribute, RelationshipType: relationship, Deleted: c.all,
	})
}

// itemObjects are what is known of an item beyond its value.
func (c *Content) itemObjects(item *export.Item) []Object {
	switch item.Value.Kind {
	case evidence.KindIP:
		return c.addressObjects(item)
	case evidence.KindRuleName, evidence.KindRuleWords:
		return c.ruleObjects(item)
	case evidence.KindSpoofPair:
		return c.spoofObjects(item)
	}
	return nil
}

func (c *Content) addressObjects(item *export.Item) []Object {
	if item.ASN == 0 && len(item.Facts) == 0 {
		return nil
	}
	var out []Object
	about := attributeUUID(c.uuid, typeIPSrc, item.Value.Text)
	finish := func(o Object) {
		c.refer(&o, about, "related-to")
		out = append(out, o)
	}
	if item.ASN != 0 {
		o := c.object(templateASN, about)
		c.add(&o, "asn", typeAS, categoryNetwork, strconv.FormatUint(uint64(item.ASN), 10))
		c.add(&o, "description", typeText, categoryOther, fact(item, "as_name", "network_name", "isp"))
		finish(o)
	}
	if ports := openPorts(item); len(ports) > 0 {
		o := c.object(templateIPPort, about)
		for _, port := range ports {
			c.add(&o, "dst-port", typePort, categoryNetwork, port)
		}
		finish(o)
	}
	score := fact(item, "abuse_confidence", "abuse_confidence_score", "abuseipdb_score")
	if _, err := strconv.ParseUint(score, 10, 8); err == nil {
		o := c.object(templateAbuseIPDB, about)
		c.add(&o, "abuse-confidence-score", typeCounter, categoryOther, score)
		finish(o)
	}
	if country := fact(item, "country"); country != "" {
		o := c.object(templateGeolocation, about)
		c.add(&o, "country", typeText, categoryOther, country)
		finish(o)
	}
	return out
}

// openPorts are the ports that facts state, in order.
func openPorts(item *export.Item) []string {
	var out []string
	for _, f := range item.Facts {
		if n, err := strconv.ParseUint(f.Value, 10, 16); f.Name == "open_port" && err == nil {
			out = append(out, strconv.FormatUint(n, 10))
		}
	}
	return out
}

// fact returns the value of the first fact of one of the names.
func fact(item *export.Item, names ...string) string {
	for _, name := range names {
		for _, f := range item.Facts {
			if f.Name == name {
				return f.Value
			}
		}
	}
	return ""
}

func (c *Content) ruleObjects(item *export.Item) []Object {
	o := c.object(templateMailRule, string(item.Value.Kind), item.Value.Text)
	relation := "name"
	if item.Value.Kind == evidence.KindRuleWords {
		relation = "keywords"
	}
	c.add(&o, relation, typeText, categoryPersistence, cmp.Or(item.Written, item.Value.Text))
	for _, f := range item.Facts {
		if f.Name == "action" || f.Name == "rule_action" {
			c.add(&o, "action", typeText, categoryPersistence, f.Value)
		}
	}
	return []Object{o}
}

func (c *Content) spoofObjects(item *export.Item) []Object {
	spoofed, infrastructure, ok := strings.Cut(item.Value.Text, ">")
	if !ok {
		return nil
	}
	o := c.object(templateSpoofEntry, item.Value.Text)
	c.add(&o, "spoofed", typeText, categoryPersistence, spoofed)
	switch kind := evidence.Guess(infrastructure); kind {
	case evidence.KindIP, evidence.KindCIDR:
		c.add(&o, "sending-ip", typeIPSrc, categoryNetwork, infrastructure)
	case evidence.KindDomain:
		c.add(&o, "sending-domain", typeDomain, categoryNetwork, infrastructure)
	default:
		c.add(&o, "sending-infrastructure", typeText, categoryPersistence, infrastructure)
	}
	return []Object{o}
}

// sharesForm reports whether a value of another kind may be the same attribute.
func sharesForm(k evidence.Kind) bool {
	switch k {
	case evidence.KindDomain, evidence.KindForwardTo, evidence.KindJA4, evidence.KindPortProfile, evidence.KindAppID,
		evidence.KindSpoofPair, evidence.KindRuleName, evidence.KindRuleWords, evidence.KindAccountPattern:
		return true
	}
	return k.Own()
}
