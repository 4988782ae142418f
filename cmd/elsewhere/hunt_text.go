package main

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/elsewhere-project/elsewhere/client/m365"
	"github.com/elsewhere-project/elsewhere/client/m365/dossier"
	"github.com/elsewhere-project/elsewhere/client/m365/draft"
	"github.com/elsewhere-project/elsewhere/client/m365/hunt"
)

// How many lines of a list people are shown; --json has more.
const (
	shownSuspects = 12
	shownUnknown  = 12
	shownGaps     = 8
	shownProblems = 20
	shownEvents   = 200
	shownStays    = 6 // of one kind
)

// show prints what was found.
func (h *huntRun) show(r *dossier.Report, account *m365.Account, d *draft.Draft) error {
	if h.app.json {
		return h.showJSON(r, account, d)
	}
	var out strings.Builder
	out.WriteString(accountText(account, r))
	out.WriteString(h.suspectsText(r))
	out.WriteString(findingsText(r))
	out.WriteString(notesText(r))
	if h.timeline {
		out.WriteString(timelineText(r))
	}
	if h.preview {
		out.WriteString(previewText(d, r))
	}
	out.WriteString(unknownText(account))
	out.WriteString(gapsText(account))
	return h.app.print(out.String())
}

// accountText says what became of every row.
func accountText(a *m365.Account, r *dossier.Report) string {
	forms := make([]string, 0, len(a.Forms))
	for _, f := range slices.Sorted(maps.Keys(a.Forms)) {
		forms = append(forms, string(f))
	}
	text := fmt.Sprintf("%s = %s + %s + %s without audit data + %s unreadable; %s in %s (%s)\n",
		count(a.Rows, "row", "rows"), count(a.Records, "record", "records"), count(a.Duplicates, "duplicate", "duplicates"),
		thousands(uint32(a.Empty)), thousands(uint32(a.Unreadable)),
		bytesText(a.Bytes), count(len(a.Files), "file", "files"), strings.Join(forms, ", "))
	if r.Looked > 0 {
		text += fmt.Sprintf("evidence from %s to %s", clock(r.From), clock(r.To))
		var notes []string
		for _, n := range []struct {
			n    int
			what string
		}{
			{r.Outside, "outside of --from and --to"},
			{r.Undated, "without a time"},
			{r.Services, "of services and the system"},
		} {
			if n.n > 0 {
				notes = append(notes, thousands(uint32(n.n))+" "+n.what)
			}
		}
		if len(notes) > 0 {
			text += "; " + strings.Join(notes, ", ")
		}
		text += "\n"
	}
	return text
}

func (h *huntRun) suspectsText(r *dossier.Report) string {
	if len(r.Suspects) == 0 {
		if r.Proposed {
			return "\nnothing looks compromised; --user and --ip show what somebody did\n"
		}
		return ""
	}
	text := "\nlooks compromised, most suspicious first:\n"
	for _, s := range r.Suspects[:min(len(r.Suspects), shownSuspects)] {
		who := s.User
		if who == "" {
			who = s.Address.String()
		}
		text += right(fmt.Sprint(s.Points), 4) + "  " + h.app.style.bold(safe(who, refWidth)) + "\n"
		text += strings.Join(wrap("      ", safeAll(s.Reasons, valueWidth)), "\n") + "\n"
	}
	if n := len(r.Suspects) - shownSuspects; n > 0 {
		text += fmt.Sprintf("and %d more\n", n)
	}
	if r.Proposed {
		text += "the findings are of these; --user and --ip choose others\n"
	}
	return text
}

func findingsText(r *dossier.Report) string {
	if len(r.Findings) == 0 {
		if r.Proposed {
			return ""
		}
		return "\nno findings\n"
	}
	var rows [][]string
	for _, f := range r.Findings {
		operation := f.Operation
		switch f.Outcome {
		case dossier.Failed:
			operation += " (failed)"
		case dossier.Partial:
			operation += " (in part)"
		}
		from := make([]string, 0, 4)
		for _, u := range f.Addresses {
			if len(from) == 3 {
				from = append(from, fmt.Sprintf("and %d more", len(f.Addresses)-3))
				break
			}
			from = append(from, u.Addr.String())
		}
		rows = append(rows, []string{
			f.Hunt, f.Technique, safe(operation, valueWidth), thousands(uint32(min(f.Count, 1<<32-1))),
			f.First.UTC().Format(time.DateOnly), f.Last.UTC().Format(time.DateOnly), strings.Join(from, ", "),
		})
	}
	text := "\n" + table([]string{"hunt", "ATT&CK " + hunt.ATTACKVersion, "operation", ">records", "first", "last", "addresses"}, rows)
	for _, a := range r.Addresses {
		if a.Stays != "" {
			text += fmt.Sprintf("%v stays: %s\n", a.Addr, a.Stays)
		}
	}
	return text
}

// notesText says what the findings are not.
func notesText(r *dossier.Report) string {
	text := ""
	for _, l := range r.LeftOut {
		text += fmt.Sprintf("%s of %s are in no finding: there are too many combinations of user and address; narrow the search with --from, --to\n",
			count(int(l.Records), "record", "records"), l.Hunt)
	}
	if r.LeftVisits > 0 {
		text += fmt.Sprintf("%s at an address are not remembered; what users did without an address may stay without one\n",
			count(int(r.LeftVisits), "visit", "visits"))
	}
	for _, f := range r.Findings {
		if f.More {
			text += f.ID + " has more values, users or facts than are listed\n"
		}
	}
	if r.AtStart {
		text += "the first sign lies at the very beginning of the evidence: initial access may lie before it (logs are kept 90 days or 180)\n"
	}
	if !r.Guard.Complete() {
		text += "the tenant has more names than can be checked: names of rules and other free text stay\n"
	}
	return text
}

func timelineText(r *dossier.Report) string {
	var rows [][]string
	for _, e := range r.Events[:min(len(r.Events), shownEvents)] {
		last := ""
		if !e.Last.Equal(e.First) {
			last = ".. " + clock(e.Last)
		}
		from := make([]string, len(e.Addresses))
		for i, a := range e.Addresses {
			from[i] = a.String()
		}
		origin := fmt.Sprintf("%s:%d", e.Origin.File, e.Origin.Line)
		if e.Origin.File == "" {
			origin = ""
		}
		rows = append(rows, []string{
			clock(e.First), last, e.Hunt, safe(e.Operation, valueWidth), thousands(uint32(min(e.Count, 1<<32-1))),
			safe(e.User, valueWidth), strings.Join(from, ", "), safe(origin, valueWidth),
		})
	}
	text := "\n" + table([]string{"time", "until", "hunt", "operation", ">records", "user", "addresses", "first record"}, rows)
	if n := len(r.Events) - shownEvents; n > 0 {
		text += fmt.Sprintf("and %d more\n", n+r.MoreEvents)
	}
	return text
}

// previewText writes the two lists.
func previewText(d *draft.Draft, r *dossier.Report) string {
	var leaves [][]string
	for _, i := range d.Leaves {
		leaves = append(leaves, []string{"", i.What, safe(i.Value, valueWidth), i.Role, thousands(uint32(min(i.Count, 1<<32-1))), i.Why})
	}
	text := fmt.Sprintf("\nleaves the tenant: %s, and of each finding its technique, operation, times, counts and facts\n",
		count(len(d.Leaves), "value", "values"))
	text += table(make([]string, 6), leaves)
	facts := make(map[string]bool)
	for _, f := range d.Case.GetFindings() {
		for _, fact := range f.GetFacts() {
			facts[fact.GetName()+" "+fact.GetValue()] = true
		}
	}
	text += "  facts:\n" + strings.Join(wrap("    ", safeAll(slices.Sorted(maps.Keys(facts)), valueWidth)), "\n") + "\n"
	text += fmt.Sprintf("stays: %s\n", count(len(d.Stays), "value", "values"))
	var never [][]string
	for i, f := range r.Findings {
		if i == 0 || r.Findings[i-1].Hunt != f.Hunt {
			never = append(never, []string{"", f.Hunt, "keeps " + f.Private})
		}
	}
	text += table(make([]string, 3), never)
	perKind := make(map[string]int)
	var stays [][]string
	for _, i := range d.Stays {
		if perKind[i.What]++; perKind[i.What] <= shownStays {
			stays = append(stays, []string{"", i.What, safe(i.Value, valueWidth), i.Why})
		}
	}
	text += table(make([]string, 4), stays)
	for _, what := range slices.Sorted(maps.Keys(perKind)) {
		if n := perKind[what] - shownStays; n > 0 {
			text += fmt.Sprintf("  and %s more of %s\n", thousands(uint32(n)), what)
		}
	}
	return text
}

// unknownText lists the operations that no hunt looks at.
func unknownText(a *m365.Account) string {
	unknown := unknownOperations(a)
	if len(unknown) == 0 {
		return ""
	}
	parts := make([]string, 0, shownUnknown)
	for _, u := range unknown[:min(len(unknown), shownUnknown)] {
		parts = append(parts, fmt.Sprintf("%s (%s)", safe(u.name, valueWidth), thousands(uint32(u.records))))
	}
	if n := len(unknown) - shownUnknown; n > 0 {
		parts = append(parts, fmt.Sprintf("%d more", n))
	}
	return "\nno hunt looks at:\n" + strings.Join(wrap("  ", parts), "\n") + "\n"
}

func gapsText(a *m365.Account) string {
	text := ""
	for i, g := range a.Gaps {
		if i == shownGaps {
			text += fmt.Sprintf("and %d more\n", len(a.Gaps)-shownGaps)
			break
		}
		text += fmt.Sprintf("no records between %s and %s\n", clock(g.From), clock(g.To))
	}
	return text
}

// complain names on stderr what could not be read, by file and line.
func (h *huntRun) complain(a *m365.Account) {
	for i, p := range a.Problems {
		if i == shownProblems {
			break
		}
		place := safe(p.File, refWidth)
		if p.Line > 0 {
			place = fmt.Sprintf("%s:%d", place, p.Line)
		}
		line := place + ": " + string(p.Reason)
		if p.Detail != "" {
			line += ": " + safe(p.Detail, messageWidth)
		}
		h.app.warn("%s", line)
	}
	total := 0
	for _, n := range a.Reasons {
		total += n
	}
	if n := total - min(len(a.Problems), shownProblems); n > 0 {
		h.app.warn("and %s more rows that could not be read", thousands(uint32(n)))
	}
}

type unknownOperation struct {
	name    string
	records int
}

// unknownOperations returns the operations that no hunt looks at, most frequent
// first.
func unknownOperations(a *m365.Account) []unknownOperation {
	pack := hunt.New(nil, hunt.All()...)
	var list []unknownOperation
	for name, n := range a.Operations {
		if !pack.Known(name) {
			list = append(list, unknownOperation{name, n})
		}
	}
	if a.OtherOperations > 0 {
		list = append(list, unknownOperation{"others", a.OtherOperations})
	}
	slices.SortFunc(list, func(x, y unknownOperation) int {
		if x.records != y.records {
			return y.records - x.records
		}
		return strings.Compare(x.name, y.name)
	})
	return list
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

func addressTexts(list []netip.Addr) []string {
	out := make([]string, len(list))
	for i, a := range list {
		out[i] = a.String()
	}
	return out
}
