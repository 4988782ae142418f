package m365_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/elsewhere-project/elsewhere/client/m365"
)

// evidence is a little story as bare audit records, in their own order of keys.
var evidence = []string{
	`{"CreationTime":"2023-02-01T08:00:00","Id":"11111111-0000-4000-8000-000000000001","Operation":"UserLoggedIn","OrganizationId":"0f0f0f0f-0000-4000-8000-000000000000","RecordType":15,"ResultStatus":"Success","UserKey":"k1","UserType":0,"Version":1,"Workload":"AzureActiveDirectory","ClientIP":"104.161.20.102","ObjectId":"app","UserId":"Ann@Alder.example","ActorIpAddress":"104.161.20.102","ExtendedProperties":[{"Name":"UserAgent","Value":"axios/1.2.3"},{"Name":"RequestType","Value":"OAuth2:Authorize"}],"ModifiedProperties":[],"Actor":[{"ID":"0a0a","Type":0},{"ID":"Ann@alder.example","Type":5}],"DeviceProperties":[{"Name":"SessionId","Value":"AAAA-1"}],"ApplicationId":"00000002-0000-0ff1-ce00-000000000000","ErrorNumber":"0"}`,
	`{"CreationTime":"2023-02-02T09:30:00","Id":"11111111-0000-4000-8000-000000000002","Operation":"New-TransportRule","RecordType":1,"ResultStatus":"True","UserType":2,"Workload":"Exchange","ClientIP":"[2001:db8::1]:4711","ObjectId":"","UserId":"ann@alder.example","Parameters":[{"Name":"Name","Value":"Security \"Update\""},{"Name":"SubjectOrBodyContainsWords","Value":"invoice;bank; Überweisung"},{"Name":"DeleteMessage","Value":"True"}],"SessionId":""}`,
	`{"CreationTime":"2023-02-03T10:00:00","Id":"11111111-0000-4000-8000-000000000003","Operation":"SoftDelete","RecordType":3,"ResultStatus":"PartiallySucceeded","UserType":0,"Workload":"Exchange","ClientIPAddress":"::ffff:10.0.0.7","UserId":"ann@alder.example","ClientInfoString":"Client=OWA;Mozilla/5.0 (Windows NT 10.0; Win64; x64)","LogonType":0,"MailboxOwnerUPN":"ann@alder.example","CrossMailboxOperation":false,"AffectedItems":[{"Id":"i1","Subject":"Your passcode","InternetMessageId":"<a@b>","ParentFolder":{"Path":"\\Inbox"}}],"Folder":{"Path":"\\Inbox"},"DestFolder":{"Path":"\\Deleted Items"}}`,
}

func quoteCSV(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

func field(t testing.TB, record, name string) string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(record), &m); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(m[name])
}

func lowerKeys(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any)
		for k, e := range v {
			m[strings.ToLower(k)] = lowerKeys(e)
		}
		return m
	case []any:
		for i := range v {
			v[i] = lowerKeys(v[i])
		}
	}
	return v
}

// purview writes the portal's table.
func purview(t testing.TB, records []string, delimiter string) string {
	head := []string{"RecordId", "CreationDate", "RecordType", "Operation", "UserId", "AuditData", "AssociatedAdminUnits", "AssociatedAdminUnitsNames"}
	var b strings.Builder
	b.WriteString(strings.Join(head, delimiter) + "\r\n")
	for _, r := range records {
		b.WriteString(strings.Join([]string{
			field(t, r, "Id"), "2026-08-31T10:18:39.0000000Z ", field(t, r, "RecordType"), field(t, r, "Operation"), field(t, r, "UserId"), quoteCSV(r), "", "",
		}, delimiter) + "\r\n")
	}
	return b.String()
}

func powershell(t testing.TB, records []string) string {
	var b strings.Builder
	b.WriteString("#TYPE Selected.System.Management.Automation.PSCustomObject\r\n")
	b.WriteString(`"PSComputerName","RunspaceId","PSShowComputerName","RecordType","CreationDate","UserIds","Operations","AuditData","ResultIndex","ResultCount","Identity","IsValid","ObjectState"` + "\r\n")
	for i, r := range records {
		fmt.Fprintf(&b, `"outlook.office365.com","5b2f","False","ExchangeAdmin","1/2/2023 8:00:00","%s","%s",%s,"%d","3","%s","True","Unchanged"`+"\r\n",
			field(t, r, "UserId"), field(t, r, "Operation"), quoteCSV(r), i+1, field(t, r, "Id"))
	}
	return b.String()
}

// containers holds the evidence in every form that carries whole audit records.
func containers(t testing.TB, records []string) map[string]string {
	each := func(f func(string) string) string {
		var b strings.Builder
		for _, r := range records {
			b.WriteString(f(r) + "\n")
		}
		return b.String()
	}
	quote := func(s string) string {
		q, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(q)
	}
	indented := func(s string) string {
		var v any
		if err := json.Unmarshal([]byte(s), &v); err != nil {
			t.Fatal(err)
		}
		b, err := json.MarshalIndent(v, "", "    ")
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	array := "[" + strings.Join(records, ",") + "]"
	graph := each(func(r string) string {
		return `,{"id":` + quote(field(t, r, "Id")) + `,"createdDateTime":"2023-02-01T08:00:00Z","auditLogRecordType":"x","operation":` + quote(field(t, r, "Operation")) + `,"userId":"guid","clientIp":"9.9.9.9","auditData":` + r + `}`
	})
	return map[string]string{
		"purview":            purview(t, records, ","),
		"purview semicolon":  purview(t, records, ";"),
		"purview tab":        purview(t, records, "\t"),
		"purview BOM":        "\ufeff" + purview(t, records, ","),
		"purview UTF-16LE":   wide(purview(t, records, ","), binary.LittleEndian, true),
		"purview UTF-16BE":   wide(purview(t, records, ","), binary.BigEndian, true),
		"purview UTF-16 raw": wide(purview(t, records, ","), binary.LittleEndian, false),
		"purview gzip":       zip(purview(t, records, ",")),
		"purview lower":      strings.Replace(purview(t, records, ","), "RecordId,CreationDate,RecordType,Operation,UserId,AuditData", "recordid,creationdate,RECORDTYPE,operation,userid,auditdata", 1),
		"old purview": "CreationDate,UserIds,Operations,AuditData\n" + each(func(r string) string {
			return `9/20/2023 4:05:03 AM,x,y,` + quoteCSV(r)
		}),
		"powershell":          powershell(t, records),
		"powershell UTF-16":   wide(powershell(t, records), binary.LittleEndian, true),
		"export":              "_time,RecordType,CreationDate,UserIds,Operations,AuditData,sourcetype\n" + each(func(r string) string { return `1,x,1/2/2023,u,o,` + quoteCSV(r) + `,o365` }),
		"array":               array,
		"array indented":      indented(array),
		"lines":               each(func(r string) string { return r }),
		"lines, one per file": strings.Join(records, "\r\n\r\n"),
		"arrays by line":      each(func(r string) string { return "[" + r + "]" }),
		"objects indented":    each(indented),
		"powershell JSON": "[" + strings.TrimPrefix(each(func(r string) string {
			return `,{"RecordType":"x","CreationDate":"\/Date(1675238400000)\/","AuditData":` + quote(r) + `}`
		}), ",") + "]",
		"elastic": each(func(r string) string {
			return `{"@timestamp":"2024-01-01T00:00:00Z","event":{"original":` + quote(r) + `}}`
		}),
		"elastic hits": `{"took":3,"timed_out":false,"hits":{"total":{"value":3},"hits":[` + strings.TrimPrefix(each(func(r string) string {
			return `,{"_index":"x","_id":"1","_source":{"o365":{"audit":` + r + `}}}`
		}), ",") + `]}}`,
		"wazuh": each(func(r string) string {
			return `{"timestamp":"2024-01-01T00:00:00Z","rule":{"id":"1"},"data":{"integration":"office365","office365":` + r + `}}`
		}),
		"wazuh bare": each(func(r string) string { return `{"office365":` + r + `}` }),
		"panther": each(func(r string) string {
			var v any
			_ = json.Unmarshal([]byte(r), &v)
			b, _ := json.Marshal(lowerKeys(v))
			return string(b)
		}),
		"graph":          `{"@odata.context":"c","value":[` + strings.TrimPrefix(graph, ",") + `],"@odata.nextLink":"https://graph.microsoft.com/next"}`,
		"graph indented": indented(`{"@odata.nextLink":"x","value":[` + strings.TrimPrefix(graph, ",") + `]}`),
		"cloud app": each(func(r string) string {
			var m map[string]any
			_ = json.Unmarshal([]byte(r), &m)
			m["CreationTime"] = m["CreationTime"].(string) + "Z"
			b, _ := json.Marshal(m)
			return `{"time":"2024-01-01T00:00:00Z","category":"AdvancedHunting-CloudAppEvents","properties":{"ActionType":"x","IPAddress":"9.9.9.9","UserAgent":"","RawEventData":` + string(b) + `}}`
		}),
		"cloud app table": "Timestamp,ActionType,RawEventData\n" + each(func(r string) string { return `2024-01-01T00:00:00Z,x,` + quoteCSV(r) }),
		"event hub":       `{"records":[` + strings.TrimPrefix(each(func(r string) string { return `,{"properties":{"RawEventData":` + r + `}}` }), ",") + `]}`,
		"snake case": "[" + strings.TrimPrefix(each(func(r string) string {
			for _, p := range [][2]string{{"CreationTime", "creation_time"}, {"UserId", "user_id"}, {"ClientIPAddress", "client_ip_address"}, {"ClientIP", "client_ip"}, {"ObjectId", "object_id"}, {"ModifiedProperties", "modified_properties"}, {"MailboxOwnerUPN", "mailbox_owner_upn"}, {"AffectedItems", "affected_items"}} {
				r = strings.Replace(r, `"`+p[0]+`"`, `"`+p[1]+`"`, 1)
			}
			return "," + r
		}), ",") + "]",
	}
}

// sameEvidence ignores where a record stood.
var sameEvidence = cmp.Options{
	cmpopts.IgnoreFields(m365.Record{}, "Origin", "Raw", "Envelope"),
	cmpopts.EquateComparable(m365.Address{}),
	cmpopts.EquateEmpty(),
}

func TestFormsAgree(t *testing.T) {
	want, _ := read(t, strings.Join(evidence, "\n"))
	if len(want) != len(evidence) {
		t.Fatalf("%d records of %d", len(want), len(evidence))
	}
	for name, text := range containers(t, evidence) {
		t.Run(name, func(t *testing.T) {
			got, account := read(t, text)
			if diff := cmp.Diff(want, got, sameEvidence); diff != "" {
				t.Errorf("records differ (-want +got):\n%s", diff)
			}
			if len(account.Problems) > 0 || account.Rows != len(evidence) {
				t.Errorf("account: %+v", account)
			}
			for i, r := range got {
				if r.Origin.Number != i+1 || r.Origin.Line < 1 || r.Origin.File != "file0" {
					t.Errorf("origin %+v of record %d", r.Origin, i)
				}
			}
		})
	}
}
