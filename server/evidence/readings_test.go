package evidence_test

import (
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

var update = flag.Bool("update", false, "write what the readings are into testdata")

// written is a value as somebody may paste it, and what it is read as without a
// kind. The page guesses too, before it asks, and its tests read the same file.
type written struct {
	Raw   string        `json:"raw"`
	Kind  evidence.Kind `json:"kind"`
	Value string        `json:"value"`
}

func TestReadings(t *testing.T) {
	const file = "../../testdata/readings.json"
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var want, got []written
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	for _, w := range want {
		p, v := evidence.ParseValue("", w.Raw, options())
		if v != nil {
			t.Errorf("%q: %v", w.Raw, v)
			continue
		}
		got = append(got, written{w.Raw, p.Kind, p.Text})
	}
	if *update {
		out, err := json.MarshalIndent(got, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(out, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
