// Package query writes bundles as queries that look for the same intruder in other
// tenants: KQL for Microsoft Sentinel and Defender XDR, SQL for the table of audit
// events of Sophos XDR.
//
// It knows those languages and tables. It must not know where a bundle comes from,
// nor run anything.
package query

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export"
)

// Language is what queries are written in.
type Language int

// The languages.
const (
	Sentinel Language = iota + 1
	Defender
	SQL
)

// perQuery is how many values stand in one query: enough to be few queries, and
// well below what the services take.
const perQuery = 500

// topic is what a query looks for.
type topic int

const (
	addresses topic = iota
	networks
	names
	mailboxes
	rules
	apps
	topics // their number
)

func topicOf(v evidence.Value) (topic, bool) {
	switch v.Kind {
	case evidence.KindIP:
		return addresses, true
	case evidence.KindCIDR:
		return networks, true
	case evidence.KindDomain, evidence.KindHostname:
		return names, true
	case evidence.KindEmail:
		return mailboxes, true
	case evidence.KindForwardTo:
		if strings.Contains(v.Text, "@") {
			return mailboxes, true
		}
		return names, true
	case evidence.KindRuleName:
		return rules, true
	case evidence.KindAppID:
		return apps, true
	}
	return 0, false
}

// Write writes queries, each of at most 500 values, one after the other.
func Write(ctx context.Context, w io.Writer, b *export.Bundle, language Language) error {
	out := &writer{Writer: bufio.NewWriterSize(w, 32<<10), language: language}
	mark := "// "
	if language == SQL {
		mark = "-- "
	}
	fmt.Fprintf(out, "%s%s\n%s%s, %s\n", mark, b.Title, mark, strings.ToUpper(b.TLP), b.ID)
	var held [topics][]string
	for item, err := range b.Items {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		topic, ok := topicOf(item.Value)
		if !ok || item.Withdrawn || !item.Indicator && !item.Watch && topic != rules {
			continue
		}
		text := item.Value.Text
		if topic == rules {
			if text = item.Written; strings.Contains(text, "[REDACTED") {
				continue
			}
		}
		held[topic] = append(held[topic], text)
		if len(held[topic]) == perQuery {
			out.query(topic, held[topic])
			held[topic] = held[topic][:0]
		}
	}
	for t := range topics {
		if len(held[t]) > 0 {
			out.query(t, held[t])
		}
	}
	return out.Flush()
}

// writer keeps its first error, which Flush returns.
type writer struct {
	*bufio.Writer
	language Language
}

func (w *writer) query(t topic, values []string) {
	if w.language == SQL {
		w.sql(t, values)
		return
	}
	tables := sentinelTables
	when := "TimeGenerated"
	if w.language == Defender {
		tables, when = defenderTables, "Timestamp"
	}
	fmt.Fprintf(w, "\nlet wanted = dynamic([\n")
	for i, v := range values {
		comma := ","
		if i == len(values)-1 {
			comma = ""
		}
		fmt.Fprintf(w, "  %s%s\n", kqlText(v), comma)
	}
	fmt.Fprintf(w, "]);\nunion isfuzzy=true\n")
	for i, table := range tables[t] {
		comma := ","
		if i == len(tables[t])-1 {
			comma = ""
		}
		fmt.Fprintf(w, "  (%s)%s\n", table, comma)
	}
	fmt.Fprintf(w, "| order by %s desc\n", when)
}

// changes are the operations by which rules and allow lists are changed.
const changes = `"New-TransportRule", "Set-TransportRule", "New-InboxRule", "Set-InboxRule", "UpdateInboxRules", "Set-Mailbox", "New-TenantAllowBlockListItems", "New-TenantAllowBlockListSpoofItems", "Set-HostedContentFilterPolicy"`

// Where to look for what. Values with a port or among others are found by whole
// terms.
var (
	sentinelTables = [topics][]string{
		addresses: {
			`SigninLogs | where IPAddress in (wanted) | project TimeGenerated, Table = "SigninLogs", Account = UserPrincipalName, Address = IPAddress, What = AppDisplayName`,
			`AADNonInteractiveUserSignInLogs | where IPAddress in (wanted) | project TimeGenerated, Table = "AADNonInteractiveUserSignInLogs", Account = UserPrincipalName, Address = IPAddress, What = AppDisplayName`,
			`OfficeActivity | where ClientIP has_any (wanted) | project TimeGenerated, Table = "OfficeActivity", Account = UserId, Address = ClientIP, What = Operation`,
			`EmailEvents | where SenderIPv4 in (wanted) or SenderIPv6 in (wanted) | project TimeGenerated, Table = "EmailEvents", Account = RecipientEmailAddress, Address = coalesce(SenderIPv4, SenderIPv6), What = Subject`,
		},
		networks: {
			`SigninLogs | where ipv4_is_in_any_range(IPAddress, wanted) or ipv6_is_in_any_range(IPAddress, wanted) | project TimeGenerated, Table = "SigninLogs", Account = UserPrincipalName, Address = IPAddress, What = AppDisplayName`,
			`OfficeActivity | where ipv4_is_in_any_range(tostring(split(ClientIP, ":")[0]), wanted) | project TimeGenerated, Table = "OfficeActivity", Account = UserId, Address = ClientIP, What = Operation`,
		},
		names: {
			`OfficeActivity | where Operation in (` + changes + `) and tostring(Parameters) has_any (wanted) | project TimeGenerated, Table = "OfficeActivity", Account = UserId, Address = ClientIP, What = Operation`,
			`EmailEvents | where SenderFromDomain in~ (wanted) or SenderMailFromDomain in~ (wanted) | project TimeGenerated, Table = "EmailEvents", Account = RecipientEmailAddress, Address = SenderIPv4, What = Subject`,
		},
		mailboxes: {
			`OfficeActivity | where Operation in (` + changes + `) and tostring(Parameters) has_any (wanted) | project TimeGenerated, Table = "OfficeActivity", Account = UserId, Address = ClientIP, What = Operation`,
			`EmailEvents | where SenderFromAddress in~ (wanted) or RecipientEmailAddress in~ (wanted) | project TimeGenerated, Table = "EmailEvents", Account = RecipientEmailAddress, Address = SenderIPv4, What = Subject`,
		},
		rules: {
			`OfficeActivity | where Operation in (` + changes + `) and tostring(Parameters) has_any (wanted) | project TimeGenerated, Table = "OfficeActivity", Account = UserId, Address = ClientIP, What = Operation`,
		},
		apps: {
			`SigninLogs | where AppId in~ (wanted) | project TimeGenerated, Table = "SigninLogs", Account = UserPrincipalName, Address = IPAddress, What = AppDisplayName`,
			`AuditLogs | where tostring(TargetResources) has_any (wanted) | project TimeGenerated, Table = "AuditLogs", Account = tostring(InitiatedBy.user.userPrincipalName), Address = tostring(InitiatedBy.user.ipAddress), What = OperationName`,
		},
	}
	defenderTables = [topics][]string{
		addresses: {
			`CloudAppEvents | where IPAddress in (wanted) | project Timestamp, Table = "CloudAppEvents", Account = AccountDisplayName, Address = IPAddress, What = ActionType`,
			`IdentityLogonEvents | where IPAddress in (wanted) | project Timestamp, Table = "IdentityLogonEvents", Account = AccountUpn, Address = IPAddress, What = ActionType`,
			`EmailEvents | where SenderIPv4 in (wanted) or SenderIPv6 in (wanted) | project Timestamp, Table = "EmailEvents", Account = RecipientEmailAddress, Address = coalesce(SenderIPv4, SenderIPv6), What = Subject`,
		},
		networks: {
			`CloudAppEvents | where ipv4_is_in_any_range(IPAddress, wanted) or ipv6_is_in_any_range(IPAddress, wanted) | project Timestamp, Table = "CloudAppEvents", Account = AccountDisplayName, Address = IPAddress, What = ActionType`,
		},
		names: {
			`CloudAppEvents | where ActionType in (` + changes + `) and tostring(RawEventData) has_any (wanted) | project Timestamp, Table = "CloudAppEvents", Account = AccountDisplayName, Address = IPAddress, What = ActionType`,
			`EmailEvents | where SenderFromDomain in~ (wanted) or SenderMailFromDomain in~ (wanted) | project Timestamp, Table = "EmailEvents", Account = RecipientEmailAddress, Address = SenderIPv4, What = Subject`,
		},
		mailboxes: {
			`CloudAppEvents | where ActionType in (` + changes + `) and tostring(RawEventData) has_any (wanted) | project Timestamp, Table = "CloudAppEvents", Account = AccountDisplayName, Address = IPAddress, What = ActionType`,
			`EmailEvents | where SenderFromAddress in~ (wanted) or RecipientEmailAddress in~ (wanted) | project Timestamp, Table = "EmailEvents", Account = RecipientEmailAddress, Address = SenderIPv4, What = Subject`,
		},
		rules: {
			`CloudAppEvents | where ActionType in (` + changes + `) and tostring(RawEventData) has_any (wanted) | project Timestamp, Table = "CloudAppEvents", Account = AccountDisplayName, Address = IPAddress, What = ActionType`,
		},
		apps: {
			`CloudAppEvents | where tostring(RawEventData) has_any (wanted) | project Timestamp, Table = "CloudAppEvents", Account = AccountDisplayName, Address = IPAddress, What = ActionType`,
		},
	}
)

// kqlText writes a text of the Kusto query language.
func kqlText(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// sqlText writes a text of SQL.
func sqlText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func (w *writer) sql(t topic, values []string) {
	fmt.Fprint(w, "\nSELECT creation_time, user_id, operation, client_ip, object_id, parameters\nFROM xdr_identity_o365\nWHERE ")
	for i, v := range values {
		if i > 0 {
			fmt.Fprint(w, "\n   OR ")
		}
		text := sqlText(strings.ToLower(v))
		switch t {
		case addresses:
			// IPv4 may have a port, IPv6 brackets and a port.
			if strings.Contains(v, ":") {
				fmt.Fprintf(w, "lower(client_ip) = %s OR strpos(lower(client_ip), %s) = 1", text, sqlText("["+strings.ToLower(v)+"]"))
			} else {
				fmt.Fprintf(w, "split_part(client_ip, ':', 1) = %s", text)
			}
		case networks:
			fmt.Fprintf(w, "is_subnet_of(CAST(%s AS ipprefix), TRY_CAST(split_part(client_ip, ':', 1) AS ipaddress))", text)
		default:
			fmt.Fprintf(w, "strpos(lower(parameters), %s) > 0 OR strpos(lower(modified_properties), %s) > 0", text, text)
		}
	}
	fmt.Fprint(w, "\nORDER BY creation_time DESC;\n")
}
