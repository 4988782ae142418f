package audit

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/elsewhere-project/elsewhere/server/graph"
)

// mentions are the subjects of one request, said where they are changed.
type mentions struct {
	mu   sync.Mutex
	list []string
}

type mentionsKey struct{}

// WithMentions returns a context by which subjects can be mentioned, and those that
// were so far.
func WithMentions(ctx context.Context) (context.Context, func() []string) {
	m := &mentions{}
	return context.WithValue(ctx, mentionsKey{}, m), func() []string {
		m.mu.Lock()
		defer m.mu.Unlock()
		return slices.Clone(m.list)
	}
}

// Mention says what a request is about to change: what a key begins with, or a
// version of the model; nothing that a caller may have thought up.
func Mention(ctx context.Context, subject string) {
	m, ok := ctx.Value(mentionsKey{}).(*mentions)
	if !ok {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.list) < maxSubjects {
		m.list = append(m.list, subject)
	}
}

// ByHost returns a context by which a change leaves an entry that says it was made on
// the machine of the store, by a command. The service chains it when it next runs.
func ByHost(ctx context.Context, command string) context.Context {
	ctx, mentioned := WithMentions(ctx)
	return graph.WithNote(ctx, NewNote(time.Now, func() Entry {
		return Entry{Key: KeyHost, Method: command, Code: CodeOK, Content: &Content{Subjects: mentioned()}}
	}))
}
