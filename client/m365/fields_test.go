package m365_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/elsewhere-project/elsewhere/client/m365"
)

// one reads a single record.
func one(t *testing.T, text string) *m365.Record {
	t.Helper()
	all, account := read(t, text)
	if len(all) != 1 {
		t.Fatalf("%d records: %+v", len(all), account)
	}
	return all[0]
}

// with is a bare record with further fields.
func with(fields string) string {
	return `{"CreationTime":"2023-02-01T08:00:00","Id":"x1","Operation":"Op","UserId":"ann@alder.example",` + fields + `}`
}

func TestAddresses(t *testing.T) {
	for raw, want := range map[string]string{
		"104.161.20.102":                          "104.161.20.102",
		"104.161.20.102:443":                      "104.161.20.102 443",
		" 104.161.20.102 ":                        "104.161.20.102",
		"[104.161.20.102]:443":                    "104.161.20.102 443",
		"[104.161.20.102]":                        "104.161.20.102",
		"[2001:db8::1]:443":                       "2001:db8::1 443",
		"[2001:db8::1]":                           "2001:db8::1",
		"2001:db8::1":                             "2001:db8::1",
		"2001:0DB8:0000:0000:0000:0000:0000:00AB": "2001:db8::ab",
		"fe80::1%12":                              "fe80::1",
		"[fe80::1%eth0]:5":                        "fe80::1 5",
		"::ffff:104.161.20.102":                   "104.161.20.102",
		"[::ffff:104.161.20.102]:25":              "104.161.20.102 25",
		"::1":                                     "::1",
		"0.0.0.0":                                 "0.0.0.0",
		"MAIL01 (104.161.20.102)":                 "104.161.20.102",
		"mail.example":                            "invalid mail.example",
		"mail.example:25":                         "invalid mail.example:25",
		"localhost":                               "invalid localhost",
		"104.161.20.102:99999":                    "104.161.20.102",
		"[":                                       "invalid [",
		"104.161.020.102":                         "invalid 104.161.020.102",
		"":                                        "",
		"<null>":                                  "",
		"null":                                    "",
		" NULL ":                                  "",
		"Not Available":                           "",
	} {
		got := ""
		for _, a := range one(t, with(`"ClientIP":"`+raw+`"`)).Addresses {
			switch {
			case !a.Addr.IsValid():
				got = "invalid " + a.Raw
			case a.Port > 0:
				got = a.Addr.String() + " " + itoa(int(a.Port))
			default:
				got = a.Addr.String()
			}
			if a.Field != "ClientIP" || a.Raw != strings.TrimSpace(raw) {
				t.Errorf("%q: %+v", raw, a)
			}
		}
		if got != want {
			t.Errorf("%q is %q, want %q", raw, got, want)
		}
	}
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + string(rune('0'+n%10))
}

func TestAddressesOfAllFieldsStay(t *testing.T) {
	r := one(t, with(`"ClientIP":"192.0.2.1","ClientIPAddress":"192.0.2.2:9","ActorIpAddress":"192.0.2.1"`))
	var got []string
	for _, a := range r.Addresses {
		got = append(got, a.Field+" "+a.Addr.String())
	}
	want := []string{"ClientIP 192.0.2.1", "ClientIPAddress 192.0.2.2", "ActorIpAddress 192.0.2.1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestOperations(t *testing.T) {
	for raw, want := range map[string]string{
		"Add user.":                  "add user",
		" Add user. ":                "add user",
		"Add user":                   "add user",
		"set-InboxRule":              "set-inboxrule",
		"New\u2013TransportRule":     "new-transportrule",
		"Update StsRefreshToken . ":  "update stsrefreshtoken",
		"Consent to application.":    "consent to application",
		"Add-MailboxPermission\t":    "add-mailboxpermission",
		"Add app role assignment...": "add app role assignment..",
	} {
		if got := m365.FoldOperation(raw); got != want {
			t.Errorf("%q is %q, want %q", raw, got, want)
		}
	}
	r := one(t, `{"CreationTime":"2023-02-01T08:00:00","Operation":"Add user. ","UserId":"a"}`)
	if r.Operation != "add user" || r.OperationRaw != "Add user." {
		t.Errorf("%q %q", r.Operation, r.OperationRaw)
	}
}

func TestTimes(t *testing.T) {
	for raw, want := range map[string]string{
		"2021-04-16T12:08:47":           "2021-04-16T12:08:47Z",
		"2021-04-16T12:08:47Z":          "2021-04-16T12:08:47Z",
		"2021-04-16 12:08:47":           "2021-04-16T12:08:47Z",
		"2026-08-31T10:18:39.0000000Z ": "2026-08-31T10:18:39Z",
		"2021-04-16T14:08:47.5+02:00":   "2021-04-16T12:08:47.5Z",
		"\\/Date(1618574927000)\\/":     "2021-04-16T12:08:47Z",
		"1618574927":                    "2021-04-16T12:08:47Z",
		"1618574927000":                 "2021-04-16T12:08:47Z",
		"2021-02-30T12:08:47":           "",
		"2021-04-16T25:08:47":           "",
		"0001-01-01T00:00:00":           "",
		"4/16/2021 12:08:47 PM":         "",
		"0000-01-01 00:00:01":           "",
		"yesterday":                     "",
	} {
		r := one(t, `{"CreationTime":"`+raw+`","Operation":"Op","UserId":"a"}`)
		got := ""
		if !r.Time.IsZero() {
			got = r.Time.Format(time.RFC3339Nano)
		}
		if got != want {
			t.Errorf("%q is %q, want %q", raw, got, want)
		}
	}
}

// The date of a row is used only where AuditData has none, and never where day
// and month could be taken for each other.
func TestRowTimes(t *testing.T) {
	const audit = `"{""Id"":""x"",""Operation"":""Op"",""UserId"":""a""}"`
	for row, want := range map[string]string{
		"RecordId,CreationDate,AuditData\nx,9/2/2023 4:05:03 AM," + audit:                                                               "2023-09-02T04:05:03Z",
		"RecordId,CreationDate,AuditData\nx,2026-08-31T10:18:39.0000000Z ," + audit:                                                     "2026-08-31T10:18:39Z",
		"RunspaceId,CreationDate,AuditData\nx,9/2/2023 4:05:03 AM," + audit:                                                             "",
		"RunspaceId,CreationDate,AuditData\nx,20/9/2023 16:05:03," + audit:                                                              "2023-09-20T16:05:03Z",
		"RunspaceId,CreationDate,AuditData\nx,9/20/2023 4:05:03 PM," + audit:                                                            "2023-09-20T16:05:03Z",
		"RunspaceId,CreationDate,AuditData\nx,20.09.2023 16:05:03," + audit:                                                             "2023-09-20T16:05:03Z",
		"RunspaceId,CreationDate,AuditData\nx,1/2/2023," + strings.Replace(audit, `{`, `{""CreationTime"":""2021-04-16T12:08:47"",`, 1): "2021-04-16T12:08:47Z",
	} {
		r := one(t, row)
		got := ""
		if !r.Time.IsZero() {
			got = r.Time.Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("%s is %q, want %q", row, got, want)
		}
	}
}

func TestUsers(t *testing.T) {
	for user, actors := range map[string][]string{
		"Ann@Alder.Example":                  {"ann@alder.example"},
		"ann_gmail.com#EXT#@alder.example":   {"ann_gmail.com#ext#@alder.example"},
		"Certificate":                        nil,
		"ServicePrincipal_0f0f":              nil,
		"NT AUTHORITY\\\\SYSTEM (w3wp)":      nil,
		"S-1-5-18":                           nil,
		"Microsoft\\\\ServiceOperator":       nil,
		"app@sharepoint":                     nil,
		"urn:spo:anon#abc":                   nil,
		"urn:spo:guest#ann@alder.example":    nil,
		"Not Available":                      nil,
		"alder.example\\\\ann@alder.example": nil,
		"x@prod.outlook.com":                 {"x@prod.outlook.com"},
		" ann@alder.example ":                {"ann@alder.example"},
	} {
		r := one(t, `{"CreationTime":"2023-02-01T08:00:00","Operation":"Op","UserId":"`+user+`"}`)
		if diff := cmp.Diff(actors, r.Actors, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%q: %s", user, diff)
		}
		if want := strings.TrimSpace(strings.ReplaceAll(user, `\\`, `\`)); r.User != want {
			t.Errorf("user %q, want %q", r.User, want)
		}
	}
	r := one(t, with(`"Actor":[{"ID":"Bob@Alder.example","Type":5},{"ID":"zed@alder.example","Type":3},{"ID":"g","Type":0}],"Target":[{"ID":"Eve@alder.example","Type":5}]`))
	if diff := cmp.Diff([]string{"ann@alder.example", "bob@alder.example"}, r.Actors); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"eve@alder.example"}, r.Targets); diff != "" {
		t.Error(diff)
	}
}

func TestProperties(t *testing.T) {
	want := m365.Properties{{Name: "Identity", Value: "Rule 1"}, {Name: "DeleteMessage", Value: "True"}}
	for name, text := range map[string]string{
		"pairs":                   `[{"Name":"Identity","Value":"Rule 1"},{"Name":"DeleteMessage","Value":"True"}]`,
		"pairs, other case":       `[{"name":"Identity","VALUE":"Rule 1"},{"name":"DeleteMessage","value":true}]`,
		"keys":                    `[{"Key":"Identity","Value":"Rule 1"},{"Key":"DeleteMessage","Value":"True"}]`,
		"object":                  `{"Identity":"Rule 1","DeleteMessage":"True"}`,
		"text":                    `"[{\"Name\":\"Identity\",\"Value\":\"Rule 1\"},{\"Name\":\"DeleteMessage\",\"Value\":\"True\"}]"`,
		"command":                 `"-Identity \"Rule 1\" -DeleteMessage True"`,
		"command with colon":      `"-Identity:'Rule 1' -DeleteMessage:True"`,
		"texts":                   `["Identity: Rule 1","DeleteMessage:True"]`,
		"text of objects":         `["{\"Name\":\"Identity\",\"Value\":\"Rule 1\"}","{\"Name\":\"DeleteMessage\",\"Value\":\"True\"}"]`,
		"typographic quotes":      `"[{“Name”:“Identity”,“Value”:“Rule 1”},{“Name”:“DeleteMessage”,“Value”:“True”}]"`,
		"escaped twice":           `"[{\\\"Name\\\":\\\"Identity\\\",\\\"Value\\\":\\\"Rule 1\\\"},{\\\"Name\\\":\\\"DeleteMessage\\\",\\\"Value\\\":\\\"True\\\"}]"`,
		"doubled quotes":          `"[{\"\"Name\"\":\"\"Identity\"\",\"\"Value\"\":\"\"Rule 1\"\"},{\"\"Name\"\":\"\"DeleteMessage\"\",\"\"Value\"\":\"\"True\"\"}]"`,
		"no commas":               `"[{\"Name\":\"Identity\" \"Value\":\"Rule 1\"} {\"Name\":\"DeleteMessage\" \"Value\":\"True\"}]"`,
		"commas too many":         `"[{\"Name\":\"Identity\",\"Value\":\"Rule 1\",},{\"Name\":\"DeleteMessage\",\"Value\":\"True\",},]"`,
		"not closed":              `"[{\"Name\":\"Identity\",\"Value\":\"Rule 1\"},{\"Name\":\"DeleteMessage\",\"Value\":\"True"`,
		"brackets missing":        `"[{\"Name\":\"Identity\",\"Value\":\"Rule 1\"},{\"Name\":\"DeleteMessage\",\"Value\":\"True\"]"`,
		"brace missing within":    `"[{\"Name\":\"Identity\",\"Value\":\"Rule 1\",{\"Name\":\"DeleteMessage\",\"Value\":\"True\"}]"`,
		"closing quote missing":   `"[{\"Name\":\"Identity\",\"Value\":\"Rule 1},{\"Name\":\"DeleteMessage\",\"Value\":\"True\"}]"`,
		"closing quote missing 2": `"[{\"Name\":\"Identity,\"Value\":\"Rule 1\"},{\"Name\":\"DeleteMessage\",\"Value\":\"True\"}]"`,
		"opening quote missing":   `"[{\"Name\":\"Identity\",Value\":\"Rule 1\"},{\"Name\":\"DeleteMessage\",\"Value\":True\"}]"`,
		"no quotes":               `"[{Name:Identity,Value:Rule 1},{Name:DeleteMessage,Value:True}]"`,
		"line ends":               `"[{\"Name\":\"Identity\",\r\n\"Value\":\"Rule 1\"},\r\n{\"Name\":\"DeleteMessage\",\"Value\":\"True\"}]"`,
		"no brackets around":      `"{\"Name\":\"Identity\",\"Value\":\"Rule 1\"},{\"Name\":\"DeleteMessage\",\"Value\":\"True\"}"`,
	} {
		t.Run(name, func(t *testing.T) {
			got := one(t, with(`"Parameters":`+text)).Parameters
			if diff := cmp.Diff(want, got, cmp.Transformer("lower", strings.ToLower)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPropertyValues(t *testing.T) {
	p := one(t, with(`"Parameters":[{"Name":"AccessRights","Value":"FullAccess; SendAs;"},{"Name":"Words","Value":["a","b;c"]},{"Name":"Empty"},{"Name":"Nothing","Value":null},{"Name":"Say","Value":"he said \"hi\""}]`)).Parameters
	if got := p.Get("accessrights"); got != "FullAccess; SendAs;" {
		t.Error(got)
	}
	if diff := cmp.Diff([]string{"FullAccess", "SendAs"}, p.List("ACCESSRIGHTS")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"a", "b;c"}, p.List("words")); diff != "" {
		t.Error(diff)
	}
	if v, ok := p.Lookup("empty"); v != "" || !ok {
		t.Errorf("%q %t", v, ok)
	}
	if v, ok := p.Lookup("nothing"); v != "" || !ok {
		t.Errorf("%q %t", v, ok)
	}
	if _, ok := p.Lookup("absent"); ok {
		t.Error("absent is there")
	}
	if got := p.Get("Say"); got != `he said "hi"` {
		t.Error(got)
	}
}

func TestChanges(t *testing.T) {
	r := one(t, with(`"ModifiedProperties":[{"Name":"StrongAuthenticationUserDetails","NewValue":"[\r\n  {\r\n    \"PhoneNumber\": \"+1 5550100\"\r\n  }\r\n]","OldValue":"[]"},{"Name":"Included Updated Properties","NewValue":"StrongAuthenticationUserDetails","OldValue":""}]`))
	if len(r.Changes) != 2 {
		t.Fatal(r.Changes)
	}
	phone := ""
	for e := range r.Changes[0].NewValue().Elements() {
		phone = e.Get("phonenumber").Text()
	}
	if phone != "+1 5550100" {
		t.Errorf("phone %q in %+v", phone, r.Changes[0])
	}
	if got := r.Changes[1].NewValue().Text(); got != "StrongAuthenticationUserDetails" {
		t.Error(got)
	}
	for _, text := range []string{`["MobilePhone","AlternativePhone"]`, `"[\"MobilePhone\",\"AlternativePhone\"]"`, `"MobilePhone, AlternativePhone"`} {
		got := one(t, with(`"ModifiedProperties":`+text)).Changes
		if diff := cmp.Diff([]m365.Change{{Name: "MobilePhone"}, {Name: "AlternativePhone"}}, got); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
}

func TestClients(t *testing.T) {
	for info, want := range map[string]string{
		`Client=OWA;Mozilla/5.0 (Windows NT 10.0; Win64; x64)`:         "Mozilla/5.0 (Windows NT 10.0; Win64; x64)",
		`Client=OWA;Action=ViaProxy`:                                   "",
		`Client=REST;Client=RESTSystem;;[AppId=AAAA-1]`:                "app aaaa-1",
		`Client=OutlookService;Outlook-iOS/2.0;`:                       "Outlook-iOS/2.0",
		`Client=Microsoft.Exchange.Autodiscover;axios/1.2;[AppId=b-2]`: "axios/1.2 app b-2",
		`Client=MSExchangeRPC`:                                         "",
	} {
		r := one(t, with(`"ClientInfoString":"`+info+`"`))
		got := strings.Join(r.UserAgents, "|")
		for _, a := range r.Apps {
			got = strings.TrimSpace(got + " app " + a)
		}
		if got != want {
			t.Errorf("%q: %q, want %q", info, got, want)
		}
	}
	r := one(t, with(`"ExtendedProperties":[{"Name":"UserAgent","Value":"BAV2ROPC"}],"UserAgent":"BAV2ROPC","DeviceProperties":[{"Name":"SessionId","Value":"S1"},{"Name":"DisplayName","Value":"PC7"}],"AppAccessContext":{"AADSessionId":"s1","ClientAppId":"C1"},"SessionId":"00000000-0000-0000-0000-000000000000","AppId":"00000000-0000-0000-0000-000000000000","ApplicationId":"A1"`))
	if diff := cmp.Diff([][]string{{"BAV2ROPC"}, {"s1"}, {"a1", "c1"}, {"PC7"}}, [][]string{r.UserAgents, r.Sessions, r.Apps, r.Devices}); diff != "" {
		t.Error(diff)
	}
}

func TestResults(t *testing.T) {
	for status, want := range map[string]m365.Result{
		"True": m365.ResultSucceeded, "Success": m365.ResultSucceeded, "Succeeded": m365.ResultSucceeded,
		"False": m365.ResultFailed, "Failed": m365.ResultFailed, "Failure": m365.ResultFailed,
		"PartiallySucceeded": m365.ResultPartial, "None": m365.ResultUnknown, "": m365.ResultUnknown,
	} {
		if got := one(t, with(`"ResultStatus":"`+status+`"`)).Result; got != want {
			t.Errorf("%q is %v, want %v", status, got, want)
		}
	}
	r := one(t, `{"CreationTime":"2023-02-01T08:00:00","Operation":"UserLoginFailed","UserId":"a","ErrorNumber":50126}`)
	if r.Result != m365.ResultFailed || r.ErrorNumber != "50126" || r.Interrupted() {
		t.Errorf("%+v", r)
	}
	if r := one(t, with(`"ErrorNumber":"50140"`)); !r.Interrupted() {
		t.Error("no interrupt")
	}
}

func TestMailbox(t *testing.T) {
	r := one(t, with(`"Item":{"Id":"a","Subject":"Re: Invoice","InternetMessageId":"<1@x>","ParentFolder":{"Path":"\\Sent"}},"LogonType":2,"CrossMailboxOperation":true,"MailboxOwnerUPN":"Bob@alder.example","Folders":[{"Path":"\\Inbox","FolderItems":[{"InternetMessageId":"<2@x>"},{"InternetMessageId":"<3@x>"}]}],"OperationProperties":[{"Name":"MailAccessType","Value":"Bind"}]`))
	want := m365.Mailbox{
		Owner: "Bob@alder.example", Logon: m365.LogonDelegate, CrossMailbox: true, Subjects: []string{"Re: Invoice"},
		Folders: []string{`\Sent`, `\Inbox`}, MessageIDs: []string{"<1@x>", "<2@x>", "<3@x>"}, Items: 3,
	}
	if diff := cmp.Diff(want, r.Mailbox); diff != "" {
		t.Error(diff)
	}
	if r.Details.Get("mailaccesstype") != "Bind" {
		t.Error(r.Details)
	}
	if got := one(t, with(`"AffectedItems":[{"Subject":""},{"Id":"y"}]`)).Mailbox; len(got.Subjects) != 0 || got.Items != 2 {
		t.Errorf("%+v", got)
	}
}

// What the schema does not name is still there.
func TestRestIsKept(t *testing.T) {
	r := one(t, with(`"Exotic":{"Deep":[1,{"x":"y"}]},"PolicyDetails":null`))
	if got := r.Raw.Get("exotic", "deep").JSON(); got != `[1,{"x":"y"}]` {
		t.Error(got)
	}
	all, _ := read(t, "_time,AuditData,host\n7,"+quoteCSV(with(`"a":1`))+",siem1\n")
	if got := all[0].Envelope.Get("HOST").Text(); got != "siem1" {
		t.Errorf("envelope %s", all[0].Envelope.JSON())
	}
}
