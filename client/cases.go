package client

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/proto"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

const (
	// updateAttempts bounds how often Update starts again.
	updateAttempts = 8
	// updateBackoff is the longest wait after the first lost race; it doubles.
	updateBackoff = 5 * time.Millisecond
)

// Submit stores one case and returns what became of it and its links. The error
// is an *InvalidError where the case cannot be read, and ErrRevision where it
// is not at the expected revision.
func (c *Client) Submit(ctx context.Context, req *elsewherev1.SubmitCaseRequest) (*elsewherev1.SubmitCaseResponse, error) {
	return call(ctx, c, c.cases.SubmitCase, req)
}

// GetCase returns a stored case by its ref, written tenant/case, or
// ErrNotFound.
func (c *Client) GetCase(ctx context.Context, ref string) (*elsewherev1.Case, error) {
	resp, err := call(ctx, c, c.cases.GetCase, elsewherev1.GetCaseRequest_builder{CaseRef: ref}.Build())
	if err != nil {
		return nil, err
	}
	return resp.GetCase(), nil
}

// Cases yields the cases of a tenant, or of all if tenant is empty, in order of
// tenant and case id and without their findings. An error is the last element.
func (c *Client) Cases(ctx context.Context, tenant string) iter.Seq2[*elsewherev1.Case, error] {
	pages := follow(func(token string) (*elsewherev1.ListCasesResponse, error) {
		return call(ctx, c, c.cases.ListCases, elsewherev1.ListCasesRequest_builder{
			Tenant: tenant, PageSize: pageSize, PageToken: token,
		}.Build())
	})
	return items(pages, (*elsewherev1.ListCasesResponse).GetCases)
}

// DeleteCase removes a case as if it had never been submitted. ErrNotFound if
// there is none, unless allowMissing is set.
func (c *Client) DeleteCase(ctx context.Context, ref string, allowMissing bool) error {
	_, err := call(ctx, c, c.cases.DeleteCase, elsewherev1.DeleteCaseRequest_builder{
		CaseRef: ref, AllowMissing: allowMissing,
	}.Build())
	return err
}

// Update reads a case, lets change edit it and stores it, provided that nobody
// stored it in between: then it starts again with what they stored. It gives up
// with ErrRevision after eight attempts. An error of change ends it and is
// returned as it is; change may be called several times, each time with a fresh
// case.
func (c *Client) Update(ctx context.Context, ref string, change func(*elsewherev1.Case) error) (*elsewherev1.SubmitCaseResponse, error) {
	for attempt := 1; ; attempt++ {
		stored, err := c.GetCase(ctx, ref)
		if err != nil {
			return nil, err
		}
		revision := stored.GetRevision()
		if err := change(stored); err != nil {
			return nil, err
		}
		resp, err := c.Submit(ctx, elsewherev1.SubmitCaseRequest_builder{
			Case: stored, ExpectedRevision: proto.Uint32(revision),
		}.Build())
		if attempt == updateAttempts || !errors.Is(err, ErrRevision) {
			return resp, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(rand.N(updateBackoff << attempt)):
		}
	}
}
