package taxii

import (
	"context"
	"time"
)

// Source answers what the server tells. Errors are *Error; any other is a fault of
// ours.
type Source interface {
	// Collections returns those that the caller may read, at most MaxCollections.
	Collections(ctx context.Context, by Caller) ([]Collection, error)
	// Collection returns one of them by its id or alias.
	Collection(ctx context.Context, by Caller, name string) (Collection, error)
	// Objects returns a page of a collection.
	Objects(ctx context.Context, by Caller, name string, q Query) (Page, error)
	// Known returns an error for who may not ask at all.
	Known(ctx context.Context, by Caller) error
}

// Caller is who asks.
type Caller struct {
	// Authorization is the header, with a key as bearer whatever the client sent it as;
	// "" without one.
	Authorization string
	// Address is where the request comes from, as in 192.0.2.1:50123.
	Address string
	// RequestID, Traceparent and Tracestate are the headers of these names.
	RequestID, Traceparent, Tracestate string
}

// MaxCollections is how many collections are listed. Others are found by their alias.
const MaxCollections = 1_000

// Collection is an offer of objects.
type Collection struct{ ID, Alias, Title, Description string }

// Page is a part of the objects of a collection, in the order in which they were added.
type Page struct {
	Objects []Object
	// Next is what Query.Next of the page behind it is; "" at the end.
	Next string
}

// Object is a STIX object.
type Object struct {
	ID             string
	Version, Added time.Time
	JSON           string // as it is told
}

// Error is an error that a client is told.
type Error struct {
	Status      int
	Title       string
	Description string
	// Code is stable.
	Code string
	// RequestID is what the request is called in the log.
	RequestID string
	// RetryAfter is in how many seconds it is worth trying again; 0: that is not known.
	RetryAfter int
	// Details are fields that are wrong, by name.
	Details map[string]string
}

func (e *Error) Error() string { return e.Title + ": " + e.Description }
