package taxii

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Query says which objects are wanted.
type Query struct {
	AddedAfter time.Time // zero: from the beginning
	Limit      int       // 1 to MaxLimit
	Next       string    // of the page before
	// Those wanted, where any are given, at most MaxWanted of each.
	IDs, Types, SpecVersions []string
	// Versions are first, last, all and times.
	Versions []string
	// Bare leaves the objects themselves out.
	Bare bool
}

// Bounds of a query.
const (
	MaxLimit     = 1_000
	defaultLimit = 100
	MaxWanted    = 100
	maxNext      = 512
)

var (
	typeForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,249}$`)
	idForm   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,249}--[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)
	specForm = regexp.MustCompile(`^[0-9]{1,3}\.[0-9]{1,3}$`)
)

// parameterError is a parameter that cannot be read.
func parameterError(name, why string) *Error {
	return &Error{
		Status: http.StatusBadRequest, Title: "A parameter cannot be read", Description: name + ": " + why, Code: "PARAMETER_INVALID",
		Details: map[string]string{name: why},
	}
}

// parseQuery reads the parameters of a request. Of those that the standard defines only
// the ones in fields, and paging, are taken; others are none of ours.
func parseQuery(raw string, fields ...string) (Query, error) {
	q := Query{Limit: defaultLimit}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return q, parameterError("query", "it cannot be read")
	}
	for name, given := range values {
		field, isMatch := strings.CutPrefix(name, "match[")
		field, closed := strings.CutSuffix(field, "]")
		switch {
		case isMatch && (!closed || !slices.Contains(fields, field)):
			return q, parameterError("match", "the fields to match here are "+strings.Join(fields, ", "))
		case !isMatch && name != "added_after" && name != "limit" && name != "next":
			continue
		case len(given) != 1:
			return q, parameterError(name, "it is given more than once")
		}
		if isMatch {
			name = field
		}
		if err := q.set(name, given[0]); err != nil {
			return q, err
		}
	}
	return q, nil
}

// set reads one parameter.
func (q *Query) set(name, given string) error {
	var err error
	switch name {
	case "added_after":
		if q.AddedAfter, err = parseTime(given); err != nil {
			return parameterError(name, "want a time as in 2026-11-22T10:00:00.123456Z")
		}
	case "limit":
		n, err := strconv.ParseUint(given, 10, 63)
		if err != nil || n == 0 {
			return parameterError(name, "want a number from 1 on")
		}
		// More than we tell at a time is no error: the answer says that there is more.
		q.Limit = int(min(n, MaxLimit))
	case "next":
		if len(given) > maxNext {
			return parameterError(name, "it is none of ours")
		}
		q.Next = given
	case "id":
		q.IDs, err = parseList(name, given, idForm.MatchString, "identifiers of objects, as in indicator--7bbd7ec8-5bd8-4a3b-a1c1-4ee2a3dd8c3d")
	case "type":
		q.Types, err = parseList(name, given, typeForm.MatchString, "types of objects, as in indicator")
	case "spec_version":
		q.SpecVersions, err = parseList(name, given, specForm.MatchString, "versions of STIX, as in 2.1")
	case "version":
		q.Versions, err = parseVersions(given)
	}
	return err
}

func parseList(name, given string, fits func(string) bool, want string) ([]string, error) {
	name = "match[" + name + "]"
	list := strings.Split(given, ",")
	if len(list) > MaxWanted {
		return nil, parameterError(name, "at most 100")
	}
	for _, one := range list {
		if !fits(one) {
			return nil, parameterError(name, "want "+want)
		}
	}
	return list, nil
}

func parseVersions(given string) ([]string, error) {
	list := strings.Split(given, ",")
	if len(list) > MaxWanted {
		return nil, parameterError("match[version]", "at most 100")
	}
	for i, one := range list {
		switch one {
		case "first", "last", "all":
			continue
		}
		at, err := parseTime(one)
		if err != nil {
			return nil, parameterError("match[version]", "want first, last, all or times as in 2026-11-22T10:00:00.123Z")
		}
		list[i] = at.Format(time.RFC3339Nano)
	}
	return list, nil
}

// parseTime reads a time with any number of decimals. In a query that nobody escaped
// the plus of an offset is a space.
func parseTime(given string) (time.Time, error) {
	if i := strings.LastIndexByte(given, ' '); i > len("2026-11-22T") {
		given = given[:i] + "+" + given[i+1:]
	}
	at, err := time.Parse(time.RFC3339Nano, given)
	if err != nil {
		return time.Time{}, err
	}
	if at = at.UTC(); at.Year() < 1 || at.Year() > 9999 {
		return time.Time{}, strconv.ErrRange
	}
	return at, nil
}

// stamp writes a time as the standard has it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }
