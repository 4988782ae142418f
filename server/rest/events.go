package rest

import (
	"bytes"

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
	if err != nil {
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

// cursorOf returns the field of a message that is called cursor.
func cursorOf(m proto.Message) string {
	r := m.ProtoReflect()
	f := r.Descriptor().Fields().ByName("cursor")
	if f == nil || f.Kind() != protoreflect.StringKind {
		return ""
	}
	return r.Get(f).String()
}
