package bench

import (
	"bufio"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// Report is what a run has measured.
type Report struct {
	Machine   Machine   `json:"machine"`
	Data      Data      `json:"data"`
	Footprint Footprint `json:"footprint"`
	Rows      []Row     `json:"benchmarks"`
}

// Machine is where it was measured. Service, clients and baselines share it.
type Machine struct {
	CPU         string `json:"cpu"`
	Cores       int    `json:"cores"`
	MemoryBytes uint64 `json:"memoryBytes"`
	Go          string `json:"go"`
	OS          string `json:"os"`
	// Load is the system's load average of the last minute before the run: what
	// others did with the machine.
	Load float64 `json:"load"`
}

// Data is what the store held when the corpus was loaded.
type Data struct {
	Seed          uint64 `json:"seed"`
	Cases         int    `json:"cases"`
	Tenants       int    `json:"tenants"`
	ValuesPerCase int    `json:"valuesPerCase"`
	// Postings are the sightings of cases that count.
	Postings int `json:"postings"`
}

// Footprint is what the loaded corpus takes, in bytes. Memory is that of the
// whole process: service, client and generator.
type Footprint struct {
	PeakAnon uint64 `json:"peakAnonBytes"` // while loading and linking
	Anon     uint64 `json:"anonBytes"`     // afterwards
	File     uint64 `json:"fileBytes"`     // mapped files that are in memory
	Heap     uint64 `json:"heapBytes"`     // live Go objects
	Disk     uint64 `json:"diskBytes"`     // of the store
	// DiskPerPosting is Disk by Data.Postings.
	DiskPerPosting float64 `json:"diskBytesPerPosting"`
}

// Row is one measurement.
type Row struct {
	Name string `json:"name"`
	What string `json:"what"`
	// N is how many there were: calls, or what Unit says where there was one run.
	N int `json:"n"`
	// P50 and P99 are latencies in microseconds, P50 alone the time of a single
	// run; 0 where they have no meaning.
	P50 float64 `json:"p50Micros,omitempty"`
	P99 float64 `json:"p99Micros,omitempty"`
	// Rate is the median over the rounds, in Units a second.
	Rate   float64 `json:"ratePerSecond"`
	Unit   string  `json:"unit"`
	Ratios []Ratio `json:"ratios,omitempty"`
	// Note says where the number is not what its name promises.
	Note string `json:"note,omitempty"`
}

// Ratio is a measurement by its baseline, another row of the same run.
type Ratio struct {
	Value float64 `json:"value"`
	Of    string  `json:"of"` // p50 or rate
	To    string  `json:"to"` // the name of the row
}

// add adds rows, and says where the linker took its share of the machine.
func (r *runner) add(rows ...Row) {
	for _, row := range rows {
		if r.behind && row.Note == "" {
			row.Note = "measured while the linker was busy with its backlog"
		}
		r.report.Rows = append(r.report.Rows, row)
	}
}

// machine says where the process runs, as far as the system tells.
func machine() Machine {
	m := Machine{CPU: runtime.GOARCH, Cores: runtime.GOMAXPROCS(0), Go: runtime.Version(), OS: runtime.GOOS + "/" + runtime.GOARCH}
	if name := field("/proc/cpuinfo", "model name"); name != "" {
		m.CPU = name
	}
	m.MemoryBytes = kilobytes(field("/proc/meminfo", "MemTotal"))
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.OS += " " + strings.TrimSpace(string(release))
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		first, _, _ := strings.Cut(string(load), " ")
		m.Load, _ = strconv.ParseFloat(first, 64)
	}
	return m
}

// field returns the first value of a name in a file of "name: value" lines, ""
// where there is none.
func field(path, name string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, val, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(val)
		}
	}
	return ""
}

// kilobytes reads a size such as "12 kB" and returns it in bytes.
func kilobytes(s string) uint64 {
	n, err := strconv.ParseUint(strings.TrimSuffix(s, " kB"), 10, 64)
	if err != nil {
		return 0
	}
	return n << 10
}

// anon and file are the parts of the resident set.
func anon() uint64 { return kilobytes(field("/proc/self/status", "RssAnon")) }
func file() uint64 { return kilobytes(field("/proc/self/status", "RssFile")) }
