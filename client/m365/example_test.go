package m365_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/elsewhere-project/elsewhere/client/m365"
)

func ExampleReader() {
	export := `RecordId,CreationDate,RecordType,Operation,UserId,AuditData
1,2/1/2023 8:00:00 AM,1,New-TransportRule,ann@alder.example,"{""CreationTime"":""2023-02-01T08:00:00"",""Id"":""1"",""Operation"":""New-TransportRule"",""UserId"":""ann@alder.example"",""ClientIP"":""[192.0.2.7]:55012"",""Parameters"":[{""Name"":""Name"",""Value"":""Security Update""}]}"
2,2/1/2023 8:05:00 AM,1,Set-Mailbox,ann@alder.example,
`
	reader := m365.NewReader([]m365.Source{m365.Stream("export.csv", strings.NewReader(export))}, m365.Options{})
	for record, err := range reader.Records(context.Background()) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%d %s %s %q\n", record.Origin.Line, record.Operation, record.User, record.Parameters.Get("name"))
		for _, a := range record.Addresses {
			fmt.Println("  from", a.Addr, "in", a.Field)
		}
	}
	account := reader.Account()
	fmt.Println(account.Rows, "rows,", account.Records, "whole")
	for _, p := range account.Problems {
		fmt.Println(p.File, p.Line, p.Reason)
	}
	// Output:
	// 2 new-transportrule ann@alder.example "Security Update"
	//   from 192.0.2.7 in ClientIP
	// 3 set-mailbox ann@alder.example ""
	// 2 rows, 1 whole
	// export.csv 3 no_auditdata
}
