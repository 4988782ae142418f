package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/jsonform"
)

// codec reads and writes bodies in the one JSON form. The lines of a stream are the
// messages themselves.
type codec struct{ lines *jsonform.Writer }

var _ runtime.Marshaler = codec{}

func (codec) ContentType(any) string       { return "application/json" }
func (codec) StreamContentType(any) string { return "application/x-ndjson" }

// Delimiter follows each message of a stream; Marshal has ended the line.
func (codec) Delimiter() []byte { return nil }

// Marshal writes a message as a line.
func (c codec) Marshal(v any) ([]byte, error) {
	switch chunk := v.(type) {
	case map[string]any:
		v = chunk["result"]
	case map[string]proto.Message:
		// An error, which refuseStream has told.
		return nil, nil
	}
	m, ok := v.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%T is no message", v)
	}
	line, err := c.lines.Append(nil, m)
	return append(line, '\n'), err
}

// Unmarshal reads a message.
func (codec) Unmarshal(b []byte, v any) error { return read(b, v) }

// NewDecoder reads messages one after the other.
func (codec) NewDecoder(r io.Reader) runtime.Decoder {
	b, ok := r.(*body)
	if !ok {
		b = &body{ReadCloser: io.NopCloser(r), most: math.MaxInt64}
	}
	d := json.NewDecoder(b)
	return runtime.DecoderFunc(func(v any) error {
		var err error
		if b.file {
			err = b.part(v)
		} else {
			err = b.next(d, v)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			b.blame(err)
			if b.answered {
				// The end of what is read. The gateway would write the error into a log of
				// its own.
				return io.EOF
			}
		}
		return err
	})
}

// NewEncoder is part of the interface; the gateway writes by Marshal.
func (c codec) NewEncoder(w io.Writer) runtime.Encoder {
	return runtime.EncoderFunc(func(v any) error {
		line, err := c.Marshal(v)
		if err != nil {
			return err
		}
		_, err = w.Write(line)
		return err
	})
}

// body is the body of a request. It keeps what was wrong with it, of which the
// gateway passes on no more than the text.
type body struct {
	io.ReadCloser
	stream bool // several messages
	// answered says that they are answered one by one, so that those before a bad one
	// stand.
	answered bool
	// file is set where the body is no JSON but a file; header is what goes before it.
	file   bool
	header *elsewherev1.ImportHeader
	most   int64
	left   int64 // of a message
	got    int64 // so far
	// allow says how long the next part may take; nil leaves that open.
	allow func(time.Duration)
	// within is how long the body may take, of a stream each part.
	within time.Duration

	mu    sync.Mutex
	fault error
	over  bool // the request is answered
}

func (b *body) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, &http.MaxBytesError{Limit: b.most}
	}
	if b.stream || b.file {
		b.extend(b.within)
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	b.got += int64(n)
	if errors.Is(err, io.EOF) {
		// Nothing more is waited for; a deadline would end the answer.
		b.extend(0)
	}
	return n, err
}

// extend moves the deadline on; 0 takes it away. What reads on after the answer must
// not touch that of the next request.
func (b *body) extend(within time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.allow != nil && !b.over {
		b.allow(within)
	}
}

// blame keeps what was wrong.
func (b *body) blame(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fault = err
}

// wrong returns what was wrong, nil if nothing was.
func (b *body) wrong() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fault
}

// end says that the request is answered.
func (b *body) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
}

// next reads a message. Of a body of one message nothing may follow.
func (b *body) next(d *json.Decoder, v any) error {
	// What the decoder has read ahead counts for the next message.
	b.left = b.most
	var raw json.RawMessage
	if err := d.Decode(&raw); err != nil {
		return malformed(err, b.got)
	}
	if !b.stream {
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			var large *http.MaxBytesError
			if errors.As(err, &large) {
				return large
			}
			return &syntaxError{d.InputOffset(), "more follows the object"}
		}
	}
	return read(raw, v)
}

// read turns one object into a message.
func read(raw []byte, v any) error {
	m, ok := v.(proto.Message)
	if !ok {
		return fmt.Errorf("%T is no message", v)
	}
	if !utf8.Valid(raw) {
		return &syntaxError{0, "not UTF-8"}
	}
	if bytes.Equal(bytes.TrimSpace(raw), []byte("null")) {
		return nil
	}
	if found := jsonform.Check(raw, m.ProtoReflect().Descriptor()); len(found) > 0 {
		return &fieldsError{found, m.ProtoReflect().Descriptor().Name()}
	}
	if err := protojson.Unmarshal(raw, m); err != nil {
		// The text of the library may have a value in it.
		return &syntaxError{0, "not what the schema says"}
	}
	return nil
}

// malformed turns an error of the decoder into one with a place and without any of
// the text.
func malformed(err error, at int64) error {
	var syntax *json.SyntaxError
	var large *http.MaxBytesError
	switch {
	case errors.Is(err, io.EOF):
		return io.EOF
	case errors.As(err, &large):
		return large
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &syntaxError{at, "the text ends within an object"}
	case errors.As(err, &syntax):
		return &syntaxError{syntax.Offset, "not JSON"}
	}
	return err
}

// syntaxError is a body that is no JSON, at a byte of it.
type syntaxError struct {
	offset  int64
	message string
}

func (e *syntaxError) Error() string {
	return fmt.Sprintf("%s, at byte %d of the body", e.message, e.offset)
}

// fieldsError is a body with fields that the message does not take.
type fieldsError struct {
	found []jsonform.Finding
	of    protoreflect.Name
}

func (e *fieldsError) Error() string {
	f := e.found[0]
	s := f.Message
	if f.Path != "" {
		s = f.Path + ": " + s
	}
	if n := len(e.found) - 1; n > 0 {
		s += fmt.Sprintf(" (and %d more)", n)
	}
	return s
}
