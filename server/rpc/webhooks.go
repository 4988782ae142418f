package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
	"github.com/elsewhere-project/elsewhere/server/watch"
	"github.com/elsewhere-project/elsewhere/server/webhook"
)

// Webhooks keeps webhooks.
type Webhooks interface {
	Create(ctx context.Context, like webhook.Hook) (webhook.Hook, access.Secret, error)
	List(ctx context.Context, after string, limit int) ([]webhook.State, error)
	Delete(ctx context.Context, id string) error
	Dead(ctx context.Context, hook, after string, limit int) ([]webhook.Letter, error)
	Retry(hook string) error
}

// EventJSON writes an event as the body of a webhook's delivery: the JSON that the
// service speaks everywhere, without a cursor.
func EventJSON(e *watch.Event) ([]byte, error) {
	loose, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(wireEvent(e))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = json.Compact(&b, loose)
	return b.Bytes(), err
}

// hooked calls f unless there are no webhooks here.
func hooked[R any](ctx context.Context, s *Service, f func() (R, error)) (R, error) {
	var none R
	if s.webhooks == nil {
		return none, status.Error(codes.Unimplemented, "there are no webhooks here")
	}
	r, err := f()
	if err != nil {
		return none, toStatus(ctx, s.log, err)
	}
	return r, nil
}

// CreateWebhook implements elsewherev1.AdminServiceServer.
func (s *Service) CreateWebhook(ctx context.Context, req *elsewherev1.CreateWebhookRequest) (*elsewherev1.CreateWebhookResponse, error) {
	return hooked(ctx, s, func() (*elsewherev1.CreateWebhookResponse, error) {
		given := req.GetWebhook()
		tier, err := minTier(given.GetMinTier())
		if err != nil {
			return nil, violation("webhook.min_tier", "UNKNOWN", "links have the tiers LEAD, POSSIBLE, PROBABLE, STRONG and CONFIRMED")
		}
		hook, secret, err := s.webhooks.Create(ctx, webhook.Hook{
			Name: given.GetName(), URL: given.GetUrl(), Tenants: given.GetTenants(), AllTenants: given.GetAllTenants(), MinTier: tier,
		})
		if err != nil {
			return nil, err
		}
		s.log.InfoContext(ctx, "a webhook was made", "webhook", hook.ID)
		return elsewherev1.CreateWebhookResponse_builder{Webhook: wireWebhook(&webhook.State{Hook: hook}), Secret: secret.Reveal()}.Build(), nil
	})
}

// ListWebhooks implements elsewherev1.AdminServiceServer.
func (s *Service) ListWebhooks(ctx context.Context, req *elsewherev1.ListWebhooksRequest) (*elsewherev1.ListWebhooksResponse, error) {
	return hooked(ctx, s, func() (*elsewherev1.ListWebhooksResponse, error) {
		var res elsewherev1.ListWebhooksResponse_builder
		var failed error
		next, err := s.page(ctx, req.GetPageSize(), req.GetPageToken(), []string{"ListWebhooks"}, func(after string, limit int) []string {
			var ids []string
			hooks, err := s.webhooks.List(ctx, after, limit)
			failed = err
			for i := range hooks {
				res.Webhooks = append(res.Webhooks, wireWebhook(&hooks[i]))
				ids = append(ids, hooks[i].ID)
			}
			return ids
		}, func(n int) { res.Webhooks = res.Webhooks[:n] })
		res.NextPageToken = next
		return res.Build(), errors.Join(err, failed)
	})
}

// DeleteWebhook implements elsewherev1.AdminServiceServer.
func (s *Service) DeleteWebhook(ctx context.Context, req *elsewherev1.DeleteWebhookRequest) (*elsewherev1.DeleteWebhookResponse, error) {
	return hooked(ctx, s, func() (*elsewherev1.DeleteWebhookResponse, error) {
		if err := s.webhooks.Delete(ctx, req.GetId()); err != nil {
			return nil, err
		}
		s.log.InfoContext(ctx, "a webhook was removed", "webhook", req.GetId())
		return &elsewherev1.DeleteWebhookResponse{}, nil
	})
}

// ListDeadLetters implements elsewherev1.AdminServiceServer.
func (s *Service) ListDeadLetters(ctx context.Context, req *elsewherev1.ListDeadLettersRequest) (*elsewherev1.ListDeadLettersResponse, error) {
	return hooked(ctx, s, func() (*elsewherev1.ListDeadLettersResponse, error) {
		var res elsewherev1.ListDeadLettersResponse_builder
		var failed error
		next, err := s.page(ctx, req.GetPageSize(), req.GetPageToken(), []string{"ListDeadLetters", req.GetWebhook()}, func(after string, limit int) []string {
			var ids []string
			letters, err := s.webhooks.Dead(ctx, req.GetWebhook(), after, limit)
			failed = err
			for _, l := range letters {
				res.DeadLetters = append(res.DeadLetters, elsewherev1.DeadLetter_builder{
					EventId: l.EventID, FirstAttemptTime: toTimestamp(l.Since), LastAttemptTime: toTimestamp(l.Died), Attempts: l.Attempts, Reason: l.Reason,
				}.Build())
				ids = append(ids, l.ID)
			}
			return ids
		}, func(n int) { res.DeadLetters = res.DeadLetters[:n] })
		res.NextPageToken = next
		return res.Build(), errors.Join(err, failed)
	})
}

// RetryDeadLetters implements elsewherev1.AdminServiceServer.
func (s *Service) RetryDeadLetters(ctx context.Context, req *elsewherev1.RetryDeadLettersRequest) (*elsewherev1.RetryDeadLettersResponse, error) {
	return hooked(ctx, s, func() (*elsewherev1.RetryDeadLettersResponse, error) {
		return &elsewherev1.RetryDeadLettersResponse{}, s.webhooks.Retry(req.GetWebhook())
	})
}

func wireWebhook(w *webhook.State) *elsewherev1.Webhook {
	return elsewherev1.Webhook_builder{
		Id: w.ID, Name: w.Name, Url: w.URL, Tenants: w.Tenants, AllTenants: w.AllTenants, MinTier: elsewherev1.Tier(w.MinTier),
		CreateTime: toTimestamp(w.Created), Delivered: w.Delivered, LastDeliveredTime: toTimestamp(w.LastDelivered),
		FailingSince: toTimestamp(w.Failing), LastError: w.LastError, DeadLetters: uint32(w.Dead),
	}.Build()
}

// webhookStatus maps the errors of package webhook; nil if it is none of them.
func webhookStatus(err error) error {
	switch {
	case errors.Is(err, webhook.ErrNoHook):
		return withDetails(codes.NotFound, webhook.ErrNoHook.Error(), &errdetails.ErrorInfo{Reason: "WEBHOOK_UNKNOWN", Domain: errorDomain})
	case errors.Is(err, webhook.ErrTooMany):
		return withDetails(codes.FailedPrecondition, webhook.ErrTooMany.Error(), &errdetails.ErrorInfo{Reason: "TOO_MANY_WEBHOOKS", Domain: errorDomain})
	}
	return nil
}
