package main

import (
	"cmp"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// reasonWidth is where a reason for a class is cut: it names a list, a date, a
// prefix and what follows from it.
const reasonWidth = 160

// unknownClass is the class of what no list and no service knows.
const unknownClass = "unknown"

// recordText writes a record as a title and a table of its fields.
func (a *app) recordText(r *elsewherev1.Record) string {
	o := r.GetObservable()
	title := a.style.bold(safe(cmp.Or(o.GetValue(), "(value not repeated)"), refWidth))
	if o.GetKind() != "" {
		title += "  " + safe(o.GetKind(), valueWidth)
	}
	switch r.GetStatus() {
	case elsewherev1.RecordStatus_RECORD_STATUS_ANSWERED:
	case elsewherev1.RecordStatus_RECORD_STATUS_NOT_DISCLOSED:
		return title + "  private: nobody is asked about it\n"
	case elsewherev1.RecordStatus_RECORD_STATUS_INVALID:
		return title + "  " + invalidText(r.GetViolation()) + "\n"
	default:
		return title + "  unknown answer\n"
	}
	text := title + "  class " + a.style.bold(safe(cmp.Or(r.GetClass(), unknownClass), valueWidth)) + "\n"
	for i, reason := range r.GetClassReasons() {
		word := "  also "
		if i == 0 && r.GetClass() != unknownClass {
			word = "  decided by "
		}
		for _, line := range fold("    ", word+safe(reason, messageWidth)) {
			text += line + "\n"
		}
	}
	var rows [][]string
	for _, f := range r.GetFields() {
		if f.GetStatus() == elsewherev1.LookupStatus_LOOKUP_STATUS_OK {
			rows = append(rows, []string{"", fieldLabel(f.GetName()), safe(f.GetValue(), valueWidth), provenance(f)})
		}
	}
	for _, s := range r.GetAnswers() {
		if s.GetStatus() != elsewherev1.LookupStatus_LOOKUP_STATUS_OK {
			rows = append(rows, []string{"", safe(s.GetSource(), valueWidth), a.style.bold(lookupWord(s.GetStatus())), whyNotLookedUp(s)})
		}
	}
	if len(rows) == 0 {
		return text + "  no source knows values of this kind\n"
	}
	return text + table(make([]string, 4), rows)
}

// fieldLabel writes the name of a field for people.
func fieldLabel(name string) string { return safe(strings.ReplaceAll(name, "_", " "), valueWidth) }

// provenance says by whom and of when a field is.
func provenance(f *elsewherev1.RecordField) string {
	text := safe(f.GetSource(), valueWidth)
	switch date := day(f.GetDataDate()); {
	case f.GetCaseRef() != "":
		stated := "stated in " + safe(f.GetCaseRef(), refWidth)
		if text != "" {
			stated += ": " + text
		}
		text = stated
		// People name a report by its day.
		if f.HasDataDate() && !strings.Contains(f.GetSource(), date) {
			text += ", " + date
		}
	case f.HasDataDate():
		text += " " + date
	case f.HasLookedUpAt():
		text += ", no date"
	}
	if f.GetStale() {
		text += ", out of date: looked up " + minute(f.GetLookedUpAt())
	}
	return text
}

// because returns the reasons for a class; the score puts the class before the
// first.
func because(class string, given []string) []string {
	out := safeAll(given, reasonWidth)
	if len(out) > 0 {
		out[0] = strings.TrimPrefix(out[0], safe(class, valueWidth)+": ")
	}
	return out
}

// minute writes a time to the minute, UTC.
func minute(t *timestamppb.Timestamp) string {
	if t == nil || t.CheckValid() != nil {
		return "?"
	}
	return t.AsTime().UTC().Format("2006-01-02 15:04Z")
}

// whyNotLookedUp says why a source gave no answer and when one may be had.
func whyNotLookedUp(s *elsewherev1.SourceAnswer) string {
	text := safe(s.GetDetail(), messageWidth)
	if s.HasRetryAt() {
		if text != "" {
			text += "; "
		}
		text += "again from " + minute(s.GetRetryAt())
	}
	return text
}

// known returns the fields of a name that a source filled today.
func known(r *elsewherev1.Record, name string) []*elsewherev1.RecordField {
	var out []*elsewherev1.RecordField
	for _, f := range r.GetFields() {
		if f.GetName() == name && f.GetCaseRef() == "" && f.GetStatus() == elsewherev1.LookupStatus_LOOKUP_STATUS_OK {
			out = append(out, f)
		}
	}
	return out
}

// seenRecord writes under a value that was asked for what it is: its network,
// where it is hosted, what is reported of it and what cases stated.
func (a *app) seenRecord(r *elsewherev1.Record) string {
	var lines []string
	for _, line := range []string{network(r), hosted(r), reported(r)} {
		if line != "" {
			lines = append(lines, line)
		}
	}
	lines = append(lines, stated(r)...)
	if r.GetMoreCaseFields() && len(r.GetFields()) > 0 {
		lines = append(lines, "more cases may have stated something")
	}
	text := ""
	for _, line := range lines {
		for _, folded := range fold("    ", "  "+line) {
			text += folded + "\n"
		}
	}
	return text
}

// network writes the network that announces an address.
func network(r *elsewherev1.Record) string {
	asns := known(r, "asn")
	if len(asns) == 0 {
		return ""
	}
	text := "AS" + safe(asns[0].GetValue(), valueWidth)
	for _, name := range []string{"as_org", "prefix"} {
		for _, f := range known(r, name)[:min(1, len(known(r, name)))] {
			text += " " + safe(f.GetValue(), valueWidth)
		}
	}
	return text + " (" + provenance(asns[0]) + ")"
}

// hosted writes the provider of an address as the provider itself says it.
func hosted(r *elsewherev1.Record) string {
	var phrases []string
	var from *elsewherev1.RecordField
	for _, name := range []string{"provider", "region", "service"} {
		for _, f := range known(r, name) {
			if from == nil {
				from = f
			}
			if f.GetSource() != from.GetSource() {
				continue
			}
			if name == "provider" {
				phrases = append(phrases, safe(f.GetValue(), valueWidth))
			} else {
				phrases = append(phrases, name+" "+safe(f.GetValue(), valueWidth))
			}
		}
	}
	if from == nil {
		return ""
	}
	return strings.Join(phrases, ", ") + " (" + provenance(from) + ")"
}

// reported writes what a service knows of reports, or in words why nothing.
func reported(r *elsewherev1.Record) string {
	if reports := known(r, "reports"); len(reports) > 0 {
		text := safe(reports[0].GetValue(), valueWidth) + " reports"
		for _, part := range []struct{ name, before, after string }{
			{"reporters", " by ", " reporters"},
			{"report_window_days", " in ", " days"},
			{"abuse_score", ", score ", ""},
			{"domain", ", domain ", ""},
		} {
			for _, f := range known(r, part.name) {
				if f.GetSource() == reports[0].GetSource() {
					text += part.before + safe(f.GetValue(), valueWidth) + part.after
				}
			}
		}
		return text + " (" + provenance(reports[0]) + ")"
	}
	for _, f := range r.GetFields() {
		if f.GetName() == "reports" && f.GetCaseRef() == "" {
			return "abuse reports: " + lookupWord(f.GetStatus()) + " (" + safe(f.GetSource(), valueWidth) + ")"
		}
	}
	return ""
}

// stated writes what cases stated of a value, a line for each case and name.
func stated(r *elsewherev1.Record) []string {
	type key struct{ ref, name string }
	var order []key
	values := make(map[key][]string)
	from := make(map[key]*elsewherev1.RecordField)
	for _, f := range r.GetFields() {
		if f.GetCaseRef() == "" {
			continue
		}
		k := key{f.GetCaseRef(), f.GetName()}
		if from[k] == nil {
			order, from[k] = append(order, k), f
		}
		if v := safe(f.GetValue(), valueWidth); !slices.Contains(values[k], v) {
			values[k] = append(values[k], v)
		}
	}
	lines := make([]string, len(order))
	for i, k := range order {
		lines[i] = statedLabel(k.name, len(values[k])) + " " + strings.Join(values[k], ", ") + " (" + provenance(from[k]) + ")"
	}
	return lines
}

func statedLabel(name string, n int) string {
	label := fieldLabel(name)
	if name == openPort && n > 1 {
		label += "s"
	}
	return label
}

// openPort is the fact under which cases state the ports of an address.
const openPort = "open_port"

// openPorts returns the ports that cases state of addresses, as a phrase an
// address and case.
func openPorts(names []string, cases []*elsewherev1.Case) map[string][]string {
	out := make(map[string][]string)
	for i, c := range cases {
		ports := make(map[string][]string)
		var order []string
		dated := make(map[string]*elsewherev1.Fact)
		for _, f := range c.GetFindings() {
			for _, o := range f.GetObservables() {
				for _, fact := range o.GetFacts() {
					if fact.GetName() != openPort {
						continue
					}
					// Cases are answered as they were written.
					p, invalid := evidence.ParseValue(evidence.Kind(o.GetKind()), o.GetValue(), evidence.Options{})
					if invalid != nil {
						continue
					}
					at := string(p.Kind) + " " + p.Text
					if dated[at] == nil {
						order, dated[at] = append(order, at), fact
					}
					if v := safe(fact.GetValue(), valueWidth); !slices.Contains(ports[at], v) {
						ports[at] = append(ports[at], v)
					}
				}
			}
		}
		for _, at := range order {
			phrase := names[i] + " states " + statedLabel(openPort, len(ports[at])) + " " + strings.Join(ports[at], ", ")
			if dated[at].HasObservedAt() {
				phrase += " on " + day(dated[at].GetObservedAt())
			}
			out[at] = append(out[at], phrase)
		}
	}
	return out
}
