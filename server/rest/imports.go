package rest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

const (
	importsPath = "/v1/imports"
	// importBytes bounds a file that is imported, as the service does.
	importBytes = 64 << 20
	// importPart is how much of it is in one message.
	importPart = 256 << 10
)

// importsFile reports whether a body is a file to import as it is: then what goes
// before it in a stream of messages stands in the query.
func importsFile(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Path == importsPath && r.URL.RawQuery != ""
}

// fileKind reports whether a body says that it is a file of a kind that is imported.
// Forms of foreign pages can say none of them.
func fileKind(kind string) bool {
	switch kind {
	case "text/csv", "application/json", "application/stix+json", fileStream:
		return true
	}
	return false
}

// importHeader reads the query of a file.
func importHeader(r *http.Request) (*elsewherev1.ImportHeader, error) {
	header := &elsewherev1.ImportHeader{}
	if err := checkAddress(header.ProtoReflect().Type(), nil, http.MethodGet, r.URL); err != nil {
		return nil, err
	}
	if err := runtime.PopulateQueryParameters(header, r.URL.Query(), utilities.NewDoubleArray(nil)); err != nil {
		return nil, err
	}
	return header, nil
}

// part makes the next message of a file: first that with its header.
func (b *body) part(v any) error {
	m, ok := v.(*elsewherev1.ImportRequest)
	if !ok {
		return fmt.Errorf("%T is no part of a file", v)
	}
	if b.header != nil {
		m.SetHeader(b.header)
		b.header = nil
		return nil
	}
	data := make([]byte, importPart)
	n, err := io.ReadFull(b, data)
	if n == 0 || err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	m.SetData(data[:n])
	return nil
}

// mediaType is what a header says of a body, without its parameters.
func mediaType(header string) string {
	kind, _, _ := strings.Cut(header, ";")
	return strings.ToLower(strings.TrimSpace(kind))
}
