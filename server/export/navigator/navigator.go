// Package navigator writes the techniques of a bundle as a layer of the ATT&CK
// Navigator.
//
// It knows the layer format. It must not know where a bundle comes from.
package navigator

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"time"

	"github.com/elsewhere-project/elsewhere/server/export"
)

// Versions of what a layer is for.
const (
	layerVersion     = "4.5"
	navigatorVersion = "5.1.0"
)

type layer struct {
	Name        string            `json:"name"`
	Versions    map[string]string `json:"versions"`
	Domain      string            `json:"domain"`
	Description string            `json:"description"`
	Techniques  []technique       `json:"techniques"`
	Gradient    gradient          `json:"gradient"`
	Legend      []legend          `json:"legendItems"`
	Metadata    []metadata        `json:"metadata"`
}

type technique struct {
	ID       string `json:"techniqueID"`
	Tactic   string `json:"tactic,omitempty"`
	Score    uint32 `json:"score"`
	Comment  string `json:"comment"`
	Enabled  bool   `json:"enabled"`
	Expanded bool   `json:"showSubtechniques"`
}

type gradient struct {
	Colors []string `json:"colors"`
	Min    uint32   `json:"minValue"`
	Max    uint32   `json:"maxValue"`
}

type legend struct {
	Label string `json:"label"`
	Color string `json:"color"`
}

type metadata struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Write writes a layer: the score of a technique is how many records stand behind
// it, 1 where nobody counted.
func Write(ctx context.Context, w io.Writer, b *export.Bundle) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l := layer{
		Name:   b.Title,
		Domain: "enterprise-attack", Description: strings.ToUpper(b.TLP) + ", " + b.Producer.Name,
		Versions:   map[string]string{"attack": major(export.AttackVersion), "navigator": navigatorVersion, "layer": layerVersion},
		Techniques: []technique{}, Gradient: gradient{Colors: []string{"#ffe0b3", "#d9480f"}, Min: 1, Max: 1},
		Legend:   []legend{{"seen", "#d9480f"}},
		Metadata: []metadata{{"bundle", b.ID.String()}},
	}
	for _, t := range b.Techniques {
		score := max(t.Count, 1)
		l.Gradient.Max = max(l.Gradient.Max, score)
		entry := technique{ID: t.ID, Score: score, Comment: seen(t), Enabled: true, Expanded: strings.Contains(t.ID, ".")}
		if len(t.Tactics) == 0 {
			l.Techniques = append(l.Techniques, entry)
		}
		for _, tactic := range t.Tactics {
			entry.Tactic = tactic
			l.Techniques = append(l.Techniques, entry)
		}
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	return encoder.Encode(l)
}

// seen says when a technique was.
func seen(t export.Technique) string {
	if t.First.IsZero() {
		return t.Name
	}
	return t.Name + ", " + t.First.Format(time.DateOnly) + " to " + t.Last.Format(time.DateOnly)
}

func major(version string) string {
	first, _, _ := strings.Cut(version, ".")
	return first
}
