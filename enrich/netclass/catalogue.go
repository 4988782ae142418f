package netclass

import (
	"bytes"
	"path"
	"slices"
	"strings"
)

// Format is how a publisher writes a list.
type Format string

// The formats.
const (
	FormatAWS        Format = "aws"        // ip-ranges.json
	FormatCloudflare Format = "cloudflare" // answer of its API about ranges
	FormatAzure      Format = "azure"      // ServiceTags_Public_DATE.json
	FormatGCP        Format = "gcp"        // cloud.json
	FormatOracle     Format = "oracle"     // public_ip_ranges.json
	FormatGeofeed    Format = "geofeed"    // RFC 8805
	FormatFastly     Format = "fastly"     // public-ip-list
	FormatM365       Format = "m365"       // Microsoft 365 endpoint web service
	FormatRanges     Format = "ranges"     // an address or prefix a line
	FormatASNs       Format = "asns"       // an AS number a line, or the first field of a CSV
	FormatNames      Format = "names"      // a domain a line
	FormatMISP       Format = "misp"       // MISP warninglist
	FormatEgress     Format = "egress"     // CSV of tenant and prefix
)

// Spec is what has to be known of a list to read it.
type Spec struct {
	Info
	Format Format
	// Class is what the listed values are, where the format does not say; "" if
	// being listed says nothing.
	Class string
	// Grades is set for ranges that the community collects (Match.Grades).
	Grades bool
	// MinEntries is the fewest entries of a whole list; fewer are a broken one.
	MinEntries int
	// MaxBytes bounds the file.
	MaxBytes int64
	// Files are patterns (path.Match) of the base names under which the
	// publisher or a mirror offers the list.
	Files []string
}

const (
	facts    = "facts published by the provider"
	megabyte = 1 << 20
	// mispPrefix begins the names of all MISP warninglists.
	mispPrefix = "misp-"
)

// Known returns the lists that the program can read by their names, but for MISP
// warninglists, which are any number (Lookup).
func Known() []Spec {
	return []Spec{
		{
			Info: Info{
				Name: "aws", Title: "AWS ip-ranges", Licence: facts, Attribution: "Amazon Web Services",
				URL: "https://ip-ranges.amazonaws.com/ip-ranges.json",
			},
			Format: FormatAWS, MinEntries: 2000, MaxBytes: 16 * megabyte, Files: []string{"ip-ranges.json", "aws-ip-ranges*.json"},
		},
		{
			// The address of the file changes every week; it is downloaded by hand
			// from Microsoft's page "Azure IP Ranges and Service Tags".
			Info:   Info{Name: "azure", Title: "Azure Service Tags", Licence: facts, Attribution: "Microsoft"},
			Format: FormatAzure, MinEntries: 5000, MaxBytes: 32 * megabyte,
			Files: []string{"ServiceTags_Public*.json", "azure-ServiceTags_Public*.json"},
		},
		{
			Info: Info{
				Name: "gcp", Title: "Google Cloud ranges", Licence: facts, Attribution: "Google",
				URL: "https://www.gstatic.com/ipranges/cloud.json",
			},
			Format: FormatGCP, MinEntries: 200, MaxBytes: 8 * megabyte, Files: []string{"cloud.json", "gcp-cloud*.json"},
		},
		{
			Info: Info{
				Name: "oracle", Title: "Oracle Cloud ranges", Licence: facts, Attribution: "Oracle",
				URL: "https://docs.oracle.com/en-us/iaas/tools/public_ip_ranges.json",
			},
			Format: FormatOracle, MinEntries: 200, MaxBytes: 8 * megabyte,
			Files: []string{"public_ip_ranges.json", "oracle-public_ip_ranges*.json"},
		},
		{
			Info: Info{
				Name: "digitalocean", Title: "DigitalOcean geofeed", Licence: facts, Attribution: "DigitalOcean",
				URL: "https://digitalocean.com/geo/google.csv",
			},
			Format: FormatGeofeed, Class: CloudVM, MinEntries: 200, MaxBytes: 8 * megabyte,
			Files: []string{"digitalocean-geofeed*.csv", "google.csv"},
		},
		{
			Info: Info{
				Name: "linode", Title: "Linode geofeed", Licence: facts, Attribution: "Akamai (Linode)",
				URL: "https://geoip.linode.com/",
			},
			Format: FormatGeofeed, Class: CloudVM, MinEntries: 500, MaxBytes: 8 * megabyte, Files: []string{"linode-geofeed*"},
		},
		{
			Info: Info{
				Name: "fastly", Title: "Fastly ranges", Licence: facts, Attribution: "Fastly",
				URL: "https://api.fastly.com/public-ip-list",
			},
			Format: FormatFastly, MinEntries: 10, MaxBytes: megabyte, Files: []string{"fastly*.json", "public-ip-list"},
		},
		{
			Info: Info{
				Name: "cloudflare", Title: "Cloudflare ranges", Licence: facts, Attribution: "Cloudflare",
				URL: "https://api.cloudflare.com/client/v4/ips",
			},
			Format: FormatCloudflare, MinEntries: 10, MaxBytes: megabyte, Files: []string{"cloudflare-ips*.json"},
		},
		{
			Info: Info{
				Name: M365Endpoints, Title: "Microsoft 365 endpoints", Licence: facts, Attribution: "Microsoft",
				URL: "https://endpoints.office.com/endpoints/worldwide?clientrequestid=b10c5ed1-bad1-445f-b386-b919946339a7",
			},
			Format: FormatM365, MinEntries: 50, MaxBytes: 8 * megabyte, Files: []string{"m365-endpoints*.json", "endpoints*.json"},
		},
		{
			Info: Info{
				Name: "tor", Title: "Tor exits", Licence: "CC0-1.0", Attribution: "The Tor Project",
				URL: "https://check.torproject.org/torbulkexitlist",
			},
			Format: FormatRanges, Class: Tor, MinEntries: 300, MaxBytes: 2 * megabyte, Files: []string{"torbulkexitlist*", "tor-exits*.txt"},
		},
		{
			Info: Info{
				Name: "icloud-relay", Title: "iCloud Private Relay egress", Licence: facts, Attribution: "Apple",
				URL: "https://mask-api.icloud.com/egress-ip-ranges.csv",
			},
			Format: FormatGeofeed, Class: PrivacyRelay, MinEntries: 5000, MaxBytes: 64 * megabyte, Files: []string{"egress-ip-ranges*.csv"},
		},
		{
			Info: Info{
				Name: "x4bnet-vpn", Title: "X4BNet VPN ranges", Licence: "MIT", Attribution: "X4BNet/lists_vpn",
				URL: "https://raw.githubusercontent.com/X4BNet/lists_vpn/main/output/vpn/ipv4.txt",
			},
			Format: FormatRanges, Class: VPN, Grades: true, MinEntries: 1000, MaxBytes: 16 * megabyte,
			Files: []string{"vpn-ipv4*.txt", "x4bnet-vpn*.txt"},
		},
		{
			Info: Info{
				Name: "x4bnet-datacenter", Title: "X4BNet data-centre ASNs", Licence: "MIT", Attribution: "X4BNet/lists_vpn",
				URL: "https://raw.githubusercontent.com/X4BNet/lists_vpn/main/input/datacenter/ASN.txt",
			},
			Format: FormatASNs, Class: Hosting, MinEntries: 300, MaxBytes: megabyte, Files: []string{"datacenter-ASN*.txt"},
		},
		{
			Info: Info{
				Name: "x4bnet-vpn-asn", Title: "X4BNet VPN ASNs", Licence: "MIT", Attribution: "X4BNet/lists_vpn",
				URL: "https://raw.githubusercontent.com/X4BNet/lists_vpn/main/input/vpn/ASN.txt",
			},
			Format: FormatASNs, Class: VPN, MinEntries: 5, MaxBytes: megabyte, Files: []string{"vpn-ASN*.txt"},
		},
		{
			Info: Info{
				Name: "bad-asn-list", Title: "bad-asn-list", Licence: "MIT", Attribution: "brianhama/bad-asn-list",
				URL: "https://raw.githubusercontent.com/brianhama/bad-asn-list/master/bad-asn-list.csv",
			},
			Format: FormatASNs, Class: Hosting, MinEntries: 300, MaxBytes: megabyte, Files: []string{"bad-asn-list*.csv"},
		},
		own("egress", "operator's egress list", FormatEgress, TenantEgress, "egress*.csv"),
		own("freemail", "operator's freemail domains", FormatNames, Freemail, "freemail*.txt"),
		own("mail-provider", "operator's mail providers", FormatNames, MailProvider, "mail-provider*.txt"),
		own("disposable", "operator's disposable mail domains", FormatNames, Disposable, "disposable*.txt"),
		own("url-shortener", "operator's URL shorteners", FormatNames, URLShortener, "url-shortener*.txt"),
		own("dynamic-dns", "operator's dynamic DNS domains", FormatNames, DynamicDNS, "dynamic-dns*.txt"),
		own("parking", "operator's parking domains", FormatNames, Parking, "parking*.txt"),
		own("hosting-asn", "operator's hosting ASNs", FormatASNs, Hosting, "hosting-asn*.txt"),
	}
}

// own is a list that the operator writes.
func own(name, title string, format Format, class, files string) Spec {
	return Spec{
		Info:   Info{Name: name, Title: title, Licence: "the operator's", Attribution: "the operator"},
		Format: format, Class: class, MinEntries: 1, MaxBytes: 16 * megabyte, Files: []string{files},
	}
}

// M365Endpoints is the name of the list that takes the place of the ranges of
// Microsoft 365 that are part of the program.
const M365Endpoints = "m365-endpoints"

// Lookup returns the list of a name: a known one, or "misp-" and the name of the
// folder of a MISP warninglist.
func Lookup(name string) (Spec, bool) {
	if slug, ok := strings.CutPrefix(name, mispPrefix); ok && ValidName(slug) {
		class := warninglistClass(slug)
		return Spec{
			Info: Info{
				Name: name, Title: "MISP warninglist " + slug, Licence: "CC0-1.0", Attribution: "MISP/misp-warninglists",
				URL: "https://raw.githubusercontent.com/MISP/misp-warninglists/main/lists/" + slug + "/list.json",
			},
			Format: FormatMISP, Class: class, Grades: true, MinEntries: 1, MaxBytes: 64 * megabyte,
		}, true
	}
	known := Known()
	i := slices.IndexFunc(known, func(s Spec) bool { return s.Name == name })
	if i < 0 {
		return Spec{}, false
	}
	return known[i], true
}

// ValidName reports whether a name can be that of a list: it is fit to be part of
// a file name and of an address.
func ValidName(s string) bool {
	return s != "" && len(s) <= 64 && !strings.HasPrefix(s, ".") && !strings.ContainsFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_' || r == '.')
	})
}

// Recognise says which list a file is, by its path (slashes) and its first
// bytes: MISP warninglists by their shape and their folder, others by name.
func Recognise(file string, head []byte) (Spec, bool) {
	base := path.Base(file)
	for _, s := range Known() {
		for _, pattern := range s.Files {
			if ok, err := path.Match(pattern, base); err == nil && ok {
				return s, true
			}
		}
	}
	if !strings.HasSuffix(base, ".json") || !looksLikeWarninglist(head) {
		return Spec{}, false
	}
	slug := strings.TrimSuffix(base, ".json")
	if slug == "list" {
		slug = path.Base(path.Dir(file))
	}
	return Lookup(mispPrefix + slug)
}

// looksLikeWarninglist knows a warninglist by keys that no other list has; they
// come in any order, so the array may be all that the head shows.
func looksLikeWarninglist(head []byte) bool {
	for _, key := range []string{`"list"`, `"matching_attributes"`} {
		if bytes.Contains(head, []byte(key)) {
			return true
		}
	}
	return false
}

// warninglistClass returns what the values of a MISP warninglist are; "" where
// being listed says only that somebody expects false alarms.
func warninglistClass(slug string) string {
	switch slug {
	case "vpn-ipv4", "vpn-ipv6":
		return VPN
	case "amazon-aws", "google-gcp", "microsoft-azure", "microsoft-azure-china", "microsoft-azure-germany",
		"microsoft-azure-us-gov", "github":
		return CloudVM
	case "akamai", "cloudflare", "fastly", "stackpath":
		return CDN
	case "microsoft-office365-ip", "microsoft-office365", "microsoft-office365-cn":
		return M365Service
	case "microsoft-azure-appid", "microsoft", "microsoft-win10-connection-endpoints", "microsoft-attack-simulator", "empty-hashes", "googlebot",
		"wikimedia":
		return Service
	case "icloud-private-relay":
		return PrivacyRelay
	case "zscaler":
		return CorporateProxy
	case "smtp-sending-ips", "smtp-receiving-ips", "google-gmail-sending-ips":
		return MailProvider
	case "disposable-email":
		return Disposable
	case "dynamic-dns":
		return DynamicDNS
	case "url-shortener":
		return URLShortener
	case "parking-domain":
		return Parking
	case "alexa", "cisco_top1000", "cisco_top5k", "cisco_top10k", "cisco_top20k", "cisco_1M", "google-chrome-crux-1million",
		"majestic_million", "majestic_million_1M", "moz-top500", "tranco", "tranco10k":
		return TopDomain
	}
	return ""
}
