package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

// exact writes a constant so that it can be read back.
func exact(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// modelText writes a model and its constants.
func modelText(res *elsewherev1.GetModelResponse, st style) string {
	m := res.GetModel()
	var out strings.Builder
	out.WriteString(st.bold(fmt.Sprintf("model %d (%s)", m.GetVersion(), modelState(m))) + "\n")
	for _, line := range modelStory(m) {
		out.WriteString(line + "\n")
	}
	if len(res.GetParameters()) == 0 {
		out.WriteString("no constant differs from the program's own version\n")
		return out.String()
	}
	out.WriteString("\n")
	rows := make([][]string, len(res.GetParameters()))
	for i, p := range res.GetParameters() {
		origin := safe(p.GetOrigin(), messageWidth)
		if p.GetValue() != p.GetBaseValue() {
			origin += fmt.Sprintf(" (model %d: %s)", m.GetBaseVersion(), exact(p.GetBaseValue()))
		}
		rows[i] = []string{safe(p.GetName(), valueWidth), exact(p.GetValue()), safe(p.GetUnit(), valueWidth), origin}
	}
	out.WriteString(table([]string{"constant", ">value", "unit", "origin"}, rows))
	return out.String()
}

// modelState says in a word or two what a model is.
func modelState(m *elsewherev1.Model) string {
	state := calibrated(m.GetCalibratedReviews())
	if m.GetActive() {
		state = "active, " + state
	}
	return state
}

// modelStory says where a model is from.
func modelStory(m *elsewherev1.Model) []string {
	if m.GetVersion() == m.GetBaseVersion() {
		return []string{"part of the program"}
	}
	out := []string{fmt.Sprintf("made from model %d, %s; learned from %s while model %d was active, %s",
		m.GetBaseVersion(), count(int(m.GetChanged()), "constant differs", "constants differ"),
		count(int(m.GetReviews()), "review", "reviews"), m.GetLearnedFromVersion(), day(m.GetCreatedAt()))}
	if m.GetLogLossBefore() > 0 {
		out = append(out, heldOut(m))
	}
	if m.GetNote() != "" {
		out = append(out, "note: "+safe(m.GetNote(), messageWidth))
	}
	return out
}

func heldOut(m *elsewherev1.Model) string {
	return fmt.Sprintf("log-loss on held-out pairs: %.4f bits, %.4f before", m.GetLogLossAfter(), m.GetLogLossBefore())
}

// modelsText writes the versions and their history.
func modelsText(res *elsewherev1.ListModelsResponse, st style) string {
	rows := make([][]string, len(res.GetModels()))
	for i, m := range res.GetModels() {
		active, from := "", "program"
		if m.GetActive() {
			active = "active"
		}
		if m.GetVersion() != m.GetBaseVersion() {
			from = fmt.Sprintf("model %d", m.GetBaseVersion())
		}
		reviews := ""
		if n := m.GetReviews(); n > 0 {
			reviews = thousands(n)
		}
		rows[i] = []string{
			strconv.Itoa(int(m.GetVersion())), active, from, thousands(m.GetChanged()), reviews,
			calibrated(m.GetCalibratedReviews()), dayOrNothing(m), safe(m.GetNote(), valueWidth),
		}
	}
	text := table([]string{">version", "", "made from", ">changed", ">reviews", "likelihood", "created", "note"}, rows)
	if len(res.GetHistory()) == 0 {
		return text
	}
	rows = rows[:0]
	for _, h := range res.GetHistory() {
		what := "applied"
		if h.GetRollback() {
			what = "rolled back to"
		}
		rows = append(rows, []string{
			h.GetActivatedAt().AsTime().UTC().Format("2006-01-02 15:04:05Z"), what,
			fmt.Sprintf("model %d", h.GetVersion()), fmt.Sprintf("from model %d", h.GetPreviousVersion()),
			"by " + safe(h.GetActivatedBy(), valueWidth),
		})
	}
	return text + "\n" + table(make([]string, 5), rows)
}

func dayOrNothing(m *elsewherev1.Model) string {
	if m.GetCreatedAt() == nil {
		return ""
	}
	return day(m.GetCreatedAt())
}

// proposalText writes what was learned, what was refused and what it would do.
func proposalText(res *elsewherev1.ProposeModelResponse, st style) string {
	var out strings.Builder
	m := res.GetModel()
	title := "no model proposed"
	switch {
	case m.GetVersion() != 0:
		title = fmt.Sprintf("model %d proposed, not applied", m.GetVersion())
	case m != nil:
		title = "what would be proposed"
	}
	out.WriteString(st.bold(title) + "\n")
	out.WriteString(fmt.Sprintf("%s, %s of one actor, held out in %s\n", count(int(res.GetReviews()), "judged pair", "judged pairs"),
		thousands(res.GetSame()), count(int(res.GetFolds()), "part", "parts")))
	if m.GetLogLossBefore() > 0 {
		out.WriteString(heldOut(m) + "\n")
	}
	for _, part := range []struct {
		title   string
		applied bool
	}{{"changed", true}, {"left as it is", false}} {
		var rows [][]string
		for _, c := range res.GetConsidered() {
			if c.GetApplied() != part.applied {
				continue
			}
			to := ""
			if c.GetToValue() != c.GetFromValue() {
				to = exact(c.GetToValue())
			}
			rows = append(rows, []string{
				"  " + safe(c.GetName(), valueWidth), thousands(c.GetSame()), thousands(c.GetDifferent()),
				exact(c.GetFromValue()), to, safe(c.GetReason(), messageWidth),
			})
		}
		if len(rows) > 0 {
			out.WriteString("\n" + part.title + "\n" + table([]string{"  constant", ">same", ">different", ">now", ">learned", "because"}, rows))
		}
	}
	if m != nil {
		out.WriteString("\n" + tierChanges(res))
	}
	return out.String()
}

// tierChanges says how many pairs would be in another tier.
func tierChanges(res *elsewherev1.ProposeModelResponse) string {
	total := uint64(0)
	rows := make([][]string, len(res.GetTierChanges()))
	for i, c := range res.GetTierChanges() {
		total += uint64(c.GetPairs())
		rows[i] = []string{"  " + tierName(c.GetFromTier()), "→ " + tierName(c.GetToTier()), thousands(c.GetPairs())}
	}
	text := fmt.Sprintf("%s of %s would change tier\n", thousands(uint32(min(total, math.MaxUint32))),
		count(int(res.GetPairsCompared()), "pair", "pairs"))
	if len(rows) == 0 {
		return text
	}
	return text + table([]string{"", "", ">"}, rows)
}

// activeText says which model is active now.
func activeText(m *elsewherev1.Model, previous uint32) string {
	if m.GetVersion() == previous {
		return fmt.Sprintf("model %d is active already\n", previous)
	}
	return fmt.Sprintf("model %d is active, model %d was; all links are scored anew\n", m.GetVersion(), previous)
}
