// Package rpc answers the gRPC services: it turns messages into the domain and
// back, in convert.go alone, and errors into statuses, in errors.go alone.
//
// It knows the wire, and it is the last place that knows a private value: here
// it becomes a keyed hash. It must not know a database or how links are weighed.
package rpc
