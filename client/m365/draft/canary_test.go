package draft_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/elsewhere-project/elsewhere/client/m365/dossier"
	"github.com/elsewhere-project/elsewhere/client/m365/draft"
)

// victim is the tenant's name in its domains, and so in no case.
const victim = "quarrystone"

// deeds are records of every hunt, by one intruder in one tenant.
func deeds() []map[string]any {
	base := func(op string, recordType int, workload string, more map[string]any) map[string]any {
		r := map[string]any{
			"CreationTime": "2023-01-10T10:00:00", "Id": "0b9b7c9e-3f7b-4a0e-9d5d-" + fmt.Sprintf("%012x", len(op)*131+int(op[0])*7+int(op[len(op)-2])),
			"Operation": op, "RecordType": recordType, "Workload": workload, "UserId": "jane.doerfler@" + victim + ".example",
			"UserType": 0, "OrganizationId": "8c2f0d3e-51c4-4f62-9b59-3f1d0f7e1a55", "ResultStatus": "True", "ClientIP": "104.161.20.102",
			"UserKey": "1003200011223344",
		}
		for k, v := range more {
			r[k] = v
		}
		return r
	}
	type o = map[string]any
	params := func(pairs ...string) []any {
		var list []any
		for i := 0; i < len(pairs); i += 2 {
			list = append(list, o{"Name": pairs[i], "Value": pairs[i+1]})
		}
		return list
	}
	changes := func(name, before, after string) []any {
		return []any{o{"Name": name, "OldValue": before, "NewValue": after}}
	}
	org := victim + ".onmicrosoft.com"
	item := o{"Subject": "Invoice 7", "InternetMessageId": "<a@b.example>", "ParentFolder": o{"Path": `\Inbox`}}
	return []map[string]any{
		base("UserLoggedIn", 15, "AzureActiveDirectory", o{
			"ApplicationId": "d1ddf0e4-d672-4dae-b554-9d5bdfd93547", "ErrorNumber": "0",
			"ExtendedProperties": params("UserAgent", "axios/1.2.1"), "DeviceProperties": params("SessionId", "5a6f0f0e-aaaa-bbbb-cccc-3f1d0f7e1a55", "DisplayName", "DESKTOP-1"),
		}),
		base("Add user.", 8, "AzureActiveDirectory", o{"ObjectId": "it-support2@" + victim + ".example", "ModifiedProperties": changes("DisplayName", "[]", `["IT Support"]`)}),
		base("Update user.", 8, "AzureActiveDirectory", o{
			"ObjectId":           "joe@" + victim + ".example",
			"ModifiedProperties": changes("StrongAuthenticationUserDetails", `[{"PhoneNumber":"+1 2025550107"}]`, `[{"PhoneNumber":"+1 2025550143"}]`),
		}),
		base("Add-MailboxPermission", 1, "Exchange", o{"OrganizationName": org, "ObjectId": "joe", "Parameters": params("Identity", "joe", "User", "jane", "AccessRights", "FullAccess")}),
		base("SiteCollectionAdminAdded", 14, "SharePoint", o{"ObjectId": "https://" + victim + ".sharepoint.com/sites/x", "ModifiedProperties": changes("SiteAdmin", "", "joe"), "UserAgent": "python-requests/2.31"}),
		base("SendAs", 2, "Exchange", o{"OrganizationName": org, "MailboxOwnerUPN": "joe@" + victim + ".example", "MailboxGuid": "11c2f0d3-51c4-4f62-9b59-3f1d0f7e1a55", "Item": item, "ClientInfoString": "Client=OWA;axios/1"}),
		base("New-TransportRule", 1, "Exchange", o{"OrganizationName": org, "ObjectId": "", "Parameters": params("Name", "Bypass SPAM Filter", "SubjectContainsWords", "invoice;bank;urgent",
			"BlindCopyTo", "collect@drop.example", "SetSCL", "-1", "SetAuditSeverity", "Low")}),
		base("New-TenantAllowBlockListSpoofItems", 1, "Exchange", o{"OrganizationName": org, "Parameters": params("SpoofedUser", "supplier.example", "SendingInfrastructure", "botasso.cl", "SpoofType", "External", "Action", "Allow")}),
		base("New-TenantAllowBlockListItems", 1, "Exchange", o{"OrganizationName": org, "Parameters": params("ListType", "Sender", "Allow", "True", "Entries", "mailer.example;boss@drop.example")}),
		base("SoftDelete", 3, "Exchange", o{"OrganizationName": org, "MailboxOwnerUPN": "joe@" + victim + ".example", "AffectedItems": []any{item}, "Folder": o{"Path": `\Inbox`}}),
		base("New-InboxRule", 1, "Exchange", o{"OrganizationName": org, "ObjectId": `joe\1`, "Parameters": params("Name", "..", "MoveToFolder", "RSS Feeds", "FromAddressContainsWords", "ceo", "ForwardTo", "drop@freemail.example")}),
		base("UpdateInboxRules", 2, "Exchange", o{"OrganizationName": org, "OperationProperties": params("RuleOperation", "AddMailboxRule", "RuleName", "clean", "RuleActions", `[{"ActionType":"Forward","Recipients":["drop2@drop.example"]}]`, "RuleCondition", "(SubjectContains invoice)")}),
		base("Set-Mailbox", 1, "Exchange", o{"OrganizationName": org, "ObjectId": "joe", "Parameters": params("Identity", "joe", "ForwardingSmtpAddress", "smtp:drop3@drop.example", "DeliverToMailboxAndForward", "True")}),
		base("Consent to application.", 8, "AzureActiveDirectory", o{"ObjectId": "eM Client", "ModifiedProperties": append(changes("ConsentAction.Permissions", "", "Scope: Mail.Read offline_access"), changes("ServicePrincipal.AppId", "", `"e9a7fea1-1cc0-4cd9-a31b-9137ca5deedd"`)...)}),
		base("Add service principal credentials.", 8, "AzureActiveDirectory", o{"ObjectId": "App", "ModifiedProperties": changes("KeyDescription", "[]", "[x]")}),
		base("Add member to role.", 8, "AzureActiveDirectory", o{"ObjectId": "joe@" + victim + ".example", "ModifiedProperties": changes("Role.DisplayName", "", `"Global Administrator"`)}),
		base("Disable Strong Authentication.", 8, "AzureActiveDirectory", o{"ObjectId": "joe@" + victim + ".example"}),
		base("Reset user password.", 8, "AzureActiveDirectory", o{"ObjectId": "joe@" + victim + ".example"}),
		base("MailItemsAccessed", 50, "Exchange", o{"OrganizationName": org, "OperationProperties": params("MailAccessType", "Sync", "IsThrottled", "False")}),
		base("Set-AdminAuditLogConfig", 1, "Exchange", o{"OrganizationName": org, "Parameters": params("UnifiedAuditLogIngestionEnabled", "False")}),
		base("SearchStarted", 24, "SecurityComplianceCenter", o{"ObjectId": "search 1", "Query": "passwords"}),
		base("Set domain authentication.", 8, "AzureActiveDirectory", o{"ObjectId": "federated.example"}),
		base("ChatCreated", 25, "MicrosoftTeams", o{"CommunicationType": "OneOnOne", "Members": []any{o{"UPN": "x@y.example"}}, "ParticipantInfo": o{"HasForeignTenantUsers": true}}),
	}
}

func evidence(t testing.TB, records []map[string]any) string {
	t.Helper()
	var b strings.Builder
	for _, r := range records {
		line, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(line, '\n'))
	}
	return b.String()
}

// leaf is a string in a record, and how to replace it.
type leaf struct {
	path string
	old  string
	set  func(string)
}

func leaves(path string, v any, set func(any)) []leaf {
	var list []leaf
	switch v := v.(type) {
	case string:
		list = append(list, leaf{path, v, func(s string) { set(s) }})
	case map[string]any:
		name, _ := v["Name"].(string)
		for _, k := range slices.Sorted(maps.Keys(v)) {
			at := path + "." + k
			if k == "Value" || k == "NewValue" {
				at = path + "[" + name + "]." + k
			}
			list = append(list, leaves(at, v[k], func(s any) { v[k] = s })...)
		}
	case []any:
		for i := range v {
			list = append(list, leaves(path, v[i], func(s any) { v[i] = s })...)
		}
	}
	return list
}

// written is everything of a draft that leaves: the case and the list.
func written(t testing.TB, d *draft.Draft) string {
	t.Helper()
	list, err := json.Marshal(d.Leaves)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ToLower(protojson.Format(d.Case) + string(list))
}

// Whatever field of a record holds the tenant's name, alone or among other text,
// as it is or encoded: it does not leave.
func TestTheTenantsNameLeavesInNoField(t *testing.T) {
	plain := build(t, dossier.Filter{Users: []string{"Jane.Doerfler@quarrystone.example"}}, source("a", evidence(t, deeds())))
	seen := make(map[string]bool)
	for _, f := range plain.Case.GetFindings() {
		id, _, _ := strings.Cut(f.GetId(), ".")
		seen[id] = true
	}
	if len(seen) < 21 {
		t.Fatalf("only %d hunts found something: %v", len(seen), seen)
	}
	if n := len(plain.Leaves); n < 15 {
		t.Fatalf("only %d values leave; nothing would be tested", n)
	}
	plants := map[string]func(string) string{
		"alone":     func(string) string { return victim },
		"upper":     func(s string) string { return s + " QuarryStone" },
		"in a host": func(s string) string { return "www." + victim + "-billing.example" },
		"mail":      func(s string) string { return victim + "@drop.example" },
		"user":      func(s string) string { return "jane.doerfler@drop.example" },
		"encoded":   func(s string) string { return s + base64.StdEncoding.EncodeToString([]byte(victim)) },
		"percent":   func(s string) string { return s + percent(victim) },
		"spaced":    func(s string) string { return s + strings.Join(strings.Split(victim, ""), " ") },
	}
	secrets := []string{victim, "quarry stone", "doerfler", base64.StdEncoding.EncodeToString([]byte(victim)), strings.Join(strings.Split(victim, ""), " "), percent(victim)}
	planted, every := 0, 3
	if testing.Short() {
		every = 15
	}
	for i := range deeds() {
		for j := range leaves("", deeds()[i], nil) {
			for k, how := range slices.Sorted(maps.Keys(plants)) {
				if (i+j+k)%every != 0 {
					continue // each way meets every field of some record
				}
				plant := plants[how]
				records := deeds()
				l := leaves("", records[i], nil)
				at := l[j]
				if at.path == ".CreationTime" {
					continue
				}
				at.set(plant(at.old))
				d := build(t, dossier.Filter{Users: []string{"jane.doerfler@quarrystone.example"}}, source("a", evidence(t, records)))
				planted++
				for _, secret := range secrets {
					if out := written(t, d); strings.Contains(out, strings.ToLower(secret)) {
						k := strings.Index(out, strings.ToLower(secret))
						t.Errorf("%s in %s of %v leaves: …%s…", how, at.path, records[i]["Operation"], out[max(0, k-60):min(len(out), k+60)])
					}
				}
			}
		}
	}
	if planted < 2000/every {
		t.Errorf("planted %d times only", planted)
	}
}

func percent(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02x", s[i])
	}
	return b.String()
}

// mayLeave are the fields whose text is an intruder's own.
var mayLeave = []string{
	"[Name].Value", "[BlindCopyTo].Value", "[SpoofedUser].Value", "[SendingInfrastructure].Value", "[Entries].Value", "[ForwardTo].Value",
	"[ForwardingSmtpAddress].Value", "[RuleName].Value", "[RuleActions].Value", "[UserAgent].Value",
}

// Any other text of a field leaves only where an intruder wrote it.
func TestWhatPeopleWroteStays(t *testing.T) {
	const canary = "zqxjkvwelt"
	for i := range deeds() {
		for j := range leaves("", deeds()[i], nil) {
			records := deeds()
			at := leaves("", records[i], nil)[j]
			own := at.path == ".UserId" || at.path == ".CreationTime"
			for _, path := range mayLeave {
				own = own || strings.HasSuffix(at.path, path)
			}
			if own {
				continue
			}
			at.set(at.old + " " + canary)
			d := build(t, dossier.Filter{Users: []string{"jane.doerfler@quarrystone.example"}}, source("a", evidence(t, records)))
			if out := written(t, d); strings.Contains(out, canary) {
				k := strings.Index(out, canary)
				t.Errorf("text in %s of %v leaves: …%s…", at.path, records[i]["Operation"], out[max(0, k-60):min(len(out), k+60)])
			}
		}
	}
}
