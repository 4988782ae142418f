package enrich

import (
	"context"
	"sync"
)

// flights lets all who ask the same question at the same time share one answer.
type flights struct {
	mu      sync.Mutex
	running map[string]*flight
	closed  bool
	wg      sync.WaitGroup
}

// flight is one question on its way.
type flight struct {
	purpose Purpose
	done    chan struct{}
	answer  Answer // read only after done
}

// ask returns the answer to the question under key, which ask asks by itself
// when nobody has. The look-up has a context of its own: it goes on when this
// asker leaves, because its share of the quota is spent and others may have
// joined. ok is false if the asker's context ended first or after close.
func (f *flights) ask(ctx context.Context, key string, purpose Purpose, look func() Answer) (ans Answer, ok bool) {
	for {
		f.mu.Lock()
		if f.closed {
			f.mu.Unlock()
			return Answer{}, false
		}
		fl, joined := f.running[key]
		if !joined {
			fl = f.start(key, purpose, look)
		}
		f.mu.Unlock()
		select {
		case <-fl.done:
		case <-ctx.Done():
			return Answer{}, false
		}
		// A person may use the share that a background question could not.
		if joined && fl.answer.Status == Quota && fl.purpose == Background && purpose == Interactive {
			continue
		}
		return fl.answer, true
	}
}

// refresh asks in the background unless somebody does already.
func (f *flights) refresh(key string, look func() Answer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, running := f.running[key]; !running && !f.closed {
		f.start(key, Background, look)
	}
}

// start needs f.mu.
func (f *flights) start(key string, purpose Purpose, look func() Answer) *flight {
	fl := &flight{purpose: purpose, done: make(chan struct{})}
	if f.running == nil {
		f.running = make(map[string]*flight)
	}
	f.running[key] = fl
	f.wg.Go(func() {
		fl.answer = look()
		f.mu.Lock()
		delete(f.running, key)
		f.mu.Unlock()
		close(fl.done)
	})
	return fl
}

// close refuses new questions and waits for the running ones.
func (f *flights) close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.wg.Wait()
}
