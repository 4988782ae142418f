package lexicon_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/client/m365/lexicon"
)

func TestKeywordsMeanTheSameInEveryLanguage(t *testing.T) {
	l := lexicon.New()
	for _, name := range []string{
		"Invoice payment", "FACTURE / paiement", "Rechnungen: Zahlung", "facturas_pago", "Fatura – pagamento",
		"factuur betaling", "fattura-pagamento", "ＩＮＶＯＩＣＥ payments",
	} {
		if diff := cmp.Diff([]string{"invoice", "payment"}, l.Keywords(name)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestKeywordsOfThePublishedNames(t *testing.T) {
	l := lexicon.New()
	for name, want := range map[string]string{
		"WarnAuditHigh-RiskPhishingPatterns": "audit phish risk warn",
		"Bypass SPAM Filter":                 "bypass filter spam",
		"Display name spoofing":              "display spoof",
		"Zebulon Fairweather 4711":           "",
	} {
		if got := strings.Join(l.Keywords(name), " "); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestTags(t *testing.T) {
	l := lexicon.New()
	for subject, want := range map[string][]string{
		"Your one-time code is 123456":            {"passcode"},
		"Réinitialisation de votre mot de passe":  {"password_reset"},
		"RE: Rechnung 2023-114 Überweisung":       {"invoice", "payment"},
		"You have messages in quarantine":         {"quarantine"},
		"Lunch with Zebulon":                      nil,
		"Undeliverable: your mail to a colleague": {"delivery_failure"},
	} {
		if got := l.Tags(subject); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", subject, got, want)
		}
	}
}

// What comes out is a word of the lists, whatever goes in.
func FuzzNothingOfTheTextComesOut(f *testing.F) {
	l := lexicon.New()
	known := make(map[string]bool)
	for _, s := range []string{"Rechnung", "Zebulon", "paiement déjà", "\xff\x00", "ẞ ﬁ Ⅻ", "IBAN DE00 1234"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, w := range append(l.Keywords(text), l.Tags(text)...) {
			known[w] = true
			if len(w) > 20 || strings.Trim(w, "abcdefghijklmnopqrstuvwxyz_") != "" {
				t.Fatalf("%q gives %q", text, w)
			}
		}
		if len(known) > 150 {
			t.Fatalf("%d words; the lists have fewer", len(known))
		}
	})
}
