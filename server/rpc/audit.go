package rpc

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/access/audit"
)

// Bounds of AuditTrail.
const (
	maxNewest = 10_000
	// auditMessage is how much of the trail a message holds, in bytes, or a little more.
	auditMessage = 1 << 20
)

// AuditTrail implements elsewherev1.AdminServiceServer.
func (s *Service) AuditTrail(req *elsewherev1.AuditTrailRequest, stream grpc.ServerStreamingServer[elsewherev1.AuditTrailResponse]) error {
	return toStatus(stream.Context(), s.log, s.auditTrail(req, stream))
}

func (s *Service) auditTrail(req *elsewherev1.AuditTrailRequest, stream grpc.ServerStreamingServer[elsewherev1.AuditTrailResponse]) error {
	ctx := stream.Context()
	viewer, err := access.From(ctx)
	if err != nil {
		return err
	}
	if !viewer.Administers() {
		return access.ErrForbidden
	}
	f, err := s.auditFilter(req)
	if err != nil {
		return err
	}
	first := elsewherev1.AuditTrailResponse_builder{PublicKey: string(s.trail.Public())}.Build()
	if req.GetLines() {
		return s.auditLines(ctx, f.From, first, stream)
	}
	out := &auditAnswers{stream: stream, next: first}
	if n := int(req.GetNewest()); n > 0 {
		entries, err := s.trail.Newest(ctx, f, n)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := out.add(e); err != nil {
				return err
			}
		}
		return out.send()
	}
	for e, err := range s.trail.Entries(ctx, f) {
		if err != nil {
			return err
		}
		if err := out.add(e); err != nil {
			return err
		}
	}
	return out.send()
}

// auditFilter reads which entries are asked for.
func (s *Service) auditFilter(req *elsewherev1.AuditTrailRequest) (audit.Filter, error) {
	f := audit.Filter{
		From: fromTimestamp(req.GetFromTime()), To: fromTimestamp(req.GetToTime()), Key: req.GetKey(),
		Method: req.GetMethod(), Tenant: s.tenants.Resolve(req.GetTenant()),
	}
	for path, t := range map[string]*timestamppb.Timestamp{"from_time": req.GetFromTime(), "to_time": req.GetToTime()} {
		if t != nil && t.CheckValid() != nil {
			return f, violation(path, "OUT_OF_RANGE", "this is no time")
		}
	}
	switch {
	case req.GetNewest() > maxNewest:
		return f, violation("newest", "TOO_LARGE", "at most 10,000; 0 is all")
	case req.GetLines() && (req.GetNewest() > 0 || f.Key != "" || f.Method != "" || f.Tenant != "" || !f.To.IsZero()):
		return f, violation("lines", "NOT_WITH_FILTER", "lines come whole, from from_time on: what is left out could not be told from what was removed")
	}
	return f, nil
}

// auditLines sends the trail as it is signed.
func (s *Service) auditLines(ctx context.Context, from time.Time, m *elsewherev1.AuditTrailResponse, stream grpc.ServerStreamingServer[elsewherev1.AuditTrailResponse]) error {
	var lines []byte
	for part, err := range s.trail.Export(ctx, from) {
		if err != nil {
			return err
		}
		if lines = append(lines, part...); len(lines) < auditMessage {
			continue
		}
		m.SetLines(lines)
		if err := stream.Send(m); err != nil {
			return err
		}
		m, lines = &elsewherev1.AuditTrailResponse{}, nil
	}
	m.SetLines(lines)
	return stream.Send(m)
}

// auditAnswers gathers entries into messages.
type auditAnswers struct {
	stream grpc.ServerStreamingServer[elsewherev1.AuditTrailResponse]
	next   *elsewherev1.AuditTrailResponse
	list   []*elsewherev1.AuditEntry
	bytes  int
}

func (a *auditAnswers) add(e *audit.Entry) error {
	entry := wireAudit(e)
	a.list = append(a.list, entry)
	if a.bytes += proto.Size(entry); a.bytes < auditMessage && len(a.list) < maxPage {
		return nil
	}
	return a.send()
}

// send sends what was gathered, also if it is nothing.
func (a *auditAnswers) send() error {
	a.next.SetEntries(a.list)
	m := a.next
	a.next, a.list, a.bytes = &elsewherev1.AuditTrailResponse{}, nil, 0
	return a.stream.Send(m)
}

func wireAudit(e *audit.Entry) *elsewherev1.AuditEntry {
	b := elsewherev1.AuditEntry_builder{
		Number: e.Number, Time: toTimestamp(e.Time), Key: e.Key, Role: e.Role, Method: e.Method, Change: e.Change,
		Code: e.Code, Counts: e.Counts, Stripped: e.Content == nil,
	}
	if c := e.Content; c != nil {
		b.RequestId, b.OfTenant, b.Tenants, b.MoreTenants = c.Request, c.Of, c.Tenants, c.MoreTenants
		b.Subjects, b.RequestDigest = c.Subjects, c.Digest
		for _, v := range c.Values {
			b.Values = append(b.Values, elsewherev1.AuditValue_builder{Kind: v.Kind, Value: v.Text}.Build())
		}
		for _, r := range c.Refused {
			b.Refused = append(b.Refused, elsewherev1.AuditRefusal_builder{
				Key: r.Key, Address: r.Address, Method: r.Method, Reason: r.Reason, Calls: r.Calls,
			}.Build())
		}
	}
	return b.Build()
}
