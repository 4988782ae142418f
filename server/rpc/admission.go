package rpc

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Bounds of what waits to be stored. Above them a caller is told to come back
// instead of the process growing.
const (
	// activeSubmits are at the writer at a time: enough to share a commit.
	activeSubmits = 128
	// activeLarge is how many of them may be large, so that a small case waits
	// for one large case at most.
	activeLarge = 1
	// largeObservables is the number of observables from which a case is large.
	largeObservables = 1_000
	// waitingSubmits wait over all callers, waitingOfCaller of one.
	waitingSubmits  = 4_096
	waitingOfCaller = 1_024
	// waitingObservables wait over all callers, about 200 MB where they are long.
	waitingObservables = 200_000
	// busyRetry is when a caller that was turned away may try again.
	busyRetry = time.Second
)

// errBusy is returned to a caller whose share of the queue is full.
var errBusy = errors.New("too many cases wait to be stored")

// admission lets submits through to the store: in turn among callers, each
// caller's in order, and no more at a time than the store makes use of.
type admission struct {
	mu      sync.Mutex
	callers map[string]*waitingLine
	turns   []*waitingLine // callers with somebody waiting, whose turn is next first
	waiting int
	// observables are those of the cases that wait.
	observables int
	active      int
	large       int // active ones
}

// waitingLine is what one caller has waiting.
type waitingLine struct {
	caller  string
	tickets []*ticket
}

type ticket struct {
	observables int
	admitted    chan struct{}
}

func (t *ticket) large() bool { return t.observables >= largeObservables }

// enter waits for a place and returns the function that gives it back. A caller
// whose line is full gets errBusy at once.
func (a *admission) enter(ctx context.Context, caller string, observables int) (leave func(), err error) {
	t := &ticket{observables: observables, admitted: make(chan struct{})}
	a.mu.Lock()
	line := a.callers[caller]
	if line == nil {
		line = &waitingLine{caller: caller}
		if a.callers == nil {
			a.callers = make(map[string]*waitingLine)
		}
		a.callers[caller] = line
	}
	if a.waiting >= waitingSubmits || len(line.tickets) >= waitingOfCaller ||
		a.waiting > 0 && a.observables+observables > waitingObservables {
		a.drop(line)
		a.mu.Unlock()
		return nil, errBusy
	}
	if len(line.tickets) == 0 {
		a.turns = append(a.turns, line)
	}
	line.tickets = append(line.tickets, t)
	a.waiting++
	a.observables += t.observables
	a.admit()
	a.mu.Unlock()
	select {
	case <-t.admitted:
		return func() { a.leave(t) }, nil
	case <-ctx.Done():
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	select {
	case <-t.admitted:
		a.release(t)
	default:
		a.forget(line, t)
	}
	return nil, ctx.Err()
}

func (a *admission) leave(t *ticket) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.release(t)
}

// release gives a place back and fills it.
func (a *admission) release(t *ticket) {
	a.active--
	if t.large() {
		a.large--
	}
	a.admit()
}

// admit lets in who is next, one of each caller in turn. A large case that has
// to wait for another is passed by, with those behind it in its line.
func (a *admission) admit() {
	for passed := 0; a.active < activeSubmits && passed < len(a.turns); {
		line := a.turns[0]
		a.turns = a.turns[1:]
		t := line.tickets[0]
		if t.large() && a.large >= activeLarge {
			a.turns = append(a.turns, line)
			passed++
			continue
		}
		passed = 0
		line.tickets = line.tickets[1:]
		a.waiting--
		a.observables -= t.observables
		a.active++
		if t.large() {
			a.large++
		}
		close(t.admitted)
		if len(line.tickets) > 0 {
			a.turns = append(a.turns, line)
		}
		a.drop(line)
	}
}

// forget takes away a ticket whose holder has gone.
func (a *admission) forget(line *waitingLine, gone *ticket) {
	for i, t := range line.tickets {
		if t == gone {
			line.tickets = append(line.tickets[:i:i], line.tickets[i+1:]...)
			a.waiting--
			a.observables -= t.observables
			break
		}
	}
	if len(line.tickets) == 0 {
		for i, l := range a.turns {
			if l == line {
				a.turns = append(a.turns[:i:i], a.turns[i+1:]...)
				break
			}
		}
	}
	a.drop(line)
	// The one that is gone may have held up those behind it.
	a.admit()
}

// Submits returns how many cases wait for their turn, and how many are at the store.
func (s *Service) Submits() (waiting, storing int) { return s.admission.depth() }

func (a *admission) depth() (waiting, active int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.waiting, a.active
}

// drop forgets a caller with nobody waiting.
func (a *admission) drop(line *waitingLine) {
	if len(line.tickets) == 0 && a.callers[line.caller] == line {
		delete(a.callers, line.caller)
	}
}
