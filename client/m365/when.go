package m365

import (
	"strconv"
	"strings"
	"time"
)

// parseTime reads a time that is not in anybody's culture: ISO with or without
// zone and fraction (UTC where there is no zone), the dates of Microsoft's JSON
// serializer, seconds or milliseconds since 1970.
func parseTime(s string) (time.Time, bool) {
	s = trim(s)
	if len(s) == 19 || len(s) == 20 && s[19] == 'Z' {
		if t, ok := parsePlain(s); ok {
			return plausible(t)
		}
	}
	if len(s) > 10 && s[4] == '-' {
		for _, layout := range [...]string{
			"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04:05.999999999",
			"2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999",
			"2006-01-02 15:04:05.999999999 -07:00", "2006-01-02 15:04:05.999999999 MST", "2006-01-02T15:04Z07:00",
		} {
			if t, err := time.Parse(layout, s); err == nil {
				return plausible(t)
			}
		}
		return time.Time{}, false
	}
	if d, ok := strings.CutPrefix(s, "/Date("); ok {
		s = strings.TrimSuffix(d, ")/")
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		t := time.Unix(n, 0)
		if n > 1e11 {
			t = time.UnixMilli(n)
		}
		return plausible(t)
	}
	return time.Time{}, false
}

// plausible keeps out what no audit log can hold, and what a case would refuse.
func plausible(t time.Time) (time.Time, bool) {
	if t.Year() < 1990 || t.Year() >= 2200 {
		return time.Time{}, false
	}
	return t.UTC(), true
}

// parsePlain reads 2006-01-02T15:04:05, by far the most common form.
func parsePlain(s string) (time.Time, bool) {
	if s[4] != '-' || s[7] != '-' || (s[10] != 'T' && s[10] != ' ') || s[13] != ':' || s[16] != ':' {
		return time.Time{}, false
	}
	var n [6]int
	for i, at := range [...]int{0, 5, 8, 11, 14, 17} {
		width := 2
		if i == 0 {
			width = 4
		}
		for _, c := range []byte(s[at : at+width]) {
			if c < '0' || c > '9' {
				return time.Time{}, false
			}
			n[i] = n[i]*10 + int(c-'0')
		}
	}
	t := time.Date(n[0], time.Month(n[1]), n[2], n[3], n[4], n[5], 0, time.UTC)
	// A date that the calendar had to move is none.
	return t, t.Month() == time.Month(n[1]) && t.Day() == n[2] && n[3] < 24 && n[4] < 60 && n[5] < 60
}

// parseRowTime reads the date of an envelope. Month and day are told apart only
// where the value itself or the portal (monthFirst) does so; else there is no
// time.
func parseRowTime(s string, monthFirst bool) (time.Time, bool) {
	if t, ok := parseTime(s); ok {
		return t, true
	}
	s = strings.ReplaceAll(strings.ReplaceAll(trim(s), "\u202f", " "), ",", "")
	date, clock, _ := strings.Cut(s, " ")
	parts := strings.FieldsFunc(date, func(r rune) bool { return r == '/' || r == '.' || r == '-' })
	if len(parts) != 3 || len(parts[2]) != 4 {
		return time.Time{}, false
	}
	var n [3]int
	for i := range parts {
		v, err := strconv.Atoi(parts[i])
		if err != nil || v <= 0 {
			return time.Time{}, false
		}
		n[i] = v
	}
	month, day := n[0], n[1]
	switch {
	case n[0] > 12 && n[1] <= 12:
		month, day = n[1], n[0]
	case n[0] <= 12 && n[1] > 12, n[0] == n[1], monthFirst:
	default:
		return time.Time{}, false
	}
	var at time.Time
	for _, layout := range [...]string{"3:04:05 PM", "15:04:05", "3:04:05.999 PM", "3:04 PM", "15:04"} {
		t, err := time.Parse(layout, strings.ToUpper(trim(clock)))
		if err == nil {
			at = t
			break
		}
		if layout == "15:04" {
			return time.Time{}, false
		}
	}
	t := time.Date(n[2], time.Month(month), day, at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), time.UTC)
	if t.Day() != day || int(t.Month()) != month {
		return time.Time{}, false
	}
	return plausible(t)
}
