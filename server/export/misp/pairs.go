package misp

import "slices"

// Types of attributes that are written here.
const (
	typeIPSrc     = "ip-src"
	typeDomain    = "domain"
	typeHostname  = "hostname"
	typeAS        = "AS"
	typeURL       = "url"
	typeEmailSrc  = "email-src"
	typeEmailDst  = "email-dst"
	typeUserAgent = "user-agent"
	typeText      = "text"
	typeOther     = "other"
	typeDatetime  = "datetime"
	typeCounter   = "counter"
	typeBoolean   = "boolean"
	typePort      = "port"
	typeLink      = "link"
)

// Categories of attributes that are written here.
const (
	categoryNetwork     = "Network activity"
	categoryDelivery    = "Payload delivery"
	categoryPersistence = "Persistence mechanism"
	categoryAnalysis    = "External analysis"
	categoryOther       = "Other"
	categoryAttribution = "Attribution"
)

// ValidPair reports whether MISP takes an attribute of a type in a category, for
// the types that this package writes. Source: describeTypes.json of PyMISP.
func ValidPair(typ, category string) bool {
	return slices.Contains(categoriesOf(typ), category)
}

func categoriesOf(typ string) []string {
	switch typ {
	case typeIPSrc, "ip-dst", typeDomain, typeHostname, typeURL, typeUserAgent, typeAS:
		return []string{categoryNetwork, categoryDelivery, categoryAnalysis}
	case typeEmailSrc:
		return []string{categoryDelivery, "Social network"}
	case typeEmailDst:
		return []string{categoryDelivery, categoryNetwork, "Social network"}
	case "md5", "sha1", "sha256":
		return []string{categoryDelivery, "Artifacts dropped", "Payload installation", categoryAnalysis}
	case "sha512":
		return []string{categoryDelivery, "Artifacts dropped", "Payload installation"}
	case typeText, typeOther:
		return []string{
			"Antivirus detection", "Artifacts dropped", categoryAttribution, categoryAnalysis, "Financial fraud",
			"Internal reference", categoryNetwork, categoryOther, categoryDelivery, "Payload installation",
			"Payload type", categoryPersistence, "Person", "Social network", "Support Tool",
		}
	case typeDatetime, typeCounter, typeBoolean:
		return []string{categoryOther}
	case typePort:
		return []string{categoryNetwork, categoryOther}
	case typeLink:
		return []string{"Antivirus detection", categoryAnalysis, "Internal reference", categoryDelivery, "Support Tool"}
	}
	return nil
}
