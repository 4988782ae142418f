package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// fromJSON reads a message that a test writes down.
func fromJSON[M proto.Message](t *testing.T, m M, text string) M {
	t.Helper()
	if err := protojson.Unmarshal([]byte(text), m); err != nil {
		t.Fatal(err)
	}
	return m
}

const recordsJSON = `{"records":[
	{"observable":{"kind":"ip","value":"192.0.2.1"},"status":"RECORD_STATUS_ANSWERED","class":"leased",
	 "classReasons":["abuseipdb 2026-08-01: domain ipxo.com","list\u001b[2J: 192.0.2.0/24 (grades towards vpn, 0.50)"],
	 "fields":[
		{"name":"asn","value":"64500","source":"table","dataDate":"2026-06-17T00:00:00Z","status":"LOOKUP_STATUS_OK"},
		{"name":"as_org","value":"Evil\u202e\u0007 Org","source":"table","dataDate":"2026-06-17T00:00:00Z","status":"LOOKUP_STATUS_OK"},
		{"name":"provider","status":"LOOKUP_STATUS_NO_DATA","source":"lists"},
		{"name":"reports","value":"25","source":"abuseipdb","dataDate":"2026-08-01T00:00:00Z","lookedUpAt":"2026-08-01T02:03:04Z","status":"LOOKUP_STATUS_OK","stale":true},
		{"name":"reporters","value":"9","source":"abuseipdb","status":"LOOKUP_STATUS_OK"},
		{"name":"domain","value":"ipxo.com","source":"abuseipdb","status":"LOOKUP_STATUS_OK"}],
	 "answers":[{"source":"lists","status":"LOOKUP_STATUS_OK"},{"source":"databases","status":"LOOKUP_STATUS_NO_DATA"},
		{"source":"abuseipdb","status":"LOOKUP_STATUS_OK","stale":true}]},
	{"observable":{"kind":"ip","value":"192.0.2.2"},"status":"RECORD_STATUS_ANSWERED",
	 "fields":[{"name":"reports","source":"abuseipdb","status":"LOOKUP_STATUS_QUOTA"}],
	 "answers":[
		{"source":"a","status":"LOOKUP_STATUS_QUOTA","detail":"the day's quota","retryAt":"2026-08-02T00:00:00Z"},
		{"source":"b","status":"LOOKUP_STATUS_NOT_LOOKED_UP","detail":"the tenant's ceiling is tlp:amber"},
		{"source":"c","status":"LOOKUP_STATUS_ERROR","detail":"garbage\u001b]0;x"},
		{"source":"d","status":77}]},
	{"observable":{"kind":"rule_name","value":"x"},"status":"RECORD_STATUS_ANSWERED","class":"unknown"},
	{"observable":{"kind":"phone"},"status":"RECORD_STATUS_NOT_DISCLOSED"},
	{"observable":{"kind":"ip","value":"zz"},"status":"RECORD_STATUS_INVALID","violation":{"reason":"MALFORMED","message":"no address"}},
	{"observable":{"kind":"ip","value":"192.0.2.3"},"status":99}],
	"attributions":[{"source":"table","dataDate":"2026-06-17T00:00:00Z","text":"table (CC-BY-4.0): some\u001bbody"}]}`

func TestEnrichText(t *testing.T) {
	var asked []*elsewherev1.EnrichRequest
	f := &fake{
		enrich: func(r *elsewherev1.EnrichRequest) *elsewherev1.EnrichResponse {
			asked = append(asked, r)
			return fromJSON(t, &elsewherev1.EnrichResponse{}, recordsJSON)
		},
		feeds: []*elsewherev1.Feed{elsewherev1.Feed_builder{
			Title: "AbuseIPDB", Kind: elsewherev1.FeedKind_FEED_KIND_SERVICE, Status: elsewherev1.FeedStatus_FEED_STATUS_OFF,
		}.Build()},
	}
	addr := f.listen(t)
	code, out, errs := command(t.Context(), nil, "enrich", "1", "2", "3", "4", "5", "6", "--tenant", "alder", "--tlp", "green", "--max-lookups", "7", "--server", addr)
	want := `192.0.2.1  ip  class leased
  decided by abuseipdb 2026-08-01: domain ipxo.com
  also list\x1b[2J: 192.0.2.0/24 (grades towards vpn, 0.50)
  asn        64500               table 2026-06-17
  as org     Evil\u202e\x07 Org  table 2026-06-17
  reports    25                  abuseipdb 2026-08-01, out of date: looked up 2026-08-01 02:03Z
  reporters  9                   abuseipdb
  domain     ipxo.com            abuseipdb
  databases  no data

192.0.2.2  ip  class unknown
  a  quota used up                       the day's quota; again from 2026-08-02 00:00Z
  b  not looked up                       the tenant's ceiling is tlp:amber
  c  no usable answer                    garbage\x1b]0;x
  d  not known whether it was looked up

x  rule_name  class unknown
  no source knows values of this kind

(value not repeated)  phone  private: nobody is asked about it

zz  ip  invalid: no address (MALFORMED)

192.0.2.3  ip  unknown answer

AbuseIPDB: not looked up; the service has no key for it

data: table (CC-BY-4.0): some\x1bbody, 2026-06-17
`
	if d := cmp.Diff(want, out); d != "" || code != 1 || errs != "" {
		t.Errorf("exit code %d, %q: %s", code, errs, d)
	}
	if r := asked[0]; r.GetTenant() != "alder" || r.GetTlp() != "green" || r.GetMaxLookups() != 7 || r.GetLocalOnly() || len(r.GetObservables()) != 6 {
		t.Errorf("asked %v", r)
	}
	if strings.Contains(out, "clean") {
		t.Error("called clean")
	}

	code, out, _ = command(t.Context(), nil, "enrich", "1", "2", "3", "4", "5", "6", "--local", "--json", "--server", addr)
	if code != 1 || strings.Count(out, "\n") != 1 || !strings.HasPrefix(out, `{"records":[{"observable":`) ||
		!strings.Contains(out, `"status":"LOOKUP_STATUS_QUOTA"`) || !strings.Contains(out, `"attributions":[{`) {
		t.Errorf("exit code %d: %s", code, out)
	}
	if !asked[1].GetLocalOnly() {
		t.Errorf("asked %v", asked[1])
	}
}

// TestSeenRecords: below a value stands what it is, in words for what is not
// known, and what a case stated with the case.
func TestSeenRecords(t *testing.T) {
	var asked []bool
	f := &fake{seen: func(r *elsewherev1.SeenRequest) *elsewherev1.SeenResponse {
		asked = append(asked, r.GetIncludeRecords())
		return fromJSON(t, &elsewherev1.SeenResponse{}, `{"results":[
			{"observable":{"kind":"ip","value":"192.0.2.1"},"status":"SEEN_STATUS_SEEN","class":"hosting",
			 "tenants":{"min":1,"max":1},"cases":{"min":1,"max":1},
			 "classReasons":["hosting: list: AS64500","b","c","d","e","f"],
			 "sightings":[{"tenant":"alder","case":"1","roles":["login_source"]}],
			 "records":[{"status":"RECORD_STATUS_ANSWERED","moreCaseFields":true,"fields":[
				{"name":"open_port","value":"22","source":"scan","dataDate":"2023-01-02T00:00:00Z","status":"LOOKUP_STATUS_OK","caseRef":"alder/1"},
				{"name":"open_port","value":"33\u001b89","source":"scan","status":"LOOKUP_STATUS_OK","caseRef":"alder/1"},
				{"name":"asn","value":"64500","source":"table","dataDate":"2026-06-17T00:00:00Z","status":"LOOKUP_STATUS_OK"},
				{"name":"as_org","value":"Example","source":"table","status":"LOOKUP_STATUS_OK"},
				{"name":"prefix","value":"192.0.2.0/24","source":"table","status":"LOOKUP_STATUS_OK"},
				{"name":"provider","value":"Cloud","source":"ranges","dataDate":"2026-07-01T00:00:00Z","status":"LOOKUP_STATUS_OK"},
				{"name":"region","value":"eastus","source":"ranges","status":"LOOKUP_STATUS_OK"},
				{"name":"service","value":"other","source":"another","status":"LOOKUP_STATUS_OK"},
				{"name":"reports","value":"25","source":"abuseipdb","dataDate":"2026-08-01T00:00:00Z","status":"LOOKUP_STATUS_OK"},
				{"name":"reporters","value":"9","source":"abuseipdb","status":"LOOKUP_STATUS_OK"},
				{"name":"report_window_days","value":"90","source":"abuseipdb","status":"LOOKUP_STATUS_OK"},
				{"name":"abuse_score","value":"40","source":"abuseipdb","status":"LOOKUP_STATUS_OK"},
				{"name":"domain","value":"other.example","source":"databases","status":"LOOKUP_STATUS_OK"}]}]},
			{"observable":{"kind":"ip","value":"192.0.2.2"},"status":"SEEN_STATUS_NOT_SEEN","class":"unknown",
			 "records":[{"status":"RECORD_STATUS_ANSWERED","fields":[{"name":"reports","source":"abuseipdb","status":"LOOKUP_STATUS_NOT_LOOKED_UP"}]}]}],
			"attributions":[{"text":"table (CC-BY-4.0): somebody"}]}`)
	}}
	addr := f.listen(t)
	code, out, _ := command(t.Context(), nil, "seen", "1", "2", "--server", addr)
	want := `192.0.2.1  ip  seen in 1 tenant, 1 case, no date
  class hosting (list: AS64500; b; c; d; 2 more, see elsewhere enrich) · not generic
  AS64500 Example 192.0.2.0/24 (table 2026-06-17)
  Cloud, region eastus (ranges 2026-07-01)
  25 reports by 9 reporters in 90 days, score 40 (abuseipdb 2026-08-01)
  open ports 22, 33\x1b89 (stated in alder/1: scan, 2023-01-02)
  more cases may have stated something
  alder/1  login_source  no date

192.0.2.2  ip  not seen
  class unknown · not generic
  abuse reports: not looked up (abuseipdb)

data: table (CC-BY-4.0): somebody
`
	if d := cmp.Diff(want, out); d != "" || code != 0 {
		t.Errorf("exit code %d: %s", code, d)
	}
	command(t.Context(), nil, "seen", "1", "2", "--json", "--server", addr)
	command(t.Context(), nil, "seen", "1", "2", "--json", "--records", "--server", addr)
	if d := cmp.Diff([]bool{true, false, true}, asked); d != "" {
		t.Error(d)
	}
}

// TestOpenPorts: stated ports belong to the address as the score reads it, and to
// the case that stated them.
func TestOpenPorts(t *testing.T) {
	c := fromJSON(t, &elsewherev1.Case{}, `{"findings":[{"observables":[
		{"kind":"ip","value":"192[.]0[.]2[.]1","facts":[
			{"name":"open_port","value":"22","observedAt":"2023-01-02T00:00:00Z"},{"name":"other","value":"x"},
			{"name":"open_port","value":"3389"},{"name":"open_port","value":"22"}]},
		{"kind":"ip","value":"nonsense","facts":[{"name":"open_port","value":"1"}]},
		{"kind":"ip","value":"192.0.2.2"}]}]}`)
	got := openPorts([]string{"A", "B"}, []*elsewherev1.Case{c, nil})
	want := map[string][]string{"ip 192.0.2.1": {"A states open ports 22, 3389 on 2023-01-02"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
