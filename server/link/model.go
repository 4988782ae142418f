package link

import "github.com/elsewhere-project/elsewhere/server/evidence"

// Family is evidence of one nature; it has a cap of its own.
type Family string

// The families, in the order they are shown.
const (
	Infra     Family = "infra"
	Deception Family = "deception"
	Tooling   Family = "tooling"
	Artifact  Family = "artifact"
	Behaviour Family = "behaviour"
)

// row is how one kind of value weighs.
type row struct {
	family Family
	// m is the chance that two cases of one actor share a value of this kind.
	m float64
	// alpha is the expected number of unrelated actors who use such a value but
	// whom nobody has seen.
	alpha float64
	// halfLife is, in days between the sightings, when the chance that the value
	// still has the same holder has halved.
	halfLife int64
	// cap bounds the weight in millibits; 0 is no bound. A row with a cap is
	// weak: it explains no third case.
	cap int32
	// service rows weigh nothing: the value is everybody's.
	service bool
	// length is the number of values of the kind up to which a case is of
	// normal size; above, each match counts for less, as in BM25.
	length float64
	// referenced rows are those of addresses in no role of the actor.
	referenced bool
	// name is that of its constants without the last part; see Parameters.
	name string
}

// Model is one numbered, immutable set of constants. Every default in version 1
// is an elicited judgment, not a published value; SCORING.md's worked examples
// (B1, B2) hold for it and are tests.
type Model struct {
	version uint32
	// siblings is the expected number of same-actor cases of a random case.
	siblings float64
	// ceiling is 1 less the model's own error: no likelihood above it.
	ceiling float64

	addresses     map[string]*row // by class, in a role of the actor
	referenced    map[string]*row // by class, in any other role
	names         map[string]*row // by class, for names that only a class decides
	kinds         map[evidence.Kind]*row
	sendingName   row // domain or host that sent or was allow-listed
	otherName     row // domain or host in any other role but spoofed
	spoofedName   row
	spoofedPair   row // where only the spoofed name counts
	forwardDomain row
	theme         row
	// referencedHalfLife replaces the class's for addresses that are only
	// referenced, unless keepsHalfLife.
	referencedHalfLife int64
	referencedLength   float64
	keepsHalfLife      map[string]bool

	themeShare float64 // background share of the rule theme
	rulesCap   int32   // all rule names together, millibits
	groupBonus int32   // of a group with more than one value, millibits

	bulkValues int   // values of a kind above which a case is bulk in it
	bulkBelow  int32 // millibits below the prior's opposite that a bulk kind may reach
	// listed are the kinds that lists of indicators consist of. A case that is bulk
	// in one of them is in all, and together they may reach what one may.
	listed map[evidence.Kind]bool

	familyAbovePrior map[Family]int32 // cap = -prior + this, millibits
	behaviourCap     int32

	ruleNames   map[string]float64 // background share of normalised rule names
	shortName   float64            // of at most 2 characters or punctuation only
	lexiconOnly [3]float64         // of 1, 2, 3 or more words of the lexicon
	lexicon     map[string]bool

	techniques map[string]*rarity // by case kind

	initialAccess []string // techniques by which access can also be bought

	tiers []tierRule

	calibration calibration

	alike  alike
	agents agents
	off    off

	// base is the built-in version that the model is, or was made from by changes.
	base    uint32
	changes []Change

	namings *namings
}

type tierRule struct {
	tier   Tier
	micros uint32 // likelihood from which it holds, millionths
	groups int    // groups of evidence it needs
}

// Version returns the number of the model.
func (m *Model) Version() uint32 { return m.version }

// Version1 returns model version 1: all constants of the score in one place.
// Origin of every number: elicited (SCORING.md A1-A7, A11), but for the
// technique shares, which are the illustrative f_t of B1.
func Version1() *Model {
	addr := func(m, alpha float64, halfLife int64, limit int32) *row {
		return &row{family: Infra, m: m, alpha: alpha, halfLife: halfLife, cap: limit, length: 8}
	}
	service := &row{family: Infra, service: true, length: 8}
	serviceName := &row{family: Infra, service: true, length: 32}
	name := func(f Family, m, alpha float64, halfLife int64, limit int32) *row {
		return &row{family: f, m: m, alpha: alpha, halfLife: halfLife, cap: limit, length: 32}
	}
	other := func(f Family, m, alpha float64, halfLife int64, limit int32) *row {
		return &row{family: f, m: m, alpha: alpha, halfLife: halfLife, cap: limit, length: 4}
	}
	set := func(words ...string) map[string]bool {
		s := make(map[string]bool, len(words))
		for _, w := range words {
			s[w] = true
		}
		return s
	}
	m := &Model{
		version:  1,
		base:     1,
		namings:  &namings{},
		siblings: 1,
		ceiling:  0.995,

		addresses: map[string]*row{
			ClassHosting:            addr(.25, .5, 180, 0),
			ClassLeased:             addr(.25, 1, 120, 0),
			ClassCloudVM:            addr(.20, 2, 60, 0),
			ClassUnknown:            addr(.20, 1.5, 90, 0),
			ClassUnknownMicrosoft:   addr(.20, 2, 60, 0),
			ClassResidentialStatic:  addr(.20, 1, 60, 0),
			ClassResidentialDynamic: addr(.15, 3, 14, 0),
			ClassResidentialProxy:   addr(.05, 10, 3, 5000),
			ClassMobile:             addr(.10, 50, 14, 3000),
			ClassVPN:                addr(.10, 30, 180, 4000),
			ClassTor:                addr(.10, 200, 365, 2000),
			ClassPrivacyRelay:       addr(.10, 50, 14, 3000),
			ClassCorporateProxy:     addr(.10, 50, 14, 3000),
			ClassBusiness:           addr(.20, 1.5, 90, 0),
			ClassEducation:          addr(.20, 1.5, 90, 0),
			ClassGovernment:         addr(.20, 1.5, 90, 0),
			ClassBogon:              service,
			ClassTenantEgress:       service,
			ClassM365Service:        service,
			ClassService:            service,
			ClassCDN:                service,
		},
		names: map[string]*row{
			ClassService:      serviceName,
			ClassM365Service:  serviceName,
			ClassCDN:          serviceName,
			ClassFreemail:     serviceName,
			ClassMailProvider: serviceName,
			ClassURLShortener: serviceName,
			ClassBogon:        serviceName,
			ClassDynamicDNS:   name(Infra, .20, .3, 365, 0),
			ClassTopDomain:    name(Infra, .20, 10, 730, 3000),
		},
		kinds: map[evidence.Kind]*row{
			evidence.KindURL:            name(Infra, .20, .1, 730, 0),
			evidence.KindEmail:          name(Deception, .40, .1, 365, 0),
			evidence.KindFileHash:       name(Artifact, .20, .1, 365, 0),
			evidence.KindSpoofPair:      {family: Deception, m: .20, alpha: .2, halfLife: 365, length: 6},
			evidence.KindForwardTo:      other(Deception, .40, .1, 365, 0),
			evidence.KindRuleName:       other(Tooling, .30, 1, 365, 0),
			evidence.KindUserAgent:      other(Tooling, .30, 1, 180, 0),
			evidence.KindAppID:          other(Tooling, .30, .5, 365, 0),
			evidence.KindAccountPattern: other(Tooling, .20, 1, 365, 0),
			evidence.KindJA4:            other(Tooling, .30, 1, 180, 0),
			evidence.KindCIDR:           other(Infra, .30, 1, 90, 3000),
			evidence.KindASN:            other(Infra, .50, 1, 180, 3000),
			evidence.KindPortProfile:    other(Infra, .30, 1, 90, 2000),
			evidence.KindPhone:          other(Deception, .40, .1, 365, 0),
			evidence.KindBankAccount:    other(Deception, .40, .05, 730, 0),
			evidence.KindSession:        other(Infra, .50, .05, 30, 0),
		},
		sendingName:   *name(Infra, .20, .5, 180, 0),
		otherName:     *name(Infra, .20, .1, 730, 0),
		spoofedName:   *name(Deception, .20, 3, 180, 0),
		forwardDomain: *other(Deception, .20, 2, 180, 0),
		theme:         *other(Tooling, .30, 0, 365, 0),

		referencedHalfLife: 730,
		referencedLength:   32,
		keepsHalfLife: set(ClassVPN, ClassTor, ClassMobile, ClassResidentialStatic,
			ClassResidentialDynamic, ClassResidentialProxy),

		themeShare: .075,
		rulesCap:   6000,
		groupBonus: 500,

		bulkValues: 64,
		bulkBelow:  2000,

		familyAbovePrior: map[Family]int32{Infra: 6000, Deception: 6000, Tooling: 0, Artifact: 3000},
		behaviourCap:     3000,

		ruleNames: map[string]float64{
			"spam": .20, ".": .10,
			"..": .05, "...": .05, ",": .05, ";": .05,
			"junk": .05, "test": .05, "rule": .05, "new rule": .05, "inbox": .05,
			"move": .05, "delete": .05, "archive": .05, "rss": .05,
		},
		shortName:   .05,
		lexiconOnly: [3]float64{.02, .01, .005},
		lexicon: set("block", "spoof", "spoofing", "phish", "phishing", "spam", "junk", "filter",
			"bypass", "display", "name", "compromise", "security", "quarantine", "alert",
			"protection", "impersonation", "malware", "warn", "audit", "risk"),

		techniques: map[string]*rarity{
			"bec": newRarity(map[string]int32{
				"T1098.003": 4060, "T1562.001": 3840, "T1136.003": 3640, "T1098.002": 2740,
				"T1070.008": 2000, "T1098": 1510, "T1114.002": 1000, "T1114.003": 860,
				"T1078.004": 150,
			}),
		},
		// Tactic TA0001 of ATT&CK v17, by parent technique.
		initialAccess: []string{
			"T1078", "T1091", "T1133", "T1189", "T1190", "T1195", "T1199",
			"T1200", "T1566", "T1659", "T1669",
		},

		tiers: []tierRule{
			{Strong, 950_000, 2},
			{Probable, 750_000, 0},
			{Possible, 300_000, 0},
			{Lead, 50_000, 0},
		},
	}
	m.derive()
	return m
}

// derive fills the rows that follow from others.
func (m *Model) derive() {
	m.referenced = make(map[string]*row, len(m.addresses))
	for class, r := range m.addresses {
		other := *r
		other.m /= 2
		other.referenced = true
		other.length = m.referencedLength
		if !m.keepsHalfLife[class] {
			other.halfLife = m.referencedHalfLife
		}
		m.referenced[class] = &other
	}
	m.nameRows()
	m.derivePair()
	m.calibration = calibration{scale: 1}
}

// derivePair fills the row of a spoof pair of which only the spoofed name counts.
func (m *Model) derivePair() {
	m.spoofedPair = m.spoofedName
	m.spoofedPair.length = m.kinds[evidence.KindSpoofPair].length
}
