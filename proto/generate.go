// Package proto holds the wire schema of Elsewhere and the code generated from
// it. It knows messages and services and nothing else: no domain type and no
// rule may be added here. Regenerate with `go generate ./proto` (buf has to be
// on the PATH); baseline.binpb is the published schema that `buf breaking`
// compares with, moved only in a commit that says so.
package proto

//go:generate sh -c "cd .. && buf generate --template proto/buf.gen.yaml"
//go:generate go run ../server/rest/openapi/generate -from ../server/rest/openapi/openapi.swagger.json -to ../server/rest/openapi/openapi.json
