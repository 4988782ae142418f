package rpc

import (
	"context"
	"math"
	"net/netip"
	"slices"
	"strconv"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access"
)

// CreateTenant implements elsewherev1.AdminServiceServer.
func (s *Service) CreateTenant(ctx context.Context, req *elsewherev1.CreateTenantRequest) (*elsewherev1.CreateTenantResponse, error) {
	if !req.HasTenant() {
		return nil, toStatus(ctx, s.log, violation("tenant", "REQUIRED", "a tenant is needed"))
	}
	t, err := tenantOf(req.GetTenant())
	if err == nil {
		t, err = s.tenants.Create(ctx, t)
	}
	if err != nil {
		return nil, toStatus(ctx, s.log, err)
	}
	s.changed(t)
	return elsewherev1.CreateTenantResponse_builder{Tenant: wireTenant(&t)}.Build(), nil
}

// GetTenant implements elsewherev1.AdminServiceServer.
func (s *Service) GetTenant(ctx context.Context, req *elsewherev1.GetTenantRequest) (*elsewherev1.GetTenantResponse, error) {
	t, ok := s.tenants.Get(req.GetTenant())
	if !ok {
		return nil, toStatus(ctx, s.log, access.ErrNoTenant)
	}
	return elsewherev1.GetTenantResponse_builder{Tenant: wireTenant(&t)}.Build(), nil
}

// ListTenants implements elsewherev1.AdminServiceServer.
func (s *Service) ListTenants(ctx context.Context, req *elsewherev1.ListTenantsRequest) (*elsewherev1.ListTenantsResponse, error) {
	var res elsewherev1.ListTenantsResponse_builder
	var err error
	res.NextPageToken, err = s.page(ctx, req.GetPageSize(), req.GetPageToken(), []string{"ListTenants"}, func(after string, limit int) []string {
		var ids []string
		for _, t := range s.tenants.List(after, limit) {
			res.Tenants = append(res.Tenants, wireTenant(&t))
			ids = append(ids, t.ID)
		}
		return ids
	}, func(n int) { res.Tenants = res.Tenants[:n] })
	if err != nil {
		return nil, toStatus(ctx, s.log, err)
	}
	return res.Build(), nil
}

// page reads one entry more than a page holds by list, which returns the ids of
// what it found, has cut shorten it, and returns the token for what follows.
func (s *Service) page(ctx context.Context, asked uint32, token string, query []string, list func(after string, limit int) []string, cut func(int)) (string, error) {
	viewer, err := access.From(ctx)
	if err != nil {
		return "", err
	}
	size, err := pageSize(asked)
	if err != nil {
		return "", err
	}
	after := ""
	if err := s.openToken(viewer, token, &after, query...); err != nil {
		return "", err
	}
	ids := list(after, size+1)
	if len(ids) <= size {
		return "", nil
	}
	cut(size)
	return s.sealToken(viewer, ids[size-1], query...)
}

// UpdateTenant implements elsewherev1.AdminServiceServer.
func (s *Service) UpdateTenant(ctx context.Context, req *elsewherev1.UpdateTenantRequest) (*elsewherev1.UpdateTenantResponse, error) {
	t, err := s.updateTenant(ctx, req)
	if err != nil {
		return nil, toStatus(ctx, s.log, err)
	}
	return elsewherev1.UpdateTenantResponse_builder{Tenant: wireTenant(&t)}.Build(), nil
}

func (s *Service) updateTenant(ctx context.Context, req *elsewherev1.UpdateTenantRequest) (access.Tenant, error) {
	given, err := tenantOf(req.GetTenant())
	if err != nil {
		return access.Tenant{}, err
	}
	var expected *uint32
	if req.HasExpectedRevision() {
		expected = new(req.GetExpectedRevision())
	}
	t, err := s.tenants.Update(ctx, given.ID, expected, func(t *access.Tenant) error {
		return applyMask(t, &given, req.GetUpdateMask())
	})
	if err == nil {
		s.changed(t)
	}
	return t, err
}

// applyMask takes the fields that a mask names from one record into another.
func applyMask(t, from *access.Tenant, mask *fieldmaskpb.FieldMask) error {
	if len(mask.GetPaths()) == 0 {
		return violation("update_mask", "REQUIRED", "the fields to change are needed")
	}
	for i, path := range mask.GetPaths() {
		switch path {
		case "display_name":
			t.DisplayName = from.DisplayName
		case "aliases":
			t.Aliases = from.Aliases
		case "group":
			t.Group = from.Group
		case "state":
			t.State = from.State
		case "trust":
			t.Trust = from.Trust
		case "tlp_ceiling":
			t.TLPCeiling = from.TLPCeiling
		case "names":
			t.Names = from.Names
		case "domains":
			t.Domains = from.Domains
		case "egress":
			t.Egress = from.Egress
		case "region":
			t.Region = from.Region
		case "retention_days":
			t.RetentionDays = from.RetentionDays
		case "id", "type", "create_time", "revision":
			return violation("update_mask.paths["+strconv.Itoa(i)+"]", "FIXED", "this field never changes")
		default:
			return violation("update_mask.paths["+strconv.Itoa(i)+"]", "UNKNOWN", "a tenant has no such field")
		}
	}
	return nil
}

// tenantOf reads a tenant off the wire. What is unset has its default.
func tenantOf(t *elsewherev1.Tenant) (access.Tenant, error) {
	out := access.Tenant{
		ID: t.GetId(), DisplayName: t.GetDisplayName(), Aliases: t.GetAliases(),
		Type: access.TenantType(enum8(int32(t.GetType()))), Group: t.GetGroup(),
		State: access.TenantState(enum8(int32(t.GetState()))), Trust: 1, TLPCeiling: t.GetTlpCeiling(),
		Names: t.GetNames(), Domains: t.GetDomains(), Region: t.GetRegion(), RetentionDays: t.GetRetentionDays(),
	}
	if out.State == 0 {
		out.State = access.Active
	}
	if t.HasTrust() {
		out.Trust = t.GetTrust()
	}
	for i, text := range t.GetEgress() {
		p, err := access.ParsePrefix(text)
		if err != nil {
			return access.Tenant{}, violation("tenant.egress["+strconv.Itoa(i)+"]", "MALFORMED", "want an address or a prefix, as 198.51.100.0/24")
		}
		out.Egress = append(out.Egress, p)
	}
	return out, nil
}

func wireTenant(t *access.Tenant) *elsewherev1.Tenant {
	return elsewherev1.Tenant_builder{
		Id: t.ID, DisplayName: t.DisplayName, Aliases: t.Aliases, Type: elsewherev1.TenantType(t.Type), Group: t.Group,
		State: elsewherev1.TenantState(t.State), Trust: &t.Trust, TlpCeiling: t.TLPCeiling, Names: t.Names,
		Domains: t.Domains, Egress: wirePrefixes(t.Egress), Region: t.Region, RetentionDays: t.RetentionDays,
		CreateTime: toTimestamp(t.Created), Revision: t.Revision,
	}.Build()
}

// CreateKey implements elsewherev1.AdminServiceServer.
func (s *Service) CreateKey(ctx context.Context, req *elsewherev1.CreateKeyRequest) (*elsewherev1.CreateKeyResponse, error) {
	like, err := keyOf(req.GetKey())
	if err != nil {
		return nil, toStatus(ctx, s.log, err)
	}
	key, secret, err := s.keys.Create(ctx, like)
	if err != nil {
		return nil, toStatus(ctx, s.log, err)
	}
	s.log.InfoContext(ctx, "a key was made", "key", key.Prefix(), "role", key.Role.String())
	return elsewherev1.CreateKeyResponse_builder{Key: wireKey(&key), Secret: secret.Reveal()}.Build(), nil
}

// ListKeys implements elsewherev1.AdminServiceServer.
func (s *Service) ListKeys(ctx context.Context, req *elsewherev1.ListKeysRequest) (*elsewherev1.ListKeysResponse, error) {
	var res elsewherev1.ListKeysResponse_builder
	var err error
	query := []string{"ListKeys", boolName(req.GetIncludeEnded())}
	res.NextPageToken, err = s.page(ctx, req.GetPageSize(), req.GetPageToken(), query, func(after string, limit int) []string {
		var ids []string
		for _, k := range s.keys.List(after, req.GetIncludeEnded(), limit) {
			res.Keys = append(res.Keys, wireKey(&k))
			ids = append(ids, k.ID)
		}
		return ids
	}, func(n int) { res.Keys = res.Keys[:n] })
	if err != nil {
		return nil, toStatus(ctx, s.log, err)
	}
	return res.Build(), nil
}

// RevokeKey implements elsewherev1.AdminServiceServer.
func (s *Service) RevokeKey(ctx context.Context, req *elsewherev1.RevokeKeyRequest) (*elsewherev1.RevokeKeyResponse, error) {
	key, err := s.keys.Revoke(ctx, req.GetKey())
	if err != nil {
		return nil, toStatus(ctx, s.log, err)
	}
	s.log.InfoContext(ctx, "a key was revoked", "key", key.Prefix())
	return elsewherev1.RevokeKeyResponse_builder{Key: wireKey(&key)}.Build(), nil
}

// RotateKey implements elsewherev1.AdminServiceServer.
func (s *Service) RotateKey(ctx context.Context, req *elsewherev1.RotateKeyRequest) (*elsewherev1.RotateKeyResponse, error) {
	if o := req.GetOverlap(); o != nil && o.CheckValid() != nil {
		return nil, toStatus(ctx, s.log, violation("overlap", "OUT_OF_RANGE", "0 to 30 days"))
	}
	key, secret, err := s.keys.Rotate(ctx, req.GetKey(), req.GetOverlap().AsDuration())
	if err != nil {
		return nil, toStatus(ctx, s.log, err)
	}
	s.log.InfoContext(ctx, "a key was given a new secret", "key", key.Prefix())
	return elsewherev1.RotateKeyResponse_builder{Key: wireKey(&key), Secret: secret.Reveal()}.Build(), nil
}

// keyOf reads a key off the wire.
func keyOf(k *elsewherev1.Key) (access.Key, error) {
	out := access.Key{
		Name: k.GetName(), Role: access.Role(enum8(int32(k.GetRole()))), Tenants: slices.Clone(k.GetTenants()),
		AllTenants: k.GetAllTenants(), Restricted: k.GetRestricted(),
		Limits:  access.Limits{CallsPerSecond: k.GetCallsPerSecond(), Burst: k.GetBurst(), Concurrent: k.GetConcurrent()},
		Expires: fromTimestamp(k.GetExpireTime()),
	}
	if out.Burst > math.MaxInt32 {
		return access.Key{}, violation("key.burst", "OUT_OF_RANGE", "the burst is too large")
	}
	for i, text := range k.GetAddresses() {
		p, err := access.ParsePrefix(text)
		if err != nil {
			return access.Key{}, violation("key.addresses["+strconv.Itoa(i)+"]", "MALFORMED", "want an address or a prefix, as 198.51.100.0/24")
		}
		out.Addresses = append(out.Addresses, p)
	}
	return out, nil
}

func wireKey(k *access.Key) *elsewherev1.Key {
	return elsewherev1.Key_builder{
		Id: k.ID, Prefix: k.Prefix(), Name: k.Name, Role: elsewherev1.Role(k.Role), Tenants: k.Tenants,
		AllTenants: k.AllTenants, Restricted: k.Restricted, Addresses: wirePrefixes(k.Addresses),
		CallsPerSecond: k.CallsPerSecond, Burst: k.Burst, Concurrent: k.Concurrent, ExpireTime: toTimestamp(k.Expires),
		CreateTime: toTimestamp(k.Created), RevokeTime: toTimestamp(k.Revoked), RotateTime: toTimestamp(k.Rotated),
		OverlapUntil: toTimestamp(k.OverlapUntil), LastUsedTime: toTimestamp(k.LastUsed), Revision: k.Revision,
	}.Build()
}

func wirePrefixes(prefixes []netip.Prefix) []string {
	out := make([]string, len(prefixes))
	for i, p := range prefixes {
		out[i] = p.String()
	}
	return out
}
