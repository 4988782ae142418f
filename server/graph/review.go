package graph

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// Review is what a person said of a pair of cases.
type Review struct {
	RowKey
	Verdict Verdict // Unreviewed: an earlier review was taken back
	Author  string
	Reason  string
	Time    time.Time // UTC, microseconds
}

// ErrOnePair is returned for a review of a case with itself, or with its ends in
// the wrong order.
var ErrOnePair = errors.New("a review is of two cases, the smaller ref first")

// Reviewer changes reviews. It is safe for concurrent use, and durable as Writer is.
type Reviewer interface {
	// Judge puts a review in the place of the one before, if there is one, and adds
	// it to the history of its pair. Taking back what is not there changes nothing.
	// Both cases have to be stored, else the error is ErrNotFound; with either of
	// them its reviews and their history go.
	Judge(ctx context.Context, r Review) error
}

// Reviews is what a snapshot says of reviews.
type Reviews interface {
	// Review returns what stands of a pair; Unreviewed if nothing does.
	Review(RowKey) (Review, error)
	// ReviewsOf yields the reviews that stand of pairs of a case, in order of the
	// other end.
	ReviewsOf(evidence.Ref) iter.Seq2[Review, error]
	// ReviewsAfter yields the reviews that stand, after a pair (zero: all), in order
	// of RowKey.
	ReviewsAfter(RowKey) iter.Seq2[Review, error]
	// ReviewHistory yields all that was said of a pair, oldest first.
	ReviewHistory(RowKey) iter.Seq2[Review, error]
}
