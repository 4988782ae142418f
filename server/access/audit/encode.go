package audit

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
)

// Entries are written by hand, in the very bytes of encoding/json: it is what most of
// the work for an entry would be.

// appendText writes a string as JSON.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return appendOdd(b, s)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

func appendOdd(b []byte, s string) []byte {
	// A string is never refused.
	raw, _ := json.Marshal(s)
	return append(b, raw...)
}

// appendField writes a field that is left out when it is empty, behind another or
// the beginning of an object.
func appendField(b []byte, name, text string) []byte {
	if text == "" {
		return b
	}
	return appendText(appendName(b, name), text)
}

func appendName(b []byte, name string) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = append(b, '"')
	b = append(b, name...)
	return append(b, `":`...)
}

func appendNumber(b []byte, name string, n uint64) []byte {
	if n == 0 {
		return b
	}
	return strconv.AppendUint(appendName(b, name), n, 10)
}

func appendList(b []byte, name string, list []string) []byte {
	if len(list) == 0 {
		return b
	}
	b = append(appendName(b, name), '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, s)
	}
	return append(b, ']')
}

// appendHead writes what is hashed of an entry.
func appendHead(b []byte, number uint64, e *Entry, commitment string) []byte {
	b = appendNumber(append(b, '{'), "entry", number)
	b = append(append(appendName(b, "time"), '"'), e.Time.UTC().AppendFormat(make([]byte, 0, len(stampFormat)), stampFormat)...)
	b = append(b, '"')
	b = appendText(appendName(b, "key"), e.Key)
	b = appendField(b, "role", e.Role)
	b = appendText(appendName(b, "method"), e.Method)
	if e.Change {
		b = append(appendName(b, "change"), "true"...)
	}
	b = appendText(appendName(b, "code"), e.Code)
	if len(e.Counts) > 0 {
		b = append(appendName(b, "counts"), '{')
		for _, name := range slices.Sorted(maps.Keys(e.Counts)) {
			b = appendText(comma(b), name)
			b = strconv.AppendUint(append(b, ':'), e.Counts[name], 10)
		}
		b = append(b, '}')
	}
	b = appendText(appendName(b, "commitment"), commitment)
	return append(b, '}')
}

func comma(b []byte) []byte {
	if last := b[len(b)-1]; last != '{' && last != '[' {
		b = append(b, ',')
	}
	return b
}

// appendContent writes what may have to go one day.
func appendContent(b []byte, c *Content) []byte {
	b = appendField(append(b, '{'), "request", c.Request)
	b = appendField(b, "of", c.Of)
	b = appendList(b, "tenants", c.Tenants)
	b = appendNumber(b, "more_tenants", c.MoreTenants)
	b = appendList(b, "subjects", c.Subjects)
	b = appendField(b, "digest", c.Digest)
	if len(c.Values) > 0 {
		b = append(appendName(b, "values"), '[')
		for _, v := range c.Values {
			b = append(comma(b), '{')
			b = appendText(appendName(b, "kind"), v.Kind)
			b = append(appendText(appendName(b, "value"), v.Text), '}')
		}
		b = append(b, ']')
	}
	if len(c.Refused) > 0 {
		// Once a minute.
		raw, _ := json.Marshal(c.Refused)
		b = append(appendName(b, "refused"), raw...)
	}
	return append(b, '}')
}
