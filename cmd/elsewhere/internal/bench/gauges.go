package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// The service's metrics that are read.
const (
	gaugeMarks  = "elsewhere_linker_backlog_marks"
	gaugeAge    = "elsewhere_linker_backlog_oldest_age_seconds"
	gaugeSweep  = "elsewhere_linker_sweep_pending"
	gaugeActors = "elsewhere_actors_pending"
	gaugeHeap   = "go_memstats_heap_alloc_bytes"
)

// backlog is what the linker has not done yet.
type backlog struct {
	marks    int
	age      time.Duration
	sweeping bool
	grouping bool // actors are not current
}

func (b backlog) linked() bool { return b.marks == 0 && !b.sweeping }

func (b backlog) done() bool { return b.linked() && !b.grouping }

// A service that is busy may miss a reading of its metrics, but not all.
const (
	metricsTries  = 5
	metricsWithin = 20 * time.Second
)

// errMetrics is returned where the service does not show what is asked for.
var errMetrics = errors.New("metrics of the service")

// backlog asks the service how far its linker is.
func (s *service) backlog(ctx context.Context) (b backlog, err error) {
	g, err := s.gauges(ctx, gaugeMarks, gaugeAge, gaugeSweep, gaugeActors)
	if err != nil {
		return b, err
	}
	return backlog{int(g[gaugeMarks]), time.Duration(g[gaugeAge] * float64(time.Second)), g[gaugeSweep] != 0, g[gaugeActors] != 0}, nil
}

// gauges reads metrics without labels.
func (s *service) gauges(ctx context.Context, names ...string) (values map[string]float64, err error) {
	for range metricsTries {
		if values, err = s.read(ctx, names); err == nil || ctx.Err() != nil {
			break
		}
	}
	return values, err
}

func (s *service) read(ctx context.Context, names []string) (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, metricsWithin)
	defer cancel()
	body, err := s.get(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	defer body.Close()
	all := make(map[string]float64)
	for in := bufio.NewScanner(body); in.Scan(); {
		name, text, _ := strings.Cut(in.Text(), " ")
		if value, err := strconv.ParseFloat(text, 64); err == nil {
			all[name] = value
		}
	}
	for _, name := range names {
		if _, ok := all[name]; !ok {
			return nil, fmt.Errorf("%w: no %s", errMetrics, name)
		}
	}
	return all, nil
}

// get asks for a page of the service's HTTP side.
func (s *service) get(ctx context.Context, path string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.metrics+path, nil)
	if err != nil {
		return nil, err
	}
	res, err := s.http.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("%w: %s", errMetrics, res.Status), res.Body.Close())
	}
	return res.Body, nil
}

// profileSeconds is the length of one CPU profile.
const profileSeconds = 5

// profile writes CPU profiles of a service one after the other, named after the
// benchmark in which they began, as long as it runs. A service that stops ends
// the last one early; wait waits for that.
func (r *runner) profile(s *service) (wait func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for n := 0; ; n++ {
			name := fmt.Sprintf("%s-%d-%03d.pprof", *r.running.Load(), s.cmd.Process.Pid, n)
			if s.writeProfile(context.Background(), filepath.Join(r.Profiles, name)) != nil {
				// The service is gone.
				return
			}
		}
	}()
	return func() { <-ended }
}

func (s *service) writeProfile(ctx context.Context, path string) error {
	body, err := s.get(ctx, fmt.Sprintf("/debug/pprof/profile?seconds=%d", profileSeconds))
	if err != nil {
		return err
	}
	defer body.Close()
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, body)
	return errors.Join(err, f.Close())
}
