package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// likelihood writes a likelihood with three decimals and without the zero that
// all of them begin with.
func likelihood(p float64) string {
	thousandths := int(math.Floor(p*1000 + .5))
	switch {
	case thousandths <= 0:
		return "<.001"
	case thousandths >= 1000:
		return "1.000"
	}
	return fmt.Sprintf(".%03d", thousandths)
}

// bits writes millibits as bits with two decimals and a sign.
func bits(millibits int32) string {
	n := int64(millibits)
	sign := "+"
	if n < 0 {
		sign, n = "-", -n
	}
	hundredths := (n + 5) / 10
	if hundredths == 0 {
		sign = ""
	}
	return fmt.Sprintf("%s%d.%02d", sign, hundredths/100, hundredths%100)
}

// number writes a parameter of the model: at most three decimals and no zero in
// front.
func number(f float64) string {
	s := strconv.FormatFloat(f, 'f', 3, 64)
	s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	if rest, ok := strings.CutPrefix(s, "0."); ok {
		return "." + rest
	}
	if s == "0" && f > 0 {
		return "<.001"
	}
	return s
}

// thousands writes a count with separators.
func thousands(n uint32) string {
	s := strconv.FormatUint(uint64(n), 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// count writes a number with its noun.
func count(n int, singular, plural string) string {
	if n == 1 {
		return "1 " + singular
	}
	return thousands(uint32(n)) + " " + plural
}

// tierName returns the name of a tier as people and flags write it.
func tierName(t elsewherev1.Tier) string {
	name, ok := strings.CutPrefix(t.String(), "TIER_")
	if !ok || t == elsewherev1.Tier_TIER_UNSPECIFIED {
		return "unknown tier"
	}
	return strings.ReplaceAll(strings.ToLower(name), "_", "-")
}

// day writes the UTC day of a time, "?" if there is none.
func day(t *timestamppb.Timestamp) string {
	if t == nil || t.CheckValid() != nil {
		return "?"
	}
	return t.AsTime().UTC().Format(time.DateOnly)
}

// span writes the days from first to last.
func span(first, last *timestamppb.Timestamp) string {
	from, to := day(first), day(last)
	if from == to {
		if from == "?" {
			return "no date"
		}
		return from
	}
	return from + " .. " + to
}

// safeAll makes strings of others fit for a line.
func safeAll(list []string, limit int) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = safe(s, limit)
	}
	return out
}

// months writes a time of which only the months are known.
func months(first, last *timestamppb.Timestamp) string {
	from, to := first.AsTime().Format("2006-01"), last.AsTime().Format("2006-01")
	if !first.IsValid() || from == to {
		return to
	}
	return from + " .. " + to
}
