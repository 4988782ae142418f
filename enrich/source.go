package enrich

import (
	"context"
	"slices"
	"time"
)

// Purpose is why somebody asks. It decides which share of a quota may be used.
type Purpose uint8

// The purposes.
const (
	// Interactive: a person waits.
	Interactive Purpose = iota
	// Background: nobody waits; the share of interactive questions stays free.
	Background
)

// Source answers what it knows about one value.
type Source interface {
	// About describes the source; it never changes.
	About() About
	// Lookup answers about a value of a kind that About names. It returns soon
	// after ctx ends, never fails otherwise than by its Status, and fills Status,
	// Fields, Claims, Detail and RetryAt. Many goroutines call it at once. A local
	// source answers from memory.
	Lookup(ctx context.Context, v Value, purpose Purpose) Answer
}

// About describes a source.
type About struct {
	// Name is short, lower case, stable and unique: it stands in records and keys.
	Name string
	// Kinds are what the source can be asked about.
	Kinds []Kind
	// Fields are the names it may fill: a record shows each of them as not looked
	// up when the source was not asked.
	Fields []string
	// ThirdParty says that asking discloses the value outside the deployment. Only
	// such sources are gated, kept and bounded.
	ThirdParty bool
	// Fresh is how long a kept answer is as good as a new one; after that it is
	// served marked stale for Stale more while it is asked again.
	Fresh, Stale time.Duration
	// Timeout bounds one look-up of a third party; 0 is DefaultTimeout.
	Timeout time.Duration
	// Concurrency bounds the look-ups of a third party that run at the same time;
	// 0 is DefaultConcurrency.
	Concurrency int
}

// Bounds on third parties that do not state their own.
const (
	DefaultTimeout     = 10 * time.Second
	DefaultConcurrency = 8
)

// answers reports whether the source can be asked about v.
func (a About) answers(v Value) bool { return slices.Contains(a.Kinds, v.Kind) }

// without returns an answer that carries only a status.
func (a About) without(s Status, why string) Answer {
	return Answer{Source: a.Name, Status: s, Detail: why}
}

// fields appends an answer's fields as a record shows them: with the source's
// name and times, and a line for every field of a source that gave no answer.
func (a About) fields(fields []Field, ans Answer) []Field {
	for _, f := range ans.Fields {
		// A local source holds many feeds and names the one; a third party is one.
		if f.Source == "" || a.ThirdParty {
			f.Source = a.Name
		}
		f.LookedUpAt, f.Stale, f.CaseTime = ans.LookedUpAt, ans.Stale, false
		fields = append(fields, f)
	}
	for _, name := range a.Fields {
		if slices.ContainsFunc(ans.Fields, func(f Field) bool { return f.Name == name }) {
			continue
		}
		status := ans.Status
		if status == OK {
			status = NoData
		}
		fields = append(fields, Field{
			Name: name, Source: a.Name, LookedUpAt: ans.LookedUpAt, Status: status, Stale: ans.Stale, Detail: ans.Detail,
		})
	}
	return fields
}
