package server_test

import (
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
)

// TestWhoAmI asks in every role who asks: each is told of its own key and of nothing
// else, and figures are for who administers.
func TestWhoAmI(t *testing.T) {
	g := guard(t, server.Config{Memory: true})
	for _, id := range []string{"alder", "birch", "cedar"} {
		g.tenant(t, elsewherev1.Tenant_builder{Id: id}.Build())
	}
	ends := time.Now().Add(48 * time.Hour).Truncate(time.Second)
	for _, a := range []struct {
		key   *elsewherev1.Key
		feeds bool
		stats codes.Code
	}{
		{elsewherev1.Key_builder{Role: submitter, Name: "pipeline", Tenants: []string{"alder"}, ExpireTime: timestamppb.New(ends)}.Build(), false, codes.PermissionDenied},
		{elsewherev1.Key_builder{Role: tenantKey, Tenants: []string{"birch"}}.Build(), false, codes.PermissionDenied},
		{elsewherev1.Key_builder{Role: analyst, Tenants: []string{"alder", "birch"}, Restricted: true}.Build(), true, codes.PermissionDenied},
		{elsewherev1.Key_builder{Role: lead, AllTenants: true}.Build(), true, codes.PermissionDenied},
		{elsewherev1.Key_builder{Role: admin}.Build(), true, codes.OK},
	} {
		res, err := g.admin.CreateKey(t.Context(), elsewherev1.CreateKeyRequest_builder{Key: a.key}.Build())
		if err != nil {
			t.Fatal(err)
		}
		made, secret := res.GetKey(), res.GetSecret()
		c := with(t, g.addr, secret)
		who, err := c.WhoAmI(t.Context(), &elsewherev1.WhoAmIRequest{})
		if err != nil {
			t.Fatal(err)
		}
		want := elsewherev1.WhoAmIResponse_builder{
			Role: made.GetRole(), Tenants: made.GetTenants(), AllTenants: made.GetAllTenants(), Restricted: made.GetRestricted(),
			KeyId: made.GetId(), KeyPrefix: made.GetPrefix(), KeyName: made.GetName(), ExpireTime: made.GetExpireTime(),
			ServiceVersion: who.GetServiceVersion(), ModelVersion: who.GetModelVersion(), FeedsVersion: who.GetFeedsVersion(),
		}.Build()
		if diff := gocmp.Diff(want, who, protocmp.Transform()); diff != "" {
			t.Errorf("%s is told (-want +got):\n%s", made.GetRole(), diff)
		}
		if who.GetServiceVersion() == "" || who.GetModelVersion() == 0 || (who.GetFeedsVersion() != "") != a.feeds || strings.Contains(who.String(), secret) {
			t.Errorf("%s is told %s", made.GetRole(), who)
		}
		stats, err := c.Stats(t.Context(), &elsewherev1.StatsRequest{})
		if status.Code(err) != a.stats {
			t.Errorf("%s asks for figures: %v", made.GetRole(), err)
		}
		if err == nil && (stats.GetTenants() != 3 || stats.GetKeys() != 6 || !stats.GetInMemory() || len(stats.GetQueues()) != 3 ||
			stats.GetTime().AsTime().Before(stats.GetStartTime().AsTime())) {
			t.Errorf("figures: %s", stats)
		}
	}
	if _, err := with(t, g.addr, "").WhoAmI(t.Context(), &elsewherev1.WhoAmIRequest{}); status.Code(err) != codes.Unauthenticated {
		t.Errorf("without a key: %v", err)
	}
}
