package misp

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/export"
)

// KindError is a value of a kind that has no place in an event.
type KindError struct{ Kind evidence.Kind }

func (e *KindError) Error() string {
	return fmt.Sprintf("values of kind %s are not written to MISP", e.Kind)
}

// form is how a value stands in an event.
type form struct {
	typ, category, value string
	// machine says that devices can look for the value.
	machine bool
}

// formOf returns the form of a value; written is what people know it as.
func formOf(v evidence.Value, written string) (form, error) {
	network := func(typ string) (form, error) { return form{typ, categoryNetwork, v.Text, true}, nil }
	persistence := func() (form, error) { return form{typeText, categoryPersistence, written, false}, nil }
	switch v.Kind {
	case evidence.KindIP, evidence.KindCIDR:
		return network(typeIPSrc)
	case evidence.KindDomain:
		return network(typeDomain)
	case evidence.KindHostname:
		return network(typeHostname)
	case evidence.KindURL:
		return network(typeURL)
	case evidence.KindUserAgent:
		return network(typeUserAgent)
	case evidence.KindASN:
		return form{typeAS, categoryNetwork, strings.TrimPrefix(v.Text, "AS"), false}, nil
	case evidence.KindEmail:
		return form{typeEmailSrc, categoryDelivery, v.Text, true}, nil
	case evidence.KindForwardTo:
		if strings.Contains(v.Text, "@") {
			return network(typeEmailDst)
		}
		return network(typeDomain)
	case evidence.KindFileHash:
		return form{hashType(v.Text), categoryDelivery, v.Text, true}, nil
	case evidence.KindJA4, evidence.KindPortProfile:
		return form{typeText, categoryNetwork, written, false}, nil
	case evidence.KindAppID, evidence.KindSpoofPair, evidence.KindRuleName, evidence.KindRuleWords, evidence.KindAccountPattern:
		return persistence()
	}
	if v.Kind.Own() {
		return form{typeOther, categoryOther, written, false}, nil
	}
	return form{}, &KindError{v.Kind}
}

// hashType tells the digest by its length in hexadecimal digits.
func hashType(text string) string {
	switch len(text) {
	case 32:
		return "md5"
	case 40:
		return "sha1"
	case 64:
		return "sha256"
	}
	return "sha512"
}

// attributeUUID is derived from what makes the attribute: its event, type and
// value. So who reads an event can tell whether an attribute is of this making.
func attributeUUID(event export.UUID, typ, value string) string {
	return export.NewUUID(event, "attribute", typ, value).String()
}

// attribute returns what stands for an item.
func (c *Content) attribute(item *export.Item) (Attribute, error) {
	written := item.Written
	if written == "" {
		written = item.Value.Text
	}
	f, err := formOf(item.Value, written)
	if err != nil {
		return Attribute{}, err
	}
	a := Attribute{
		UUID: attributeUUID(c.uuid, f.typ, f.value), Type: f.typ, Category: f.category, Value: f.value,
		ToIDs: item.Indicator && f.machine, Timestamp: c.Event.Timestamp, Distribution: inherit, SharingGroupID: "0",
		Deleted: item.Withdrawn, Comment: comment(item), FirstSeen: seen(item.First), LastSeen: seen(item.Last),
		// What is context here is everybody's, and a correlation on it says nothing.
		DisableCorrelation: !item.Indicator,
	}
	if item.Withdrawn {
		return a, nil
	}
	for _, technique := range item.Techniques {
		if name, ok := c.attack[technique]; ok {
			a.Tag = append(a.Tag, Tag{name})
		}
	}
	if !item.Last.IsZero() {
		for _, pseudonym := range item.Cases {
			a.Sighting = append(a.Sighting, Sighting{
				UUID: export.NewUUID(c.uuid, "sighting", a.UUID, pseudonym).String(),
				Date: unix(item.Last), Type: "0", Source: pseudonym,
			})
		}
	}
	return a, nil
}

// comment says in one line what a value did and why it is an indicator or not.
func comment(item *export.Item) string {
	text := make([]byte, 0, 128)
	add := func(parts ...string) {
		if len(text) > 0 {
			text = append(text, "; "...)
		}
		for _, p := range parts {
			text = append(text, p...)
		}
	}
	if item.Note != "" {
		add(item.Note)
	}
	if !item.Indicator {
		add("context, not an indicator: ", item.Reason)
	}
	if item.Class != "" && item.Class != "unknown" {
		add("class ", item.Class)
		if len(item.ClassReasons) > 0 {
			text = append(text, " ("+strings.Join(item.ClassReasons, "; ")+")"...)
		}
	}
	if len(item.Roles) > 0 && item.Note == "" {
		add(strings.Join(item.Roles, ", "))
	}
	if !item.ValidUntil.IsZero() {
		add("valid until ")
		text = item.ValidUntil.AppendFormat(text, time.DateOnly)
	}
	return oneLine(string(text), maxComment)
}

// Bounds of texts in characters.
const (
	maxInfo    = 256
	maxComment = 4_000
)

// oneLine folds white space and cuts a text to a number of characters.
func oneLine(s string, most int) string {
	if len(s) <= most && plainLine(s) {
		return s
	}
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > most {
		return string(slices.Concat(r[:most-1], []rune("…")))
	}
	return s
}

// plainLine reports whether there is no white space to fold in ASCII text.
func plainLine(s string) bool {
	space := true
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c >= 0x7f || c == ' ' && space {
			return false
		}
		space = c == ' '
	}
	return !space || s == ""
}
