package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// byteSize is a number of bytes as a flag: 512MiB, 2GiB; the units are those of
// GOMEMLIMIT.
type byteSize uint64

var byteUnits = []struct {
	name string
	size uint64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// String returns b in the largest unit that shows it exactly.
func (b byteSize) String() string {
	for _, u := range byteUnits {
		if n := uint64(b); n >= u.size && n%u.size == 0 {
			return strconv.FormatUint(n/u.size, 10) + u.name
		}
	}
	return "0"
}

// Set reads a whole number with a unit, or 0.
func (b *byteSize) Set(text string) error {
	if text == "0" {
		*b = 0
		return nil
	}
	for _, u := range byteUnits {
		digits, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 64)
		if err != nil || n > math.MaxInt64/u.size {
			break
		}
		*b = byteSize(n * u.size)
		return nil
	}
	return fmt.Errorf("%q: want a size as 512MiB or 2GiB", text)
}

// Type is what help calls a value without a name.
func (*byteSize) Type() string { return "size" }
