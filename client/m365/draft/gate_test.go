package draft_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/client/m365/dossier"
	"github.com/elsewhere-project/elsewhere/client/m365/draft"
)

func rule(name string, more ...string) map[string]any {
	parameters := []any{map[string]any{"Name": "Name", "Value": name}}
	for i := 0; i < len(more); i += 2 {
		parameters = append(parameters, map[string]any{"Name": more[i], "Value": more[i+1]})
	}
	return deed("New-TransportRule", "Exchange", map[string]any{"Parameters": parameters})
}

func spoof(spoofed, infrastructure string) map[string]any {
	r := rule("x", "SpoofedUser", spoofed, "SendingInfrastructure", infrastructure, "Action", "Allow")
	r["Operation"] = "New-TenantAllowBlockListSpoofItems"
	return r
}

func login(more map[string]any) map[string]any {
	return deed("UserLoggedIn", "AzureActiveDirectory", more)
}

func deed(op, workload string, more map[string]any) map[string]any {
	r := map[string]any{
		"CreationTime": "2023-01-10T10:00:00", "Operation": op, "Workload": workload, "UserId": "jane.doerfler@" + victim + ".example",
		"UserType": 0, "ClientIP": "104.161.20.102", "RecordType": 1,
	}
	for k, v := range more {
		r[k] = v
	}
	return r
}

// What of a record leaves, without the address.
func TestWhatLeaves(t *testing.T) {
	agent := func(s string) map[string]any {
		return map[string]any{"ExtendedProperties": []any{map[string]any{"Name": "UserAgent", "Value": s}}}
	}
	guest := deed("FileAccessed", "SharePoint", map[string]any{"UserId": "pat_partner.example#EXT#@" + victim + ".onmicrosoft.com"})
	for name, tt := range map[string]struct {
		record map[string]any
		want   string
	}{
		"to a mail provider":     {rule("r", "BlindCopyTo", "drop@freemail.example"), "forward_to drop@freemail.example|rule_name r"},
		"to a domain":            {rule("r", "BlindCopyTo", "drop@evil.example"), "domain evil.example|forward_to drop@evil.example|rule_name r"},
		"within the tenant":      {rule("r", "BlindCopyTo", "joe@"+victim+".example"), "rule_name r"},
		"to a namesake":          {rule("r", "BlindCopyTo", "jane.doerfler@freemail.example"), "rule_name r"},
		"to a first name":        {rule("r", "BlindCopyTo", "jane@evil.example"), "domain evil.example|forward_to jane@evil.example|rule_name r"},
		"to a look-alike":        {rule("r", "BlindCopyTo", "drop@"+victim+"-mail.example"), "rule_name r"},
		"a name with names":      {rule("Spam of Doerfler"), "rule_name Spam of [REDACTED]"},
		"nothing but a name":     {rule(victim), ""},
		"words":                  {rule("r", "SubjectContainsWords", "Factures;urgent;paiement;"+victim), "rule_name r|rule_words invoice payment urgent"},
		"a browser":              {login(agent("Mozilla/5.0 (X11; Linux x86_64) Firefox/120.0")), ""},
		"a program":              {login(agent("python-requests/2.31.0")), "user_agent python-requests/2.31.0"},
		"a program with a name":  {login(agent("python-requests/2.31.0 " + victim)), ""},
		"an application":         {login(map[string]any{"ApplicationId": "d1ddf0e4-d672-4dae-b554-9d5bdfd93547"}), ""},
		"a pair":                 {spoof("supplier.example", "botasso.cl"), "domain botasso.cl|spoof_pair supplier.example>botasso.cl"},
		"the tenant spoofed":     {spoof(victim+".example", "mail.botasso.cl"), "hostname mail.botasso.cl"},
		"a partner spoofed":      {spoof("partner.example", "botasso.cl"), "domain botasso.cl"},
		"everybody spoofed":      {spoof("*", "198.51.100.0/24"), "cidr 198.51.100.0/24"},
		"a private network":      {spoof("*", "10.0.0.0/24"), ""},
		"Microsoft's network":    {spoof("*", "40.96.0.0/24"), ""},
		"letters of numbers":     {spoof("*", "evil.cafe"), "domain evil.cafe"},
		"an old address":         {spoof("*", "0x7f.1"), ""},
		"a suffix":               {spoof("*", "co.uk"), ""},
		"no name at all":         {spoof("a b", "-"), ""},
		"sent by the tenant":     {spoof("supplier.example", "mail."+victim+".example"), ""},
		"an international name":  {spoof("*", "bücher.example"), "domain xn--bcher-kva.example"},
		"more names than fit":    {rule(strings.Repeat("a ", 3000)), ""},
		"a number of an account": {rule("to 500105175407324931"), "rule_name to [REDACTED]"},
	} {
		d := build(t, dossier.Filter{Users: []string{"jane.doerfler@" + victim + ".example"}}, source("a", evidence(t, []map[string]any{tt.record, guest})))
		var got []string
		for _, i := range d.Leaves {
			if i.What != "ip" {
				got = append(got, i.What+" "+i.Value)
			}
		}
		if diff := cmp.Diff(tt.want, strings.Join(got, "|")); diff != "" {
			t.Errorf("%s (-want +got):\n%s\nstays %+v", name, diff, d.Stays)
		}
	}
}

func TestPrivateKinds(t *testing.T) {
	change := deed("Update user.", "AzureActiveDirectory", map[string]any{"ModifiedProperties": []any{map[string]any{
		"Name": "MobilePhone", "OldValue": `["+1 2025550107"]`, "NewValue": `["+1 2025550143"]`,
	}}})
	r := gather(t, dossier.Options{}, source("a", evidence(t, []map[string]any{change}))).Report(dossier.Filter{Users: []string{"jane.doerfler@" + victim + ".example"}})
	for secret, want := range map[bool]string{false: "", true: "+12025550143"} {
		d := caseOf(t, r, draft.Options{Secret: secret})
		got := ""
		for _, f := range d.Case.GetFindings() {
			for _, o := range f.GetObservables() {
				if o.GetKind() == "phone" {
					got += o.GetValue()
				}
			}
		}
		if got != want || strings.Contains(written(t, d), "2025550107") {
			t.Errorf("secret %v: %q leaves", secret, got)
		}
	}
}

func TestTheTitleLeavesToo(t *testing.T) {
	r := gather(t, dossier.Options{}, source("a", evidence(t, deeds()))).Report(dossier.Filter{})
	for title, want := range map[string]bool{"": true, "Mailbox compromise": true, "Break-in at QuarryStone": false, "About Doerfler": false} {
		_, err := draft.New(draft.Header{Tenant: "quarry", Case: "1", Title: title}, r, draft.Options{FirstParty: func(string) bool { return false }})
		if _, bad := errors.AsType[*draft.TitleError](err); bad == want || err != nil && strings.Contains(err.Error(), victim) {
			t.Errorf("%q: %v", title, err)
		}
	}
}
