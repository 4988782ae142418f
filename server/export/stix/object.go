package stix

import "time"

// Object is one STIX object.
type Object interface {
	// ID is type--uuid.
	ID() string
}

// stamp is a time as STIX writes it.
type stamp time.Time

// MarshalText implements encoding.TextMarshaler.
func (s stamp) MarshalText() ([]byte, error) {
	return []byte(time.Time(s).UTC().Format("2006-01-02T15:04:05.000Z")), nil
}

func optional(t time.Time) *stamp {
	if t.IsZero() {
		return nil
	}
	return (*stamp)(&t)
}

// common is what domain and relationship objects have.
type common struct {
	Type        string `json:"type"`
	SpecVersion string `json:"spec_version"`
	Identifier  string `json:"id"`
	CreatedBy   string `json:"created_by_ref,omitempty"`
	Created     stamp  `json:"created"`
	Modified    stamp  `json:"modified"`
	Revoked     bool   `json:"revoked,omitempty"`

	Markings   []string    `json:"object_marking_refs,omitempty"`
	References []reference `json:"external_references,omitempty"`
}

// ID implements Object.
func (c common) ID() string { return c.Identifier }

type reference struct {
	Source string `json:"source_name"`
	ID     string `json:"external_id,omitempty"`
	URL    string `json:"url,omitempty"`
}

type phase struct {
	Chain string `json:"kill_chain_name"`
	Name  string `json:"phase_name"`
}

type identity struct {
	common
	Name  string `json:"name"`
	Class string `json:"identity_class"`
}

// marking is a TLP 2.0 label, which the standard defines by an extension.
type marking struct {
	Type        string               `json:"type"`
	SpecVersion string               `json:"spec_version"`
	Identifier  string               `json:"id"`
	Created     stamp                `json:"created"`
	Name        string               `json:"name"`
	Extensions  map[string]extension `json:"extensions"`
}

// ID implements Object.
func (m marking) ID() string { return m.Identifier }

type extension struct {
	Type string `json:"extension_type"`
	TLP  string `json:"tlp_2_0"`
}

type attackPattern struct {
	common
	Name   string  `json:"name"`
	Phases []phase `json:"kill_chain_phases,omitempty"`
}

type intrusionSet struct {
	common
	Name      string   `json:"name"`
	Aliases   []string `json:"aliases,omitempty"`
	FirstSeen *stamp   `json:"first_seen,omitempty"`
	LastSeen  *stamp   `json:"last_seen,omitempty"`
}

type indicator struct {
	common
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Types       []string `json:"indicator_types"`
	Pattern     string   `json:"pattern"`
	PatternType string   `json:"pattern_type"`
	ValidFrom   stamp    `json:"valid_from"`
	ValidUntil  *stamp   `json:"valid_until,omitempty"`
}

type observedData struct {
	common
	First  stamp    `json:"first_observed"`
	Last   stamp    `json:"last_observed"`
	Number uint32   `json:"number_observed"`
	Refs   []string `json:"object_refs"`
}

type sighting struct {
	common
	First    *stamp   `json:"first_seen,omitempty"`
	Last     *stamp   `json:"last_seen,omitempty"`
	Count    uint32   `json:"count"`
	Of       string   `json:"sighting_of_ref"`
	Observed []string `json:"observed_data_refs,omitempty"`
}

type relationship struct {
	common
	Relation string `json:"relationship_type"`
	Source   string `json:"source_ref"`
	Target   string `json:"target_ref"`
}

type note struct {
	common
	Abstract string   `json:"abstract,omitempty"`
	Content  string   `json:"content"`
	Refs     []string `json:"object_refs"`
}

type opinion struct {
	common
	Explanation string   `json:"explanation"`
	Opinion     string   `json:"opinion"`
	Refs        []string `json:"object_refs"`
}

// group is a grouping or a report without its references.
type group struct {
	common
	Name      string   `json:"name"`
	Context   string   `json:"context,omitempty"`
	Types     []string `json:"report_types,omitempty"`
	Published *stamp   `json:"published,omitempty"`
}

// observable is a cyber-observable object. One of value, number and hashes is set.
type observable struct {
	Type        string            `json:"type"`
	SpecVersion string            `json:"spec_version"`
	Identifier  string            `json:"id"`
	Markings    []string          `json:"object_marking_refs,omitempty"`
	Value       string            `json:"value,omitempty"`
	Number      *uint32           `json:"number,omitempty"`
	Hashes      map[string]string `json:"hashes,omitempty"`
}

// ID implements Object.
func (o observable) ID() string { return o.Identifier }
