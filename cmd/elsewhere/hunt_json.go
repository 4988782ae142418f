package main

import (
	"bytes"
	"encoding/json"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/elsewhere-project/elsewhere/client/m365"
	"github.com/elsewhere-project/elsewhere/client/m365/dossier"
	"github.com/elsewhere-project/elsewhere/client/m365/draft"
	"github.com/elsewhere-project/elsewhere/client/m365/hunt"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// caseText writes a case as a file that people read and submit takes.
func caseText(c *elsewherev1.Case) (string, error) {
	loose, err := protojson.Marshal(c)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, loose, "", "  "); err != nil {
		return "", err
	}
	out.WriteByte('\n')
	return out.String(), nil
}

// huntJSON is what hunt --json prints: private in every part but the case.
type huntJSON struct {
	Case          json.RawMessage  `json:"case"`
	AttackVersion string           `json:"attackVersion"`
	Evidence      evidenceJSON     `json:"evidence"`
	Suspects      []suspectJSON    `json:"suspects"`
	Proposed      bool             `json:"proposed"`
	Findings      []findingJSON    `json:"findings"`
	Timeline      []eventJSON      `json:"timeline"`
	Addresses     []addressJSON    `json:"addresses"`
	Leaves        []itemJSON       `json:"leaves"`
	Stays         []itemJSON       `json:"stays"`
	Unknown       []operationJSON  `json:"unknownOperations"`
	Gaps          []gapJSON        `json:"gaps"`
	Problems      []m365.Problem   `json:"problems"`
	LeftOut       map[string]int64 `json:"leftOut"`
	LeftVisits    uint64           `json:"leftVisits"`
}

type evidenceJSON struct {
	Rows       int            `json:"rows"`
	Records    int            `json:"records"`
	Duplicates int            `json:"duplicates"`
	Empty      int            `json:"empty"`
	Unreadable int            `json:"unreadable"`
	Bytes      int64          `json:"bytes"`
	Files      int            `json:"files"`
	Forms      map[string]int `json:"forms"`
	From       time.Time      `json:"from"`
	To         time.Time      `json:"to"`
	Outside    int            `json:"outside"`
	Undated    int            `json:"undated"`
	Services   int            `json:"services"`
	AtStart    bool           `json:"firstSignAtStart"`
}

type suspectJSON struct {
	User    string   `json:"user,omitempty"`
	Address string   `json:"address,omitempty"`
	Points  int      `json:"points"`
	Reasons []string `json:"reasons"`
}

type findingJSON struct {
	ID        string       `json:"id"`
	Hunt      string       `json:"hunt"`
	Technique string       `json:"technique"`
	Operation string       `json:"operation"`
	First     time.Time    `json:"first"`
	Last      time.Time    `json:"last"`
	Count     uint64       `json:"count"`
	Users     []string     `json:"users"`
	More      bool         `json:"more"`
	Origins   []originJSON `json:"origins"`
}

type originJSON struct {
	Time time.Time `json:"time"`
	ID   string    `json:"id"`
	File string    `json:"file"`
	Line int       `json:"line"`
}

type eventJSON struct {
	First     time.Time  `json:"first"`
	Last      time.Time  `json:"last"`
	Hunt      string     `json:"hunt"`
	Technique string     `json:"technique"`
	Operation string     `json:"operation"`
	User      string     `json:"user"`
	Addresses []string   `json:"addresses"`
	Count     uint64     `json:"count"`
	Origin    originJSON `json:"origin"`
}

type addressJSON struct {
	Address string `json:"address"`
	Class   string `json:"class"`
	Why     string `json:"why"`
	Users   int    `json:"users"`
	Stays   string `json:"stays"`
}

type itemJSON struct {
	What     string   `json:"what"`
	Value    string   `json:"value"`
	Role     string   `json:"role,omitempty"`
	Why      string   `json:"why,omitempty"`
	Findings []string `json:"findings"`
	Count    uint64   `json:"count"`
}

type operationJSON struct {
	Operation string `json:"operation"`
	Records   int    `json:"records"`
}

type gapJSON struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

func (h *huntRun) showJSON(r *dossier.Report, a *m365.Account, d *draft.Draft) error {
	loose, err := protojson.MarshalOptions{EmitDefaultValues: true}.Marshal(d.Case)
	if err != nil {
		return err
	}
	out := huntJSON{
		Case: loose, AttackVersion: hunt.ATTACKVersion, Proposed: r.Proposed,
		Evidence: evidenceJSON{
			Rows: a.Rows, Records: a.Records, Duplicates: a.Duplicates, Empty: a.Empty, Unreadable: a.Unreadable,
			Bytes: a.Bytes, Files: len(a.Files), Forms: make(map[string]int), From: r.From, To: r.To,
			Outside: r.Outside, Undated: r.Undated, Services: r.Services, AtStart: r.AtStart,
		},
		Problems: a.Problems, LeftOut: make(map[string]int64), LeftVisits: r.LeftVisits,
	}
	for form, n := range a.Forms {
		out.Evidence.Forms[string(form)] = n
	}
	for _, s := range r.Suspects {
		j := suspectJSON{User: s.User, Points: s.Points, Reasons: s.Reasons}
		if s.Address.IsValid() {
			j.Address = s.Address.String()
		}
		out.Suspects = append(out.Suspects, j)
	}
	for _, f := range r.Findings {
		j := findingJSON{
			ID: f.ID, Hunt: f.Hunt, Technique: f.Technique, Operation: f.Operation, First: f.First, Last: f.Last,
			Count: f.Count, Users: f.Users, More: f.More,
		}
		for _, o := range f.Origins {
			j.Origins = append(j.Origins, originJSON(o))
		}
		out.Findings = append(out.Findings, j)
	}
	for _, e := range r.Events {
		out.Timeline = append(out.Timeline, eventJSON{
			e.First, e.Last, e.Hunt, e.Technique, e.Operation, e.User, addressTexts(e.Addresses), e.Count, originJSON(e.Origin),
		})
	}
	for _, x := range r.Addresses {
		out.Addresses = append(out.Addresses, addressJSON{x.Addr.String(), x.Nature.Class, x.Nature.Why, x.Users, x.Stays})
	}
	for _, i := range d.Leaves {
		out.Leaves = append(out.Leaves, itemJSON(i))
	}
	for _, i := range d.Stays {
		out.Stays = append(out.Stays, itemJSON(i))
	}
	for _, u := range unknownOperations(a) {
		out.Unknown = append(out.Unknown, operationJSON{u.name, u.records})
	}
	for _, g := range a.Gaps {
		out.Gaps = append(out.Gaps, gapJSON(g))
	}
	for _, l := range r.LeftOut {
		out.LeftOut[l.Hunt] = int64(l.Records)
	}
	line, err := json.Marshal(out)
	if err != nil {
		return err
	}
	return h.app.print(string(line) + "\n")
}
