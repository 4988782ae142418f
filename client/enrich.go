package client

import (
	"context"
	"slices"

	"google.golang.org/protobuf/proto"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// defaultLookups is what the server allows a call that says nothing.
const defaultLookups = 100

// Enrich asks what the observables of req are. The records are in their order; a
// value that cannot be read is INVALID in its place, and what a source did not
// say in time is missing with its status. Any number of values may be asked for:
// they are split over several calls, each with its share of the look-ups that
// req allows, and an error of one of them is the error of all.
func (c *Client) Enrich(ctx context.Context, req *elsewherev1.EnrichRequest) (*elsewherev1.EnrichResponse, error) {
	var all elsewherev1.EnrichResponse_builder
	lookups := uint64(defaultLookups)
	if req.HasMaxLookups() {
		lookups = uint64(req.GetMaxLookups())
	}
	for observables := req.GetObservables(); len(observables) > 0; {
		n := chunk(observables)
		left := uint64(len(observables))
		share := (lookups*uint64(n) + left - 1) / left
		lookups -= share
		resp, err := call(ctx, c, c.enrich.Enrich, elsewherev1.EnrichRequest_builder{
			Observables: observables[:n], Tenant: req.GetTenant(), Tlp: req.GetTlp(), LocalOnly: req.GetLocalOnly(),
			MaxLookups: proto.Uint32(uint32(share)),
		}.Build())
		if err != nil {
			return nil, err
		}
		if len(resp.GetRecords()) != n {
			return nil, errNumber
		}
		all.Records = append(all.Records, resp.GetRecords()...)
		all.Attributions = addAttributions(all.Attributions, resp.GetAttributions())
		observables = observables[n:]
	}
	return all.Build(), nil
}

// addAttributions adds those that are not there yet.
func addAttributions(have, more []*elsewherev1.Attribution) []*elsewherev1.Attribution {
	for _, a := range more {
		if !slices.ContainsFunc(have, func(b *elsewherev1.Attribution) bool { return proto.Equal(a, b) }) {
			have = append(have, a)
		}
	}
	return have
}

// Feeds returns which data and services records come from, in the order of their
// precedence.
func (c *Client) Feeds(ctx context.Context) ([]*elsewherev1.Feed, error) {
	resp, err := call(ctx, c, c.enrich.ListFeeds, &elsewherev1.ListFeedsRequest{})
	if err != nil {
		return nil, err
	}
	return resp.GetFeeds(), nil
}
