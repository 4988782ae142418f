package misp

import (
	"strconv"
	"time"
)

// Event is an event without its attributes and objects. MISP writes numbers as
// strings and times as Unix seconds.
type Event struct {
	UUID           string `json:"uuid"`
	Info           string `json:"info"` // one line, at most 256 characters
	Date           string `json:"date"` // YYYY-MM-DD
	Timestamp      string `json:"timestamp"`
	Published      bool   `json:"published"`
	Analysis       string `json:"analysis"`        // 0 initial, 1 ongoing, 2 completed
	ThreatLevelID  string `json:"threat_level_id"` // 1 high to 3 low, 4 undefined
	Distribution   string `json:"distribution"`    // 0 own organisation to 3 all communities
	SharingGroupID string `json:"sharing_group_id"`
	ExtendsUUID    string `json:"extends_uuid"`
	Orgc           *Org   `json:"Orgc,omitempty"`
	Tag            []Tag  `json:"Tag,omitempty"`
}

// Org is the organisation that made an event.
type Org struct {
	Name string `json:"name"`
	UUID string `json:"uuid"`
}

// Tag is a tag by name.
type Tag struct {
	Name string `json:"name"`
}

// Attribute is one value of an event.
type Attribute struct {
	UUID               string     `json:"uuid"`
	ObjectRelation     string     `json:"object_relation,omitempty"`
	Type               string     `json:"type"`
	Category           string     `json:"category"`
	Value              string     `json:"value"`
	ToIDs              bool       `json:"to_ids"`
	Timestamp          string     `json:"timestamp"`
	Distribution       string     `json:"distribution"`
	SharingGroupID     string     `json:"sharing_group_id"`
	Deleted            bool       `json:"deleted"`
	Comment            string     `json:"comment"`
	FirstSeen          *string    `json:"first_seen"`
	LastSeen           *string    `json:"last_seen"`
	DisableCorrelation bool       `json:"disable_correlation"`
	Tag                []Tag      `json:"Tag,omitempty"`
	Sighting           []Sighting `json:"Sighting,omitempty"`
}

// Object is a group of attributes after a template.
type Object struct {
	UUID            string      `json:"uuid"`
	Name            string      `json:"name"`
	MetaCategory    string      `json:"meta-category"`
	Description     string      `json:"description"`
	TemplateUUID    string      `json:"template_uuid"`
	TemplateVersion string      `json:"template_version"`
	Timestamp       string      `json:"timestamp"`
	Distribution    string      `json:"distribution"`
	SharingGroupID  string      `json:"sharing_group_id"`
	Deleted         bool        `json:"deleted"`
	Comment         string      `json:"comment"`
	Attribute       []Attribute `json:"Attribute"`
	Reference       []Reference `json:"ObjectReference,omitempty"`
}

// Reference goes from an object to an attribute or another object.
type Reference struct {
	UUID             string `json:"uuid"`
	ObjectUUID       string `json:"object_uuid"`
	ReferencedUUID   string `json:"referenced_uuid"`
	RelationshipType string `json:"relationship_type"`
	Comment          string `json:"comment"`
	Deleted          bool   `json:"deleted"`
}

// Sighting says that a value was seen once more.
type Sighting struct {
	UUID   string `json:"uuid"`
	Date   string `json:"date_sighting"`
	Type   string `json:"type"` // 0 seen
	Source string `json:"source"`
}

// inherit is the distribution of attributes and objects: that of their event.
const inherit = "5"

// unix writes a time as MISP wants it; the zero time is "0".
func unix(t time.Time) string {
	if t.IsZero() {
		return "0"
	}
	return strconv.FormatInt(t.Unix(), 10)
}

// seen writes a first or last time, nil if unknown.
func seen(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC().Format("2006-01-02T15:04:05.000000-07:00"))
}
