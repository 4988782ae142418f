package jsonform

import (
	"bytes"
	"encoding/json"
	"errors"
	"sync"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Writer writes messages in the one form: names of fields in lowerCamelCase, defaults
// written out, no white space. Equal messages give equal bytes. It keeps what it has
// found out about the types of messages; goroutines may share it. The zero value is
// ready.
type Writer struct {
	mu    sync.RWMutex
	plans map[protoreflect.MessageDescriptor]*plan
}

// Append adds a message as one line without its end. It returns an error for a message
// that has no JSON: text that is not UTF-8, or a time outside of the years 1 to 9999.
func (w *Writer) Append(b []byte, m proto.Message) ([]byte, error) {
	if err := proto.CheckInitialized(m); err != nil {
		return b, err
	}
	r := m.ProtoReflect()
	line, err := w.plan(r.Descriptor()).append(b, r)
	if err != nil {
		return b, err
	}
	return line, nil
}

// plan returns how messages of a type are written.
func (w *Writer) plan(d protoreflect.MessageDescriptor) *plan {
	w.mu.RLock()
	p, ok := w.plans[d]
	w.mu.RUnlock()
	if ok {
		return p
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.plans == nil {
		w.plans = make(map[protoreflect.MessageDescriptor]*plan)
	}
	return planOf(d, w.plans)
}

// appendByLibrary adds what protojson writes. It varies its white space on purpose, so
// that is taken out.
func appendByLibrary(b []byte, m proto.Message) ([]byte, error) {
	loose, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(m)
	if err != nil {
		return b, err
	}
	line := bytes.NewBuffer(b)
	if err := json.Compact(line, loose); err != nil {
		return b, err
	}
	return line.Bytes(), nil
}

var (
	errNotUTF8 = errors.New("text that is not UTF-8")
	errNoTime  = errors.New("a time that has no date")
)

// The seconds that a Timestamp may have: the years 1 to 9999.
const (
	minSeconds = -62135596800
	maxSeconds = 253402300799
	maxNanos   = int64(999_999_999)
)

// isTime reports whether a Timestamp has a date.
func isTime(seconds, nanos int64) bool {
	return seconds >= minSeconds && seconds <= maxSeconds && nanos >= 0 && nanos <= maxNanos
}
