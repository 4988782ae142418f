package enrich

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
)

// Book holds what look-ups established about the class of values. An entry stays
// until a later look-up of the same source says otherwise, however long that
// takes: a score must not change because time went by.
//
// It lies in memory and answers many goroutines at once; the Store keeps it.
type Book struct {
	store   Store
	changed func(context.Context, Value) error

	mu    sync.RWMutex
	lines map[Value]bookLine
	// writing orders changes. It is taken before mu, never after.
	writing sync.Mutex
	untold  map[Value]bool // changes not passed on yet; under writing
}

// bookLine is what the store keeps about one value.
type bookLine struct {
	Value Value         `json:"value"`
	By    []sourceClaim `json:"by,omitempty"` // by source, in order of names
	// Untold says that the last change was not passed on yet.
	Untold bool `json:"untold,omitempty"`
}

type sourceClaim struct {
	Source string  `json:"source"`
	Claims []Claim `json:"claims"`
}

const bookSpace = "class"

// OpenBook reads the book. changed is called after the class of a value may have
// changed, when Claims gives the new claims already; it marks the value dirty,
// durably, before it returns. Every change is passed on at least once, also across
// a crash: where changed failed, or the process died, it is called again, with the
// next change or by OpenBook. changed must not cause another look-up to be kept.
func OpenBook(ctx context.Context, store Store, changed func(context.Context, Value) error) (*Book, error) {
	b := &Book{store: store, changed: changed, lines: make(map[Value]bookLine), untold: make(map[Value]bool)}
	for item, err := range store.Scan(ctx, bookSpace+"/") {
		if err != nil {
			return nil, err
		}
		line, err := decodeLine(item.Data)
		if err != nil || bookKey(line.Value) != item.Key {
			// A line that cannot be read is as if the look-up had not been made.
			continue
		}
		if len(line.By) > 0 {
			b.lines[line.Value] = line
		}
		if line.Untold {
			b.untold[line.Value] = true
		}
	}
	b.writing.Lock()
	defer b.writing.Unlock()
	if err := b.tell(ctx); err != nil {
		return nil, err
	}
	return b, nil
}

func bookKey(v Value) string { return storeKey(bookSpace, "book", v) }

// decodeLine reads a line of the book and refuses what put cannot have written.
func decodeLine(data []byte) (bookLine, error) {
	if len(data) > maxKept {
		return bookLine{}, errors.New("the line is too long")
	}
	var line bookLine
	if err := json.Unmarshal(data, &line); err != nil {
		return bookLine{}, err
	}
	if line.Value.Kind == "" || line.Value.Text == "" || line.Value != line.Value.Normal() {
		return bookLine{}, errors.New("the line names no value")
	}
	for i, by := range line.By {
		if by.Source == "" || len(by.Claims) == 0 || (i > 0 && line.By[i-1].Source >= by.Source) {
			return bookLine{}, errors.New("the line has no sources or not in order")
		}
		for _, c := range by.Claims {
			if err := c.check(); err != nil {
				return bookLine{}, err
			}
		}
	}
	return line, nil
}

// Claims returns what look-ups established about a value, for Decide together
// with the claims of local sources. The result may be shared: do not change it.
func (b *Book) Claims(v Value) []Claim {
	b.mu.RLock()
	line := b.lines[v]
	b.mu.RUnlock()
	return line.claims()
}

// Len returns the number of values in the book.
func (b *Book) Len() int {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return len(b.lines)
}

func (l bookLine) claims() []Claim {
	if len(l.By) == 1 {
		return l.By[0].Claims
	}
	var all []Claim
	for _, by := range l.By {
		all = append(all, by.Claims...)
	}
	return all
}

// with returns the line with what a source now says in place of what it said.
func (l bookLine) with(source string, claims []Claim) bookLine {
	l.By = slices.DeleteFunc(slices.Clone(l.By), func(by sourceClaim) bool { return by.Source == source })
	if len(claims) > 0 {
		l.By = append(l.By, sourceClaim{source, claims})
		slices.SortFunc(l.By, func(x, y sourceClaim) int { return strings.Compare(x.Source, y.Source) })
	}
	return l
}

// learn replaces what a source established about a value. kept says that the
// store has it, whatever became of passing it on.
func (b *Book) learn(ctx context.Context, v Value, source string, claims []Claim) (kept bool, err error) {
	b.writing.Lock()
	defer b.writing.Unlock()
	b.mu.RLock()
	old := b.lines[v]
	b.mu.RUnlock()
	line := old.with(source, claims)
	line.Value = v
	if slices.EqualFunc(old.By, line.By, func(x, y sourceClaim) bool {
		return x.Source == y.Source && slices.Equal(x.Claims, y.Claims)
	}) {
		return true, b.tell(ctx)
	}
	moved := b.untold[v] || !sameEffect(old.claims(), line.claims())
	// The store says untold before anybody can see the new class, so that no
	// crash comes between the two.
	line.Untold = moved
	if err := b.put(ctx, line); err != nil {
		return false, err
	}
	if moved {
		b.untold[v] = true
	}
	b.mu.Lock()
	if len(line.By) == 0 {
		delete(b.lines, v)
	} else {
		b.lines[v] = line
	}
	b.mu.Unlock()
	return true, b.tell(ctx)
}

// sameEffect reports whether two sets of claims have the same effect beside any
// claims of local sources.
func sameEffect(a, b []Claim) bool {
	effects := func(claims []Claim) map[Claim]bool {
		m := make(map[Claim]bool, len(claims))
		for _, c := range claims {
			m[Claim{Effect: c.Effect, Class: c.Class, Grade: c.Grade, Factor: c.Factor}] = true
		}
		return m
	}
	ea, eb := effects(a), effects(b)
	for c := range eb {
		if !ea[c] {
			return false
		}
	}
	return len(ea) == len(eb)
}

// put writes a line to the store. One that says nothing any more goes.
func (b *Book) put(ctx context.Context, line bookLine) error {
	data, err := json.Marshal(line)
	if err != nil {
		return err
	}
	var expire time.Time
	if len(line.By) == 0 && !line.Untold {
		expire = time.Now().Add(-time.Hour)
	}
	return b.store.Put(ctx, bookKey(line.Value), data, expire)
}

// tell passes on what was not passed on yet. It needs b.writing.
func (b *Book) tell(ctx context.Context) error {
	for v := range b.untold {
		if b.changed != nil {
			if err := b.changed(ctx, v); err != nil {
				return err
			}
		}
		b.mu.RLock()
		line := b.lines[v]
		b.mu.RUnlock()
		line.Value, line.Untold = v, false
		if err := b.put(ctx, line); err != nil {
			return err
		}
		delete(b.untold, v)
	}
	return nil
}
