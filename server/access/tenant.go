package access

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// TenantType says what a tenant's cases count for.
type TenantType uint8

// The types, numbered as on the wire.
const (
	Customer TenantType = iota + 1
	Reports
	Test
)

// TenantState says whether a tenant takes cases.
type TenantState uint8

// The states, numbered as on the wire.
const (
	Active TenantState = iota + 1
	Closed
)

// reportsPrefix begins the ids of tenants with public reports, and no others.
const reportsPrefix = "reports-"

// Tenant is an organisation whose cases stand apart from those of others.
type Tenant struct {
	ID            string
	DisplayName   string   `json:",omitempty"`
	Aliases       []string `json:",omitempty"` // sorted
	Type          TenantType
	Group         string `json:",omitempty"` // tenants of one owner
	State         TenantState
	Trust         float64        // 0 to 1
	TLPCeiling    string         `json:",omitempty"` // "": the deployment's own
	Names         []string       `json:",omitempty"`
	Domains       []string       `json:",omitempty"`
	Egress        []netip.Prefix `json:",omitempty"` // sorted
	Region        string         `json:",omitempty"`
	RetentionDays uint32         `json:",omitempty"` // 0: for ever
	Created       time.Time
	Revision      uint32
	// Unsettled says that the trust changed and not all of the tenant's values
	// have been marked since.
	Unsettled bool `json:",omitempty"`
}

type tenantRecord struct {
	Version int `json:"v"`
	Tenant
}

// newTenant is a tenant of which nothing is known but its id.
func newTenant(id string, now time.Time) Tenant {
	t := Tenant{ID: id, Type: Customer, State: Active, Trust: 1, Created: now.UTC().Truncate(time.Second), Revision: 1}
	if strings.HasPrefix(id, reportsPrefix) {
		t.Type = Reports
	}
	return t
}

// Bounds of what a tenant holds.
const (
	maxTenantText    = 200
	maxTenantList    = 500
	maxTenantItem    = 255
	maxRetentionDays = 36_500
	maxTenantBytes   = 48 << 10 // as JSON, below graph.MaxKeptData
)

// labels are the ceilings a tenant may have, the strictest first.
func labels() []string { return []string{"red", "amber+strict", "amber", "green", "clear"} }

// check returns what is wrong with a tenant and puts its lists in order.
func (t *Tenant) check() error {
	if err := evidence.CheckTenant(t.ID); err != nil {
		return fault("tenant.id", evidence.ReasonMalformed, "the id is not 1-63 of a-z, 0-9 and -, beginning with a letter or digit")
	}
	reports := strings.HasPrefix(t.ID, reportsPrefix)
	switch {
	case t.Type < Customer || t.Type > Test:
		return fault("tenant.type", "UNKNOWN", "the types are CUSTOMER, REPORTS and TEST")
	case reports != (t.Type == Reports):
		return fault("tenant.type", "ID_DIFFERS", "the ids of tenants with reports, and no others, begin with "+reportsPrefix)
	case t.State < Active || t.State > Closed:
		return fault("tenant.state", "UNKNOWN", "the states are ACTIVE and CLOSED")
	case !(t.Trust >= 0 && t.Trust <= 1):
		return fault("tenant.trust", "OUT_OF_RANGE", "0 to 1")
	case t.TLPCeiling != "" && !slices.Contains(labels(), t.TLPCeiling):
		return fault("tenant.tlp_ceiling", evidence.ReasonTLPUnknown, "the labels are red, amber+strict, amber, green and clear")
	case t.RetentionDays > maxRetentionDays:
		return fault("tenant.retention_days", "OUT_OF_RANGE", "at most 36,500")
	}
	for _, f := range []struct{ path, text string }{{"display_name", t.DisplayName}, {"group", t.Group}, {"region", t.Region}} {
		if len(f.text) > maxTenantText || !plain(f.text) {
			return fault("tenant."+f.path, "NOT_TEXT", "at most 200 bytes of plain text")
		}
	}
	if err := t.checkLists(); err != nil {
		return err
	}
	if data, err := json.Marshal(t); err != nil || len(data) > maxTenantBytes {
		return fault("tenant", "TOO_LARGE", "the record is larger than 48 KiB")
	}
	return nil
}

func (t *Tenant) checkLists() error {
	for _, l := range []struct {
		path  string
		items []string
	}{{"names", t.Names}, {"domains", t.Domains}, {"aliases", t.Aliases}} {
		if len(l.items) > maxTenantList {
			return fault("tenant."+l.path, "TOO_MANY", "at most 500")
		}
		for i, s := range l.items {
			at := "tenant." + l.path + "[" + strconv.Itoa(i) + "]"
			if s == "" || len(s) > maxTenantItem || !plain(s) {
				return fault(at, "NOT_TEXT", "1 to 255 bytes of plain text")
			}
			if l.path == "aliases" && evidence.CheckTenant(s) != nil {
				return fault(at, evidence.ReasonMalformed, "an alias has the form of an id")
			}
		}
	}
	if len(t.Egress) > maxTenantList {
		return fault("tenant.egress", "TOO_MANY", "at most 500")
	}
	slices.Sort(t.Aliases)
	t.Aliases = slices.Compact(t.Aliases)
	slices.SortFunc(t.Egress, netip.Prefix.Compare)
	t.Egress = slices.Compact(t.Egress)
	return nil
}

// counts reports whether the tenant is one of those who are counted where they
// are not named.
func (t *Tenant) counts() bool { return t.Type == Customer }

// plain reports whether a text can be shown as it is.
func plain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
