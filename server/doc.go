// Package server puts the service together: configuration, store, linker, gRPC
// with health and reflection, graceful stop.
//
// It knows every part and holds no rule of its own.
package server
