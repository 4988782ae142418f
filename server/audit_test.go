package server_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/server/access/audit"
)

// trailOf reads the audit trail as an administrator does.
func trailOf(t testing.TB, c elsewherev1.AdminServiceClient, req *elsewherev1.AuditTrailRequest) (entries []*elsewherev1.AuditEntry, lines []byte, key audit.PublicKey) {
	t.Helper()
	stream, err := c.AuditTrail(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return entries, lines, key
		}
		if err != nil {
			t.Fatal(err)
		}
		if m.GetPublicKey() != "" {
			key = audit.PublicKey(m.GetPublicKey())
		}
		entries, lines = append(entries, m.GetEntries()...), append(lines, m.GetLines()...)
	}
}

// verifiedTrail exports the trail and returns its entries after they were verified.
func verifiedTrail(t testing.TB, c elsewherev1.AdminServiceClient) []*elsewherev1.AuditEntry {
	t.Helper()
	_, lines, key := trailOf(t, c, elsewherev1.AuditTrailRequest_builder{Lines: true}.Build())
	if _, err := audit.Verify(bytes.NewReader(lines), key); err != nil {
		t.Fatal(err)
	}
	entries, _, _ := trailOf(t, c, &elsewherev1.AuditTrailRequest{})
	for i, e := range entries {
		if e.GetNumber() != uint64(i+1) {
			t.Fatalf("entry %d stands at place %d", e.GetNumber(), i)
		}
	}
	return entries
}

func TestAuditSketch(t *testing.T) {
	g := guard(t, server.Config{DataDir: t.TempDir()})
	g.tenants(t, "alder", "birch", "cedar")
	a := g.key(t, analyst, "alder", "birch")
	for _, tenant := range []string{"alder", "birch", "cedar"} {
		w := g.key(t, submitter, tenant)
		if _, err := w.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: newCase(tenant, "1", obs("ip", "70.0.0.1"))}.Build()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.Seen(t.Context(), elsewherev1.SeenRequest_builder{Observables: []*elsewherev1.Observable{obs("ip", "70.0.0.1"), obs("phone", "+15551234567")}}.Build()); err != nil {
		t.Fatal(err)
	}
	_, _ = a.GetCase(context.Background(), elsewherev1.GetCaseRequest_builder{CaseRef: "cedar/1"}.Build())
	for _, e := range verifiedTrail(t, g.admin) {
		t.Log(prototext.Format(e))
	}
	_ = slices.Contains[[]string]
	_ = strings.Contains
}
