package bench

import (
	"bufio"
	"fmt"
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
	// MarksMost and AgeMost are the largest backlog of the linker that was seen
	// while loading: values, no more than MostMarks, and seconds that the oldest
	// had waited.
	MarksMost int     `json:"backlogMarksMost"`
	AgeMost   float64 `json:"backlogAgeSecondsMost"`
	// Service and Baseline are the tables in which the service and bare Badger
	// had it when they were opened again after the load; zero where nothing that
	// ran needs it.
	Service  Tables `json:"serviceTables"`
	Baseline Tables `json:"baselineTables"`
}

// MostMarks is up to how many values of its backlog the service counts.
const MostMarks = 100_000

// Tables is the state of a Badger database that holds nothing in memory.
type Tables struct {
	Keys int `json:"keys"` // with versions that compaction has not dropped yet
	// Count is the number of tables, LevelZero of those that overlap.
	Count     int `json:"tables"`
	LevelZero int `json:"levelZero"`
}

// Footprint is what the loaded corpus takes, in bytes. Memory is that of the
// service's process alone.
type Footprint struct {
	PeakAnon uint64 `json:"peakAnonBytes"` // while loading and linking
	Anon     uint64 `json:"anonBytes"`     // after a rest
	File     uint64 `json:"fileBytes"`     // mapped files that are in memory
	Heap     uint64 `json:"heapBytes"`     // Go objects, garbage included
	Disk     uint64 `json:"diskBytes"`     // of the store
	// DiskPerPosting is Disk by Data.Postings.
	DiskPerPosting float64 `json:"diskBytesPerPosting"`
}

// What of a row a Ratio or a Bound is about.
const (
	ofP50   = "p50"
	ofP99   = "p99"
	ofRate  = "rate"
	ofBytes = "bytes"
)

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
	// Rate is the median over the rounds, in Units a second; 0 where it has no
	// meaning.
	Rate float64 `json:"ratePerSecond,omitempty"`
	Unit string  `json:"unit,omitempty"`
	// Bytes are of memory or disk, as What says.
	Bytes  uint64  `json:"bytes,omitempty"`
	Ratios []Ratio `json:"ratios,omitempty"`
	Bounds []Bound `json:"bounds,omitempty"`
	// Note says in what state it was measured, and where the number is not what
	// its name promises.
	Note string `json:"note,omitempty"`
}

// note adds to the note of a row.
func (row *Row) note(format string, args ...any) {
	if row.Note != "" {
		row.Note += "; "
	}
	row.Note += fmt.Sprintf(format, args...)
}

// Ratio is a measurement by its baseline, another row of the same run.
type Ratio struct {
	Value float64 `json:"value"`
	Of    string  `json:"of"` // p50, rate or bytes a case
	To    string  `json:"to"` // the name of the row
	Goal  *Goal   `json:"goal,omitempty"`
}

// Bound is a measurement for which there is a goal by itself.
type Bound struct {
	Of    string  `json:"of"`    // p50, p99, rate or bytes
	Value float64 `json:"value"` // in the unit of the row's number
	Goal  Goal    `json:"goal"`
}

// Verdicts on a goal.
const (
	Met    = "met"
	Missed = "missed"
	// Open is a goal that is met by less data than it is meant for.
	Open = "open"
)

// Goal is what the design asks of a number: no more than AtMost, no less than
// AtLeast, whichever is not 0.
type Goal struct {
	AtMost  float64 `json:"atMost,omitempty"`
	AtLeast float64 `json:"atLeast,omitempty"`
	// Cases is the size of the data for which it is meant; 0 is any.
	Cases   int    `json:"cases,omitempty"`
	Verdict string `json:"verdict"` // met, missed or open
}

func (g *Goal) judge(value float64, cases int) {
	switch {
	case g.AtMost > 0 && value > g.AtMost, g.AtLeast > 0 && value < g.AtLeast:
		g.Verdict = Missed
	case cases < g.Cases:
		g.Verdict = Open
	default:
		g.Verdict = Met
	}
}

// add adds rows, says where the linker took its share of the machine and judges
// them as measured with the loaded corpus.
func (r *runner) add(rows ...Row) { r.addAt(r.report.Data.Cases, rows...) }

// addAt is add for rows that were measured with so many cases.
func (r *runner) addAt(cases int, rows ...Row) {
	for _, row := range rows {
		if r.behind {
			row.note("measured while the linker was busy with its backlog")
		}
		for _, ratio := range row.Ratios {
			if ratio.Goal != nil {
				ratio.Goal.judge(ratio.Value, cases)
			}
		}
		for i := range row.Bounds {
			row.Bounds[i].Goal.judge(row.Bounds[i].Value, cases)
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
