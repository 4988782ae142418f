package hunt

import (
	"net/netip"
	"strings"
)

// spoofAllowList (H8): entries of the tenant's allow and block list. Only what
// lets mail through matters, and what somebody reported as spam to Microsoft is
// none of it.
func spoofAllowList() *Hunt {
	return &Hunt{
		Name: "spoof-allow-list", Title: "Entries that let spoofed or blocked mail through",
		Technique: "T1562.001",
		Operations: []string{
			"New-TenantAllowBlockListSpoofItems", "Set-TenantAllowBlockListSpoofItems",
			"Remove-TenantAllowBlockListSpoofItems", "New-TenantAllowBlockListItems", "Set-TenantAllowBlockListItems",
			"Remove-TenantAllowBlockListItems",
		},
		Where: func(e *Event) bool {
			return !strings.EqualFold(e.Parameters.Get("ListSubType"), "Submission") && (allows(e) || strings.HasPrefix(e.Operation, "remove-"))
		},
		Look:    lookAtAllowList,
		Points:  4,
		Private: "a spoofed sender that is the tenant's own or names a partner",
	}
}

// allows reports whether an entry lets mail through. Spoof entries say so in
// Action, others in a switch.
func allows(e *Event) bool {
	if a := e.Parameters.Get("Action"); a != "" {
		return strings.EqualFold(strings.TrimSpace(a), "Allow")
	}
	v, ok := e.Parameters.Lookup("Allow")
	return ok && !strings.EqualFold(strings.TrimSpace(v), "false")
}

func lookAtAllowList(e *Event) {
	p := e.Parameters
	e.State("action", oneOf(p.Get("Action"), "Allow", "Block"))
	e.State("spoof_type", oneOf(p.Get("SpoofType"), "External", "Internal"))
	e.State("list_type", oneOf(p.Get("ListType"), "Sender", "Url", "FileHash", "IP", "BulkSender"))
	infrastructure := strings.TrimSpace(p.Get("SendingInfrastructure"))
	spoofed := strings.TrimSpace(p.Get("SpoofedUser"))
	if allows(e) {
		e.Observe(place(infrastructure, "allow_listed"))
	}
	if spoofed != "" && spoofed != "*" {
		if infrastructure != "" {
			e.Observe(Observable{Kind: "spoof_pair", Value: spoofed + ">" + infrastructure})
		}
		if strings.EqualFold(p.Get("SpoofType"), "Internal") {
			e.Keep("spoofed sender", spoofed)
		}
	}
	for _, entry := range p.List("Entries") {
		if allows(e) {
			e.Observe(place(entry, "allow_listed"))
		}
	}
}

// place returns an allowed entry with the kind that its form says.
func place(s, role string) Observable {
	o := Observable{Value: s, Role: role, Kind: "domain"}
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		o.Kind, o.Value = "ip", a.Unmap().String()
	} else if p, err := netip.ParsePrefix(s); err == nil {
		o.Kind, o.Value = "cidr", p.Masked().String()
	} else if strings.Contains(s, "://") || strings.Contains(s, "/") {
		o.Kind = "url"
		if !strings.Contains(s, "://") {
			o.Value = "" // a pattern of paths, which nothing can be compared with
		}
	} else if strings.Contains(s, "@") {
		o.Kind = "email"
	} else if n := len(s); (n == 64 || n == 40 || n == 32) && strings.Trim(strings.ToLower(s), "0123456789abcdef") == "" {
		o.Kind = "file_hash"
	} else if !strings.Contains(s, ".") || strings.ContainsAny(s, "*~ ") {
		o.Value = ""
	}
	return o
}
