package jsonform

import (
	"bytes"
	"encoding/json"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Append adds a message as one line without its end: names of fields in
// lowerCamelCase, defaults written out. Equal messages give equal bytes; the
// library varies its white space on purpose, so it is taken out.
func Append(b []byte, m proto.Message) ([]byte, error) {
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
