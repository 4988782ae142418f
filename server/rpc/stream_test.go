package rpc

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
)

// TestPanicStaysInItsCase holds that a fault in one case of a stream is the
// answer to that case, and that what was panicked with is not logged. A service
// without a store panics by itself.
func TestPanicStaysInItsCase(t *testing.T) {
	var logged bytes.Buffer
	s := New(Dependencies{Log: slog.New(slog.NewTextHandler(&logged, nil))})
	submit := elsewherev1.SubmitCaseRequest_builder{Case: elsewherev1.Case_builder{
		Tenant: "a", Id: "1", Findings: []*elsewherev1.Finding{elsewherev1.Finding_builder{
			Observables: []*elsewherev1.Observable{elsewherev1.Observable_builder{Kind: "phone", Value: "+15551234567"}.Build()},
		}.Build()},
	}.Build()}.Build()
	ctx := withOpenViewer(context.Background())
	res := s.acknowledge(ctx, elsewherev1.SubmitCasesRequest_builder{Index: 7, Submit: submit}.Build())
	if res.GetIndex() != 7 || codes.Code(res.GetStatus().GetCode()) != codes.Internal {
		t.Errorf("answer %v", res)
	}
	if out := logged.String(); !strings.Contains(out, "panic") || strings.Contains(out, "5551234567") {
		t.Errorf("logged %s", out)
	}
}

func withOpenViewer(ctx context.Context) context.Context { return access.With(ctx, access.Open()) }
