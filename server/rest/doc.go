// Package rest answers every RPC over HTTP with JSON, under /v1, and collections over
// TAXII, under /taxii2. Each request goes through the same door as a gRPC call, over a
// link within the process, so that keys, roles, limits, disclosure and the log are the
// same.
//
// It knows HTTP, the generated gateway and the errors that services answer with. It
// must not know the domain, the store or who may see what. Its routes are those of
// proto/rest.yaml.
package rest
