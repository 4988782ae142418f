package client

import (
	"context"
	"errors"
	"iter"

	"google.golang.org/protobuf/proto"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

const (
	// callValues is how many values one call asks for. The server takes 10,000,
	// but an answer may hold ten sightings or a long record a value and has to fit
	// into a message.
	callValues = 2000
	// callBytes keeps the request well within a message.
	callBytes = maxMessage / 4
)

// Seen asks where values were seen. The results are in the order of
// observables; a value that cannot be read is INVALID in its place. Any number
// of values may be asked for: they are split over several calls, and an error
// of one of them is the error of all.
func (c *Client) Seen(ctx context.Context, observables []*elsewherev1.Observable) (*elsewherev1.SeenResponse, error) {
	return c.seen(ctx, observables, false)
}

// SeenWithRecords is Seen with what each value is, from what the server knows
// and keeps: it asks nobody.
func (c *Client) SeenWithRecords(ctx context.Context, observables []*elsewherev1.Observable) (*elsewherev1.SeenResponse, error) {
	return c.seen(ctx, observables, true)
}

func (c *Client) seen(ctx context.Context, observables []*elsewherev1.Observable, records bool) (*elsewherev1.SeenResponse, error) {
	var all elsewherev1.SeenResponse_builder
	for len(observables) > 0 {
		n := chunk(observables)
		resp, err := call(ctx, c, c.correlate.Seen, elsewherev1.SeenRequest_builder{
			Observables: observables[:n], IncludeRecords: records,
		}.Build())
		if err != nil {
			return nil, err
		}
		if len(resp.GetResults()) != n {
			return nil, errNumber
		}
		all.Results = append(all.Results, resp.GetResults()...)
		all.Attributions = addAttributions(all.Attributions, resp.GetAttributions())
		observables = observables[n:]
	}
	return all.Build(), nil
}

// errNumber is an answer that cannot be matched with its question.
var errNumber = errors.New("server answered another number of values than it was asked for")

// chunk returns how many of the observables go into the next call, at least
// one.
func chunk(observables []*elsewherev1.Observable) int {
	n, size := 0, 0
	for n < len(observables) && n < callValues {
		size += proto.Size(observables[n])
		if n > 0 && size > callBytes {
			break
		}
		n++
	}
	return n
}

// Sightings yields the sightings of one value by tenant, newest first within a
// tenant. Only the kind, which may be empty, and the value are read. An error is
// the last element.
func (c *Client) Sightings(ctx context.Context, o *elsewherev1.Observable) iter.Seq2[*elsewherev1.Sighting, error] {
	pages := follow(func(token string) (*elsewherev1.ListSightingsResponse, error) {
		return call(ctx, c, c.correlate.ListSightings, elsewherev1.ListSightingsRequest_builder{
			Observable: o, PageSize: pageSize, PageToken: token,
		}.Build())
	})
	return items(pages, (*elsewherev1.ListSightingsResponse).GetSightings)
}

// Links yields the links that req asks for, from its page token on: of a case
// best first, of a tenant in order of its cases. An error is the last element.
func (c *Client) Links(ctx context.Context, req *elsewherev1.ListLinksRequest) iter.Seq2[*elsewherev1.Link, error] {
	return items(c.LinkPages(ctx, req), (*elsewherev1.ListLinksResponse).GetLinks)
}

// LinkPages is Links by page, as the server sends them.
func (c *Client) LinkPages(ctx context.Context, req *elsewherev1.ListLinksRequest) iter.Seq2[*elsewherev1.ListLinksResponse, error] {
	first := req.GetPageToken()
	return follow(func(token string) (*elsewherev1.ListLinksResponse, error) {
		page := proto.CloneOf(req)
		page.SetPageToken(first)
		if token != "" {
			page.SetPageToken(token)
		}
		return call(ctx, c, c.correlate.ListLinks, page)
	})
}

// Explain computes the score of two cases with its reasons, also where there is
// no link. ErrNotFound if one of them does not exist.
func (c *Client) Explain(ctx context.Context, a, b string) (*elsewherev1.Explanation, error) {
	resp, err := call(ctx, c, c.correlate.ExplainLink, elsewherev1.ExplainLinkRequest_builder{A: a, B: b}.Build())
	if err != nil {
		return nil, err
	}
	return resp.GetExplanation(), nil
}

// follow yields the pages of a list until one names no next page.
func follow[P interface{ GetNextPageToken() string }](fetch func(token string) (P, error)) iter.Seq2[P, error] {
	return func(yield func(P, error) bool) {
		token := ""
		for {
			page, err := fetch(token)
			if !yield(page, err) || err != nil {
				return
			}
			next := page.GetNextPageToken()
			if next == "" {
				return
			}
			if next == token {
				var none P
				yield(none, errors.New("server answered the same page token twice"))
				return
			}
			token = next
		}
	}
}

// items yields what is on the pages.
func items[P, T any](pages iter.Seq2[P, error], of func(P) []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for page, err := range pages {
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range of(page) {
				if !yield(item, nil) {
					return
				}
			}
		}
	}
}
