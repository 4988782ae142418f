package hunt

import "strings"

// auditOff: auditing or filters that a person switched off.
func auditOff() *Hunt {
	return &Hunt{
		Name: "audit-off", Title: "Auditing or a filter was switched off",
		Technique: "T1562.008",
		Operations: []string{
			"Set-AdminAuditLogConfig", "Set-MailboxAuditBypassAssociation", "Set-Mailbox", "Set-OrganizationConfig",
			"Disable-AntiPhishRule", "Remove-AntiPhishRule", "Remove-AntiPhishPolicy", "Disable-MalwareFilterRule",
			"Disable-HostedContentFilterRule", "Disable-SafeLinksRule", "Remove-SafeLinksRule", "Disable-SafeAttachmentRule",
			"Remove-SafeAttachmentRule", "Set-HostedContentFilterPolicy", "Set-HostedConnectionFilterPolicy", "Disable-DkimSigningConfig",
		},
		Where: func(e *Event) bool { return switchedOff(e) != "" },
		Look: func(e *Event) {
			e.State("switched_off", switchedOff(e))
			e.Target(e.Object)
		},
		Points:  4,
		Private: "whose mailbox, names of policies, allowed senders",
	}
}

// switchedOff says what an operation took out of service, "" if nothing.
func switchedOff(e *Event) string {
	p := e.Parameters
	is := func(name, value string) bool {
		v, ok := p.Lookup(name)
		return ok && strings.EqualFold(strings.Trim(strings.TrimSpace(v), "$"), value)
	}
	switch e.Operation {
	case "set-adminauditlogconfig":
		if is("UnifiedAuditLogIngestionEnabled", "false") || is("AdminAuditLogEnabled", "false") {
			return "audit log"
		}
	case "set-mailboxauditbypassassociation":
		if is("AuditBypassEnabled", "true") {
			return "audit of a user"
		}
	case "set-mailbox":
		if is("AuditEnabled", "false") {
			return "audit of a mailbox"
		}
	case "set-organizationconfig":
		if is("AuditDisabled", "true") {
			return "mailbox audit"
		}
	case "set-hostedcontentfilterpolicy":
		if !off(p.Get("AllowedSenders")) || !off(p.Get("AllowedSenderDomains")) {
			return "spam filter for some senders"
		}
	case "set-hostedconnectionfilterpolicy":
		if !off(p.Get("IPAllowList")) {
			return "spam filter for some addresses"
		}
	default:
		if strings.HasPrefix(e.Operation, "disable-") || strings.HasPrefix(e.Operation, "remove-") {
			return "filter"
		}
	}
	return ""
}
