package rpc

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/access/audit"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export/intake"
	"github.com/elsewhere-project/elsewhere/server/export/misp"
)

// reportsPrefix begins the names of tenants of public reports.
const reportsPrefix = "reports-"

// Import implements elsewherev1.ExportServiceServer.
func (s *Service) Import(stream grpc.ClientStreamingServer[elsewherev1.ImportRequest, elsewherev1.ImportResponse]) error {
	ctx := stream.Context()
	first, err := stream.Recv()
	if errors.Is(err, io.EOF) || err == nil && !first.HasHeader() {
		err = violation("header", "REQUIRED", "the first message says whose report it is")
	}
	if err != nil {
		return toStatus(ctx, s.log, err)
	}
	// The header is what goes on record of the request; of the file it is the case.
	answer, err := s.record.recorded(elsewherev1.ExportService_Import_FullMethodName, s.log, func(ctx context.Context, _ any) (any, error) {
		res, err := s.importFile(ctx, first, stream)
		return res, toStatus(ctx, s.log, err)
	})(ctx, first.GetHeader())
	if err != nil {
		return err
	}
	return stream.SendAndClose(answer.(*elsewherev1.ImportResponse))
}

func (s *Service) importFile(ctx context.Context, first *elsewherev1.ImportRequest, stream grpc.ClientStreamingServer[elsewherev1.ImportRequest, elsewherev1.ImportResponse]) (*elsewherev1.ImportResponse, error) {
	viewer, err := access.From(ctx)
	if err != nil {
		return nil, err
	}
	header := first.GetHeader()
	tenant := reportsPrefix + strings.TrimPrefix(header.GetPublisher(), reportsPrefix)
	if err := evidence.CheckTenant(tenant); err != nil || header.GetPublisher() == "" {
		return nil, violation("header.publisher", "MALFORMED", "want [a-z0-9][a-z0-9-]{0,54}")
	}
	tenant = s.tenants.Resolve(tenant)
	audit.Mention(ctx, "", tenant)
	// Before the file is read: who may not write learns nothing of it.
	if err := s.mayWrite(viewer, tenant, true); err != nil {
		return nil, err
	}
	sum := sha256.New()
	in := &messages{stream: stream, held: first.GetData()}
	file, err := intake.Read(ctx, io.TeeReader(in, sum), s.guard)
	if err != nil {
		return nil, err
	}
	// The reader may stop at the end of what it reads; the sum is of all.
	if _, err := io.Copy(sum, in); err != nil {
		return nil, err
	}
	content := [sha256.Size]byte(sum.Sum(nil))
	if s.publisher != nil {
		bundle, err := s.publisher.Ledger().Remembered(ctx, content)
		if err != nil {
			return nil, err
		}
		if bundle != "" {
			return nil, intake.ErrOwn
		}
	}
	return s.importCase(ctx, viewer, evidence.Ref{Tenant: tenant, Case: caseOf(header, file, content)}, header, file)
}

// caseOf is the id of the case of a file: the same for the same report.
func caseOf(h *elsewherev1.ImportHeader, f *intake.File, sum [sha256.Size]byte) string {
	switch {
	case h.GetCaseId() != "":
		return h.GetCaseId()
	case f.ID != "":
		return f.Format + "-" + strings.ToLower(f.ID)
	}
	return f.Format + "-" + hex.EncodeToString(sum[:8])
}

// importCase stores the case that a file describes.
func (s *Service) importCase(ctx context.Context, viewer access.Viewer, ref evidence.Ref, h *elsewherev1.ImportHeader, f *intake.File) (*elsewherev1.ImportResponse, error) {
	d := evidence.Draft{
		Ref: ref, Title: h.GetTitle(), State: evidence.Closed, TLP: evidence.TLP(h.GetTlp()), Source: "import " + f.Format,
		References: append(f.References, h.GetReferences()...),
	}
	if d.Title == "" {
		d.Title = f.Title
	}
	if d.TLP == "" {
		d.TLP = evidence.TLP(f.TLP)
	}
	o := s.options()
	values, rejected := s.observables(f.Entries, o)
	if len(rejected) > 0 && !h.GetAllowPartial() {
		return nil, &evidence.InvalidError{Violations: rejected[:min(len(rejected), evidence.MaxViolations)], Total: len(rejected)}
	}
	if len(values) > 0 {
		d.Findings = append(d.Findings, evidence.Finding{ID: "indicators", Observables: values})
	}
	for _, technique := range f.Techniques {
		d.Findings = append(d.Findings, evidence.Finding{ID: technique, Technique: technique})
	}
	c, _, err := evidence.Parse(d, o)
	if err != nil {
		return nil, err
	}
	if err := s.mayWrite(viewer, c.Tenant, h.GetValidateOnly()); err != nil {
		return nil, err
	}
	res := elsewherev1.ImportResponse_builder{
		CaseRef: c.Ref.String(), Format: f.Format, Values: uint32(len(values)), Own: uint32(f.Own), Skipped: uint32(f.Skipped),
		Rejected: wireViolations(rejected[:min(len(rejected), evidence.MaxViolations)]), RejectedTotal: uint32(len(rejected)),
	}
	if h.GetValidateOnly() {
		return res.Build(), nil
	}
	receipt, err := s.admitted(ctx, c, nil)
	if err != nil {
		return nil, err
	}
	res.Outcome, res.Revision = elsewherev1.SubmitOutcome(receipt.Outcome), receipt.Revision
	return res.Build(), nil
}

// observables reads entries one by one, so that what is wrong has its place in the
// file.
func (s *Service) observables(entries []intake.Entry, o evidence.Options) (values []evidence.Observable, rejected []evidence.Violation) {
	seen := make(map[evidence.Value]int)
	for _, e := range entries {
		read, wrong := evidence.ParseValue(e.Kind, e.Value, o)
		if wrong != nil {
			rejected = append(rejected, evidence.Violation{Path: e.Place, Reason: wrong.Reason, Message: wrong.Message})
			continue
		}
		if at, ok := seen[read.Value]; ok {
			widen(&values[at], e)
			continue
		}
		seen[read.Value] = len(values)
		v := evidence.Observable{Value: read.Value, Written: read.Written, FirstSeen: e.First, LastSeen: e.Last, Facts: read.Facts}
		if e.First.After(e.Last) && !e.Last.IsZero() {
			v.FirstSeen, v.LastSeen = e.Last, e.First
		}
		if e.Note != "" {
			v.Facts = append(v.Facts, evidence.Fact{Name: "note", Value: e.Note, Source: "import"})
		}
		values = append(values, v)
	}
	return values, rejected
}

// widen has an observable cover the times of another entry of its value.
func widen(v *evidence.Observable, e intake.Entry) {
	if !e.First.IsZero() && (v.FirstSeen.IsZero() || e.First.Before(v.FirstSeen)) {
		v.FirstSeen = e.First
	}
	if e.Last.After(v.LastSeen) {
		v.LastSeen = e.Last
	}
}

// messages reads the data of a stream.
type messages struct {
	stream grpc.ClientStreamingServer[elsewherev1.ImportRequest, elsewherev1.ImportResponse]
	held   []byte
}

// Read implements io.Reader.
func (m *messages) Read(b []byte) (int, error) {
	for len(m.held) == 0 {
		next, err := m.stream.Recv()
		if err != nil {
			return 0, err
		}
		if next.HasHeader() {
			return 0, violation("header", "REPEATED", "only the first message says whose report it is")
		}
		m.held = next.GetData()
	}
	n := copy(b, m.held)
	m.held = m.held[n:]
	return n, nil
}

// importStatus maps the errors of a file; nil if it is none of them. Violations
// have the place in the file for a path.
func importStatus(err error) error {
	if p, ok := errors.AsType[*intake.PlaceError](err); ok {
		return invalidStatus(violation(p.Place, "MALFORMED", p.Err.Error()))
	}
	if syntax, ok := errors.AsType[*misp.SyntaxError](err); ok {
		return invalidStatus(violation(cmp.Or(syntax.Path, "data"), "MALFORMED", fmt.Sprintf("byte %d: %v", syntax.Offset, syntax.Err)))
	}
	for _, known := range []struct {
		err    error
		reason string
	}{
		{intake.ErrForm, "FORM_UNKNOWN"},
		{misp.ErrNoEvent, "FORM_UNKNOWN"},
		{intake.ErrTooLong, "TOO_LONG"},
		{intake.ErrNothing, "EMPTY"},
	} {
		if errors.Is(err, known.err) {
			return invalidStatus(violation("data", known.reason, known.err.Error()))
		}
	}
	if errors.Is(err, intake.ErrOwn) {
		return targetStatus(codes.FailedPrecondition, intake.ErrOwn.Error(), "OWN_EXPORT")
	}
	return nil
}
