package server_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/testdata"
)

const csvFormat = elsewherev1.ExportFormat_EXPORT_FORMAT_CSV

// ofCase selects a case under a label.
func ofCase(ref, tlp string) *elsewherev1.Selection {
	return elsewherev1.Selection_builder{CaseRef: proto.String(ref), Tlp: tlp}.Build()
}

// exported exports a selection.
func exported(ctx context.Context, c elsewherev1.ExportServiceClient, s *elsewherev1.Selection, format elsewherev1.ExportFormat) (string, *elsewherev1.ExportSummary, error) {
	stream, err := c.Export(ctx, elsewherev1.ExportRequest_builder{Selection: s, Format: format}.Build())
	if err != nil {
		return "", nil, err
	}
	var file bytes.Buffer
	var summary *elsewherev1.ExportSummary
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return file.String(), summary, nil
		}
		if err != nil {
			return file.String(), summary, err
		}
		if len(part.GetData()) > 64<<10 {
			return "", nil, errors.New("a chunk is too large")
		}
		if part.HasSummary() {
			summary = part.GetSummary()
		}
		file.Write(part.GetData())
	}
}

// reasonOf is the stable code of an error.
func reasonOf(err error) string {
	for _, d := range status.Convert(err).Details() {
		switch d := d.(type) {
		case *errdetails.BadRequest:
			return d.GetFieldViolations()[0].GetReason() + " " + d.GetFieldViolations()[0].GetField()
		case *errdetails.ErrorInfo:
			return d.GetReason()
		}
	}
	return ""
}

// writtenFormats are the formats that the server has.
func writtenFormats() []elsewherev1.ExportFormat {
	var out []elsewherev1.ExportFormat
	for _, n := range slices.Sorted(maps.Keys(elsewherev1.ExportFormat_name)) {
		if n != 0 && !slices.Contains(pendingFormats, elsewherev1.ExportFormat(n)) {
			out = append(out, elsewherev1.ExportFormat(n))
		}
	}
	return out
}

// pendingFormats have no writer yet.
var pendingFormats = []elsewherev1.ExportFormat{
	elsewherev1.ExportFormat_EXPORT_FORMAT_MISP, elsewherev1.ExportFormat_EXPORT_FORMAT_MISP_FEED,
}

// exporting is a service with two tenants that may hand on up to clear, both
// published cases and a lead.
func exporting(t testing.TB) (*guarded, caller) {
	t.Helper()
	g := guard(t, server.Config{Memory: true})
	for _, id := range []string{"alder", "birch"} {
		g.tenant(t, elsewherev1.Tenant_builder{
			Id: id, TlpCeiling: "clear", Names: []string{"Grünholz Möbel GmbH"}, Domains: []string{"gruenholz.example"},
			Egress: []string{"198.51.100.0/24"},
		}.Build())
	}
	c := g.key(t, lead)
	for _, name := range []string{testdata.CaseOne, testdata.CaseTwo} {
		if _, err := c.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: published(t, name)}.Build()); err != nil {
			t.Fatal(err)
		}
	}
	return g, c
}

// TestPublishedStory holds the export to the rows that were published of it.
func TestPublishedStory(t *testing.T) {
	_, c := exporting(t)
	file, summary, err := exported(t.Context(), c, ofCase(testdata.RefOne, "green"), csvFormat)
	if err != nil {
		t.Fatal(err)
	}
	const want = "\ufeffIndicator_type,Data,Note\r\n" +
		"domain,botasso.cl,allowed to send as somebody else\r\n" +
		"domain,continental-database.com,let through by rules or allow lists that the intruder changed\r\n" +
		"hostname,iad3a.emailsrvr.com,\"let through by rules or allow lists that the intruder changed (a host of a mail provider, others send from it too)\"\r\n" +
		"ip,104.161.20.102,let through by rules or allow lists that the intruder changed; signed in to compromised accounts\r\n" +
		"ip,185.241.149.122,signed in to compromised accounts\r\n" +
		"ip,20.232.202.245,signed in to compromised accounts\r\n"
	if diff := cmp.Diff(want, file); diff != "" {
		t.Error(diff)
	}
	if n := summary.GetCounts(); n.GetIndicators() != 5 || n.GetItems() != 10 || n.GetDenied()["spoofed senders"] != 2 {
		t.Errorf("counts %v", n)
	}
	for _, format := range writtenFormats() {
		first, _, err := exported(t.Context(), c, ofCase(testdata.RefOne, "green"), format)
		if err != nil {
			t.Errorf("%v: %v", format, err)
			continue
		}
		if again, _, _ := exported(t.Context(), c, ofCase(testdata.RefOne, "green"), format); again != first {
			t.Errorf("%v: two exports differ", format)
		}
		if strings.Contains(first, "impersonated-email-account") || strings.Contains(first, "alder") {
			t.Errorf("%v names a victim or a tenant:\n%s", format, first)
		}
		switch format {
		case csvFormat, elsewherev1.ExportFormat_EXPORT_FORMAT_LIST, elsewherev1.ExportFormat_EXPORT_FORMAT_SQL:
			if strings.Contains(first, "ioflood") || strings.Contains(first, "ipxo") {
				t.Errorf("%v holds a hosting company:\n%s", format, first)
			}
		}
	}
}

// TestContext: names of hosting companies, services and mail providers never become
// indicators, whoever puts them into a case.
func TestContext(t *testing.T) {
	g, c := exporting(t)
	g.tenant(t, elsewherev1.Tenant_builder{Id: "cedar", TlpCeiling: "green", Names: []string{"Cedarwood Trading"}}.Build())
	of := newCase("cedar", "1",
		obs("domain", "ioflood.com", "login_source"), obs("domain", "ipxo.com", "referenced"), obs("ip", "52.98.0.1", "login_source"),
		obs("domain", "emailsrvr.com", "allow_listed"), obs("hostname", "iad3a.emailsrvr.com", "login_source"), obs("domain", "gmail.com", "spoofed", "sending_infrastructure"),
		obs("ip", "10.0.0.1", "login_source"), obs("ip", "104.16.0.1", "login_source"), obs("cidr", "20.0.0.0/8", "allow_listed"),
		obs("asn", "AS53755", "login_source"), obs("ip", azure, "login_source"), obs("phone", "+15551234567", "referenced"),
		obs("domain", "only-spoofed.example", "spoofed"), obs("account_pattern", "helpdesk-<digits>", "created"), obs("x_own", "something", "referenced"),
		obs("email", "somebody@only-spoofed.example", "victim"))
	of.SetTlp("green")
	// Impersonated here, merely named there: it is nobody's of whom to warn.
	of.SetFindings(append(of.GetFindings(), elsewherev1.Finding_builder{
		Observables: []*elsewherev1.Observable{obs("domain", "only-spoofed.example"), obs("hostname", "mail.only-spoofed.example", "spoofed", "referenced")},
	}.Build()))
	if _, err := c.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: of}.Build()); err != nil {
		t.Fatal(err)
	}
	file, summary, err := exported(t.Context(), c, ofCase("cedar/1", "green"), csvFormat)
	if err != nil {
		t.Fatal(err)
	}
	if want := "\ufeffIndicator_type,Data,Note\r\nip," + azure + ",signed in to compromised accounts\r\n"; file != want {
		t.Errorf("%q", file)
	}
	denied := map[string]uint32{"private kinds": 1, "spoofed senders": 2, "account patterns": 1, "own kinds": 1, "victims": 1}
	if diff := cmp.Diff(denied, summary.GetCounts().GetDenied()); diff != "" {
		t.Error(diff)
	}
	stix, _, err := exported(t.Context(), c, ofCase("cedar/1", "green"), elsewherev1.ExportFormat_EXPORT_FORMAT_STIX)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(stix, `"type":"indicator"`); n != 1 || strings.Contains(stix, "only-spoofed") || strings.Contains(stix, "555") {
		t.Errorf("%d indicators in %s", n, stix)
	}
	for _, reason := range []string{"hosting company", "marketplace of addresses", "Microsoft", "mail provider", "not routed", "too many machines", "network operator"} {
		if !strings.Contains(stix, reason) {
			t.Errorf("no value is context because of %q", reason)
		}
	}
}

// canary plants a text in one field of a case.
type canary struct {
	field string // that an error has to name; "" if the field never leaves
	plant func(c *elsewherev1.Case, text string)
}

func observed(kind, role string, value func(string) string) func(*elsewherev1.Case, string) {
	return func(c *elsewherev1.Case, text string) {
		f := c.GetFindings()[0]
		f.SetObservables(append(f.GetObservables(), obs(kind, value(text), role)))
	}
}

func same(s string) string { return s }

func fact(name string, value, source string) *elsewherev1.Fact {
	return elsewherev1.Fact_builder{Name: name, Value: value, Source: source}.Build()
}

var canaries = map[string]canary{
	"title":      {"", func(c *elsewherev1.Case, s string) { c.SetTitle(s) }},
	"source":     {"", func(c *elsewherev1.Case, s string) { c.SetSource(s) }},
	"label":      {"", func(c *elsewherev1.Case, s string) { c.SetLabels(map[string]string{"note": s}) }},
	"reference":  {"", func(c *elsewherev1.Case, s string) { c.SetReferences([]string{s}) }},
	"finding id": {"", func(c *elsewherev1.Case, s string) { c.GetFindings()[0].SetId(s) }},
	"operation":  {"", func(c *elsewherev1.Case, s string) { c.GetFindings()[0].SetOperation(s) }},
	"summary":    {"", func(c *elsewherev1.Case, s string) { c.GetFindings()[0].SetSummary(s) }},
	"fact of a finding": {"", func(c *elsewherev1.Case, s string) {
		c.GetFindings()[0].SetFacts([]*elsewherev1.Fact{fact("note", s, s)})
	}},
	"own fact of a value": {"", func(c *elsewherev1.Case, s string) {
		c.GetFindings()[0].GetObservables()[0].SetFacts([]*elsewherev1.Fact{fact("mailbox", s, s)})
	}},
	"fact of a value": {".observables[0].facts[0].value", func(c *elsewherev1.Case, s string) {
		c.GetFindings()[0].GetObservables()[0].SetFacts([]*elsewherev1.Fact{fact("as_name", s, "")})
	}},
	"source of a fact": {".observables[0].facts[0].source", func(c *elsewherev1.Case, s string) {
		c.GetFindings()[0].GetObservables()[0].SetFacts([]*elsewherev1.Fact{fact("open_port", "3389", s)})
	}},
	"rule name":       {".observables[1].value", observed("rule_name", "created", same)},
	"rule words":      {"", observed("rule_words", "created", same)},
	"user agent":      {".observables[1].value", observed("user_agent", "login_source", same)},
	"url":             {".observables[1].value", observed("url", "referenced", func(s string) string { return "https://evil.example/x?q=" + url.QueryEscape(s) })},
	"own kind":        {"", observed("x_own", "referenced", same)},
	"account pattern": {"", observed("account_pattern", "created", same)},
	"account":         {"", observed("account", "referenced", same)},
}

// canaryForms are ways to write a victim's name.
var canaryForms = map[string]func(string) string{
	"plain":   same,
	"upper":   strings.ToUpper,
	"percent": url.QueryEscape,
	"base64":  func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
	"sentence": func(s string) string {
		return "mails from " + s + " were read"
	},
}

// TestCanaries: a victim's name in any field, in any form, is in no export in any
// format; where the field leaves, the error names it.
func TestCanaries(t *testing.T) {
	_, c := exporting(t)
	names := []string{"Grünholz Möbel", "mail.gruenholz.example", "robin.quill@elsewhere.test"}
	if _, err := c.TenantHints(t.Context(), elsewherev1.TenantHintsRequest_builder{Tenant: "alder", Tokens: []string{names[2], "Robin Quill"}}.Build()); err != nil {
		t.Fatal(err)
	}
	tried := 0
	for where, canary := range canaries {
		for form, encode := range canaryForms {
			for _, name := range names {
				text := encode(name)
				of := newCase("alder", "canary", obs("ip", "70.0.0.1", "login_source"))
				of.SetTlp("green")
				canary.plant(of, text)
				if _, err := c.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: of}.Build()); err != nil {
					t.Fatalf("%s, %s: %v", where, form, err)
				}
				for _, format := range writtenFormats() {
					tried++
					file, _, err := exported(t.Context(), c, ofCase("alder/canary", "green"), format)
					if folded := strings.ToLower(file); strings.Contains(folded, strings.ToLower(text)) || strings.Contains(folded, strings.ToLower(name)) {
						t.Fatalf("%s, %s, %v: %q leaves", where, form, format, text)
					}
					want := ""
					if canary.field != "" {
						want = "NAMES_VICTIM alder/canary findings[0]" + canary.field
					}
					if got := reasonOf(err); got != want {
						t.Errorf("%s, %s, %q, %v: %q (%v), want %q", where, form, name, format, got, err, want)
					}
					if err != nil && strings.Contains(strings.ToLower(err.Error()), "quill") {
						t.Errorf("%s, %s: the error repeats what it found: %v", where, form, err)
					}
				}
			}
		}
	}
	if tried < 1_000 {
		t.Errorf("only %d exports", tried)
	}
	// Kept back by hand, the rest leaves.
	of := newCase("alder", "canary", obs("ip", "70.0.0.1", "login_source"), obs("domain", "gruenholz.example", "referenced"))
	of.SetTlp("green")
	if _, err := c.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: of}.Build()); err != nil {
		t.Fatal(err)
	}
	s := ofCase("alder/canary", "green")
	s.SetWithout([]*elsewherev1.Observable{obs("", "gruenholz[.]example")})
	if file, _, err := exported(t.Context(), c, s, csvFormat); err != nil || !strings.Contains(file, "70.0.0.1") {
		t.Errorf("without the name: %q, %v", file, err)
	}
}

// TestLabels: nothing leaves above its label or its tenant's ceiling.
func TestLabels(t *testing.T) {
	g, c := exporting(t)
	labels := []string{"red", "amber+strict", "amber", "green", "clear"}
	for n, own := range labels {
		for k, ceiling := range labels {
			tenant := fmt.Sprintf("t-%d-%d", n, k)
			g.tenant(t, elsewherev1.Tenant_builder{Id: tenant, TlpCeiling: ceiling, Names: []string{"Somebody Else"}}.Build())
			of := newCase(tenant, "1", obs("ip", "70.0.0.1", "login_source"))
			of.SetTlp(own)
			writer, _ := g.make(t, elsewherev1.Key_builder{Role: lead, AllTenants: true, Restricted: true}.Build())
			if _, err := writer.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: of}.Build()); err != nil {
				t.Fatal(err)
			}
			for under, label := range labels[:4] {
				_, _, err := exported(t.Context(), writer, ofCase(tenant+"/1", label), csvFormat)
				if want := under <= min(n, k); (err == nil) != want || !want && reasonOf(err) != "LABEL" {
					t.Errorf("%s with ceiling %s as %s: %v", own, ceiling, label, err)
				}
			}
			if own == "red" {
				if _, _, err := exported(t.Context(), c, ofCase(tenant+"/1", "red"), csvFormat); status.Code(err) != codes.NotFound {
					t.Errorf("a red case without a key for it: %v", err)
				}
			}
		}
	}
}

// TestEmptyDictionary: where nothing can be looked for, green needs a word.
func TestEmptyDictionary(t *testing.T) {
	g, c := exporting(t)
	g.tenant(t, elsewherev1.Tenant_builder{Id: "cedar", TlpCeiling: "green"}.Build())
	of := newCase("cedar", "1", obs("ip", "70.0.0.1", "login_source"))
	of.SetTlp("green")
	if _, err := c.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: of}.Build()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := exported(t.Context(), c, ofCase("cedar/1", "amber"), csvFormat); err != nil {
		t.Errorf("amber: %v", err)
	}
	if _, _, err := exported(t.Context(), c, ofCase("cedar/1", "green"), csvFormat); reasonOf(err) != "EMPTY_DICTIONARY" {
		t.Errorf("green: %v", err)
	}
	s := ofCase("cedar/1", "green")
	s.SetAcceptEmptyDictionary(true)
	if _, _, err := exported(t.Context(), c, s, csvFormat); err != nil {
		t.Errorf("accepted: %v", err)
	}
	if _, err := c.TenantHints(t.Context(), elsewherev1.TenantHintsRequest_builder{Tenant: "cedar", Tokens: []string{"Robin Quill"}}.Build()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := exported(t.Context(), c, ofCase("cedar/1", "green"), csvFormat); err != nil {
		t.Errorf("with a hint: %v", err)
	}
}

// TestApproval: what is clear needs two leads, who agree on the very bundle.
func TestApproval(t *testing.T) {
	g, c := exporting(t)
	second, other := g.key(t, lead), g.key(t, lead, "alder")
	s := ofCase(testdata.RefOne, "clear")
	if _, _, err := exported(t.Context(), c, s, csvFormat); reasonOf(err) != "APPROVAL_NEEDED" {
		t.Errorf("alone: %v", err)
	}
	approve := func(by caller, s *elsewherev1.Selection) string {
		t.Helper()
		res, err := by.ApproveExport(t.Context(), elsewherev1.ApproveExportRequest_builder{Selection: s}.Build())
		if err != nil {
			t.Fatal(err)
		}
		return res.GetApproval()
	}
	with := func(approval string) *elsewherev1.Selection {
		s := proto.CloneOf(s)
		s.SetApproval(approval)
		return s
	}
	if _, _, err := exported(t.Context(), c, with(approve(c, s)), csvFormat); reasonOf(err) != "APPROVAL_OWN" {
		t.Errorf("approved by himself: %v", err)
	}
	approval := approve(second, s)
	for _, by := range []caller{c, other} {
		for _, format := range writtenFormats() {
			if _, _, err := exported(t.Context(), by, with(approval), format); err != nil {
				t.Errorf("%v: %v", format, err)
			}
		}
	}
	for name, bad := range map[string]string{
		"another bundle": approve(second, ofCase(testdata.RefTwo, "clear")), "cut": approval[:len(approval)-4], "none": "approval_", "text": "x",
	} {
		if _, _, err := exported(t.Context(), c, with(bad), csvFormat); reasonOf(err) != "APPROVAL_INVALID" {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The case changed since: nobody approved of that.
	changed := published(t, testdata.CaseOne)
	changed.GetFindings()[0].SetObservables(append(changed.GetFindings()[0].GetObservables(), obs("ip", "70.0.0.9", "login_source")))
	if _, err := c.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: changed}.Build()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := exported(t.Context(), c, with(approval), csvFormat); reasonOf(err) != "APPROVAL_INVALID" {
		t.Errorf("after a change: %v", err)
	}
	if _, err := second.ApproveExport(t.Context(), elsewherev1.ApproveExportRequest_builder{Selection: ofCase(testdata.RefOne, "green")}.Build()); status.Code(err) != codes.InvalidArgument {
		t.Errorf("approval of a green one: %v", err)
	}
}

var pseudonym = regexp.MustCompile(`case-[a-z2-7]{16}`)

// TestReceivers: names of cases are stable for one receiver and tell two nothing in
// common.
func TestReceivers(t *testing.T) {
	_, c := exporting(t)
	s := elsewherev1.Selection_builder{Link: elsewherev1.LinkedCases_builder{A: testdata.RefTwo, B: testdata.RefOne}.Build(), Tlp: "green"}
	ids := func(receiver string) ([]string, string) {
		s.Receiver = receiver
		file, summary, err := exported(t.Context(), c, s.Build(), elsewherev1.ExportFormat_EXPORT_FORMAT_STIX)
		if err != nil {
			t.Fatal(err)
		}
		found := slices.Compact(slices.Sorted(slices.Values(pseudonym.FindAllString(file, -1))))
		if len(found) != 2 || !strings.Contains(file, "likelihood of 0.993 (strong, model 2)") {
			t.Errorf("%v in %s", found, file)
		}
		return found, summary.GetId()
	}
	one, id := ids("misp.example.org")
	again, idAgain := ids("misp.example.org")
	other, idOther := ids("partner.example.net")
	if !slices.Equal(one, again) || id != idAgain {
		t.Errorf("%v %s, then %v %s", one, id, again, idAgain)
	}
	if id == idOther || slices.ContainsFunc(one, func(s string) bool { return slices.Contains(other, s) }) {
		t.Errorf("%v and %v have something in common", one, other)
	}
}

// TestSelections: links, values, tiers and times.
func TestSelections(t *testing.T) {
	g, c := exporting(t)
	narrow := g.key(t, lead, "alder")
	rows := func(by caller, s elsewherev1.Selection_builder) string {
		t.Helper()
		s.Tlp = "green"
		file, summary, err := exported(t.Context(), by, s.Build(), csvFormat)
		if err != nil {
			return reasonOf(err) + status.Code(err).String()
		}
		return fmt.Sprintf("%d rows of %d cases, %d unseen", strings.Count(file, "\n")-1, summary.GetCounts().GetCases(), summary.GetCounts().GetUnseen())
	}
	values := elsewherev1.Observables_builder{Values: []*elsewherev1.Observable{obs("", ioflood), obs("", "203.0.113.9"), obs("", "botasso.cl")}}.Build()
	link := elsewherev1.LinkedCases_builder{A: testdata.RefOne, B: testdata.RefTwo}.Build()
	day := func(text string) *timestamppb.Timestamp {
		at, err := time.Parse(time.DateOnly, text)
		if err != nil {
			t.Fatal(err)
		}
		return timestamppb.New(at)
	}
	for _, test := range []struct {
		name string
		by   caller
		s    elsewherev1.Selection_builder
		want string
	}{
		{"a case", c, elsewherev1.Selection_builder{CaseRef: new(testdata.RefTwo)}, "3 rows of 1 cases, 0 unseen"},
		{"with links", c, elsewherev1.Selection_builder{CaseRef: new(testdata.RefTwo), MinTier: elsewherev1.Tier_TIER_STRONG}, "6 rows of 2 cases, 0 unseen"},
		{"with links of others", narrow, elsewherev1.Selection_builder{CaseRef: new(testdata.RefOne), MinTier: elsewherev1.Tier_TIER_LEAD}, "6 rows of 1 cases, 0 unseen"},
		{"a case of others", narrow, elsewherev1.Selection_builder{CaseRef: new(testdata.RefTwo)}, "NotFound"},
		{"no case", c, elsewherev1.Selection_builder{CaseRef: new("alder/none")}, "NotFound"},
		{"a link", c, elsewherev1.Selection_builder{Link: link, MinTier: elsewherev1.Tier_TIER_STRONG}, "6 rows of 2 cases, 0 unseen"},
		{"a confirmed link", c, elsewherev1.Selection_builder{Link: link, MinTier: elsewherev1.Tier_TIER_CONFIRMED}, "WEAK_LINKFailedPrecondition"},
		{"half a link", narrow, elsewherev1.Selection_builder{Link: link}, "NotFound"},
		{"values", c, elsewherev1.Selection_builder{Observables: values}, "2 rows of 2 cases, 1 unseen"},
		{"values of others", narrow, elsewherev1.Selection_builder{Observables: values}, "2 rows of 1 cases, 1 unseen"},
		{"an actor", c, elsewherev1.Selection_builder{Actor: new("act-aaaaaaaaaa")}, "NotFound"},
		{"before", c, elsewherev1.Selection_builder{CaseRef: new(testdata.RefTwo), To: day("2022-12-04")}, "0 rows of 1 cases, 0 unseen"},
		{"then", c, elsewherev1.Selection_builder{CaseRef: new(testdata.RefTwo), From: day("2023-02-01"), To: day("2023-02-02")}, "3 rows of 1 cases, 0 unseen"},
		{"after", c, elsewherev1.Selection_builder{CaseRef: new(testdata.RefTwo), From: day("2023-03-01")}, "0 rows of 1 cases, 0 unseen"},
		{"backwards", c, elsewherev1.Selection_builder{CaseRef: new(testdata.RefTwo), From: day("2023-03-01"), To: day("2022-03-01")}, "OUT_OF_RANGE selection.toInvalidArgument"},
		{"nothing", c, elsewherev1.Selection_builder{}, "REQUIRED selectionInvalidArgument"},
		{"a bad value", c, elsewherev1.Selection_builder{CaseRef: new(testdata.RefTwo), Without: []*elsewherev1.Observable{obs("ip", "x")}}, "MALFORMED selection.without[0].valueInvalidArgument"},
	} {
		if got := rows(test.by, test.s); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
	if _, _, err := exported(t.Context(), g.key(t, analyst), ofCase(testdata.RefOne, "green"), csvFormat); status.Code(err) != codes.PermissionDenied {
		t.Errorf("an analyst: %v", err)
	}
	open := start(t, server.Config{Memory: true})
	defer open.stop()
	open.submitFiles(t, testdata.CaseOne)
	exports := elsewherev1.NewExportServiceClient(open.conn)
	if _, _, err := exported(t.Context(), exports, ofCase(testdata.RefOne, "clear"), csvFormat); reasonOf(err) != "LABEL" {
		t.Errorf("clear without keys and ceilings: %v", err)
	}
}

// TestLayer: a Navigator layer is JSON with each technique in each of its tactics.
func TestLayer(t *testing.T) {
	_, c := exporting(t)
	file, _, err := exported(t.Context(), c, ofCase(testdata.RefOne, "green"), elsewherev1.ExportFormat_EXPORT_FORMAT_NAVIGATOR)
	if err != nil {
		t.Fatal(err)
	}
	var layer struct {
		Domain     string
		Versions   map[string]string
		Techniques []struct{ TechniqueID, Tactic string }
	}
	if err := json.Unmarshal([]byte(file), &layer); err != nil {
		t.Fatal(err)
	}
	techniques := make(map[string]bool)
	for _, technique := range layer.Techniques {
		techniques[technique.TechniqueID] = true
		if technique.Tactic == "" {
			t.Errorf("%s has no tactic", technique.TechniqueID)
		}
	}
	if len(techniques) != 9 || layer.Domain != "enterprise-attack" || layer.Versions["layer"] != "4.5" {
		t.Errorf("%d techniques of %s", len(techniques), layer.Domain)
	}
}
