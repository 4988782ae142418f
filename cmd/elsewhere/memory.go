package main

import (
	"fmt"
	"math"
	"os"
	"runtime/debug"
)

const (
	// defaultMemoryLimit is what a bulk load needs at its peak. Without a limit
	// the runtime lets the heap grow to twice what is in use before it collects.
	defaultMemoryLimit byteSize = 1 << 30
	// rebuildMemoryLimit is what linking a million cases of 20 values anew needs.
	rebuildMemoryLimit byteSize = 1280 << 20
	// minMemoryLimit is what the store's buffers take; with less the collector
	// would never rest.
	minMemoryLimit byteSize = 256 << 20
	// cacheShare is the part of the limit that the store's caches get: one in so
	// many.
	cacheShare = 16
)

// checkMemoryLimit refuses a limit that cannot be kept.
func checkMemoryLimit(limit byteSize) error {
	if limit != 0 && limit < minMemoryLimit {
		return usageError{fmt.Errorf("memory limit %v: want %v at least, or 0 for none", limit, minMemoryLimit)}
	}
	return nil
}

// limitMemory sets the soft limit of the Go runtime, unless GOMEMLIMIT has set
// it, and returns what it is now, for people, and a function that puts back the
// one from before.
func limitMemory(limit byteSize) (said string, restore func()) {
	before := debug.SetMemoryLimit(-1)
	restore = func() { debug.SetMemoryLimit(before) }
	if os.Getenv("GOMEMLIMIT") != "" {
		if before == math.MaxInt64 {
			return "no memory limit (GOMEMLIMIT)", restore
		}
		return fmt.Sprintf("memory limit %v (GOMEMLIMIT)", byteSize(before)), restore
	}
	if limit == 0 {
		debug.SetMemoryLimit(math.MaxInt64)
		return "no memory limit", restore
	}
	debug.SetMemoryLimit(int64(limit))
	return fmt.Sprintf("memory limit %v", limit), restore
}
