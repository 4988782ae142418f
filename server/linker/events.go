package linker

import (
	"context"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/graph"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// Shown reports whether a row is a link that people are told of; nil is not.
func Shown(s *graph.Standing) bool {
	return s != nil && TierOf(s) >= link.Lead
}

// TierOf is the tier of a row with what people said of it.
func TierOf(s *graph.Standing) link.Tier { return EffectiveTier(s.Score, s.Verdict) }

// teller judges which changes of rows are told. Its value is why rows change whose
// cases did not.
type teller graph.Cause

// tell implements graph.Tell. Where neither case of a pair changed, only another
// tier is told: a case that shares a value moves the scores of all others on it a
// little, and most of those changes are nobody's business.
func (t teller) tell(before, after *graph.Row) (graph.Cause, bool) {
	was, is := before.Standing(), after.Standing()
	shown := Shown(is)
	if !Shown(was) && !shown {
		return 0, false
	}
	if before == nil || after == nil {
		return graph.Cause(t), true
	}
	own := before.RevisionA != after.RevisionA || before.RevisionB != after.RevisionB
	switch {
	case before.Verdict != after.Verdict:
		return graph.CauseReview, true
	case before.Held != after.Held:
		return graph.CauseAlarm, true
	case own && (before.Millibits != after.Millibits || before.Tier != after.Tier):
		return graph.CauseEvidence, true
	case own || TierOf(was) == TierOf(is):
		return 0, false
	case before.ModelVersion != after.ModelVersion:
		return graph.CauseModel, true
	}
	return graph.Cause(t), true
}

// because is why a sweep changes rows whose cases did not. A sweep that many marks
// have made worth while does what the marks ask for.
func because(s graph.Sweep, many bool, basis string) graph.Cause {
	switch {
	case many || !s.Pending:
		return graph.CauseEvidence
	case s.From != "" && modelOf(s.From) != modelOf(basis):
		return graph.CauseModel
	case s.From != "" && s.From != basis:
		return graph.CauseFeeds
	case s.Corpus:
		return graph.CauseCorpus
	}
	return graph.CauseEvidence
}

// modelOf is the part of Rules.Basis that names the model.
func modelOf(basis string) string {
	model, _, _ := strings.Cut(basis, ",")
	return model
}

// apply stores a batch and logs what watchers have to hear of it.
func (l *Linker) apply(ctx context.Context, b graph.RelinkBatch) error {
	if !l.quiet {
		b.Tell, b.Feeds = l.tells.tell, l.rules.Now().Classes.Version()
	}
	return l.store.Relink(ctx, b)
}

// Quiet returns the linker without a log of what it changes, for stores that nobody
// watches.
func (l *Linker) Quiet() *Linker {
	l.quiet = true
	return l
}
