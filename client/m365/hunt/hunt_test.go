package hunt_test

import (
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/client/m365"
	"github.com/elsewhere-project/elsewhere/client/m365/hunt"
	"github.com/elsewhere-project/elsewhere/client/m365/lexicon"
)

// record reads one audit record; what a test does not say is that of a person.
func record(t *testing.T, fields string) *m365.Record {
	t.Helper()
	// Of two fields with one name the first counts.
	text := "{" + fields + `,"CreationTime":"2023-01-10T10:00:00","Id":"0b9b7c9e-3f7b-4a0e-9d5d-3f1d0f7e1a55","UserId":"jane@larch.example","UserType":0}`
	r := m365.NewReader([]m365.Source{{Name: "x", Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }}}, m365.Options{})
	for rec, err := range r.Records(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		return rec
	}
	t.Fatalf("no record in %s: %+v", text, r.Account().Problems)
	return nil
}

func look(t *testing.T, fields string) []string {
	t.Helper()
	var out []string
	for _, s := range hunt.New(lexicon.New(), hunt.All()...).Look(record(t, fields)) {
		line := []string{s.Hunt.Name, s.Technique}
		for _, o := range s.Observables {
			line = append(line, o.Kind+"="+o.Value)
		}
		for _, f := range s.Facts {
			line = append(line, f.Name+":"+f.Value)
		}
		out = append(out, strings.Join(line, " "))
	}
	return out
}

func TestHunts(t *testing.T) {
	exchange := `"Workload":"Exchange","RecordType":1,`
	for name, tt := range map[string]struct {
		fields string
		want   []string
	}{
		"login":       {`"Operation":"UserLoggedIn","RecordType":15,"ErrorNumber":"0"`, []string{"external-login T1078.004"}},
		"failed":      {`"Operation":"UserLoginFailed","RecordType":15,"ErrorNumber":"50126"`, []string{"external-login T1078.004 error:50126"}},
		"interrupted": {`"Operation":"UserLoggedIn","RecordType":15,"ErrorNumber":"50140"`, nil},
		"a program": {
			`"Operation":"UserLoggedIn","RecordType":15,"ExtendedProperties":[{"Name":"UserAgent","Value":"axios/1.7.2"}]`,
			[]string{"external-login T1078.004 user_agent=axios/1.7.2", "intermediary T1557 user_agent=axios/1.7.2 program:axios"},
		},
		"new account":  {`"Operation":"Add user.","ObjectId":"it.helpdesk7@larch.example"`, []string{"new-account T1136.003 account_pattern=it-helpdesk-<digits>"}},
		"a new person": {`"Operation":"Add user.","ObjectId":"joe.doe@larch.example"`, []string{"new-account T1136.003"}},
		"by the system": {
			`"Operation":"New-Mailbox","UserId":"NT AUTHORITY\\SYSTEM (w3wp)","UserType":3,"ObjectId":"x"`, nil,
		},
		"telephone": {
			`"Operation":"Update user.","ModifiedProperties":[{"Name":"StrongAuthenticationUserDetails","OldValue":"[{\"PhoneNumber\":\"+1 2025550107\"}]","NewValue":"[{\"PhoneNumber\":\"+44 (0)20 7946 0102\"}]"}]`,
			[]string{"changed-account T1098 phone=+442079460102 changed:StrongAuthenticationUserDetails"},
		},
		"the same telephone": {
			`"Operation":"Update user.","ModifiedProperties":[{"Name":"MobilePhone","OldValue":"[\"+1 202-555-0107\"]","NewValue":"[\"+12025550107\"]"}]`,
			[]string{"changed-account T1098 changed:MobilePhone"},
		},
		"another update": {`"Operation":"Update user.","ModifiedProperties":[{"Name":"Department","OldValue":"[]","NewValue":"[\"x\"]"}]`, nil},
		"delegation": {
			exchange + `"Operation":"Add-MailboxPermission","Parameters":[{"Name":"User","Value":"x"},{"Name":"AccessRights","Value":"fullaccess, SendAs, Larch"}]`,
			[]string{"delegation T1098.002 access_right:FullAccess access_right:SendAs"},
		},
		"on behalf":     {exchange + `"Operation":"Set-Mailbox","Parameters":[{"Name":"GrantSendOnBehalfTo","Value":"x"}]`, []string{"delegation T1098.002 access_right:SendOnBehalf"}},
		"quota":         {exchange + `"Operation":"Set-Mailbox","Parameters":[{"Name":"IssueWarningQuota","Value":"1"}]`, nil},
		"site":          {`"Operation":"SiteLocksChanged","ModifiedProperties":[{"Name":"LockState","OldValue":"NoAccess","NewValue":"Unlock"}]`, []string{"site-permission T1098.003 property:LockState: NoAccess to Unlock"}},
		"anonymous":     {`"Operation":"AnonymousLinkUsed","UserId":"urn:spo:anon#abc","UserType":0`, []string{"site-permission T1098.003"}},
		"send as":       {exchange + `"Operation":"SendAs","ClientInfoString":"Client=OWA;x","Item":{"Subject":"RE: Rechnung"}`, []string{"mailbox-use T1114.002 client:owa subject:invoice"}},
		"a file update": {`"Operation":"Update","Workload":"SharePoint","RecordType":6`, nil},
		"transport rule": {
			exchange + `"Operation":"New-TransportRule","Parameters":[{"Name":"Name","Value":"Block Spoofing"},{"Name":"SubjectContainsWords","Value":"Rechnung;Zahlung;wire;Larch"},{"Name":"BlindCopyTo","Value":"a@drop.example;b@drop.example"},{"Name":"SetSCL","Value":"-1"},{"Name":"SetAuditSeverity","Value":"Low"}]`,
			[]string{"transport-rules T1114.003 rule_name=Block Spoofing rule_words=invoice payment wire forward_to=a@drop.example forward_to=b@drop.example " +
				"rule_action:BlindCopyTo rule_action:SetSCL set_scl:-1 rule_action:SetAuditSeverity set_audit_severity:Low"},
		},
		"parameters in another order, and a case of their own": {
			exchange + `"Operation":"new-transportRULE ","Parameters":[{"Name":"deletemessage","Value":"True"},{"Name":"NAME","Value":"x"}]`,
			[]string{"transport-rules T1564.008 rule_name=x rule_action:DeleteMessage"},
		},
		"a removed rule": {exchange + `"Operation":"Remove-TransportRule","ObjectId":"Tenant\\Block Spam"`, []string{"transport-rules T1114.003 rule_name=Block Spam"}},
		"allow": {
			exchange + `"Operation":"New-TenantAllowBlockListSpoofItems","Parameters":[{"Name":"SpoofedUser","Value":"supplier.example"},{"Name":"SendingInfrastructure","Value":"198.51.100.0/24"},{"Name":"Action","Value":"Allow"}]`,
			[]string{"spoof-allow-list T1562.001 cidr=198.51.100.0/24 spoof_pair=supplier.example>198.51.100.0/24 action:Allow"},
		},
		"block":        {exchange + `"Operation":"New-TenantAllowBlockListSpoofItems","Parameters":[{"Name":"SpoofedUser","Value":"a.example"},{"Name":"Action","Value":"Block"}]`, nil},
		"a submission": {exchange + `"Operation":"New-TenantAllowBlockListItems","Parameters":[{"Name":"ListSubType","Value":"Submission"},{"Name":"Allow","Value":"True"},{"Name":"Entries","Value":"x@y.example"}]`, nil},
		"deletion": {
			exchange + `"Operation":"SoftDelete","Folder":{"Path":"\\Posteingang"},"AffectedItems":[{"Subject":"Ihr Sicherheitscode","ParentFolder":{"Path":"\\Posteingang"}}]`,
			[]string{"deletion T1070.008 subject:passcode folder:inbox"},
		},
		"inbox rule": {
			exchange + `"Operation":"New-InboxRule","ObjectId":"jane\\..","Parameters":[{"Name":"Name","Value":".."},{"Name":"MoveToFolder","Value":"RSS-Abonnements"},{"Name":"MarkAsRead","Value":"True"}]`,
			[]string{"inbox-rules T1564.008 rule_name=.. rule_name:only signs rule_action:MoveToFolder moves_to:rss rule_action:MarkAsRead"},
		},
		"a rule of Outlook": {
			`"Workload":"Exchange","RecordType":2,"Operation":"UpdateInboxRules","OperationProperties":[{"Name":"RuleOperation","Value":"AddMailboxRule"},{"Name":"RuleName","Value":"x"},{"Name":"RuleActions","Value":"[{\"ActionType\":\"Forward\",\"Recipients\":[\"drop@drop.example\"]}]"}]`,
			[]string{"inbox-rules T1114.003 rule_name=x rule_action:ForwardTo forward_to=drop@drop.example"},
		},
		"forwarding": {
			exchange + `"Operation":"Set-Mailbox","Parameters":[{"Name":"ForwardingSmtpAddress","Value":"smtp:Drop@drop.example"},{"Name":"DeliverToMailboxAndForward","Value":"False"}]`,
			[]string{"mailbox-forwarding T1114.003 forward_to=drop@drop.example set:ForwardingSmtpAddress keeps_a_copy:no"},
		},
		"consent": {
			`"Operation":"Consent to application.","ModifiedProperties":[{"Name":"ConsentAction.Permissions","OldValue":"","NewValue":"Scope: Mail.Read Larch.Secret"},{"Name":"ServicePrincipal.AppId","OldValue":"","NewValue":"\"E9A7FEA1-1cc0-4cd9-a31b-9137ca5deedd\""}]`,
			[]string{"consent T1528 app_id=e9a7fea1-1cc0-4cd9-a31b-9137ca5deedd scope:Mail.Read"},
		},
		"role":        {`"Operation":"Add member to role.","ModifiedProperties":[{"Name":"Role.DisplayName","OldValue":"","NewValue":"\"Company Administrator\""}]`, []string{"directory-role T1098.003 role:Global Administrator"}},
		"audit off":   {exchange + `"Operation":"Set-AdminAuditLogConfig","Parameters":[{"Name":"UnifiedAuditLogIngestionEnabled","Value":"False"}]`, []string{"audit-off T1562.008 switched_off:audit log"}},
		"audit on":    {exchange + `"Operation":"Set-AdminAuditLogConfig","Parameters":[{"Name":"UnifiedAuditLogIngestionEnabled","Value":"True"}]`, nil},
		"a dash":      {`"Operation":"Update application – Certificates and secrets management ","ObjectId":"x"`, []string{"application-credentials T1098.001"}},
		"not for us":  {`"Operation":"FileAccessed","RecordType":6`, nil},
		"a principal": {`"Operation":"Add service principal.","ObjectId":"x"`, nil},
	} {
		got := look(t, tt.fields)
		for i := range got {
			got[i] = reorder(got[i])
		}
		want := slices.Clone(tt.want)
		for i := range want {
			want[i] = reorder(want[i])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// reorder makes lines equal that say the same in another order.
func reorder(line string) string {
	parts := regexp.MustCompile(` (?:[a-z_]+[=:])`).ReplaceAllStringFunc(line, func(m string) string { return "\n" + m[1:] })
	list := strings.Split(parts, "\n")
	slices.Sort(list[1:])
	return strings.Join(list, "\n")
}

// Every hunt says what it is, and no two findings can have one name.
func TestHuntsAreWhole(t *testing.T) {
	names := make(map[string]bool)
	technique := regexp.MustCompile(`^T\d{4}(\.\d{3})?$`)
	for _, h := range hunt.All() {
		if h.Name == "" || h.Title == "" || h.Private == "" || len(h.Operations) == 0 || names[h.Name] {
			t.Errorf("%+v", h)
		}
		if h.Name != "alert" && !technique.MatchString(h.Technique) {
			t.Errorf("%s has the technique %q", h.Name, h.Technique)
		}
		if h.Points < 0 || h.Points > 5 {
			t.Errorf("%s has %d points", h.Name, h.Points)
		}
		names[h.Name] = true
	}
}

func FuzzLook(f *testing.F) {
	pack := hunt.New(lexicon.New(), hunt.All()...)
	f.Add("New-TransportRule", "Name", "x", "+1 (0)", `[{"ActionType":"Forward"}]`)
	f.Add("UpdateInboxRules", "RuleActions", "{", "\x00", "[[[[")
	f.Add("New-TenantAllowBlockListSpoofItems", "SendingInfrastructure", "::1/129", ">", "-")
	f.Add("Update user.", "MobilePhone", "+", "+00000000000000000000", "x")
	f.Fuzz(func(t *testing.T, operation, name, value, before, after string) {
		r := &m365.Record{
			Operation: m365.FoldOperation(operation), User: "jane@larch.example", Object: value, Workload: "Exchange",
			Parameters: m365.Properties{{Name: name, Value: value}, {Name: "Name", Value: before}},
			Details:    m365.Properties{{Name: name, Value: value}, {Name: "RuleActions", Value: after}},
			Changes:    []m365.Change{{Name: name, Old: before, New: after}},
			UserAgents: []string{value}, Alert: &m365.Alert{Techniques: []string{value}, Severity: before},
			Mailbox: m365.Mailbox{Subjects: []string{value}, Folders: []string{before}, ClientInfo: after},
		}
		for _, s := range pack.Look(r) {
			for _, o := range s.Observables {
				if o.Kind == "" || o.Value == "" {
					t.Errorf("%+v", o)
				}
			}
			for _, f := range s.Facts {
				if len(f.Value) > 100 {
					t.Errorf("%+v is no word of ours", f)
				}
			}
		}
	})
}
