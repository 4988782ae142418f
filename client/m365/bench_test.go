package m365_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/elsewhere-project/elsewhere/client/m365"
)

var benchRecords = flag.Int("m365.records", 100_000, "records of BenchmarkRead; the goal is stated for 1,000,000")

// templates are bare records of the length that exports have on average, about
// 1.4 kB, or 1.6 kB as a row of the portal's table.
func templates() []string {
	long := strings.Repeat(`{"Name":"DeviceProperty","Value":"a value of some length"},`, 8)
	rule := strings.Repeat(`{"Name":"SubjectOrBodyContainsWords","Value":"invoice;payment;bank;wire"},`, 8)
	items := strings.Repeat(`{"Id":"RgAAAADs","InternetMessageId":"<0123456789@mail.example>","ParentFolder":{"Id":"LgAA","Path":"\\Inbox"},"Subject":"Quarterly report"},`, 5)
	return []string{
		`{"CreationTime":"2023-02-01T08:00:00","Id":"@ID@","Operation":"UserLoggedIn","OrganizationId":"0f0f0f0f-0000-4000-8000-000000000000","RecordType":15,"ResultStatus":"Success","UserKey":"9f9f9f9f-0000-4000-8000-000000000000","UserType":0,"Version":1,"Workload":"AzureActiveDirectory","ClientIP":"203.0.113.7","ObjectId":"00000002-0000-0ff1-ce00-000000000000","UserId":"person.number@alder.example","AzureActiveDirectoryEventType":1,"ExtendedProperties":[{"Name":"ResultStatusDetail","Value":"Success"},{"Name":"UserAgent","Value":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/110.0.0.0 Safari/537.36"},{"Name":"RequestType","Value":"OAuth2:Authorize"}],"ModifiedProperties":[],"Actor":[{"ID":"9f9f9f9f-0000-4000-8000-000000000000","Type":0},{"ID":"person.number@alder.example","Type":5}],"ActorContextId":"0f0f0f0f","ActorIpAddress":"203.0.113.7","InterSystemsId":"1c1c1c1c","IntraSystemId":"2c2c2c2c","SupportTicketId":"","Target":[{"ID":"00000002-0000-0ff1-ce00-000000000000","Type":0}],"TargetContextId":"0f0f0f0f","ApplicationId":"00000002-0000-0ff1-ce00-000000000000","DeviceProperties":[` + long + `{"Name":"SessionId","Value":"5b5b5b5b"}],"ErrorNumber":"0"}`,
		`{"CreationTime":"2023-02-01T09:00:00","Id":"@ID@","Operation":"Set-TransportRule","OrganizationId":"0f0f0f0f-0000-4000-8000-000000000000","RecordType":1,"ResultStatus":"True","UserKey":"person.number@alder.example","UserType":2,"Version":1,"Workload":"Exchange","ClientIP":"203.0.113.7:55012","ObjectId":"Security Update","UserId":"person.number@alder.example","AppId":"","ClientAppId":"","ExternalAccess":false,"OrganizationName":"alder.onmicrosoft.com","OriginatingServer":"AM0PR00MB0000 (15.20.0000.000)","Parameters":[` + rule + `{"Name":"Identity","Value":"Security Update"}],"SessionId":"6b6b6b6b-0000-4000-8000-000000000000"}`,
		`{"CreationTime":"2023-02-01T10:00:00","Id":"@ID@","Operation":"MoveToDeletedItems","OrganizationId":"0f0f0f0f-0000-4000-8000-000000000000","RecordType":3,"ResultStatus":"Succeeded","UserKey":"10030000A0A0A0A0","UserType":0,"Version":1,"Workload":"Exchange","ClientIP":"203.0.113.7","UserId":"person.number@alder.example","ClientIPAddress":"203.0.113.7","ClientInfoString":"Client=OWA;Mozilla/5.0 (Windows NT 10.0; Win64; x64)","ExternalAccess":false,"InternalLogonType":0,"LogonType":0,"LogonUserSid":"S-1-5-21-1","MailboxGuid":"7c7c7c7c","MailboxOwnerSid":"S-1-5-21-1","MailboxOwnerUPN":"person.number@alder.example","OrganizationName":"alder.onmicrosoft.com","OriginatingServer":"AM0PR00MB0000","AffectedItems":[` + items + `{"Id":"x"}],"CrossMailboxOperation":false,"DestFolder":{"Id":"LgBB","Path":"\\Deleted Items"},"Folder":{"Id":"LgAA","Path":"\\Inbox"}}`,
	}
}

// generated is an endless table of the portal, or lines of bare records, cut
// after n rows. Every id is another.
type generated struct {
	rows [][2]string
	n, i int
	left []byte
	buf  []byte
	dup  int // every dup-th row is the one before
}

func newGenerated(n int, table bool) *generated {
	g := &generated{n: n}
	for _, r := range templates() {
		row := r + "\n"
		if table {
			row = `@ID@,2026-08-31T10:18:39.0000000Z ,15,UserLoggedIn,person.number@alder.example,` + quoteCSV(r) + ",,\r\n"
		}
		// The id stands in the record only, so that a row has one place to fill.
		row = strings.Replace(row, "@ID@,2026", ",2026", 1)
		before, after, _ := strings.Cut(row, "@ID@")
		g.rows = append(g.rows, [2]string{before, after})
	}
	if table {
		g.left = []byte("RecordId,CreationDate,RecordType,Operation,UserId,AuditData,AssociatedAdminUnits,AssociatedAdminUnitsNames\r\n")
	}
	return g
}

func (g *generated) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if len(g.left) == 0 {
			if g.i >= g.n {
				if n == 0 {
					return 0, io.EOF
				}
				return n, nil
			}
			row := g.rows[g.i%len(g.rows)]
			id := g.i
			if g.dup > 0 && id%g.dup == 0 && id > 0 {
				id--
			}
			g.buf = append(g.buf[:0], row[0]...)
			g.buf = append(g.buf, "11111111-0000-4000-8000-"...)
			g.buf = append(g.buf, strconv.Itoa(1_000_000_000_000 + id)[1:]...)
			g.buf = append(g.buf, row[1]...)
			g.left = g.buf
			g.i++
		}
		c := copy(p[n:], g.left)
		n += c
		g.left = g.left[c:]
	}
	return n, nil
}

// peak is the largest resident memory of this process so far, in MB; 0 where
// the system does not say.
func peak() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		return 0
	}
	kb, _ := strconv.ParseFloat(string(m[1]), 64)
	return kb / 1024
}

func BenchmarkRead(b *testing.B) {
	size := func(table bool) int64 {
		n, _ := io.Copy(io.Discard, newGenerated(*benchRecords, table))
		return n
	}
	for _, c := range []struct {
		name    string
		table   bool
		workers int
	}{{"purview", true, 0}, {"purview-1-worker", true, 1}, {"lines", false, 0}} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(size(c.table))
			b.ReportAllocs()
			start := time.Now()
			n := 0
			for b.Loop() {
				r := m365.NewReader([]m365.Source{m365.Stream("x", newGenerated(*benchRecords, c.table))}, m365.Options{Workers: c.workers})
				for _, err := range r.Records(context.Background()) {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
				if a := r.Account(); a.Records != *benchRecords {
					b.Fatal(fmt.Sprint(a.Tally, a.Problems))
				}
			}
			b.ReportMetric(float64(n)/time.Since(start).Seconds(), "records/s")
			b.ReportMetric(peak(), "peak-MB")
			runtime.GC()
		})
	}
}
