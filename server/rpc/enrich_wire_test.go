package rpc_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

func asked(kind, value string) *elsewherev1.Observable {
	return elsewherev1.Observable_builder{Kind: kind, Value: value}.Build()
}

// TestEnrichTenThousand asks for as many values as one call takes, some of them
// bad, and expects the answers in their places.
func TestEnrichTenThousand(t *testing.T) {
	s := serve(t)
	const n = 10_000
	values := make([]*elsewherev1.Observable, n)
	for i := range values {
		switch {
		case i%1_000 == 7:
			values[i] = asked("ip", "not an address")
		case i%1_000 == 8:
			values[i] = asked("phone", "+49 30 1234567")
		case i%2 == 0:
			values[i] = asked("", fmt.Sprintf("20.%d.%d.%d", 36+i>>16, i>>8&255, i&255))
		default:
			values[i] = asked("", fmt.Sprintf("104.%d.%d.%d", 161+i>>16, i>>8&255, i&255))
		}
	}
	req := elsewherev1.EnrichRequest_builder{Observables: values}.Build()
	res, err := s.Enrich(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if len(res.GetRecords()) != n {
		t.Fatalf("%d records", len(res.GetRecords()))
	}
	t.Logf("%d bytes", proto.Size(res))
	for i, r := range res.GetRecords() {
		want, value := elsewherev1.RecordStatus_RECORD_STATUS_ANSWERED, values[i].GetValue()
		switch i % 1_000 {
		case 7:
			want = elsewherev1.RecordStatus_RECORD_STATUS_INVALID
		case 8:
			want, value = elsewherev1.RecordStatus_RECORD_STATUS_NOT_DISCLOSED, ""
		}
		if r.GetStatus() != want || r.GetObservable().GetValue() != value {
			t.Fatalf("record %d: %s of %q, want %s of %q", i, r.GetStatus(), r.GetObservable().GetValue(), want, value)
		}
		if want == elsewherev1.RecordStatus_RECORD_STATUS_ANSWERED && r.GetClass() == "" {
			t.Fatalf("record %d has no class", i)
		}
	}
	if len(res.GetAttributions()) == 0 {
		t.Error("nobody is named whose data these are")
	}
	req.SetObservables(append(values, asked("", "1.1.1.1")))
	if _, err := s.Enrich(t.Context(), req); err == nil || !strings.Contains(err.Error(), "at most 10000") {
		t.Errorf("one more: %v", err)
	}
}

// TestFeedsOfTheProgram are listed with all that a licence asks for.
func TestFeedsOfTheProgram(t *testing.T) {
	res, err := serve(t).ListFeeds(t.Context(), &elsewherev1.ListFeedsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]*elsewherev1.Feed)
	for _, f := range res.GetFeeds() {
		if f.GetName() == "" || f.GetTitle() == "" || f.GetLicence() == "" || f.GetAttribution() == "" || f.GetError() != "" {
			t.Errorf("incomplete: %v", f)
		}
		names[f.GetName()] = f
	}
	if f := names["azure"]; f.GetStatus() != elsewherev1.FeedStatus_FEED_STATUS_IN_USE || f.GetDate() == "" || f.GetEntries() == 0 || f.GetDigest() == "" {
		t.Errorf("azure: %v", f)
	}
	if f := names["abuseipdb"]; f.GetKind() != elsewherev1.FeedKind_FEED_KIND_SERVICE || f.GetStatus() != elsewherev1.FeedStatus_FEED_STATUS_OFF {
		t.Errorf("abuseipdb without a key: %v", f)
	}
}

// TestSeenShowsWhatCasesStated: facts stay with the case and day that stated
// them, beside what is known today.
func TestSeenShowsWhatCasesStated(t *testing.T) {
	s := serve(t)
	for _, text := range []string{
		`{"tenant":"alder","id":"1","findings":[{"observables":[
			{"kind":"ip","value":"20.232.202.245","facts":[
				{"name":"open_port","value":"3389","source":"scan","observedAt":"2023-01-02T00:00:00Z"},
				{"name":"open_port","value":"22","source":"scan"},{"name":"open_port","value":"22","source":"scan"}]},
			{"kind":"ip","value":"20.232.202.246","facts":[{"name":"open_port","value":"1"}]}]}]}`,
		`{"tenant":"birch","id":"2","restricted":true,"findings":[{"observables":[
			{"kind":"ip","value":"20.232.202.245","facts":[{"name":"open_port","value":"80","source":"scan"}]}]}]}`,
		`{"tenant":"birch","id":"3","findings":[{"observables":[{"kind":"ip","value":"20.232.202.245"}]}]}`,
	} {
		c := &elsewherev1.Case{}
		if err := protojson.Unmarshal([]byte(text), c); err != nil {
			t.Fatal(err)
		}
		s.submit(t, c)
	}
	res, err := s.Seen(t.Context(), elsewherev1.SeenRequest_builder{
		Observables: []*elsewherev1.Observable{asked("ip", "20.232.202.245"), asked("ip", "20.232.202.247")}, IncludeRecords: true,
	}.Build())
	if err != nil {
		t.Fatal(err)
	}
	r := res.GetResults()[0].GetRecords()[0]
	var stated []string
	known := make(map[string]string)
	for _, f := range r.GetFields() {
		if f.GetCaseRef() != "" {
			stated = append(stated, f.GetCaseRef()+" "+f.GetName()+" "+f.GetValue())
		} else if f.GetValue() != "" {
			known[f.GetName()] = f.GetValue()
		}
	}
	want := []string{"alder/1 open_port 3389", "alder/1 open_port 22", "birch/2 open_port 80"}
	if d := cmp.Diff(want, stated); d != "" {
		t.Error(d)
	}
	if known["asn"] != "8075" || known["region"] != "eastus" || r.GetClass() != "cloud_vm" || r.GetMoreCaseFields() {
		t.Errorf("class %s, %v, more %t", r.GetClass(), known, r.GetMoreCaseFields())
	}
	if got := res.GetResults()[1].GetRecords(); len(got) != 1 || got[0].GetClass() != "cloud_vm" {
		t.Errorf("a value that was not seen: %v", got)
	}
	if len(res.GetAttributions()) == 0 {
		t.Error("nobody is named whose data these are")
	}
}

// BenchmarkEnrich asks a service in memory, without third parties, over loopback.
func BenchmarkEnrich(b *testing.B) {
	s := serve(b)
	for _, n := range []int{1, 1_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			values := make([]*elsewherev1.Observable, n)
			for i := range values {
				values[i] = asked("ip", fmt.Sprintf("20.%d.%d.%d", 36+i>>16, i>>8&255, i&255))
			}
			req := elsewherev1.EnrichRequest_builder{Observables: values}.Build()
			res, err := s.Enrich(b.Context(), req)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Enrich(b.Context(), req); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(proto.Size(res))/float64(n), "bytes/value")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/value")
		})
	}
}
