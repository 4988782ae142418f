package openapi_test

import (
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/elsewhere-project/elsewhere/server/rest/openapi"
)

// TestDescriptionIsValid holds the description to OpenAPI 3.
func TestDescriptionIsValid(t *testing.T) {
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromData(openapi.Description())
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(loader.Context); err != nil {
		t.Error(err)
	}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if op.Responses.Default() == nil {
				t.Errorf("%s %s does not say what an error looks like", method, path)
			}
		}
	}
	if key := doc.Components.SecuritySchemes["key"]; key == nil || key.Value.Scheme != "bearer" {
		t.Errorf("the key is described as %v", key)
	}
}

// TestPageLoadsNothing holds the page for people to this service, and to every call.
func TestPageLoadsNothing(t *testing.T) {
	raw, err := openapi.Page()
	if err != nil {
		t.Fatal(err)
	}
	page := string(raw)
	for _, bad := range []string{"<script", "src=", `href="http`, "url(", "@import"} {
		if strings.Contains(page, bad) || strings.Contains(string(openapi.Style()), bad) {
			t.Errorf("the page has %s", bad)
		}
	}
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromData(openapi.Description())
	if err != nil {
		t.Fatal(err)
	}
	for path := range doc.Paths.Map() {
		if !strings.Contains(page, "<code>"+path+"</code>") {
			t.Errorf("the page has no %s", path)
		}
	}
}
