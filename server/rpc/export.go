package rpc

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export"
	"github.com/elsewhere-project/elsewhere/server/export/collection"
	"github.com/elsewhere-project/elsewhere/server/export/notice"
)

// exportChunk is the largest part of a file in one answer.
const exportChunk = 64 << 10

// Export implements elsewherev1.ExportServiceServer.
func (s *Service) Export(req *elsewherev1.ExportRequest, stream grpc.ServerStreamingServer[elsewherev1.ExportResponse]) error {
	ctx := stream.Context()
	return toStatus(ctx, s.log, s.export(ctx, req, stream))
}

func (s *Service) export(ctx context.Context, req *elsewherev1.ExportRequest, stream grpc.ServerStreamingServer[elsewherev1.ExportResponse]) (err error) {
	write, err := formatOf(req)
	if err != nil {
		return err
	}
	viewer, selection, err := s.selection(ctx, req.GetSelection())
	if err != nil {
		return err
	}
	bundle, err := s.exports.Build(ctx, viewer, selection)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bundle.Close()) }()
	s.log.InfoContext(ctx, "an export", "format", req.GetFormat().String(), "bundle", bundle.ID.String(), "tlp", bundle.TLP,
		"cases", bundle.Counts.Cases, "items", bundle.Counts.Items)
	err = stream.Send(elsewherev1.ExportResponse_builder{Summary: wireSummary(bundle)}.Build())
	if err != nil {
		return err
	}
	out := &chunks{stream: stream}
	bundle.Items = out.counted(bundle.Items)
	sum := sha256.New()
	if err := write(ctx, io.MultiWriter(out, sum), bundle, req); err != nil {
		return err
	}
	// A table says not whose it is when it comes back.
	if req.GetFormat() == elsewherev1.ExportFormat_EXPORT_FORMAT_CSV && s.publisher != nil {
		if err := s.publisher.Ledger().Remember(ctx, [sha256.Size]byte(sum.Sum(nil)), bundle.ID.String(), s.clock()); err != nil {
			return err
		}
	}
	return out.flush()
}

// chunks sends what is written in parts.
type chunks struct {
	stream grpc.ServerStreamingServer[elsewherev1.ExportResponse]
	held   []byte
	done   uint32
}

// counted counts the items that a writer takes, as often as it walks.
func (c *chunks) counted(items iter.Seq2[export.Item, error]) iter.Seq2[export.Item, error] {
	return func(yield func(export.Item, error) bool) {
		c.done = 0
		for item, err := range items {
			if !yield(item, err) {
				return
			}
			c.done++
		}
	}
}

// Write implements io.Writer.
func (c *chunks) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		part := b[:min(len(b), exportChunk-len(c.held))]
		c.held = append(c.held, part...)
		b = b[len(part):]
		if len(c.held) == exportChunk {
			if err := c.flush(); err != nil {
				return n - len(b), err
			}
		}
	}
	return n, nil
}

var _ io.Writer = (*chunks)(nil)

func (c *chunks) flush() error {
	if len(c.held) == 0 {
		return nil
	}
	err := c.stream.Send(elsewherev1.ExportResponse_builder{Data: c.held, ItemsDone: c.done}.Build())
	c.held = c.held[:0]
	return err
}

// ApproveExport implements elsewherev1.ExportServiceServer.
func (s *Service) ApproveExport(ctx context.Context, req *elsewherev1.ApproveExportRequest) (*elsewherev1.ApproveExportResponse, error) {
	res, err := s.approveExport(ctx, req)
	return res, toStatus(ctx, s.log, err)
}

func (s *Service) approveExport(ctx context.Context, req *elsewherev1.ApproveExportRequest) (*elsewherev1.ApproveExportResponse, error) {
	viewer, selection, err := s.selection(ctx, req.GetSelection())
	if err != nil {
		return nil, err
	}
	a, err := s.exports.Approve(ctx, viewer, selection)
	if err != nil {
		return nil, err
	}
	s.log.InfoContext(ctx, "a clear export was approved", "digest", a.Digest, "by", viewer.Name())
	return elsewherev1.ApproveExportResponse_builder{
		Approval: a.Token, ExpireTime: toTimestamp(a.Expires), Digest: a.Digest, Title: a.Title, Counts: wireExportCounts(a.Counts),
	}.Build(), nil
}

// selection reads a selection off the wire, and who asks for it.
func (s *Service) selection(ctx context.Context, in *elsewherev1.Selection) (access.Viewer, export.Selection, error) {
	viewer, err := access.From(ctx)
	if err != nil {
		return viewer, export.Selection{}, err
	}
	if s.exports == nil {
		return viewer, export.Selection{}, status.Error(codes.Unimplemented, "this server hands nothing on")
	}
	out := export.Selection{
		TLP: evidence.TLP(in.GetTlp()), From: fromTimestamp(in.GetFrom()), To: fromTimestamp(in.GetTo()),
		Receiver: export.Receiver{Name: in.GetReceiver()}, AcceptEmptyDictionary: in.GetAcceptEmptyDictionary(),
		Approval: in.GetApproval(),
	}
	if in.GetMinTier() != elsewherev1.Tier_TIER_UNSPECIFIED {
		if out.MinTier, err = minTier(in.GetMinTier()); err != nil {
			return viewer, out, err
		}
	}
	switch in.WhichOf() {
	case elsewherev1.Selection_CaseRef_case:
		out.Case, err = s.refAt("selection.case_ref", in.GetCaseRef())
	case elsewherev1.Selection_Actor_case:
		out.Actor = in.GetActor()
	case elsewherev1.Selection_Link_case:
		if out.Link[0], err = s.refAt("selection.link.a", in.GetLink().GetA()); err == nil {
			out.Link[1], err = s.refAt("selection.link.b", in.GetLink().GetB())
		}
	case elsewherev1.Selection_Observables_case:
		out.Values, err = s.valuesAt("selection.observables.values", in.GetObservables().GetValues(), export.MaxValues)
	}
	if err == nil {
		out.Without, err = s.withoutAt("selection.without", in.GetWithout())
	}
	return viewer, out, err
}

// valuesAt reads values; where a kind is guessed every kind that the form fits is
// meant.
func (s *Service) valuesAt(path string, in []*elsewherev1.Observable, most int) ([]evidence.Value, error) {
	if len(in) > most {
		return nil, violation(path, "TOO_MANY", fmt.Sprintf("%d values; at most %d", len(in), most))
	}
	q := question{options: s.options()}
	var out []evidence.Value
	for i, o := range in {
		if invalid := q.read(o); invalid != nil {
			return nil, violation(path+"["+strconv.Itoa(i)+"]."+invalid.Path, invalid.Reason, invalid.Message)
		}
		out = append(out, q.readings...)
	}
	return out, nil
}

// withoutAt reads values that stay; without a kind they stay as what they may be.
func (s *Service) withoutAt(path string, in []*elsewherev1.Observable) ([]evidence.Value, error) {
	if len(in) > export.MaxWithout {
		return nil, violation(path, "TOO_MANY", fmt.Sprintf("%d values; at most 1,000", len(in)))
	}
	options := s.options()
	var out []evidence.Value
	for i, o := range in {
		if o.GetKind() != "" {
			p, invalid := evidence.ParseValue(evidence.Kind(o.GetKind()), o.GetValue(), options)
			if invalid != nil {
				return nil, violation(path+"["+strconv.Itoa(i)+"]."+invalid.Path, invalid.Reason, invalid.Message)
			}
			out = append(out, p.Value)
			continue
		}
		for _, kind := range evidence.Kinds() {
			if p, invalid := evidence.ParseValue(kind.Kind, o.GetValue(), options); invalid == nil && kind.Visibility != evidence.Private {
				out = append(out, p.Value)
			}
		}
	}
	return out, nil
}

func wireSummary(b *export.Bundle) *elsewherev1.ExportSummary {
	return elsewherev1.ExportSummary_builder{
		Id: b.ID.String(), Title: b.Title, Tlp: b.TLP, Counts: wireExportCounts(b.Counts), ModifyTime: toTimestamp(b.Modified),
	}.Build()
}

func wireExportCounts(c export.Counts) *elsewherev1.ExportCounts {
	denied := make(map[string]uint32, len(c.Denied))
	for why, n := range c.Denied {
		denied[why] = uint32(n)
	}
	return elsewherev1.ExportCounts_builder{
		Cases: uint32(c.Cases), Items: uint32(c.Items), Indicators: uint32(c.Indicators), Denied: denied,
		TooStrict: uint32(c.TooStrict), Unseen: uint32(c.Unseen), Unnamed: uint32(c.Unnamed), Beyond: uint32(c.Beyond),
		HeldBack: uint32(c.HeldBack),
	}.Build()
}

// Bounds of one call of TenantHints.
const (
	maxHintTokens = 10_000
	maxHintBytes  = 255
)

// TenantHints implements elsewherev1.CaseServiceServer.
func (s *Service) TenantHints(ctx context.Context, req *elsewherev1.TenantHintsRequest) (*elsewherev1.TenantHintsResponse, error) {
	res, err := s.tenantHints(ctx, req)
	return res, toStatus(ctx, s.log, err)
}

func (s *Service) tenantHints(ctx context.Context, req *elsewherev1.TenantHintsRequest) (*elsewherev1.TenantHintsResponse, error) {
	viewer, err := access.From(ctx)
	if err != nil {
		return nil, err
	}
	if s.hints == nil {
		return nil, status.Error(codes.Unimplemented, "this server keeps no hints")
	}
	tenant := s.tenants.Resolve(req.GetTenant())
	if err := evidence.CheckTenant(tenant); err != nil {
		return nil, err
	}
	if n := len(req.GetTokens()); n > maxHintTokens {
		return nil, violation("tokens", "TOO_MANY", fmt.Sprintf("%d tokens; at most 10,000", n))
	}
	for i, token := range req.GetTokens() {
		// Never repeated: a token is somebody's name.
		if len(token) > maxHintBytes {
			return nil, violation("tokens["+strconv.Itoa(i)+"]", "TOO_LONG", "at most 255 bytes")
		}
	}
	if err := s.mayWrite(viewer, tenant, false); err != nil {
		return nil, err
	}
	added, total, err := s.hints.Add(ctx, tenant, req.GetTokens())
	if err != nil {
		return nil, err
	}
	if viewer.Role() == access.RoleSubmitter {
		// Who only writes does not learn what others wrote before.
		added, total = 0, 0
	}
	return elsewherev1.TenantHintsResponse_builder{Added: uint32(added), Total: uint32(total)}.Build(), nil
}

// exportStatus maps the errors of package export; nil if it is none of them.
func exportStatus(err error) error {
	if victim, ok := errors.AsType[*export.VictimError](err); ok {
		return invalidStatus(violation(victim.Field, "NAMES_VICTIM", victim.Reason))
	}
	if label, ok := errors.AsType[*export.LabelError](err); ok {
		return exportRefusal(label.Error(), "LABEL")
	}
	if empty, ok := errors.AsType[*export.EmptyDictionaryError](err); ok {
		return exportRefusal(empty.Error(), "EMPTY_DICTIONARY")
	}
	if needs, ok := errors.AsType[*export.NeedsApprovalError](err); ok {
		return exportRefusal(needs.Error(), "APPROVAL_NEEDED")
	}
	for _, known := range []struct {
		err    error
		reason string
	}{
		{export.ErrApproval, "APPROVAL_INVALID"},
		{export.ErrOwnApproval, "APPROVAL_OWN"},
		{export.ErrNoSecond, "NO_SECOND_LEAD"},
		{export.ErrDismissed, "DISMISSED"},
		{export.ErrWeakLink, "WEAK_LINK"},
		{export.ErrTooManyCases, "TOO_MANY_CASES"},
		{export.ErrTooManyHeld, "TOO_MANY_HELD_BACK"},
		{collection.ErrTooLarge, "COLLECTION_TOO_LARGE"},
		{export.ErrTooManyHints, "TOO_MANY_HINTS"},
		{notice.ErrTooMany, "TOO_MANY_ADDRESSES"},
	} {
		if errors.Is(err, known.err) {
			return exportRefusal(known.err.Error(), known.reason)
		}
	}
	return nil
}

func exportRefusal(message, reason string) error {
	return withDetails(codes.FailedPrecondition, message, &errdetails.ErrorInfo{Reason: reason, Domain: errorDomain})
}
