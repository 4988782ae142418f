package evidence

import (
	"fmt"
	"strconv"
	"strings"
)

// The stable codes of Violation.Reason.
const (
	ReasonRequired   = "REQUIRED"
	ReasonTooLong    = "TOO_LONG"  // more bytes than the field may have
	ReasonTooMany    = "TOO_MANY"  // more elements than a list may have
	ReasonTooLarge   = "TOO_LARGE" // the case as a whole
	ReasonNotUTF8    = "NOT_UTF8"
	ReasonControl    = "CONTROL_CHARACTER"
	ReasonMalformed  = "MALFORMED"
	ReasonOutOfRange = "OUT_OF_RANGE" // a number that stands for nothing
	ReasonTimeRange  = "TIME_OUT_OF_RANGE"
	// ReasonLeftOut names what a partial submit leaves out whole because of a
	// violation listed before it.
	ReasonLeftOut        = "LEFT_OUT"
	ReasonEndBeforeStart = "END_BEFORE_START"
	ReasonKindUnknown    = "KIND_UNKNOWN"
	ReasonKindMismatch   = "KIND_MISMATCH" // a good value of another kind
	ReasonPublicSuffix   = "PUBLIC_SUFFIX"
	ReasonTLPUnknown     = "TLP_UNKNOWN"
	ReasonPrivate        = "PRIVATE_REJECTED" // no key to hash it with
)

// MaxViolations is how many violations an InvalidError lists.
const MaxViolations = 100

// excerptRunes is how much of a rejected value a message repeats.
const excerptRunes = 40

// Violation names one thing that is wrong with what was sent.
type Violation struct {
	Path    string // the field, as in findings[3].observables[17].value
	Reason  string // one of the Reason constants
	Message string // for people; never holds any part of a private value
}

func (v Violation) String() string {
	if v.Path == "" {
		return v.Message
	}
	return v.Path + ": " + v.Message
}

// InvalidError reports everything that is wrong with what was sent.
type InvalidError struct {
	Violations []Violation // in order of occurrence, at most MaxViolations
	Total      int         // how many there are
}

// Error names the first violations and says how many more there are.
func (e *InvalidError) Error() string {
	const named = 3
	var b strings.Builder
	for i, v := range e.Violations {
		if i == named {
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(v.String())
	}
	if more := e.Total - min(named, len(e.Violations)); more > 0 {
		fmt.Fprintf(&b, "; and %d more", more)
	}
	return b.String()
}

// report gathers violations. A max of 0 keeps all of them.
type report struct {
	max   int
	list  []Violation
	total int
}

func (r *report) add(path, reason, message string) {
	r.total++
	if r.max == 0 || len(r.list) < r.max {
		r.list = append(r.list, Violation{path, reason, message})
	}
}

func (r *report) err() error {
	if r.total == 0 {
		return nil
	}
	return &InvalidError{r.list, r.total}
}

// flaw is why a value was not read, before it is known where the value stands.
type flaw struct{ reason, message string }

func flawf(reason, format string, args ...any) *flaw {
	return &flaw{reason, fmt.Sprintf(format, args...)}
}

// excerpt quotes the beginning of s without any character that a terminal or a
// log would act on, and without the user info of a URL, which may be a password.
func excerpt(s string) string {
	if scheme, rest, ok := strings.Cut(s, "://"); ok {
		if at := strings.LastIndexByte(rest, '@'); at >= 0 {
			s = scheme + "://" + rest[at+1:]
		}
	}
	n := 0
	for i := range s {
		if n++; n > excerptRunes {
			return strconv.Quote(s[:i] + "…")
		}
	}
	return strconv.Quote(s)
}
