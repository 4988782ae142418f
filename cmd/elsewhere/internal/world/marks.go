package world

// Phenomenon is something about a case that makes links right, wrong or missed.
type Phenomenon uint8

// The phenomena. A case has one or not.
const (
	OneOff Phenomenon = iota // the only case of its actor
	OwnServer
	Neighbour // a server in the /24 of the actor's former one
	CloudMachine
	LeasedBlock
	RerentedAddress // that another actor had before
	BulletproofNetwork
	VPNExit
	UnknownVPNExit // that enrichment does not know as one
	ResidentialProxy
	MobileCarrier
	OwnLine
	Tor
	ServiceRelay   // of a phishing service, shared by its customers
	SharedKit      // page or agent of a phishing service
	TenantEgress   // taken for the actor's
	SharedEgress   // the same, of several tenants behind one proxy
	ManagedAddress // of the company that runs the tenant's systems
	MicrosoftAddress
	CommonUserAgent
	FirstPartyApp
	AbusedApp
	GenericRuleName
	NameVariant
	RedactedName
	KeywordsDrifted
	TutorialKeywords
	SpoofPair
	PopularBrand
	SharedSender
	Typo
	Undated
	PoisonedCase
	BridgingCase // poisoned, and small enough to pass
	Phenomena    // how many there are
)

// String returns the name of a phenomenon for people.
func (p Phenomenon) String() string {
	if p >= Phenomena {
		return "unknown"
	}
	return [Phenomena]string{
		OneOff: "only case of its actor", OwnServer: "own server", Neighbour: "next address of own network",
		CloudMachine: "cloud machine", LeasedBlock: "leased block", RerentedAddress: "address another actor had",
		BulletproofNetwork: "bulletproof network", VPNExit: "VPN exit", UnknownVPNExit: "VPN exit unknown as such",
		ResidentialProxy: "residential proxy", MobileCarrier: "mobile carrier", OwnLine: "own line", Tor: "Tor exit",
		ServiceRelay: "relay of a phishing service", SharedKit: "kit of a phishing service",
		TenantEgress: "tenant's own egress", SharedEgress: "egress of several tenants",
		ManagedAddress:   "address of the tenant's manager",
		MicrosoftAddress: "Microsoft's own address", CommonUserAgent: "common user agent",
		FirstPartyApp: "first-party application", AbusedApp: "abused honest application",
		GenericRuleName: "generic rule name", NameVariant: "variant of a rule name", RedactedName: "redacted rule name",
		KeywordsDrifted: "drifted keywords", TutorialKeywords: "keywords of a tutorial", SpoofPair: "spoof pair",
		PopularBrand: "popular brand spoofed", SharedSender: "sent by a mail provider", Typo: "slip of an analyst",
		Undated: "no dates", PoisonedCase: "poisoned case", BridgingCase: "poisoned case of ordinary size",
	}[p]
}

// marks are the phenomena of a case.
type marks uint64

func (m *marks) set(p Phenomenon)     { *m |= 1 << p }
func (m marks) has(p Phenomenon) bool { return m&(1<<p) != 0 }
