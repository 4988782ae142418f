package jsonform_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	"pgregory.net/rapid"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/jsonform"
)

// byLibrary is what Append has to write: the output of protojson without the white
// space that it varies.
func byLibrary(m proto.Message) (string, error) {
	loose, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(m)
	if err != nil {
		return "", err
	}
	var line bytes.Buffer
	err = json.Compact(&line, loose)
	return line.String(), err
}

// same compares what Append writes of a message with what the library does.
func same(t interface {
	Helper()
	Errorf(string, ...any)
}, w *jsonform.Writer, m proto.Message,
) {
	t.Helper()
	want, wantErr := byLibrary(m)
	got, err := w.Append([]byte("before"), m)
	if (err != nil) != (wantErr != nil) {
		t.Errorf("%v, the library: %v", err, wantErr)
	}
	if err != nil {
		want = ""
	}
	if string(got) != "before"+want {
		t.Errorf("%s is written\n%s\nand by the library\n%s", m.ProtoReflect().Descriptor().FullName(), got, want)
	}
}

// messages are all types of the schema, in the order of their names.
func messages() []protoreflect.MessageType {
	var all []protoreflect.MessageType
	protoregistry.GlobalTypes.RangeMessages(func(m protoreflect.MessageType) bool {
		if d := m.Descriptor(); d.ParentFile().Package() == elsewherev1.File_elsewhere_v1_case_proto.Package() && !d.IsMapEntry() {
			all = append(all, m)
		}
		return true
	})
	slices.SortFunc(all, func(a, b protoreflect.MessageType) int {
		return strings.Compare(string(a.Descriptor().FullName()), string(b.Descriptor().FullName()))
	})
	return all
}

// text draws strings with what has to be escaped.
func text(t *rapid.T) string {
	return rapid.OneOf(
		rapid.String(),
		rapid.StringOf(rapid.RuneFrom([]rune("a\"\\\n\r\t\b\f\x00\x1f\x7f/<>&'\u2028\u2029\ufffdé𝄞"))),
		rapid.SampledFrom([]string{"", "104.161.20.102", "alder/2023-0117"}),
	).Draw(t, "text")
}

// known fills the messages that have a form of their own.
func known(t *rapid.T, m protoreflect.Message) bool {
	var from proto.Message
	switch m.Descriptor().FullName() {
	case "google.protobuf.Timestamp":
		from = &timestamppb.Timestamp{
			Seconds: rapid.Int64Range(-62135596800, 253402300799).Draw(t, "seconds"),
			Nanos:   rapid.OneOf(rapid.Int32Range(0, 999_999_999), rapid.SampledFrom([]int32{0, 1, 999, 1000, 120_000, 1_000_000, 500_000_000})).Draw(t, "nanos"),
		}
	case "google.protobuf.Duration":
		from = durationpb.New(time.Duration(rapid.Int64().Draw(t, "span")))
	case "google.protobuf.FieldMask":
		from = &fieldmaskpb.FieldMask{Paths: rapid.SliceOf(rapid.SampledFrom([]string{"display_name", "trust", "a.b_c"})).Draw(t, "paths")}
	case "google.protobuf.Any":
		inner := messages()[0].New()
		draw(t, inner, 0)
		packed, err := anypb.New(inner.Interface())
		if err != nil {
			t.Fatal(err)
		}
		from = packed
	default:
		return false
	}
	proto.Merge(m.Interface(), from)
	return true
}

// draw fills a message at random, so deep.
func draw(t *rapid.T, m protoreflect.Message, depth int) {
	if known(t, m) {
		return
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.Message() != nil && depth == 0 && !f.IsMap() || rapid.IntRange(0, 3).Draw(t, "set") == 0 {
			continue
		}
		switch {
		case f.IsList():
			list := m.Mutable(f).List()
			for range rapid.IntRange(0, 3).Draw(t, "elements") {
				if f.Message() != nil {
					draw(t, list.AppendMutable().Message(), depth-1)
				} else {
					list.Append(single(t, f))
				}
			}
		case f.IsMap():
			entries := m.Mutable(f).Map()
			for range rapid.IntRange(0, 3).Draw(t, "entries") {
				entries.Set(single(t, f.MapKey()).MapKey(), single(t, f.MapValue()))
			}
		case f.Message() != nil:
			draw(t, m.Mutable(f).Message(), depth-1)
		default:
			m.Set(f, single(t, f))
		}
	}
}

// single draws a value of a field that is no message.
func single(t *rapid.T, f protoreflect.FieldDescriptor) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(rapid.Bool().Draw(t, "bool"))
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(text(t))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(rapid.Int32().Draw(t, "int32"))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(rapid.Uint32().Draw(t, "uint32"))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(rapid.Int64().Draw(t, "int64"))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(rapid.Uint64().Draw(t, "uint64"))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(rapid.OneOf(
			rapid.Float64(),
			rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1e-6, 9.9e-7, 1e-7, 1e20, 1e21, 1e-10, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, 0.993}),
		).Draw(t, "double"))
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(rapid.Int32Range(-1, 9).Draw(t, "enum")))
	}
	t.Fatalf("the schema has a %s", f.Kind())
	return protoreflect.Value{}
}

// TestWritesAsTheLibraryDoes writes messages of every type at random.
func TestWritesAsTheLibraryDoes(t *testing.T) {
	all := messages()
	if len(all) < 100 {
		t.Fatalf("only %d types", len(all))
	}
	w := &jsonform.Writer{}
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.SampledFrom(all).Draw(t, "type").New()
		draw(t, m, rapid.IntRange(0, 4).Draw(t, "depth"))
		same(t, w, m.Interface())
	})
	for _, m := range all {
		same(t, w, m.New().Interface())
	}
}

// everyKind is a schema with what the service's own does not have: other kinds of
// fields, keys that are numbers, types that hold themselves, extensions, and types with
// a form of their own.
const everyKind = `
name: "every.proto" package: "every" syntax: "proto2"
dependency: "google/protobuf/struct.proto" dependency: "google/protobuf/wrappers.proto" dependency: "google/protobuf/empty.proto"
message_type {
  name: "Tree"
  field { name: "name" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "children" number: 2 type: TYPE_MESSAGE type_name: ".every.Tree" label: LABEL_REPEATED }
  field { name: "kinds" number: 3 type: TYPE_MESSAGE type_name: ".every.Kinds" label: LABEL_OPTIONAL }
  field { name: "keyed" number: 4 type: TYPE_MESSAGE type_name: ".every.Keyed" label: LABEL_OPTIONAL }
  field { name: "open" number: 5 type: TYPE_MESSAGE type_name: ".every.Open" label: LABEL_OPTIONAL }
  field { name: "nothing" number: 6 type: TYPE_ENUM type_name: ".google.protobuf.NullValue" label: LABEL_OPTIONAL }
  field { name: "colour" number: 7 type: TYPE_ENUM type_name: ".every.Colour" label: LABEL_REPEATED }
  field { name: "struct" number: 8 type: TYPE_MESSAGE type_name: ".google.protobuf.Struct" label: LABEL_OPTIONAL }
  field { name: "wrapped" number: 9 type: TYPE_MESSAGE type_name: ".google.protobuf.Int64Value" label: LABEL_OPTIONAL }
  field { name: "empty" number: 10 type: TYPE_MESSAGE type_name: ".google.protobuf.Empty" label: LABEL_OPTIONAL }
  field { name: "odd" number: 11 type: TYPE_STRING label: LABEL_OPTIONAL json_name: "o\"d\\d" }
}
message_type {
  name: "Kinds"
  field { name: "f" number: 1 type: TYPE_FLOAT label: LABEL_OPTIONAL }
  field { name: "s" number: 2 type: TYPE_SINT64 label: LABEL_REPEATED }
}
message_type {
  name: "Keyed"
  field { name: "by_number" number: 1 type: TYPE_MESSAGE type_name: ".every.Keyed.ByNumberEntry" label: LABEL_REPEATED }
  nested_type {
    name: "ByNumberEntry" options { map_entry: true }
    field { name: "key" number: 1 type: TYPE_INT32 label: LABEL_OPTIONAL }
    field { name: "value" number: 2 type: TYPE_MESSAGE type_name: ".every.Tree" label: LABEL_OPTIONAL }
  }
}
message_type { name: "Open" extension_range { start: 100 end: 200 } }
message_type { name: "Needy" field { name: "must" number: 1 type: TYPE_STRING label: LABEL_REQUIRED } }
enum_type {
  name: "Colour" options { allow_alias: true }
  value { name: "RED" number: 0 } value { name: "ROUGE" number: 0 } value { name: "BLUE" number: 7 }
}`

func TestWritesOtherSchemas(t *testing.T) {
	var file descriptorpb.FileDescriptorProto
	if err := prototext.Unmarshal([]byte(everyKind), &file); err != nil {
		t.Fatal(err)
	}
	// What it depends on has to be linked in.
	_, _, _ = &structpb.Struct{}, &wrapperspb.Int64Value{}, &emptypb.Empty{}
	d, err := protodesc.NewFile(&file, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	w := &jsonform.Writer{}
	for what, raw := range map[string]string{
		"nothing": "{}", "a tree": `{"name":"a","children":[{"name":"b","children":[{},{"name":"\u0007"}]}]}`,
		"other kinds": `{"kinds":{"f":0.1,"s":["-1","2"]}}`, "numbers as keys": `{"keyed":{"byNumber":{"10":{"name":"x"},"9":{}}}}`,
		"an open type": `{"open":{}}`, "null": `{"nothing":null}`, "two names": `{"colour":["ROUGE","BLUE",5]}`,
		"forms of their own": `{"struct":{"a":[1,{"b":null}]},"wrapped":"7","empty":{}}`, "an odd name": `{"o\"d\\d":"x"}`,
	} {
		m := dynamicpb.NewMessage(d.Messages().ByName("Tree"))
		if err := protojson.Unmarshal([]byte(raw), m); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		same(t, w, m)
	}
	same(t, w, dynamicpb.NewMessage(d.Messages().ByName("Needy")))
}

func TestRefusesWhatHasNoJSON(t *testing.T) {
	w := &jsonform.Writer{}
	for what, m := range map[string]proto.Message{
		"not UTF-8":              elsewherev1.Observable_builder{Value: "a\xffb"}.Build(),
		"a long one":             elsewherev1.Observable_builder{Value: strings.Repeat("ü", 100) + "\xc3"}.Build(),
		"half a surrogate":       elsewherev1.Observable_builder{Value: "\xed\xa0\x80\n"}.Build(),
		"in a list":              elsewherev1.Observable_builder{Roles: []string{"ok", "\x80"}}.Build(),
		"as a key":               elsewherev1.Case_builder{Labels: map[string]string{"\xff": ""}}.Build(),
		"as a value":             elsewherev1.Case_builder{Labels: map[string]string{"": "\xff"}}.Build(),
		"behind the last year":   elsewherev1.Observable_builder{FirstSeen: &timestamppb.Timestamp{Seconds: 253402300800}}.Build(),
		"before the first year":  elsewherev1.Observable_builder{FirstSeen: &timestamppb.Timestamp{Seconds: -62135596801}}.Build(),
		"more than a second":     elsewherev1.Observable_builder{FirstSeen: &timestamppb.Timestamp{Nanos: 1_000_000_000}}.Build(),
		"a part before a second": elsewherev1.Observable_builder{FirstSeen: &timestamppb.Timestamp{Nanos: -1}}.Build(),
		"names of no fields":     elsewherev1.UpdateTenantRequest_builder{UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"a-b"}}}.Build(),
	} {
		if line, err := w.Append(nil, m); err == nil {
			t.Errorf("%s is written as %s", what, line)
		}
		same(t, w, m)
	}
}

// TestWriterIsShared writes from several goroutines before anything is known of a type.
func TestWriterIsShared(t *testing.T) {
	w := &jsonform.Writer{}
	all := messages()
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for _, m := range all {
				same(t, w, m.New().Interface())
			}
		})
	}
	group.Wait()
}

// FuzzWriter writes what any bytes are as a message of any type.
func FuzzWriter(f *testing.F) {
	all := messages()
	for i, m := range all {
		f.Add(uint16(i), []byte{})
		if m.Descriptor().FullName() == "elsewhere.v1.Case" {
			raw, err := proto.Marshal(elsewherev1.Case_builder{
				Tenant: "alder", Labels: map[string]string{"a": "\n"}, OpenedAt: &timestamppb.Timestamp{Seconds: 1, Nanos: 1000},
			}.Build())
			if err != nil {
				f.Fatal(err)
			}
			f.Add(uint16(i), raw)
		}
	}
	w := &jsonform.Writer{}
	f.Fuzz(func(t *testing.T, which uint16, raw []byte) {
		m := all[int(which)%len(all)].New().Interface()
		if proto.Unmarshal(raw, m) == nil {
			same(t, w, m)
		}
	})
}

// BenchmarkWriter writes an answer about 5,000 values, with what the library takes.
func BenchmarkWriter(b *testing.B) {
	at := &timestamppb.Timestamp{Seconds: 1_677_000_000}
	var results []*elsewherev1.SeenResult
	for i := range 5_000 {
		results = append(results, elsewherev1.SeenResult_builder{
			Observable: elsewherev1.Observable_builder{Kind: "ip", Value: fmt.Sprintf("70.%d.%d.%d", i>>16&255, i>>8&255, i&255)}.Build(),
			Status:     elsewherev1.SeenStatus_SEEN_STATUS_SEEN,
			Sightings: []*elsewherev1.Sighting{
				elsewherev1.Sighting_builder{Tenant: "alder", Case: "1", Roles: []string{"login_source"}, FirstSeen: at, LastSeen: at}.Build(),
				elsewherev1.Sighting_builder{Tenant: "birch", Case: "2", Roles: []string{"login_source"}, FirstSeen: at, LastSeen: at}.Build(),
			},
			Class: "unknown",
		}.Build())
	}
	m := elsewherev1.SeenResponse_builder{Results: results}.Build()
	w := &jsonform.Writer{}
	line, err := w.Append(nil, m)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("by=us", func(b *testing.B) {
		b.SetBytes(int64(len(line)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := w.Append(nil, m); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("by=protojson", func(b *testing.B) {
		b.SetBytes(int64(len(line)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := byLibrary(m); err != nil {
				b.Fatal(err)
			}
		}
	})
}
