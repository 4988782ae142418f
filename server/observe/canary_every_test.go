package observe_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
)

// rpcs are all methods of the schema.
func rpcs() (all []protoreflect.MethodDescriptor) {
	protoregistry.GlobalFiles.RangeFilesByPackage("elsewhere.v1", func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			for k := range f.Services().Get(i).Methods().Len() {
				all = append(all, f.Services().Get(i).Methods().Get(k))
			}
		}
		return true
	})
	return all
}

// planted returns a message with the canary in every text, bytes too, and one of
// everything else.
func planted(d protoreflect.MessageDescriptor, depth int) *dynamicpb.Message {
	m := dynamicpb.NewMessage(d)
	scalar := func(f protoreflect.FieldDescriptor) protoreflect.Value {
		switch f.Kind() {
		case protoreflect.StringKind:
			return protoreflect.ValueOfString(canary)
		case protoreflect.BytesKind:
			return protoreflect.ValueOfBytes([]byte(canary))
		case protoreflect.MessageKind:
			return protoreflect.ValueOfMessage(planted(f.Message(), depth-1))
		case protoreflect.EnumKind:
			return protoreflect.ValueOfEnum(1)
		}
		return f.Default()
	}
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		switch {
		case f.Kind() == protoreflect.MessageKind && depth == 0:
		case f.IsMap():
			m.Mutable(f).Map().Set(protoreflect.ValueOfString(canary).MapKey(), scalar(f.MapValue()))
		case f.IsList():
			m.Mutable(f).List().Append(scalar(f))
		default:
			m.Set(f, scalar(f))
		}
	}
	return m
}

// invoke calls a method with one message and reads all answers.
func invoke(ctx context.Context, conn *grpc.ClientConn, m protoreflect.MethodDescriptor, req proto.Message) (answers []proto.Message, err error) {
	s, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true},
		"/"+string(m.Parent().FullName())+"/"+string(m.Name()))
	if err != nil {
		return nil, err
	}
	if err := s.SendMsg(req); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if err := s.CloseSend(); err != nil {
		return nil, err
	}
	for {
		res := dynamicpb.NewMessage(m.Output())
		if err := s.RecvMsg(res); err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return answers, err
		}
		answers = append(answers, res)
	}
}

// TestNothingOfAnyRequestIsShown calls every method of the schema with a canary in
// every field, with keys of every role, with a secret in the wrong place and without
// a key, and then makes, changes and ends tenants and keys that are named after one.
func TestNothingOfAnyRequestIsShown(t *testing.T) {
	c := collect(t)
	d := start(t, server.Config{DataDir: t.TempDir(), TraceEndpoint: c.addr, Access: server.Access{Init: true}})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	as := func(key string) context.Context {
		return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+key, "tracestate", "x="+canary)
	}
	admin := elsewherev1.NewAdminServiceClient(d.conn)
	tenant := elsewherev1.Tenant_builder{
		Id: canary, DisplayName: canary, Aliases: []string{canary + "-old"}, Group: canary, Names: []string{canary + " GmbH"},
		Domains: []string{canary + ".example"}, Egress: []string{"203.0.113.77"}, Region: canary,
	}.Build()
	if _, err := admin.CreateTenant(as(d.key), elsewherev1.CreateTenantRequest_builder{Tenant: tenant}.Build()); err != nil {
		t.Fatal(err)
	}
	secrets := []string{d.key}
	for role := elsewherev1.Role_ROLE_SUBMITTER; role <= elsewherev1.Role_ROLE_ADMIN; role++ {
		key := elsewherev1.Key_builder{Role: role, Name: canary, CallsPerSecond: 1e4, Addresses: []string{"127.0.0.0/8"}}
		if role != elsewherev1.Role_ROLE_ADMIN {
			key.Tenants = []string{canary}
		}
		made, err := admin.CreateKey(as(d.key), elsewherev1.CreateKeyRequest_builder{Key: key.Build()}.Build())
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, made.GetSecret())
	}
	called := 0
	call := func(m protoreflect.MethodDescriptor) {
		contexts := []context.Context{
			ctx, as(canary), as("els_" + strings.Repeat("a", 12) + "_" + strings.Repeat("q", 52)),
			metadata.AppendToOutgoingContext(ctx, "x-api-key", secrets[1]),
		}
		for _, key := range secrets[1:] {
			contexts = append(contexts, as(key))
		}
		for _, ctx := range contexts {
			called++
			answers, err := invoke(ctx, d.conn, m, planted(m.Input(), 5))
			for _, s := range secrets {
				// What was made is told, once; what was there before is not.
				for _, a := range answers {
					if raw, _ := proto.Marshal(a); strings.Contains(string(raw), s[17:]) {
						t.Errorf("%s answers with a secret", m.FullName())
					}
				}
				if strings.Contains(status.Convert(err).Message(), s[17:]) {
					t.Errorf("%s: an error has a secret", m.FullName())
				}
			}
		}
	}
	var erases []protoreflect.MethodDescriptor
	for _, m := range rpcs() {
		if m.Name() == "EraseTenant" {
			// It ends the keys that the rest is asked with.
			erases = append(erases, m)
			continue
		}
		call(m)
	}
	if want := (len(rpcs()) - len(erases)) * 9; called != want || called < 24*9 {
		t.Errorf("%d calls of %d methods", called, len(rpcs()))
	}
	// And some that succeed.
	valid := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := d.SubmitCase(as(secrets[4]), elsewherev1.SubmitCaseRequest_builder{
		Case: newCase(canary, canary, observable("ip", "203.0.113.78"), observable("phone", "+15551234567")),
	}.Build())
	valid("submit", err)
	_, err = d.ListLinks(as(secrets[4]), elsewherev1.ListLinksRequest_builder{CaseRef: new(canary + "/" + canary)}.Build())
	valid("links", err)
	_, err = elsewherev1.NewEnrichmentServiceClient(d.conn).Enrich(as(secrets[3]), elsewherev1.EnrichRequest_builder{
		Tenant: canary, Observables: []*elsewherev1.Observable{observable("domain", canary+".example")},
	}.Build())
	valid("enrich", err)
	tenant.SetTrust(.5)
	tenant.SetGroup(canary + "2")
	_, err = admin.UpdateTenant(as(d.key), elsewherev1.UpdateTenantRequest_builder{
		Tenant: tenant, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"trust", "group"}},
	}.Build())
	valid("change a tenant", err)
	rotated, err := admin.RotateKey(as(d.key), elsewherev1.RotateKeyRequest_builder{Key: secrets[1][:16]}.Build())
	valid("rotate", err)
	secrets = append(secrets, rotated.GetSecret())
	_, err = admin.RevokeKey(as(d.key), elsewherev1.RevokeKeyRequest_builder{Key: secrets[1][:16]}.Build())
	valid("revoke", err)
	for _, m := range erases {
		call(m)
	}
	told := everythingTold(t, d, c)
	look := append([]string{"15551234567", "203.0.113.7"}, canary)
	for _, s := range secrets {
		look = append(look, s[17:])
	}
	look = append(look, strings.Repeat("q", 52))
	lookForCanaries(t, told, look...)
	// Else there is nothing to find.
	if n := strings.Count(told["log"], `"msg":"request failed"`); n < 100 {
		t.Errorf("%d failures in the log", n)
	}
}
