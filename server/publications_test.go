package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/server/export/misp/misptest"
	"github.com/elsewhere-project/elsewhere/testdata"
)

// bareRepository makes an empty repository.
func bareRepository(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "feed.git")
	if out, err := exec.Command("git", "init", "--quiet", "--bare", "--initial-branch=main", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}

// showFile is a file of the newest commit of a repository.
func showFile(t testing.TB, dir, name string) string {
	t.Helper()
	out, err := exec.Command("git", "-C", dir, "show", "main:"+name).Output()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return string(out)
}

// writeTargets writes a configuration of targets and returns its file.
func writeTargets(t testing.TB, targets ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "targets.json")
	if err := os.WriteFile(file, fmt.Appendf(nil, `{"targets": [%s]}`, strings.Join(targets, ",")), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func gitTarget(t testing.TB, dir, tlp string) string {
	return writeTargets(t, fmt.Sprintf(`{"name": "feed", "kind": "git", "url": "file://%s", "tlp": %q, "allowPrivate": true}`, dir, tlp))
}

// mispTarget is a target of a fake MISP.
func mispTarget(t testing.TB, s *misptest.Server, role misptest.Role) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "misp.key")
	if err := os.WriteFile(file, []byte(s.Key("4", role)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"name": "cert", "kind": "misp", "url": %q, "keyFile": %q, "tlp": "amber", "allowPrivate": true, "tags": ["PAP:AMBER"]}`, s.URL, file)
}

// report publishes.
func report(ctx context.Context, c caller, req *elsewherev1.PublishRequest) (*elsewherev1.PublishReport, error) {
	stream, err := c.Publish(ctx, req)
	if err != nil {
		return nil, err
	}
	var last *elsewherev1.PublishReport
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return last, nil
		}
		if err != nil {
			return nil, err
		}
		last = part.GetReport()
	}
}

// imported imports a file.
func imported(ctx context.Context, c caller, header *elsewherev1.ImportHeader, file string) (*elsewherev1.ImportResponse, error) {
	stream, err := c.Import(ctx)
	if err != nil {
		return nil, err
	}
	err = stream.Send(elsewherev1.ImportRequest_builder{Header: header}.Build())
	for part := 7; err == nil && len(file) > 0; {
		part = min(len(file), part*3)
		err = stream.Send(elsewherev1.ImportRequest_builder{Data: []byte(file[:part])}.Build())
		file = file[part:]
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return stream.CloseAndRecv()
}

// publisherOf serves the two published cases with targets.
func publisherOf(t *testing.T, targets string) (*guarded, caller) {
	t.Helper()
	g := guard(t, server.Config{DataDir: t.TempDir(), PublishConfig: targets, Enrichment: server.Enrichment{
		Ceilings: server.Ceilings{Default: "green"},
	}})
	for _, tenant := range []string{"alder", "birch", "reports-sophos"} {
		g.tenant(t, elsewherev1.Tenant_builder{Id: tenant}.Build())
	}
	_, secret := g.make(t, elsewherev1.Key_builder{Role: lead, AllTenants: true}.Build())
	c := with(t, g.addr, secret)
	for _, of := range []*elsewherev1.Case{published(t, testdata.CaseOne), published(t, testdata.CaseTwo)} {
		if _, err := c.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: of, NoLinks: true}.Build()); err != nil {
			t.Fatal(err)
		}
	}
	return g, c
}

func publishRequest(target, ref string) *elsewherev1.PublishRequest {
	return elsewherev1.PublishRequest_builder{Target: target, Selection: elsewherev1.Selection_builder{
		CaseRef: new(ref), AcceptEmptyDictionary: true,
	}.Build()}.Build()
}

func TestPublishToMISP(t *testing.T) {
	s := misptest.New(t)
	_, c := publisherOf(t, writeTargets(t, mispTarget(t, s, misptest.Publisher)))
	ctx := t.Context()
	req := publishRequest("cert", "alder/2023-0117")
	req.SetDryRun(true)
	dry, err := report(ctx, c, req)
	if err != nil {
		t.Fatal(err)
	}
	if writes := s.Writes(); len(writes) > 0 || dry.GetOutcome() != elsewherev1.PublishOutcome_PUBLISH_OUTCOME_CREATED || dry.GetRevision() != 0 {
		t.Errorf("a dry run wrote %v: %v", writes, dry)
	}
	req.SetDryRun(false)
	first, err := report(ctx, c, req)
	if err != nil {
		t.Fatal(err)
	}
	if first.GetOutcome() != elsewherev1.PublishOutcome_PUBLISH_OUTCOME_CREATED || first.GetRevision() != 1 || first.GetPublished() ||
		first.GetDroppedTotal()+first.GetAlteredTotal() > 0 || first.GetTlp() != "tlp:amber" {
		t.Errorf("%v", first)
	}
	live := strings.Join(s.Live(first.GetEventUuid()), "\n")
	for _, value := range []string{"ip-src 104.161.20.102", "ip-src 185.241.149.122", "ip-src 20.232.202.245", "domain botasso.cl", "hostname iad3a.emailsrvr.com"} {
		if !strings.Contains(live, value) {
			t.Errorf("the server lacks %s:\n%s", value, live)
		}
	}
	if strings.Contains(live, "ioflood") || strings.Contains(live, "ipxo") {
		t.Errorf("a hosting company is published:\n%s", live)
	}
	req.SetPublish(true)
	again, err := report(ctx, c, req)
	if err != nil || again.GetOutcome() != elsewherev1.PublishOutcome_PUBLISH_OUTCOME_UNCHANGED || !again.GetPublished() || again.GetRevision() != 1 {
		t.Errorf("%v, %v", again, err)
	}

	// A value that leaves the case is withdrawn.
	of := published(t, testdata.CaseOne)
	for _, f := range of.GetFindings() {
		var kept []*elsewherev1.Observable
		for _, o := range f.GetObservables() {
			if o.GetValue() != "20.232.202.245" {
				kept = append(kept, o)
			}
		}
		f.SetObservables(kept)
	}
	if _, err := c.SubmitCase(ctx, elsewherev1.SubmitCaseRequest_builder{Case: of, NoLinks: true}.Build()); err != nil {
		t.Fatal(err)
	}
	req.SetPublish(false)
	gone, err := report(ctx, c, req)
	if err != nil || gone.GetOutcome() != elsewherev1.PublishOutcome_PUBLISH_OUTCOME_UPDATED || gone.GetWithdrawn() == 0 || !gone.GetPublished() || gone.GetRevision() != 2 {
		t.Errorf("%v, %v", gone, err)
	}
	if live := strings.Join(s.Live(first.GetEventUuid()), "\n"); strings.Contains(live, "20.232.202.245") || !strings.Contains(live, "104.161.20.102") {
		t.Errorf("the server has\n%s", live)
	}
	list, err := c.ListPublications(ctx, &elsewherev1.ListPublicationsRequest{})
	if err != nil || len(list.GetPublications()) != 1 || len(list.GetTargets()) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	p := list.GetPublications()[0]
	if p.GetRevision() != 2 || p.GetEventUuid() != first.GetEventUuid() || len(p.GetPast()) != 1 || p.GetEndTime().AsTime().Before(p.GetBeginTime().AsTime()) {
		t.Errorf("%v", p)
	}
	// The event as it is over there does not come back as somebody's report.
	res, err := imported(ctx, c, elsewherev1.ImportHeader_builder{Publisher: "sophos"}.Build(),
		fmt.Sprintf(`{"Event":{"uuid":%q,"Attribute":[{"type":"ip-src","value":"104.161.20.102"}]}}`, strings.ToUpper(first.GetEventUuid())))
	if reasonOf(err) != "OWN_EXPORT" {
		t.Errorf("%v, %v", res, err)
	}
}

func TestPublishRefusals(t *testing.T) {
	s := misptest.New(t)
	readOnly := strings.Replace(mispTarget(t, s, misptest.ReadOnly), `"cert"`, `"read-only"`, 1)
	private := strings.Replace(strings.Replace(mispTarget(t, s, misptest.Publisher), `"allowPrivate": true`, `"allowPrivate": false`, 1), "http:", "https:", 1)
	_, c := publisherOf(t, writeTargets(t, readOnly, private))
	for target, want := range map[string]string{
		"read-only": "MISP_PERMISSION", "cert": "TARGET_PRIVATE", "nowhere": "TARGET_UNKNOWN",
	} {
		_, err := report(t.Context(), c, publishRequest(target, "alder/2023-0117"))
		if reasonOf(err) != want {
			t.Errorf("%s: %v", target, err)
		}
	}
	strict := publishRequest("cert", "alder/2023-0117")
	strict.GetSelection().SetTlp("red")
	if _, err := report(t.Context(), c, strict); reasonOf(err) != "TARGET_LABEL" {
		t.Errorf("%v", err)
	}
	list, err := c.ListPublications(t.Context(), &elsewherev1.ListPublicationsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list.GetPublications() {
		if p.GetRevision() != 0 || !p.GetEndTime().AsTime().Before(p.GetBeginTime().AsTime()) {
			t.Errorf("what was refused is in the ledger as sent: %v", p)
		}
	}
}

func TestPublicationsOfOthers(t *testing.T) {
	g, c := publisherOf(t, gitTarget(t, bareRepository(t), "amber"))
	ctx := t.Context()
	if _, err := report(ctx, c, publishRequest("feed", "alder/2023-0117")); err != nil {
		t.Fatal(err)
	}
	_, secret := g.make(t, elsewherev1.Key_builder{Role: lead, Tenants: []string{"alder"}}.Build())
	other := with(t, g.addr, secret)
	if _, err := report(ctx, other, publishRequest("feed", "alder/2023-0117")); reasonOf(err) != "PUBLISHED_BY_OTHERS" {
		t.Errorf("%v", err)
	}
	list, err := other.ListPublications(ctx, &elsewherev1.ListPublicationsRequest{})
	if err != nil || len(list.GetPublications()) != 0 {
		t.Errorf("%v, %v", list, err)
	}
	_, secret = g.make(t, elsewherev1.Key_builder{Role: analyst, AllTenants: true}.Build())
	if _, err := report(ctx, with(t, g.addr, secret), publishRequest("feed", "alder/2023-0117")); status.Code(err) != codes.PermissionDenied {
		t.Errorf("%v", err)
	}
}

func TestPublishToGit(t *testing.T) {
	dir := bareRepository(t)
	_, c := publisherOf(t, gitTarget(t, dir, "green"))
	ctx := t.Context()
	first, err := report(ctx, c, publishRequest("feed", "alder/2023-0117"))
	if err != nil || first.GetCommit() == "" {
		t.Fatalf("%v, %v", first, err)
	}
	again, err := report(ctx, c, publishRequest("feed", "alder/2023-0117"))
	if err != nil || again.GetOutcome() != elsewherev1.PublishOutcome_PUBLISH_OUTCOME_UNCHANGED || again.GetCommit() != first.GetCommit() {
		t.Errorf("%v, %v", again, err)
	}
	id := first.GetBundleId()
	table := showFile(t, dir, "csv/"+id+".csv")
	var values []string
	for _, line := range strings.Split(strings.TrimSpace(table), "\r\n")[1:] {
		values = append(values, strings.Join(strings.Split(line, ",")[:2], ","))
	}
	want := []string{
		"domain,botasso.cl", "domain,continental-database.com", "hostname,iad3a.emailsrvr.com",
		"ip,104.161.20.102", "ip,185.241.149.122", "ip,20.232.202.245",
	}
	if d := cmp.Diff(want, values); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for _, name := range []string{"misp/" + id + ".json", "stix/" + id + ".json", "csv/" + id + ".csv"} {
		_, err := imported(ctx, c, elsewherev1.ImportHeader_builder{Publisher: "sophos"}.Build(), showFile(t, dir, name))
		if reasonOf(err) != "OWN_EXPORT" {
			t.Errorf("%s came back: %v", name, err)
		}
	}
	req := publishRequest("feed", "alder/2023-0117")
	req.SetWithdraw(true)
	gone, err := report(ctx, c, req)
	if err != nil || gone.GetOutcome() != elsewherev1.PublishOutcome_PUBLISH_OUTCOME_WITHDRAWN || gone.GetRevision() != 2 {
		t.Fatalf("%v, %v", gone, err)
	}
	event := showFile(t, dir, "misp/"+id+".json")
	if strings.Contains(event, `"deleted":false`) || !strings.Contains(event, "104.161.20.102") {
		t.Errorf("the withdrawn event:\n%s", event)
	}
	if table := showFile(t, dir, "csv/"+id+".csv"); strings.Contains(table, "104.161.20.102") {
		t.Errorf("the withdrawn table:\n%s", table)
	}
	if bundle := showFile(t, dir, "stix/"+id+".json"); !strings.Contains(bundle, `"revoked":true`) {
		t.Errorf("the withdrawn bundle:\n%s", bundle)
	}
}

// TestWithdrawWhatIsGone: what was published of a case is taken back by its name when
// the case is deleted, when it may not leave any more, and when its tenant is erased;
// by who published it, and by nobody else.
func TestWithdrawWhatIsGone(t *testing.T) {
	s := misptest.New(t)
	dir := bareRepository(t)
	feed := fmt.Sprintf(`{"name": "feed", "kind": "git", "url": "file://%s", "tlp": "green", "allowPrivate": true}`, dir)
	g, c := publisherOf(t, writeTargets(t, mispTarget(t, s, misptest.Publisher), feed))
	ctx := t.Context()
	sent := make(map[string]*elsewherev1.PublishReport)
	for _, target := range []string{"cert", "feed"} {
		for _, ref := range []string{testdata.RefOne, testdata.RefTwo} {
			r, err := report(ctx, c, publishRequest(target, ref))
			if err != nil {
				t.Fatal(target, ref, err)
			}
			sent[target+ref] = r
		}
	}
	if _, err := c.DeleteCase(ctx, elsewherev1.DeleteCaseRequest_builder{CaseRef: testdata.RefOne}.Build()); err != nil {
		t.Fatal(err)
	}
	strict := published(t, testdata.CaseTwo)
	strict.SetTlp("amber+strict")
	if _, err := c.SubmitCase(ctx, elsewherev1.SubmitCaseRequest_builder{Case: strict, NoLinks: true}.Build()); err != nil {
		t.Fatal(err)
	}
	_, secret := g.make(t, elsewherev1.Key_builder{Role: lead, Tenants: []string{"alder", "birch"}}.Build())
	other := with(t, g.addr, secret)
	for _, target := range []string{"cert", "feed"} {
		for ref, refused := range map[string]codes.Code{testdata.RefOne: codes.NotFound, testdata.RefTwo: codes.FailedPrecondition} {
			req := publishRequest(target, ref)
			if _, err := report(ctx, c, req); status.Code(err) != refused {
				t.Errorf("%s, %s: %v, want %v", target, ref, err, refused)
			}
			req.SetWithdraw(true)
			if _, err := report(ctx, other, req); status.Code(err) != refused {
				t.Errorf("%s, %s, somebody else: %v, want %v", target, ref, err, refused)
			}
			req.SetDryRun(true)
			if dry, err := report(ctx, c, req); err != nil || dry.GetOutcome() != elsewherev1.PublishOutcome_PUBLISH_OUTCOME_WITHDRAWN || dry.GetRevision() != 1 {
				t.Errorf("%s, %s, a dry run: %v, %v", target, ref, dry, err)
			}
			req.SetDryRun(false)
			before := sent[target+ref]
			r, err := report(ctx, c, req)
			if err != nil || r.GetOutcome() != elsewherev1.PublishOutcome_PUBLISH_OUTCOME_WITHDRAWN || r.GetRevision() != 2 || r.GetWithdrawn() == 0 ||
				r.GetBundleId() != before.GetBundleId() || r.GetEventUuid() != before.GetEventUuid() || r.GetTitle() != before.GetTitle() {
				t.Errorf("%s, %s: %v, %v", target, ref, r, err)
			}
			again, err := report(ctx, c, req)
			if err != nil || again.GetOutcome() != elsewherev1.PublishOutcome_PUBLISH_OUTCOME_UNCHANGED || again.GetRevision() != 2 {
				t.Errorf("%s, %s, again: %v, %v", target, ref, again, err)
			}
			if live := s.Live(before.GetEventUuid()); target == "cert" && len(live) > 0 {
				t.Errorf("%s: the server still has %v", ref, live)
			}
			if id := before.GetBundleId(); target == "feed" {
				for _, line := range strings.Split(showFile(t, dir, "stix/"+id+".json"), "\n") {
					if strings.Contains(line, `"type":"indicator"`) && !strings.Contains(line, `"revoked":true`) || strings.Contains(line, `"0001-`) || strings.Contains(line, `"1970-`) {
						t.Errorf("%s: %s", ref, line)
					}
				}
				if event := showFile(t, dir, "misp/"+id+".json"); strings.Contains(event, `"deleted":false`) {
					t.Errorf("%s: %s", ref, event)
				}
			}
		}
	}
	never := publishRequest("cert", "alder/never")
	never.SetWithdraw(true)
	if _, err := report(ctx, c, never); status.Code(err) != codes.NotFound {
		t.Errorf("what never was: %v", err)
	}
}

// publicReport is the table of the published investigation, typed from its rows.
const publicReport = "\ufeffIndicator,Data,Note\r\n" +
	"ip,104.161.20.102,used to log into compromised accounts\r\n" +
	"ip,185.241.149.122,used to log into compromised accounts\r\n" +
	"ip,20.232.202.245,used to log into compromised accounts\r\n" +
	"url,botasso.cl,observed in transport rules and Tenant  Allow / Block lists\r\n" +
	"url,smtp83.iad3a.emailsrvr.com,observed in transport rules and Tenant  Allow / Block lists\r\n" +
	"url,continental-database.com,observed in transport rules and Tenant  Allow / Block lists\r\n"

func TestImportOfThePublicReportLinks(t *testing.T) {
	_, c := publisherOf(t, "")
	ctx := t.Context()
	header := elsewherev1.ImportHeader_builder{Publisher: "sophos", Tlp: "clear"}.Build()
	res, err := imported(ctx, c, header, publicReport)
	if err != nil || res.GetValues() != 6 || res.GetFormat() != "csv" {
		t.Fatalf("%v, %v", res, err)
	}
	again, err := imported(ctx, c, header, publicReport)
	if err != nil || again.GetCaseRef() != res.GetCaseRef() || again.GetOutcome() != elsewherev1.SubmitOutcome_SUBMIT_OUTCOME_UNCHANGED {
		t.Errorf("%v, %v", again, err)
	}
	for _, other := range []string{"alder/2023-0117", "birch/2023-0142"} {
		e, err := c.ExplainLink(ctx, elsewherev1.ExplainLinkRequest_builder{A: other, B: res.GetCaseRef()}.Build())
		if err != nil {
			t.Fatal(err)
		}
		shared := e.GetExplanation().String()
		for _, address := range []string{"104.161.20.102", "185.241.149.122", "20.232.202.245"} {
			if !strings.Contains(shared, address) {
				t.Errorf("%s: nothing of %s", other, address)
			}
		}
	}
	links, err := c.ListLinks(ctx, elsewherev1.ListLinksRequest_builder{CaseRef: new(res.GetCaseRef()), MinTier: elsewherev1.Tier_TIER_POSSIBLE}.Build())
	if err != nil || len(links.GetLinks()) != 2 {
		t.Errorf("%v, %v", links, err)
	}
}

func TestImportNamesThePlace(t *testing.T) {
	_, c := publisherOf(t, "")
	for file, want := range map[string]string{
		"Type,Data,Note\nip,1.2.3,x\n": "line 2",
		`{"Event":{"Attribute":[{"type":"domain","value":"evil.example"},{"type":"ip-src","value":"1.2.3"}]}}`: "Event.Attribute[1].value",
		`{"Event":{"Attribute":[{"type":7}]}}`:                                                       "Event.Attribute[0].type",
		`{"type":"bundle","objects":[{"type":"indicator","pattern":7}]}`:                             "objects[0].pattern (byte 60)",
		`{"type":"bundle","objects":[{"type":"indicator","pattern":"[ipv4-addr:value = '1.2.3']"}]}`: "objects[0].pattern",
		"hello": "line 1", "{}": "data",
	} {
		_, err := imported(t.Context(), c, elsewherev1.ImportHeader_builder{Publisher: "sophos"}.Build(), file)
		if status.Code(err) != codes.InvalidArgument || !strings.Contains(status.Convert(err).Message(), want+":") {
			t.Errorf("%s: %v; want %s", file, err, want)
		}
	}
	res, err := imported(t.Context(), c, elsewherev1.ImportHeader_builder{Publisher: "sophos", AllowPartial: true, ValidateOnly: true}.Build(),
		"Type,Data,Note\nip,1.2.3,x\nip,104.161.20.102,\nmutex,abc,\n")
	if err != nil || res.GetRejectedTotal() != 1 || res.GetValues() != 1 || res.GetSkipped() != 1 || res.GetRevision() != 0 {
		t.Errorf("%v, %v", res, err)
	}
	if _, err := imported(t.Context(), c, elsewherev1.ImportHeader_builder{Publisher: "elsewhere else"}.Build(), publicReport); status.Code(err) != codes.InvalidArgument {
		t.Errorf("%v", err)
	}
	if _, err := imported(t.Context(), c, elsewherev1.ImportHeader_builder{Publisher: "nobody"}.Build(), publicReport); status.Code(err) != codes.NotFound {
		t.Errorf("%v", err)
	}
}

func TestPublicationsAreOnRecord(t *testing.T) {
	g, c := publisherOf(t, gitTarget(t, bareRepository(t), "amber"))
	if _, err := report(named(t.Context(), "publication"), c, publishRequest("feed", "alder/2023-0117")); err != nil {
		t.Fatal(err)
	}
	if _, err := imported(named(t.Context(), "import"), c, elsewherev1.ImportHeader_builder{Publisher: "sophos"}.Build(), publicReport); err != nil {
		t.Fatal(err)
	}
	if _, err := imported(named(t.Context(), "bad import"), c, elsewherev1.ImportHeader_builder{Publisher: "sophos"}.Build(), "x"); err == nil {
		t.Fatal("a bad file was imported")
	}
	entries, _, _ := trailOf(t, g.admin, &elsewherev1.AuditTrailRequest{})
	for name, want := range map[string]struct{ method, tenant string }{
		"publication": {"ExportService.Publish", "alder"}, "import": {"ExportService.Import", "reports-sophos"},
	} {
		changes, told := ofRequest(entries, name)
		if len(changes) != 1 || changes[0].GetMethod() != want.method || !slices.Contains(changes[0].GetTenants(), want.tenant) {
			t.Errorf("%s: changes %v, told %v", name, changes, told)
		}
		if name == "publication" && len(changes) == 1 && !slices.Contains(changes[0].GetSubjects(), "target feed") {
			t.Errorf("subjects %q", changes[0].GetSubjects())
		}
	}
	if changes, _ := ofRequest(entries, "bad import"); len(changes) != 0 {
		t.Errorf("%v", changes)
	}
}
