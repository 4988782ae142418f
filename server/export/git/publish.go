package git

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"strings"
	"time"

	"github.com/elsewhere-project/elsewhere/server/export"
	"github.com/elsewhere-project/elsewhere/server/export/misp"
)

// Remote is a repository somewhere. A branch moves as a whole or not at all.
type Remote interface {
	// Tip reads the newest commit of a branch.
	Tip(ctx context.Context, branch string) (Tip, error)
	// Commit makes a commit on top of a tip that was read, and moves a branch to it.
	// With force the branch is one of ours, and where it was does not matter. The
	// error is ErrConflict where the branch has moved, ErrProtected where it moves
	// by pull request only, or a *RejectedError.
	Commit(ctx context.Context, on Tip, branch, message string, files []File, force bool) (id string, err error)
	// PullRequest asks for a branch to be merged and returns where people find that,
	// "" where this cannot be asked for.
	PullRequest(ctx context.Context, base, branch, title string) (url string, err error)
}

// Errors of a Remote.
var (
	ErrConflict  = errors.New("somebody else moved the branch at the same time; nothing is lost, try again")
	ErrProtected = errors.New("the branch is protected: it moves by pull request only")
)

// RejectedError is what a repository says that does not take a commit.
type RejectedError struct{ Message string }

func (e *RejectedError) Error() string { return "the repository rejects the commit: " + e.Message }

// Options say how a bundle is published.
type Options struct {
	Layout
	Branch string // "main" if ""
	// PullRequest has protected branches changed by a branch of ours and a pull
	// request.
	PullRequest bool
	DryRun      bool
	// Backoff is the first wait after a conflict; 0 is 200 ms.
	Backoff time.Duration
}

// Outcome is what a publication did.
type Outcome string

// The outcomes of a publication.
const (
	Created   Outcome = "created"
	Updated   Outcome = "updated"
	Unchanged Outcome = "unchanged"
	Withdrawn Outcome = "withdrawn"
)

// Report is what a publication did, or would do.
type Report struct {
	Outcome  Outcome
	Commit   string
	Branch   string
	Pull     string // where a pull request is
	Attempts int
	Files    []File // without their data
	misp.Difference
	Notes []string
}

// attempts bounds how often a publication is made anew because somebody else was
// faster.
const attempts = 6

// Publish makes a repository have what a bundle says, in one commit, and in none
// where it has it already. Who is slower than somebody else starts again from what
// is there then, so both are in one history.
func Publish(ctx context.Context, r Remote, b *export.Bundle, o Options) (*Report, error) {
	o.Branch = cmp.Or(o.Branch, "main")
	wait := cmp.Or(o.Backoff, 200*time.Millisecond)
	for attempt := 1; ; attempt++ {
		report, err := once(ctx, r, b, o)
		if report != nil {
			report.Attempts = attempt
		}
		if !errors.Is(err, ErrConflict) || attempt == attempts {
			return report, err
		}
		timer := time.NewTimer(wait/2 + rand.N(wait))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		case <-timer.C:
		}
		wait *= 2
	}
}

func once(ctx context.Context, r Remote, b *export.Bundle, o Options) (*Report, error) {
	tip, err := r.Tip(ctx, o.Branch)
	if err != nil {
		return nil, err
	}
	report := &Report{Outcome: Unchanged, Branch: o.Branch, Commit: tip.ID()}
	existed, dated, err := compare(ctx, tip, b, o, report)
	if err != nil {
		return nil, err
	}
	o.Event.Timestamp = dated
	files, err := Files(ctx, tip, b, o.Layout)
	if err != nil || len(files) == 0 {
		return report, err
	}
	switch {
	case !existed && o.Event.Withdraw:
		report.Notes = append(report.Notes, "this was not published here: nothing to withdraw")
		return report, nil
	case o.Event.Withdraw:
		report.Outcome = Withdrawn
	case existed:
		report.Outcome = Updated
	default:
		report.Outcome = Created
	}
	for _, f := range files {
		report.Files = append(report.Files, File{Op: f.Op, Path: f.Path})
	}
	if o.DryRun {
		return report, nil
	}
	message := messageOf(report, b)
	report.Commit, err = r.Commit(ctx, tip, o.Branch, message, files, false)
	if !errors.Is(err, ErrProtected) {
		return report, err
	}
	if !o.PullRequest {
		return nil, fmt.Errorf("%w; allow pull requests for this target", err)
	}
	return aside(ctx, r, b, o, report, tip, files, message)
}

// aside puts the commit on a branch of ours and asks for it to be merged.
func aside(ctx context.Context, r Remote, b *export.Bundle, o Options, report *Report, tip Tip, files []File, message string) (*Report, error) {
	report.Branch = "elsewhere/" + b.ID.String()
	mine, err := r.Tip(ctx, report.Branch)
	if err != nil {
		return nil, err
	}
	waiting := mine.ID() != ""
	if waiting {
		left, err := Files(ctx, mine, b, o.Layout)
		if err != nil {
			return nil, err
		}
		waiting = len(left) == 0
	}
	if waiting {
		report.Commit = mine.ID()
		report.Notes = append(report.Notes, "the branch is protected; the commit waits on branch "+report.Branch+" already")
	} else {
		if report.Commit, err = r.Commit(ctx, tip, report.Branch, message, files, true); err != nil {
			return nil, err
		}
		report.Notes = append(report.Notes, "the branch is protected; the commit is on branch "+report.Branch)
	}
	report.Pull, err = r.PullRequest(ctx, o.Branch, report.Branch, subject(report, b))
	if err == nil && report.Pull == "" {
		report.Notes = append(report.Notes, "make a pull request of it: plain git cannot")
	}
	return report, err
}

// compare reports whether the bundle was published before, and how the event has to
// be dated, and puts into the report what differs from then. Who pulls the feed
// takes an event only that is newer, so a change dates it later than it was, and
// no change leaves its date.
func compare(ctx context.Context, tip Tip, b *export.Bundle, o Options, report *Report) (existed bool, dated time.Time, err error) {
	f, err := tip.Open(ctx, path.Join(o.Folder, "misp", b.ID.String()+".json"))
	var in io.Reader
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return false, dated, err
	default:
		defer f.Close()
		in, existed = f, true
	}
	d, stored, err := misp.NewContent(b, o.Event).Compare(ctx, in)
	if err != nil {
		return existed, dated, err
	}
	report.Difference = *d
	if stored == nil {
		return existed, dated, nil
	}
	had := misp.Time(stored.Timestamp)
	switch {
	case d.Empty():
		dated = had
	case !b.Modified.Truncate(time.Second).After(had):
		dated = had.Add(time.Second)
	}
	return existed, dated, nil
}

// messageOf says what a commit does, without anything that only a clock knows.
func messageOf(report *Report, b *export.Bundle) string {
	return fmt.Sprintf("%s\n\n%s, %d added, %d changed, %d withdrawn\n",
		subject(report, b), b.TLP, report.Added, report.Changed, report.Difference.Withdrawn)
}

func subject(report *Report, b *export.Bundle) string {
	verb := map[Outcome]string{Created: "Publish", Updated: "Update", Withdrawn: "Withdraw"}[report.Outcome]
	return verb + " " + strings.Join(strings.Fields(b.Title), " ")
}
