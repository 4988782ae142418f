package web_test

import (
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// late returns the address of a service with answers that come later, each by a time of
// its own, so that they also overtake each other. Where times is 1 it is the service.
func late(t *testing.T, url string, times int) string {
	t.Helper()
	if times <= 1 {
		return url
	}
	to := strings.TrimPrefix(url, "http://")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	var open sync.Map
	running.Go(func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			open.Store(from, nil)
			running.Go(func() {
				defer open.Delete(from)
				pass(from, to, times)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		open.Range(func(c, _ any) bool {
			c.(net.Conn).Close()
			return true
		})
		running.Wait()
	})
	return "http://" + l.Addr().String()
}

// pass hands on what a connection asks and is answered.
func pass(from net.Conn, to string, times int) {
	defer from.Close()
	there, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer there.Close()
	var asked atomic.Bool
	go func() {
		_, _ = io.Copy(there, &marked{from, &asked})
		there.Close()
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := there.Read(buffer)
		// Only where an answer begins: a long one has many parts.
		if n > 0 && asked.Swap(false) {
			<-time.After(delay(times))
		}
		if _, failed := from.Write(buffer[:n]); failed != nil || err != nil {
			return
		}
	}
}

// marked notes that something was read.
type marked struct {
	io.Reader
	read *atomic.Bool
}

func (m *marked) Read(b []byte) (int, error) {
	n, err := m.Reader.Read(b)
	m.read.Store(true)
	return n, err
}

// delay is mostly short, sometimes long: up to 20 ms, one of ten up to 200 ms, times how
// slow it is.
func delay(times int) time.Duration {
	most := 20
	if rand.IntN(10) == 0 {
		most = 200
	}
	return time.Duration(rand.IntN(most*times)) * time.Millisecond
}
