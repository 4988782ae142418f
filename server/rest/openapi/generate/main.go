// Command generate turns the OpenAPI 2 description that the generator of the gateway
// writes into the OpenAPI 3 description that is served. It is run by go generate
// ./proto.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi2"
	"github.com/getkin/kin-openapi/openapi2conv"
	"github.com/getkin/kin-openapi/openapi3"
)

func main() {
	from := flag.String("from", "", "OpenAPI 2, in JSON; removed when done")
	to := flag.String("to", "", "OpenAPI 3, in JSON")
	flag.Parse()
	if err := run(*from, *to); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(from, to string) error {
	raw, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	var old openapi2.T
	if err := json.Unmarshal(raw, &old); err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	doc, err := openapi2conv.ToV3(&old)
	if err != nil {
		return err
	}
	complete(doc)
	text, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", " "); err != nil {
		return err
	}
	out.WriteByte('\n')
	if err := os.WriteFile(to, out.Bytes(), 0o644); err != nil {
		return err
	}
	return os.Remove(from)
}

// complete adds what the wire schema does not say: the key, and what an error looks
// like.
func complete(doc *openapi3.T) {
	doc.Info = &openapi3.Info{
		Title: "Elsewhere", Version: "v1",
		Description: "Seen elsewhere? Findings of cases, links between cases of many tenants, and why.",
		License:     &openapi3.License{Name: "Apache-2.0"},
	}
	doc.Servers = nil
	if doc.Components == nil {
		doc.Components = &openapi3.Components{}
	}
	doc.Components.SecuritySchemes = openapi3.SecuritySchemes{"key": {Value: &openapi3.SecurityScheme{
		Type: "http", Scheme: "bearer", BearerFormat: "els_",
		Description: "An API key; none is needed as long as there is no key at all.",
	}}}
	doc.Security = openapi3.SecurityRequirements{{"key": {}}}
	doc.Components.Schemas["Problem"] = &openapi3.SchemaRef{Value: problem()}
	failed := &openapi3.ResponseRef{Value: openapi3.NewResponse().WithDescription("An error, as RFC 9457 has it.").
		WithContent(openapi3.Content{"application/problem+json": {Schema: openapi3.NewSchemaRef("#/components/schemas/Problem", nil)}})}
	oneName(doc)
	for _, item := range doc.Paths.Map() {
		for _, op := range item.Operations() {
			op.Responses.Set("default", failed)
			streams(op)
		}
	}
	files(doc)
}

// places are the names in paths of what the schema calls otherwise. A ref has two
// parts of a path, which a description cannot say of one name.
func places() map[string][]string {
	return map[string][]string{
		"caseRef":     {"tenant", "case"},
		"case.tenant": {"tenant"},
		"case.id":     {"case"},
		"tenant.id":   {"tenant"},
		"actor.id":    {"actor"},

		"selection.caseRef": {"tenant", "case"},
		"selection.actor":   {"actor"},

		"a": {"tenantA", "caseA"},
		"b": {"tenantB", "caseB"},
	}
}

// oneName gives the places in paths their names. Two names for one path are not
// allowed.
func oneName(doc *openapi3.T) {
	places := places()
	for path, item := range doc.Paths.Map() {
		renamed := path
		for from, to := range places {
			renamed = strings.ReplaceAll(renamed, "{"+from+"}", "{"+strings.Join(to, "}/{")+"}")
		}
		if renamed == path {
			continue
		}
		doc.Paths.Delete(path)
		target := doc.Paths.Value(renamed)
		if target == nil {
			target = &openapi3.PathItem{}
			doc.Paths.Set(renamed, target)
		}
		for method, op := range item.Operations() {
			op.Parameters = inPath(op.Parameters, places)
			target.SetOperation(method, op)
		}
	}
}

// inPath renames the parameters that stand in a path.
func inPath(parameters openapi3.Parameters, places map[string][]string) openapi3.Parameters {
	var out openapi3.Parameters
	for _, p := range parameters {
		names := places[p.Value.Name]
		if p.Value.In != openapi3.ParameterInPath || names == nil {
			out = append(out, p)
			continue
		}
		for _, name := range names {
			out = append(out, &openapi3.ParameterRef{Value: openapi3.NewPathParameter(name).
				WithSchema(openapi3.NewStringSchema()).WithDescription(p.Value.Description)})
		}
	}
	return out
}

// streams says that an answer of several messages is a line for each.
func streams(op *openapi3.Operation) {
	ok := op.Responses.Value("200")
	if ok == nil || ok.Value == nil {
		return
	}
	media := ok.Value.Content["application/json"]
	if media == nil || media.Schema == nil || media.Schema.Value == nil || !strings.HasPrefix(media.Schema.Value.Title, "Stream result of ") {
		return
	}
	result := media.Schema.Value.Properties["result"]
	ok.Value.Content = openapi3.Content{"application/x-ndjson": {Schema: result}}
}

// files says what is sent and answered beside JSON: batches as lines, files to import
// and exports as they are, and events.
func files(doc *openapi3.T) {
	raw := func(format string) *openapi3.MediaType {
		return &openapi3.MediaType{Schema: openapi3.NewStringSchema().WithFormat(format).NewRef()}
	}
	if batch := doc.Paths.Value("/v1/cases:batch"); batch != nil {
		body := batch.Post.RequestBody.Value
		body.Content["application/x-ndjson"] = body.Content["application/json"]
		body.Description = "A line for each case."
	}
	if imports := doc.Paths.Value("/v1/imports"); imports != nil {
		body := imports.Post.RequestBody.Value
		body.Content["application/x-ndjson"] = body.Content["application/json"]
		for _, kind := range []string{"text/csv", "application/stix+json", "application/octet-stream"} {
			body.Content[kind] = raw("binary")
		}
		body.Description = "With a query, the file as it is, a MISP event as application/json; without, a line for each message."
		header := doc.Components.Schemas["ImportHeader"].Value
		for _, name := range slices.Sorted(maps.Keys(header.Properties)) {
			property := header.Properties[name].Value
			imports.Post.AddParameter(openapi3.NewQueryParameter(name).WithSchema(&openapi3.Schema{Type: property.Type, Items: property.Items}).WithDescription(property.Description))
		}
	}
	if watch := doc.Paths.Value("/v1/links:watch"); watch != nil {
		watch.Get.Responses.Value("200").Value.Content["text/event-stream"] = raw("")
	}
	for path, item := range doc.Paths.Map() {
		for _, op := range item.Operations() {
			if strings.HasSuffix(path, "/export") || path == "/v1/exports" {
				op.Responses.Value("200").Value.Content["application/octet-stream"] = raw("binary")
			}
		}
	}
}

// problem is the schema of server/rest's Problem.
func problem() *openapi3.Schema {
	text, number := openapi3.NewStringSchema, openapi3.NewIntegerSchema
	field := openapi3.NewObjectSchema().WithProperty("path", text()).WithProperty("reason", text()).WithProperty("message", text())
	return openapi3.NewObjectSchema().
		WithProperty("type", text()).WithProperty("title", text()).WithProperty("status", number()).
		WithProperty("detail", text()).WithProperty("reason", text()).WithProperty("requestId", text()).
		WithProperty("errors", openapi3.NewArraySchema().WithItems(field)).WithProperty("errorsTotal", number()).
		WithProperty("currentRevision", number()).WithProperty("retryAfterSeconds", number())
}
