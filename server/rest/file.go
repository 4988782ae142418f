package rest

import (
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// fileStream is what is accepted by who wants an export as the file itself.
const fileStream = "application/octet-stream"

// file writes an export as it is; everything else as JSON.
type file struct{ codec }

// ContentType is that of what is no export.
func (f file) StreamContentType(v any) string {
	if _, ok := v.(*elsewherev1.ExportResponse); ok {
		return fileStream
	}
	return f.codec.StreamContentType(v)
}

// Marshal writes the next part of a file.
func (f file) Marshal(v any) ([]byte, error) {
	if chunk, ok := v.(map[string]any); ok {
		if m, ok := chunk["result"].(*elsewherev1.ExportResponse); ok {
			return m.GetData(), nil
		}
	}
	return f.codec.Marshal(v)
}
