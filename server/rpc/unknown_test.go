package rpc

import (
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// fill sets every message field below m, in lists to two elements, and calls
// visit with each message.
func fill(m protoreflect.Message, visit func(protoreflect.Message)) {
	visit(m)
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		switch {
		case f.Message() == nil || f.IsMap():
		case f.IsList():
			for range 2 {
				fill(m.Mutable(f).List().AppendMutable().Message(), visit)
			}
		default:
			fill(m.Mutable(f).Message(), visit)
		}
	}
}

// TestUnknownFieldsAreFoundEverywhere plants a field of a newer schema in each
// message of a case in turn.
func TestUnknownFieldsAreFoundEverywhere(t *testing.T) {
	c := &elsewherev1.Case{}
	var messages []protoreflect.Message
	fill(c.ProtoReflect(), func(m protoreflect.Message) { messages = append(messages, m) })
	if len(messages) < 40 {
		t.Fatalf("%d messages in a full case", len(messages))
	}
	if anyUnknown(c) {
		t.Error("found before anything was planted")
	}
	newer := protowire.AppendVarint(protowire.AppendTag(nil, 1_000, protowire.VarintType), 1)
	for _, m := range messages {
		m.SetUnknown(newer)
		if found := unknownFields(nil, "", c.ProtoReflect()); !anyUnknown(c) || len(found) != 1 {
			t.Errorf("in %s: found %t, at %v", m.Descriptor().FullName(), anyUnknown(c), found)
		}
		m.SetUnknown(nil)
	}
}

// A case without optional parts has nothing unknown either.
func TestNothingUnknownInSparseCases(t *testing.T) {
	at := timestamppb.New(time.Unix(1_700_000_000, 0))
	for _, c := range []*elsewherev1.Case{
		nil,
		{},
		elsewherev1.Case_builder{Findings: []*elsewherev1.Finding{{}}}.Build(),
		elsewherev1.Case_builder{ClosedAt: at, Findings: []*elsewherev1.Finding{elsewherev1.Finding_builder{
			Observables: []*elsewherev1.Observable{{}, elsewherev1.Observable_builder{LastSeen: at}.Build()},
		}.Build()}}.Build(),
	} {
		if anyUnknown(c) {
			t.Errorf("%v", c)
		}
	}
}
