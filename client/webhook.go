package client

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// CreateWebhook has the changes of links posted to a target. The secret that
// deliveries are signed with stands in the answer and is not told again.
func (c *Client) CreateWebhook(ctx context.Context, w *elsewherev1.Webhook) (*elsewherev1.CreateWebhookResponse, error) {
	return call(ctx, c, c.admin.CreateWebhook, elsewherev1.CreateWebhookRequest_builder{Webhook: w}.Build())
}

// WebhookPages yields the webhooks in order of id, by page.
func (c *Client) WebhookPages(ctx context.Context) iter.Seq2[*elsewherev1.ListWebhooksResponse, error] {
	return follow(func(token string) (*elsewherev1.ListWebhooksResponse, error) {
		return call(ctx, c, c.admin.ListWebhooks, elsewherev1.ListWebhooksRequest_builder{PageSize: pageSize, PageToken: token}.Build())
	})
}

// DeleteWebhook removes a webhook with its dead letters.
func (c *Client) DeleteWebhook(ctx context.Context, id string) (*elsewherev1.DeleteWebhookResponse, error) {
	return call(ctx, c, c.admin.DeleteWebhook, elsewherev1.DeleteWebhookRequest_builder{Id: id}.Build())
}

// DeadLetterPages yields the events that the target of a webhook did not take, the
// oldest first, by page.
func (c *Client) DeadLetterPages(ctx context.Context, webhook string) iter.Seq2[*elsewherev1.ListDeadLettersResponse, error] {
	return follow(func(token string) (*elsewherev1.ListDeadLettersResponse, error) {
		return call(ctx, c, c.admin.ListDeadLetters, elsewherev1.ListDeadLettersRequest_builder{Webhook: webhook, PageSize: pageSize, PageToken: token}.Build())
	})
}

// RetryDeadLetters has the dead letters of a webhook posted once more, soon.
func (c *Client) RetryDeadLetters(ctx context.Context, webhook string) (*elsewherev1.RetryDeadLettersResponse, error) {
	return call(ctx, c, c.admin.RetryDeadLetters, elsewherev1.RetryDeadLettersRequest_builder{Webhook: webhook}.Build())
}

// SignatureHeader is the HTTP header that a delivery is signed in.
const SignatureHeader = "Elsewhere-Signature"

// ErrSignature is returned by VerifyWebhook for what was not sent by the server, or
// not lately.
var ErrSignature = errors.New("not a delivery of this webhook")

// VerifyWebhook checks what came to the target of a webhook: that body was signed, as
// the header SignatureHeader says, with the webhook's secret, at most tolerance ago or
// ahead.
func VerifyWebhook(secret, header string, body []byte, now time.Time, tolerance time.Duration) error {
	at, mac, ok := strings.Cut(header, ",v1=")
	at, ok2 := strings.CutPrefix(at, "t=")
	seconds, err := strconv.ParseInt(at, 10, 64)
	if !ok || !ok2 || err != nil {
		return fmt.Errorf("%w: the signature has another form", ErrSignature)
	}
	given, err := hex.DecodeString(mac)
	if err != nil {
		return fmt.Errorf("%w: the signature has another form", ErrSignature)
	}
	sum := hmac.New(sha256.New, []byte(secret))
	sum.Write([]byte(at + "."))
	sum.Write(body)
	if !hmac.Equal(given, sum.Sum(nil)) {
		return fmt.Errorf("%w: the signature differs", ErrSignature)
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > tolerance || age < -tolerance {
		return fmt.Errorf("%w: it was signed %v ago", ErrSignature, age.Round(time.Second))
	}
	return nil
}
