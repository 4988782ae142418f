package misptest

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// event is what the server keeps.
type event struct {
	ID, UUID, Info, Date, Analysis, Threat, Distribution, Extends string
	Org                                                           string // id of the organisation
	Timestamp, PublishTimestamp                                   int64
	Published                                                     bool
	Tags                                                          []string
	Attributes                                                    []*attribute
	Objects                                                       []*object
}

type attribute struct {
	UUID, Relation, Type, Category, Value, Comment string
	First, Last                                    any
	ToIDs, Deleted, NoCorrelation                  bool
	Timestamp                                      int64
	Tags                                           []string
}

type object struct {
	UUID, Name, Meta, Description, Template, Version, Comment string
	Deleted                                                   bool
	Timestamp                                                 int64
	Attributes                                                []*attribute
	References                                                []any
}

// sent is a JSON object as a client sent it. MISP takes numbers, strings and truth
// values for one another.
type sent map[string]any

func (s sent) text(name string) string {
	switch v := s[name].(type) {
	case string:
		return v
	case float64:
		return strconv.FormatInt(int64(v), 10)
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

func (s sent) truth(name string) bool { return s.text(name) == "true" || s.text(name) == "1" }

func (s sent) number(name string) (int64, bool) {
	n, err := strconv.ParseInt(s.text(name), 10, 64)
	return n, err == nil
}

func (s sent) list(name string) []sent {
	items, _ := s[name].([]any)
	var out []sent
	for _, item := range items {
		if o, ok := item.(map[string]any); ok {
			out = append(out, o)
		}
	}
	return out
}

var (
	uuidForm = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)
	dateForm = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)
	nameForm = regexp.MustCompile(`^[a-z0-9_-]+(\.[a-z0-9_-]+)+$`)
	hashForm = regexp.MustCompile(`^[0-9a-f]{32,128}$`)
)

// normalised is a value as MISP rewrites it, and false if it does not take it.
func normalised(typ, value string) (string, bool) {
	value = strings.TrimSpace(value)
	if value == "" {
		return "", false
	}
	plain := strings.NewReplacer("[.]", ".", "hxxp", "http").Replace(value)
	switch typ {
	case "ip-src", "ip-dst":
		if p, err := netip.ParsePrefix(plain); err == nil {
			return p.String(), true
		}
		a, err := netip.ParseAddr(plain)
		return a.String(), err == nil
	case "ip-src|port", "ip-dst|port":
		return plain, strings.Contains(plain, "|")
	case "domain", "hostname":
		plain = strings.ToLower(plain)
		return plain, nameForm.MatchString(plain)
	case "AS":
		plain = strings.TrimPrefix(strings.ToUpper(plain), "AS")
		_, err := strconv.ParseUint(plain, 10, 32)
		return plain, err == nil
	case "md5", "sha1", "sha256", "sha512":
		plain = strings.ToLower(plain)
		return plain, hashForm.MatchString(plain)
	case "email-src", "email-dst":
		return strings.ToLower(plain), strings.Contains(plain, "@")
	case "url":
		return plain, strings.Contains(plain, "://")
	case "port", "counter":
		_, err := strconv.ParseUint(value, 10, 32)
		return value, err == nil
	case "text", "other", "user-agent", "email-subject", "datetime", "boolean", "link":
		return value, true
	}
	return "", false
}

// categories is what the server takes a type in; read from describeTypes.json of
// PyMISP for the types of the tests.
func categories(typ string) []string {
	switch typ {
	case "ip-src", "ip-dst", "ip-src|port", "ip-dst|port", "domain", "hostname", "url", "user-agent", "AS":
		return []string{"Network activity", "Payload delivery", "External analysis"}
	case "email-src":
		return []string{"Payload delivery", "Social network"}
	case "email-dst":
		return []string{"Payload delivery", "Network activity", "Social network"}
	case "email-subject":
		return []string{"Payload delivery"}
	case "md5", "sha1", "sha256":
		return []string{"Payload delivery", "Artifacts dropped", "Payload installation", "External analysis"}
	case "sha512":
		return []string{"Payload delivery", "Artifacts dropped", "Payload installation"}
	case "datetime", "counter", "boolean":
		return []string{"Other"}
	case "port":
		return []string{"Network activity", "Other"}
	case "link":
		return []string{"External analysis", "Internal reference", "Payload delivery", "Antivirus detection", "Support Tool"}
	case "text", "other":
		return []string{
			"Network activity", "Other", "Payload delivery", "Persistence mechanism", "External analysis", "Attribution",
			"Internal reference", "Antivirus detection", "Artifacts dropped", "Financial fraud", "Payload installation",
			"Payload type", "Person", "Social network", "Support Tool",
		}
	}
	return nil
}

// read makes an attribute of what was sent, nil if the server drops it.
func (s *Server) read(in sent, now int64) *attribute {
	typ, category := in.text("type"), in.text("category")
	value, ok := normalised(typ, in.text("value"))
	if !ok || !slices.Contains(categories(typ), category) || slices.Contains(s.Drop, value) {
		return nil
	}
	a := &attribute{
		UUID: in.text("uuid"), Relation: in.text("object_relation"), Type: typ, Category: category, Value: value,
		Comment: in.text("comment"), First: moment(in["first_seen"]), Last: moment(in["last_seen"]),
		ToIDs: in.truth("to_ids"), Deleted: in.truth("deleted"), NoCorrelation: in.truth("disable_correlation"), Timestamp: now,
	}
	if a.UUID == "" {
		a.UUID = newUUID()
	}
	if stamp, ok := in.number("timestamp"); ok {
		a.Timestamp = stamp
	}
	a.Tags = s.knownTags(in)
	return a
}

// moment is a time as MISP stores it; what is no time becomes null.
func moment(v any) any {
	text, _ := v.(string)
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return nil
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000+00:00")
}

// knownTags are the tags that the server has; it leaves out the others.
func (s *Server) knownTags(in sent) []string {
	var out []string
	for _, tag := range in.list("Tag") {
		name := tag.text("name")
		if s.knows(name) && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

func (s *Server) knows(tag string) bool {
	for _, prefix := range s.Tags {
		if strings.HasPrefix(tag, prefix) {
			return true
		}
	}
	return false
}

// put stores an attribute in a list, as an edit does: over the one of the same
// UUID if it is newer, and not beside one of the same type and value.
func put(list []*attribute, a *attribute) []*attribute {
	for i, have := range list {
		if have.UUID == a.UUID {
			if a.Timestamp > have.Timestamp {
				list[i] = a
			}
			return list
		}
	}
	for _, have := range list {
		if !have.Deleted && have.Type == a.Type && have.Value == a.Value {
			return list
		}
	}
	return append(list, a)
}
