package m365_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/elsewhere-project/elsewhere/client/m365"
)

// short says what a schema's record is about, for tests of the rarer schemas.
func short(r *m365.Record) string {
	parts := []string{string(r.Origin.Form), r.Time.Format(time.RFC3339), r.ID, r.Operation, r.User, r.Result.String()}
	for _, a := range r.Addresses {
		parts = append(parts, a.Field+"="+a.Addr.String())
	}
	return strings.Join(append(parts, r.UserAgents...), " ")
}

const signIn = `{"id":"66ea54eb","createdDateTime":"2023-03-13T19:15:41.6195833Z","userDisplayName":"Ann","userPrincipalName":"Ann@alder.example","userId":"d7cc","appId":"DE8BC8B5-D9F9","appDisplayName":"Azure Portal","ipAddress":"104.161.20.102","clientAppUsed":"Browser","userAgent":"axios/1.2","correlationId":"c1","conditionalAccessStatus":"notApplied","isInteractive":true,"riskLevelDuringSignIn":"none","status":{"errorCode":0,"failureReason":"Other.","additionalDetails":null},"deviceDetail":{"deviceId":"","displayName":"PC7","operatingSystem":"Windows 10","browser":"Edge 80"},"location":{"city":"Dallas","state":"Texas","countryOrRegion":"US"}}`

func TestSignIn(t *testing.T) {
	page := `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#auditLogs/signIns","value":[` + signIn + `,` +
		strings.NewReplacer("66ea54eb", "2", `"errorCode":0`, `"errorCode":50126`).Replace(signIn) + `,` +
		strings.NewReplacer("66ea54eb", "3", `"errorCode":0`, `"errorCode":50140`).Replace(signIn) + `]}`
	all, _ := read(t, page)
	var got []string
	for _, r := range all {
		got = append(got, short(r))
	}
	want := []string{
		"sign_in 2023-03-13T19:15:41Z 66ea54eb userloggedin Ann@alder.example succeeded ipAddress=104.161.20.102 axios/1.2",
		"sign_in 2023-03-13T19:15:41Z 2 userloginfailed Ann@alder.example failed ipAddress=104.161.20.102 axios/1.2",
		"sign_in 2023-03-13T19:15:41Z 3 userloggedin Ann@alder.example unknown ipAddress=104.161.20.102 axios/1.2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	r := all[0]
	details := &m365.SignIn{
		AppName: "Azure Portal", ClientApp: "Browser", FailureReason: "Other.", City: "Dallas", State: "Texas", Country: "US",
		OperatingSystem: "Windows 10", Browser: "Edge 80", Risk: "none", ConditionalAccess: "notApplied", Interactive: true, CorrelationID: "c1",
	}
	if diff := cmp.Diff(details, r.SignIn); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([][]string{{"ann@alder.example"}, {"de8bc8b5-d9f9"}, {"PC7"}}, [][]string{r.Actors, r.Apps, r.Devices}); diff != "" {
		t.Error(diff)
	}
	if all[2].Interrupted() == false || all[1].ErrorNumber != "50126" {
		t.Error("errors are lost")
	}
}

// A table of sign-ins has JSON in its cells.
func TestSignInTable(t *testing.T) {
	table := "TimeGenerated [UTC],Id,UserPrincipalName,AppId,IPAddress,Status,LocationDetails,DeviceDetail,UserAgent,ResultType\n" +
		`2023-03-13T19:15:41Z,66ea54eb,ann@alder.example,de8b,104.161.20.102,"{""errorCode"":0}","{""city"":""Dallas""}","{""displayName"":""PC7""}",axios/1.2,0` + "\n"
	r := one(t, table)
	if got, want := short(r), "sign_in 2023-03-13T19:15:41Z 66ea54eb userloggedin ann@alder.example succeeded ipAddress=104.161.20.102 axios/1.2"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if r.SignIn.City != "Dallas" || r.Devices[0] != "PC7" {
		t.Errorf("%+v", r.SignIn)
	}
}

func TestDirectoryAudit(t *testing.T) {
	r := one(t, `{"id":"Directory_1","category":"UserManagement","correlationId":"c","result":"success","resultReason":"","activityDisplayName":"Update user","activityDateTime":"2023-01-09T21:20:02.7215374Z","loggedByService":"Core Directory","initiatedBy":{"app":null,"user":{"id":"7283","displayName":null,"userPrincipalName":"Ann@alder.example","ipAddress":"104.161.20.102"}},"targetResources":[{"id":"ef7f","displayName":null,"type":"User","userPrincipalName":"Bob@alder.example","modifiedProperties":[{"displayName":"MobilePhone","oldValue":"[\"+1 5550199\"]","newValue":"[\"+1 5550100\"]"},{"displayName":"Included Updated Properties","oldValue":null,"newValue":"\"MobilePhone\""}]}],"additionalDetails":[{"key":"User-Agent","value":"python-requests/2"},{"key":"UserType","value":"Member"}]}`)
	if got, want := short(r), "directory_audit 2023-01-09T21:20:02Z Directory_1 update user Ann@alder.example succeeded initiatedBy.user.ipAddress=104.161.20.102 python-requests/2"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if diff := cmp.Diff([]string{"bob@alder.example"}, r.Targets); diff != "" {
		t.Error(diff)
	}
	if got := r.Changes[0].NewValue().Strings(); len(got) != 1 || got[0] != "+1 5550100" {
		t.Errorf("new phone %q", got)
	}
	if got := r.Changes[1].NewValue().Text(); got != "MobilePhone" {
		t.Errorf("updated %q", got)
	}
	if r.Extended.Get("usertype") != "Member" {
		t.Error(r.Extended)
	}
	app := one(t, `{"id":"Directory_2","result":"failure","activityDisplayName":"Add user","activityDateTime":"2023-01-09T21:20:02Z","initiatedBy":{"user":null,"app":{"appId":"AA","displayName":"Sync","servicePrincipalId":"sp"}},"targetResources":[]}`)
	if app.UserType != m365.UserTypeServicePrincipal || app.User != "Sync" || app.Result != m365.ResultFailed || app.Apps[0] != "aa" {
		t.Errorf("%+v", app)
	}
}

func TestAlert(t *testing.T) {
	r := one(t, `{"value":[{"@odata.type":"#microsoft.graph.security.alert","id":"da637551227677560813","title":"Suspicious inbox rule","severity":"high","status":"new","category":"DefenseEvasion","serviceSource":"microsoftDefenderForOffice365","detectionSource":"microsoftDefenderForOffice365","createdDateTime":"2023-04-27T12:19:27.7211305Z","firstActivityDateTime":"2023-04-26T07:45:50.116Z","lastActivityDateTime":"2023-05-02T07:56:58.222Z","mitreTechniques":["T1564.001","T1114.003"],"evidence":[{"@odata.type":"#microsoft.graph.security.userEvidence","roles":["compromised"],"userAccount":{"accountName":"ann","userPrincipalName":"Ann@alder.example"}},{"@odata.type":"#microsoft.graph.security.ipEvidence","ipAddress":"104.161.20.102","countryLetterCode":"US"},{"@odata.type":"#microsoft.graph.security.mailboxEvidence","primaryAddress":"bob@alder.example"},{"@odata.type":"#microsoft.graph.security.urlEvidence","url":"https://bad.example/x"},{"@odata.type":"#microsoft.graph.security.cloudApplicationEvidence","appId":"AB1","displayName":"App"}]}]}`)
	if got, want := short(r), "alerts_v2 2023-04-26T07:45:50Z da637551227677560813 alert  unknown evidence.ipAddress=104.161.20.102"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	want := &m365.Alert{
		Title: "Suspicious inbox rule", Severity: "high", Status: "new", Category: "DefenseEvasion",
		Source: "microsoftDefenderForOffice365", Detector: "microsoftDefenderForOffice365",
		Techniques: []string{"T1564.001", "T1114.003"},
		First:      time.Date(2023, 4, 26, 7, 45, 50, 116e6, time.UTC), Last: time.Date(2023, 5, 2, 7, 56, 58, 222e6, time.UTC),
		Evidence: []m365.AlertEvidence{
			{Type: "userEvidence", User: "ann@alder.example", Roles: []string{"compromised"}},
			{Type: "ipEvidence", Addr: netip.MustParseAddr("104.161.20.102")},
			{Type: "mailboxEvidence", User: "bob@alder.example"},
			{Type: "urlEvidence", Value: "https://bad.example/x"},
			{Type: "cloudApplicationEvidence", Value: "AB1"},
		},
	}
	if diff := cmp.Diff(want, r.Alert, cmpopts.IgnoreFields(m365.AlertEvidence{}, "Raw"), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Error(diff)
	}
	if len(r.Actors) != 0 {
		t.Errorf("a victim is the actor: %v", r.Actors)
	}
}

const sentinelTable = "TenantId,SourceSystem,TimeGenerated,OfficeId,OfficeWorkload,OfficeObjectId,Operation,RecordType,UserId,UserType,Client_IPAddress,ClientIP,ResultStatus,Parameters,Logon_Type,Type\n" +
	`w1,OfficeActivityManager,2023-02-02T09:30:00Z,1111,Exchange,Rule 1,New-InboxRule,ExchangeAdmin,ann@alder.example,Admin,104.161.20.102,104.161.20.103:99,True,"[{""Name"":""DeleteMessage"",""Value"":""True""}]",Owner,OfficeActivity` + "\n"

func TestSentinel(t *testing.T) {
	want := "office_activity 2023-02-02T09:30:00Z 1111 new-inboxrule ann@alder.example succeeded ClientIP=104.161.20.103 ClientIPAddress=104.161.20.102"
	for name, text := range map[string]string{
		"table":    sentinelTable,
		"portal":   strings.Replace(sentinelTable, "TimeGenerated,", "TimeGenerated [UTC],", 1),
		"answered": `[{"TenantId":"w1","TimeGenerated":"2023-02-02T09:30:00Z","OfficeId":"1111","OfficeWorkload":"Exchange","OfficeObjectId":"Rule 1","Operation":"New-InboxRule","RecordType":"ExchangeAdmin","UserId":"ann@alder.example","UserType":"Admin","Client_IPAddress":"104.161.20.102","ClientIP":"104.161.20.103:99","ResultStatus":"True","Parameters":"[{\"Name\":\"DeleteMessage\",\"Value\":\"True\"}]","Logon_Type":"Owner"}]`,
	} {
		t.Run(name, func(t *testing.T) {
			r := one(t, text)
			if got := short(r); got != want {
				t.Errorf("%s, want %s", got, want)
			}
			if r.Parameters.Get("deletemessage") != "True" || r.Object != "Rule 1" || r.Workload != "Exchange" ||
				r.RecordType != "exchangeadmin" || r.UserType != m365.UserTypeAdmin || r.Mailbox.Logon != m365.LogonOwner {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestSophos(t *testing.T) {
	table := "creation_time,user_id,operation,client_ip,object_id,target,modified_properties,parameters,mailbox_owner_upn,item,affected_items\n" +
		`2023-02-02T09:30:00,ann@alder.example,New-TransportRule,104.161.20.102:9,,,"[]","[{""Name"":""Name"",""Value"":""Rule 1""}]",,"{""Subject"":""Invoice""}",` + "\n"
	lines := `{"creation_time":"2023-02-02T09:30:00","user_id":"ann@alder.example","operation":"New-TransportRule","client_ip":"104.161.20.102:9","parameters":[{"Name":"Name","Value":"Rule 1"}],"item":"{\"Subject\":\"Invoice\"}"}` + "\n"
	for name, text := range map[string]string{
		"table": table, "line": lines, "items": `{"items":[` + lines + `]}`, "both": table,
	} {
		t.Run(name, func(t *testing.T) {
			texts := []string{text}
			if name == "both" {
				texts = append(texts, lines)
			}
			all, account := read(t, texts...)
			if len(all) != 1 || account.Duplicates != len(texts)-1 {
				t.Fatalf("%d records, %+v", len(all), account)
			}
			r := all[0]
			if got, want := short(r), "sophos_xdr 2023-02-02T09:30:00Z  new-transportrule ann@alder.example unknown ClientIP=104.161.20.102"; got != want {
				t.Errorf("%s, want %s", got, want)
			}
			if r.Parameters.Get("name") != "Rule 1" || len(r.Mailbox.Subjects) != 1 {
				t.Errorf("%+v", r)
			}
		})
	}
}

// The published queries name columns as they please.
func TestSophosAliases(t *testing.T) {
	r := one(t, "creation_time,user_id,operation,Access,Name,Source,Subject\n2023-02-02T09:30:00,ann@alder.example,Add-MailboxPermission,FullAccess,Rule 1,104.161.20.102,Invoice\n")
	if r.Parameters.Get("AccessRights") != "FullAccess" || r.Parameters.Get("Name") != "Rule 1" ||
		len(r.Addresses) != 1 || r.Addresses[0].Field != "Source" || r.Mailbox.Subjects[0] != "Invoice" {
		t.Errorf("%+v", r)
	}
}
