package misp

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/export"
)

// attackTag returns the tag of a technique in MISP's galaxy of ATT&CK patterns,
// which has to name it and its id; "" where the name is unknown.
func attackTag(t export.Technique) string {
	if t.Name == "" {
		return ""
	}
	return fmt.Sprintf(`misp-galaxy:mitre-attack-pattern="%s - %s"`, t.Name, t.ID)
}

// likelihoodTag returns the tag of a likelihood by the bands of MISP's taxonomy
// estimative-language: up to 5, 20, 45, 55, 80, 95 and 99 %.
func likelihoodTag(p float64) string {
	band := "almost-certain"
	for _, b := range [...]struct {
		below float64
		name  string
	}{
		{.05, "almost-no-chance"},
		{.20, "very-unlikely"},
		{.45, "unlikely"},
		{.55, "roughly-even-chance"},
		{.80, "likely"},
		{.95, "very-likely"},
	} {
		if p < b.below {
			band = b.name
			break
		}
	}
	return fmt.Sprintf(`estimative-language:likelihood-probability="%s"`, band)
}

// eventTags are exactly one tlp tag, those of the options, and those of the
// techniques and the best link.
func eventTags(b *export.Bundle, more []string) []Tag {
	names := []string{"tlp:" + strings.TrimPrefix(b.TLP, "tlp:")}
	for _, name := range more {
		if !strings.HasPrefix(name, "tlp:") {
			names = append(names, name)
		}
	}
	for _, t := range b.Techniques {
		if tag := attackTag(t); tag != "" {
			names = append(names, tag)
		}
	}
	if len(b.Links) > 0 {
		best := slices.MaxFunc(b.Links, func(x, y export.Relation) int { return cmp.Compare(x.Likelihood, y.Likelihood) })
		names = append(names, likelihoodTag(best.Likelihood))
	}
	slices.Sort(names[1:])
	names = slices.Compact(names)
	tags := make([]Tag, len(names))
	for i, name := range names {
		tags[i] = Tag{name}
	}
	return tags
}
