// Package openapi holds the description of REST in OpenAPI 3, made from the wire
// schema and proto/rest.yaml by go generate ./proto, and a page for people that is
// made from it.
//
// It knows the description and nothing of the service.
package openapi
