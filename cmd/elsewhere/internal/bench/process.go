package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bounds of what is waited for. A large store needs a while to write what it
// holds in memory.
const (
	startWithin = 2 * time.Minute
	stopWithin  = 2 * time.Minute
)

// saidLines is how many of the last lines of a process are told if it fails.
const saidLines = 8

// process is a child of this one.
type process struct {
	cmd *exec.Cmd
	// exited is closed at its end, after which err is what Wait returned.
	exited chan struct{}
	err    error

	mu   sync.Mutex
	said []string // its last lines
}

// launch starts a command and hands over its lines from one of its outputs.
func launch(cmd *exec.Cmd, lines io.ReadCloser, line func(string)) (*process, error) {
	p := &process{cmd: cmd, exited: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		for in := bufio.NewScanner(lines); in.Scan(); {
			p.mu.Lock()
			if p.said = append(p.said, in.Text()); len(p.said) > saidLines {
				p.said = p.said[1:]
			}
			p.mu.Unlock()
			line(in.Text())
		}
		// A line that is too long to scan must not keep the process waiting.
		_, _ = io.Copy(io.Discard, lines)
		p.err = cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// failure says how the process ended, with what it said last.
func (p *process) failure(err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Errorf("%w: %s", err, strings.Join(p.said, "; "))
}

// interrupt asks the process to stop; where nobody can be asked it is killed.
func (p *process) interrupt() {
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.kill()
	}
}

func (p *process) kill() { _ = p.cmd.Process.Kill() }

// errStop is returned where a process does not stop when asked to.
var errStop = errors.New("did not stop")

// stop interrupts the process and waits for its end.
func (p *process) stop() error {
	p.interrupt()
	timer := time.NewTimer(stopWithin)
	defer timer.Stop()
	select {
	case <-p.exited:
	case <-timer.C:
		p.kill()
		<-p.exited
		return p.failure(errStop)
	}
	if p.err != nil {
		return p.failure(p.err)
	}
	return nil
}

// anon and file are the parts of the resident set of the process.
func (p *process) anon() uint64 { return kilobytes(field(p.status(), "RssAnon")) }
func (p *process) file() uint64 { return kilobytes(field(p.status(), "RssFile")) }

// ticksPerSecond is the unit in which Linux tells the time that a process took,
// whatever its kernel counts in.
const ticksPerSecond = 100

// cpu returns the processor time that the process has taken, 0 where the system
// does not tell.
func (p *process) cpu() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	// The second field is the program's name, in brackets and with any bytes.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * time.Second / ticksPerSecond
}

func (p *process) status() string { return fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid) }

// every calls f now and then after each pause until it is stopped.
func every(pause time.Duration, f func()) (stop func()) {
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(pause)
		defer tick.Stop()
		for {
			f()
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	})
	return sync.OnceFunc(func() {
		close(done)
		running.Wait()
	})
}

// memoryEvery is how often memory is looked at where its most is asked for.
const memoryEvery = 50 * time.Millisecond

// watch keeps the most anonymous memory that a process has until it is stopped.
func (p *process) watch(peak *uint64) (stop func()) {
	return every(memoryEvery, func() { *peak = max(*peak, p.anon()) })
}

// wait waits for a time.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
