package export

import (
	"math"
	"time"

	"github.com/elsewhere-project/elsewhere/server/evidence"
	"github.com/elsewhere-project/elsewhere/server/link"
)

// decay is how an indicator loses its worth: the polynomial of MISP's decaying
// models, score = base · (1 − (t/lifetime)^(1/speed)), apart from the link score,
// which has a half-life of its own.
type decay struct {
	base      float64 // score when last seen, 0 to 100
	lifetime  float64 // days until the score is 0
	speed     float64
	threshold float64 // score below which it is no longer valid
}

// MISP ships the models for network indicators and for phishing; the others are
// these with another lifetime, by judgment: how long an address or a name stays in
// the hands of who had it.
var (
	networkDecay  = decay{base: 80, lifetime: 120, speed: 2, threshold: 30}
	phishingDecay = decay{base: 80, lifetime: 3, speed: 2.3, threshold: 30}
)

func networkFor(days float64) decay {
	d := networkDecay
	d.lifetime = days
	return d
}

// decayOf returns how a value of a class decays.
func decayOf(v evidence.Value, class string) decay {
	switch v.Kind {
	case evidence.KindURL:
		return phishingDecay
	case evidence.KindDomain, evidence.KindHostname, evidence.KindEmail, evidence.KindForwardTo:
		return networkFor(365)
	case evidence.KindFileHash, evidence.KindAppID, evidence.KindJA4, evidence.KindUserAgent:
		return networkFor(730)
	case evidence.KindIP, evidence.KindCIDR:
	default:
		return networkFor(365)
	}
	switch class {
	case link.ClassCloudVM, link.ClassTor, link.ClassVPN, link.ClassResidentialProxy:
		return networkFor(30)
	case link.ClassMobile, link.ClassResidentialDynamic:
		return networkFor(14)
	}
	return networkDecay
}

// validity is how long after it was last seen a value stays above the threshold.
func (d decay) validity() time.Duration {
	days := d.lifetime * math.Pow(1-d.threshold/d.base, d.speed)
	return time.Duration(days * 24 * float64(time.Hour)).Truncate(time.Second)
}

// score is what is left of a value some time after it was last seen, 0 to 100.
func (d decay) score(after time.Duration) float64 {
	days := max(0, after.Hours()/24)
	if days >= d.lifetime {
		return 0
	}
	return d.base * (1 - math.Pow(days/d.lifetime, 1/d.speed))
}
