package observe

import (
	"cmp"
	"errors"
	"runtime"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// NewRegistry returns a registry that holds what is known of the process: the
// build, the Go runtime, and memory and files as the operating system sees them.
func NewRegistry() (*prometheus.Registry, error) {
	reg := prometheus.NewRegistry()
	version, revision := Build()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "elsewhere_build_info",
		Help: "Always 1; the labels say what is running.",
		ConstLabels: prometheus.Labels{
			"version": version, "revision": revision, "goversion": runtime.Version(),
		},
	})
	build.Set(1)
	return reg, errors.Join(
		reg.Register(build),
		reg.Register(collectors.NewGoCollector()),
		reg.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})),
	)
}

// Build returns the version of this build and the commit it was made from, ""
// if that is not known.
func Build() (version, revision string) {
	version = "(unknown)"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version, ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			revision = s.Value
		}
	}
	return cmp.Or(info.Main.Version, version), revision
}
