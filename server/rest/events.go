package rest

import (
	"bytes"
	"net/http"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// eventStream is what an EventSource accepts.
const eventStream = "text/event-stream"

// events writes the messages of a stream as server-sent events. The cursor of a
// message is its id, so that a browser goes on where it was.
type events struct{ codec }

func (events) ContentType(any) string       { return eventStream }
func (events) StreamContentType(any) string { return eventStream }

// Marshal writes a message as an event.
func (e events) Marshal(v any) ([]byte, error) {
	line, err := e.codec.Marshal(v)
	if err != nil || line == nil {
		return nil, err
	}
	var out bytes.Buffer
	if chunk, ok := v.(map[string]any); ok {
		if m, ok := chunk["result"].(proto.Message); ok {
			if cursor := cursorOf(m); cursor != "" {
				out.WriteString("id: " + cursor + "\n")
			}
		}
	}
	out.WriteString("data: ")
	out.Write(line)
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// cursorOf returns the field that is called cursor, of a message or of the one that
// it holds.
func cursorOf(m proto.Message) string {
	r := m.ProtoReflect()
	if f := r.Descriptor().Fields().ByName("cursor"); f != nil && f.Kind() == protoreflect.StringKind {
		return r.Get(f).String()
	}
	cursor := ""
	r.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if f.Message() != nil && !f.IsList() && !f.IsMap() {
			if c := v.Message().Descriptor().Fields().ByName("cursor"); c != nil && c.Kind() == protoreflect.StringKind {
				cursor = v.Message().Get(c).String()
			}
		}
		return cursor == ""
	})
	return cursor
}

// resume lets who asks again for events, as a browser does by itself, go on behind the
// last one that it got, whatever the address says.
func resume(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		last := r.Header.Get("Last-Event-ID")
		if last == "" || r.URL.Path != "/v1/links:watch" {
			next.ServeHTTP(w, r)
			return
		}
		r = r.Clone(r.Context())
		q := r.URL.Query()
		q.Del("since")
		q.Set("cursor", last)
		r.URL.RawQuery = q.Encode()
		next.ServeHTTP(w, r)
	})
}
