package audit

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Who is named where no key is.
const (
	KeyOpen   = "open"   // a call to a deployment without keys
	KeyHost   = "host"   // a command on the machine of the store
	KeySystem = "system" // the service by itself
)

// Methods of entries that stand for no single call.
const (
	MethodRefused   = "refused"   // calls of a minute that were not answered
	MethodRetention = "retention" // the oldest entries were cut
	MethodDamaged   = "damaged"   // a note that cannot be read
)

// CodeOK is the outcome of what was done.
const CodeOK = "OK"

// Bounds of an entry. What is beyond is counted and not kept.
const (
	// MaxValues is how many values of a request are kept.
	MaxValues = 20
	// MaxTenants is how many tenants are named.
	MaxTenants  = 500
	maxSubjects = 100
	maxText     = 300 // bytes of each text
	maxRefusals = 100
)

// Entry is one thing that was done. Content is what may have to go one day; the rest
// stays for as long as the trail reaches back.
type Entry struct {
	// Number counts from 1, without a gap. It is given when the entry is chained.
	Number uint64    `json:"-"`
	Time   time.Time `json:"-"` // UTC, microseconds
	// Key is who did it: what the key begins with, or one of the names above.
	Key    string `json:"key"`
	Role   string `json:"role,omitempty"`
	Method string `json:"method"` // as CorrelationService.Seen
	// Change says that the entry was stored in one batch with what it tells of.
	Change bool   `json:"change,omitempty"`
	Code   string `json:"code"`
	// Counts are how much was asked, told or done, by name.
	Counts map[string]uint64 `json:"counts,omitempty"`

	Content *Content `json:"-"` // nil: it was taken away
}

// Content is what an entry says of tenants and of what was asked.
type Content struct {
	Request string `json:"request,omitempty"` // id of the request
	// Of is the tenant whose key it was, for keys of one tenant.
	Of string `json:"of,omitempty"`
	// Tenants were named to the caller, or are whose things were changed; sorted.
	Tenants []string `json:"tenants,omitempty"`
	// MoreTenants is how many there were besides.
	MoreTenants uint64 `json:"more_tenants,omitempty"`
	// Subjects are other things that were changed: keys, by what they begin with,
	// and versions of the model.
	Subjects []string `json:"subjects,omitempty"`
	// Digest is a keyed digest of the request: equal for equal requests.
	Digest  string    `json:"digest,omitempty"`
	Values  []Value   `json:"values,omitempty"`
	Refused []Refusal `json:"refused,omitempty"`
}

// Value is a value that was asked for.
type Value struct {
	Kind string `json:"kind"`
	Text string `json:"value"`
}

// Refusal counts calls of one minute that were not answered.
type Refusal struct {
	// Key is what the key begins with; Address, where there was none that is taken,
	// the network that the call came from.
	Key     string `json:"key,omitempty"`
	Address string `json:"address,omitempty"`
	Method  string `json:"method"`
	Reason  string `json:"reason"` // as NOT_FOUND or KEY_NEEDED
	Calls   uint64 `json:"calls"`
}

// Names reports whether the entry may tell something of a tenant. One that tells
// of more tenants than it names may tell of any.
func (e *Entry) Names(tenant string) bool {
	c := e.Content
	if c == nil {
		return false
	}
	_, named := slices.BinarySearch(c.Tenants, tenant)
	return named || c.Of == tenant || c.MoreTenants > 0
}

// weight is about how much memory an entry takes, in bytes.
func (e *Entry) weight() int {
	n := 1 << 10
	if c := e.Content; c != nil {
		for _, s := range c.Tenants {
			n += 16 + len(s)
		}
		for _, v := range c.Values {
			n += 32 + len(v.Text)
		}
		n += len(c.Subjects)*maxText + len(c.Refused)*maxText
	}
	return n
}

// tidy puts an entry within bounds and in order, so that equal ones have equal bytes.
func (e *Entry) tidy() {
	e.Time = e.Time.UTC().Truncate(time.Microsecond)
	for _, s := range []*string{&e.Key, &e.Role, &e.Method, &e.Code} {
		*s = plain(*s)
	}
	if e.Content == nil {
		e.Content = &Content{}
	}
	c := e.Content
	for _, s := range []*string{&c.Request, &c.Of, &c.Digest} {
		*s = plain(*s)
	}
	c.Tenants = inOrder(c.Tenants)
	if n := len(c.Tenants); n > MaxTenants {
		c.Tenants = c.Tenants[:MaxTenants]
		c.MoreTenants += uint64(n - MaxTenants)
	}
	c.Subjects = inOrder(c.Subjects)
	c.Subjects = c.Subjects[:min(len(c.Subjects), maxSubjects)]
	c.Values = c.Values[:min(len(c.Values), MaxValues)]
	for i := range c.Values {
		c.Values[i] = Value{plain(c.Values[i].Kind), plain(c.Values[i].Text)}
	}
	c.Refused = c.Refused[:min(len(c.Refused), maxRefusals)]
}

func inOrder(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	out := make([]string, 0, len(list))
	for _, s := range list {
		out = append(out, plain(s))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// plain makes a text one that a line of the trail may hold.
func plain(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	if ascii(s) {
		return s
	}
	s = strings.ToValidUTF8(s, "?")
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// ascii reports whether a text is of printable ASCII alone, as nearly all are.
func ascii(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// note is an entry as a change leaves it, before it is chained.
type note struct {
	Time string `json:"time"`
	Entry
	Content *Content `json:"content"`
}

func (e Entry) note() ([]byte, error) {
	e.tidy()
	return json.Marshal(note{stamp(e.Time), e, e.Content})
}

// readNote reads what note wrote.
func readNote(data []byte) (Entry, error) {
	var n note
	if err := strict(data, &n); err != nil {
		return Entry{}, err
	}
	at, err := parseStamp(n.Time)
	e := n.Entry
	e.Time, e.Content = at, n.Content
	e.tidy()
	return e, err
}

// strict reads JSON that has nothing but what is known.
func strict(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

const stampFormat = "2006-01-02T15:04:05.000000Z"

func stamp(t time.Time) string { return t.UTC().Format(stampFormat) }

func parseStamp(s string) (time.Time, error) { return time.Parse(stampFormat, s) }

// byTime is the order in which entries are chained.
func byTime(x, y Entry) int { return cmp.Compare(x.Time.UnixMicro(), y.Time.UnixMicro()) }
