package audit

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/elsewhere-project/elsewhere/server/graph"
)

// Mentions are what one request changes, said where it is changed.
type Mentions struct {
	mu                sync.Mutex
	subjects, tenants []string
}

type mentionsKey struct{}

// WithMentions returns a context by which is said what is changed.
func WithMentions(ctx context.Context) (context.Context, *Mentions) {
	m := &Mentions{}
	return context.WithValue(ctx, mentionsKey{}, m), m
}

// Subjects returns what was mentioned so far.
func (m *Mentions) Subjects() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.subjects)
}

// Tenants returns the tenants that were mentioned so far.
func (m *Mentions) Tenants() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.tenants)
}

// Mention says what a request is about to change, and for which tenants: what a key
// begins with, or a version of the model; nothing that a caller may have thought up. A
// subject of "" is none.
func Mention(ctx context.Context, subject string, tenants ...string) {
	m, ok := ctx.Value(mentionsKey{}).(*Mentions)
	if !ok {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if subject != "" && len(m.subjects) < maxSubjects {
		m.subjects = append(m.subjects, subject)
	}
	if len(m.tenants) < MaxTenants {
		m.tenants = append(m.tenants, tenants...)
	}
}

// ByHost returns a context by which a change leaves an entry that says it was made on
// the machine of the store, by a command. The service chains it when it next runs.
func ByHost(ctx context.Context, command string) context.Context {
	ctx, mentioned := WithMentions(ctx)
	return graph.WithNote(ctx, NewNote(time.Now, func() Entry {
		return Entry{Key: KeyHost, Method: command, Code: CodeOK, Content: &Content{Subjects: mentioned.Subjects(), Tenants: mentioned.Tenants()}}
	}))
}
