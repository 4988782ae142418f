package evidence_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

func TestNormaliseRuleName(t *testing.T) {
	const guid = "3F2504E0-4F89-11D3-9A0C-0305E82C3301"
	for raw, want := range map[string]string{
		"Block Spoofing":            "block spoofing",
		"  BLOCK \u00a0  spoofing ": "block spoofing",
		"Ｂｌｏｃｋ spoofing":            "block spoofing",
		"STRASSE":                   "strasse",
		"Straße":                    "strasse",
		"Copy of WarnAuditHigh-RiskPhishingPatterns": "warnaudithigh-riskphishingpatterns",
		"copy of Copy Of  x":                         "x",
		"copy of":                                    "copy of",
		"copy of copy of":                            "copy of",
		"copy often":                                 "copy often",
		"Rule 12":                                    "rule",
		"rule12":                                     "rule",
		"rule_12-3":                                  "rule",
		"rule (2)":                                   "rule",
		"rule #4":                                    "rule",
		"rule -":                                     "rule -",
		"backup 2022-12-05":                          "backup",
		"12":                                         "12",
		"- 12":                                       "- 12",
		"; 12":                                       ";",
		"rule " + guid:                               "rule",
		"rule {" + guid + "}":                        "rule",
		"rule-" + guid + "-7":                        "rule",
		guid:                                         strings.ToLower(guid),
		"{" + guid + "}":                             "{" + strings.ToLower(guid) + "}",
		"copy of " + guid:                            strings.ToLower(guid),
		".":                                          ".",
		" ... ":                                      "...",
		"…":                                          "...",
		";":                                          ";",
		"[REDACTED]":                                 "⟨R⟩",
		"[REDACTED // BANKING]":                      "⟨R⟩",
		"(redacted by legal)":                        "⟨R⟩",
		"<Redaction 4>":                              "⟨R⟩",
		"REDACTED":                                   "⟨R⟩",
		"⟨r⟩":                                        "⟨R⟩",
		"[REDACTED] Compromise":                      "⟨R⟩ compromise",
		"redirect [REDACTED] email to DC":            "redirect ⟨R⟩ email to dc",
		"redirect redacted email to DC":              "redirect ⟨R⟩ email to dc",
		"Copy of [REDACTED] 2":                       "⟨R⟩",
		"credacted":                                  "credacted",
		"[dot] hxxp":                                 "[dot] hxxp",
		"Bypass SPAM Filter":                         "bypass spam filter",
		"\u0130stanbul \u0301":                       "i\u0307stanbul \u0301",
	} {
		if got := evidence.NormaliseRuleName(raw); got != want {
			t.Errorf("NormaliseRuleName(%q) = %q, want %q", raw, got, want)
		}
		if got := evidence.NormaliseRuleName(want); got != want {
			t.Errorf("NormaliseRuleName(%q) = %q is not stable", want, got)
		}
	}
}

func TestIsPlaceholder(t *testing.T) {
	for raw, want := range map[string]bool{
		"[REDACTED // BANKING]":     true,
		"[REDACTED] - (redacted) 2": true,
		"[REDACTED] + .":            true,
		"redacted":                  true,
		"[REDACTED] Compromise":     false,
		"[REDACTED] 🔥":              false,
		"[REDACTED] 2nd":            false,
		".":                         false,
		"r":                         false,
	} {
		if got := evidence.IsPlaceholder(evidence.NormaliseRuleName(raw)); got != want {
			t.Errorf("IsPlaceholder of %q = %v, want %v", raw, got, want)
		}
	}
}

func TestRuleWords(t *testing.T) {
	for written, want := range map[string]string{
		"WarnAuditHigh-RiskPhishingPatterns":         "warn audit high risk phishing patterns",
		"Copy of WarnAuditHigh-RiskPhishingPatterns": "warn audit high risk phishing patterns",

		"Block Spoofing":     "block spoofing",
		"Bypass SPAM Filter": "bypass spam filter",
		"HTTPServer":         "httpserver",
		"block2spoof":        "block spoof",

		"\uff22\uff4c\uff4f\uff43\uff4b\uff33\uff50\uff4f\uff4f\uff46": "block spoof",

		"ÄnderungÜberweisung":                       "änderung überweisung",
		"[REDACTED] Compromise":                     "compromise",
		"[redacted security team]":                  "",
		"rule 3F2504E0-4F89-11D3-9A0C-0305E82C3301": "rule",

		"...":                             "",
		"e\u0301te\u0301E\u0301te\u0301":  "été été",
		"spam spam":                       "spam spam",
		"redirect [REDACTED] email to DC": "redirect email to dc",
		"\u0301x":                         "x",
		"Display name spoofing (2)":       "display name spoofing",
		"bloq\u0301Spoof":                 "bloq\u0301 spoof",
	} {
		if got := strings.Join(evidence.RuleWords(written), " "); got != want {
			t.Errorf("RuleWords(%q) = %q, want %q", written, got, want)
		}
	}
}

func TestRuleNameKeepsSpelling(t *testing.T) {
	got, v := evidence.ParseValue("rule_name", "  Copy of  Block Spoofing 2 ", evidence.Options{})
	want := evidence.Parsed{
		Value:   evidence.Value{Kind: "rule_name", Text: "block spoofing"},
		Written: "Copy of  Block Spoofing 2",
	}
	if v != nil {
		t.Fatal(v)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
