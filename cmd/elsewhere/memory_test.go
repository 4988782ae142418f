package main

import (
	"math"
	"runtime/debug"
	"testing"
)

func TestByteSize(t *testing.T) {
	for text, want := range map[string]uint64{
		"0": 0, "1B": 1, "512MiB": 512 << 20, "2GiB": 2 << 30, "1TiB": 1 << 40, "3KiB": 3 << 10, "8388607TiB": 8388607 << 40,
	} {
		var b byteSize
		if err := b.Set(text); err != nil || uint64(b) != want || b.String() != text {
			t.Errorf("%s: %d, shown as %v, %v", text, uint64(b), b, err)
		}
	}
	for _, text := range []string{"", "1", "1GB", "GiB", "-1GiB", "1.5GiB", "1 GiB", "8388608TiB", "99999999999999999999B", "+1B"} {
		var b byteSize
		if err := b.Set(text); err == nil {
			t.Errorf("%q is %v", text, b)
		}
	}
}

func TestLimitMemory(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	for _, step := range []struct {
		env   string
		limit byteSize
		said  string
		set   int64
	}{
		{"", 512 << 20, "memory limit 512MiB", 512 << 20},
		{"", 0, "no memory limit", math.MaxInt64},
		// The runtime has read the variable long before; its value stands.
		{"off", 512 << 20, "no memory limit (GOMEMLIMIT)", before},
	} {
		t.Setenv("GOMEMLIMIT", step.env)
		if step.env != "" && before != math.MaxInt64 {
			step.said = "memory limit " + byteSize(before).String() + " (GOMEMLIMIT)"
		}
		said, restore := limitMemory(step.limit)
		if got := debug.SetMemoryLimit(-1); got != step.set || said != step.said {
			t.Errorf("%+v: limit %d, said %q", step, got, said)
		}
		restore()
		if got := debug.SetMemoryLimit(-1); got != before {
			t.Errorf("%+v: left a limit of %d", step, got)
		}
	}
}
