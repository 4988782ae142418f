package link

import "github.com/elsewhere-project/elsewhere/server/evidence"

// Class is what a value is, store-wide and now. Classes that the model does not
// name weigh as ClassUnknown.
type Class struct {
	Name string
	// Alpha, when above 0, replaces the model's alpha of the class: lists of
	// prefixes grade it and nothing else.
	Alpha float64
	// AlphaReferenced, when above 0, does so for an address in no role of the
	// actor; at 0 Alpha does.
	AlphaReferenced float64
	// ASN groups the addresses of weak classes; 0 is unknown.
	ASN uint32
	// Reasons name the feed and the entry that decided, for people.
	Reasons []string
}

// The classes of addresses, of names and of application ids.
const (
	ClassUnknown            = "unknown"
	ClassUnknownMicrosoft   = "unknown_microsoft"
	ClassBogon              = "bogon"
	ClassTenantEgress       = "tenant_egress"
	ClassM365Service        = "m365_service"
	ClassService            = "service"
	ClassCDN                = "cdn"
	ClassTor                = "tor"
	ClassPrivacyRelay       = "privacy_relay"
	ClassVPN                = "vpn"
	ClassResidentialProxy   = "residential_proxy"
	ClassCorporateProxy     = "corporate_proxy"
	ClassMobile             = "mobile"
	ClassCloudVM            = "cloud_vm"
	ClassLeased             = "leased"
	ClassHosting            = "hosting"
	ClassResidentialStatic  = "residential_static"
	ClassResidentialDynamic = "residential_dynamic"
	ClassBusiness           = "business"
	ClassEducation          = "education"
	ClassGovernment         = "government"

	ClassFreemail     = "freemail"
	ClassMailProvider = "mail_provider"
	ClassURLShortener = "url_shortener"
	ClassDynamicDNS   = "dynamic_dns"
	ClassTopDomain    = "top_domain"
)

// Classifier says what a value is. It answers from memory; equal values get
// equal classes for as long as Version stays.
type Classifier interface {
	Class(evidence.Value) Class
	// Version names the data behind the classes.
	Version() string
}
