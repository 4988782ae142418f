package client

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// CreateTenant makes a tenant.
func (c *Client) CreateTenant(ctx context.Context, t *elsewherev1.Tenant) (*elsewherev1.Tenant, error) {
	resp, err := call(ctx, c, c.admin.CreateTenant, elsewherev1.CreateTenantRequest_builder{Tenant: t}.Build())
	if err != nil {
		return nil, err
	}
	return resp.GetTenant(), nil
}

// GetTenant returns a tenant by its id or an alias, or ErrNotFound.
func (c *Client) GetTenant(ctx context.Context, name string) (*elsewherev1.Tenant, error) {
	resp, err := call(ctx, c, c.admin.GetTenant, elsewherev1.GetTenantRequest_builder{Tenant: name}.Build())
	if err != nil {
		return nil, err
	}
	return resp.GetTenant(), nil
}

// TenantPages yields all tenants in order of id, by page.
func (c *Client) TenantPages(ctx context.Context) iter.Seq2[*elsewherev1.ListTenantsResponse, error] {
	return follow(func(token string) (*elsewherev1.ListTenantsResponse, error) {
		return call(ctx, c, c.admin.ListTenants, elsewherev1.ListTenantsRequest_builder{PageSize: pageSize, PageToken: token}.Build())
	})
}

// UpdateTenant changes the fields of a tenant that its mask names.
func (c *Client) UpdateTenant(ctx context.Context, req *elsewherev1.UpdateTenantRequest) (*elsewherev1.Tenant, error) {
	resp, err := call(ctx, c, c.admin.UpdateTenant, req)
	if err != nil {
		return nil, err
	}
	return resp.GetTenant(), nil
}

// EraseTenant takes out everything that is kept about a tenant, with purge also from
// the server's files, and yields how far that is; the last message has the receipt. The
// server goes on when the caller is gone: to call it again is to listen again.
func (c *Client) EraseTenant(ctx context.Context, tenant string, purge bool) iter.Seq2[*elsewherev1.EraseTenantResponse, error] {
	return func(yield func(*elsewherev1.EraseTenantResponse, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := c.admin.EraseTenant(ctx, elsewherev1.EraseTenantRequest_builder{Tenant: tenant, Purge: purge}.Build())
		for err == nil {
			var step *elsewherev1.EraseTenantResponse
			if step, err = stream.Recv(); err == nil && !yield(step, nil) {
				return
			}
		}
		if !errors.Is(err, io.EOF) {
			yield(nil, fromStatus(err))
		}
	}
}

// CreateKey makes a key. Its secret stands in the answer and is not told again.
func (c *Client) CreateKey(ctx context.Context, k *elsewherev1.Key) (*elsewherev1.CreateKeyResponse, error) {
	return call(ctx, c, c.admin.CreateKey, elsewherev1.CreateKeyRequest_builder{Key: k}.Build())
}

// KeyPages yields the keys in order of id, by page; with ended also those that are
// no longer taken.
func (c *Client) KeyPages(ctx context.Context, ended bool) iter.Seq2[*elsewherev1.ListKeysResponse, error] {
	return follow(func(token string) (*elsewherev1.ListKeysResponse, error) {
		return call(ctx, c, c.admin.ListKeys, elsewherev1.ListKeysRequest_builder{
			PageSize: pageSize, PageToken: token, IncludeEnded: ended,
		}.Build())
	})
}

// RevokeKey ends a key, named by its id or what it begins with, at once.
func (c *Client) RevokeKey(ctx context.Context, key string) (*elsewherev1.Key, error) {
	resp, err := call(ctx, c, c.admin.RevokeKey, elsewherev1.RevokeKeyRequest_builder{Key: key}.Build())
	if err != nil {
		return nil, err
	}
	return resp.GetKey(), nil
}

// RotateKey gives a key a new secret; the old one is taken for the overlap.
func (c *Client) RotateKey(ctx context.Context, key string, overlap time.Duration) (*elsewherev1.RotateKeyResponse, error) {
	return call(ctx, c, c.admin.RotateKey, elsewherev1.RotateKeyRequest_builder{
		Key: key, Overlap: durationpb.New(overlap),
	}.Build())
}
