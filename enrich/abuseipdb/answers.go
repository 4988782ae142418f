package abuseipdb

import (
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/elsewhere-project/elsewhere/enrich"
)

// window is the days of reports that are asked for: the model's ≥ 50 reporters
// count in 90 days.
const window = 90

// manyReporters is the number of distinct reporters in 90 days from which an
// address is one that many share, and manyFactor what that does to alpha
// (SCORING A2).
const (
	manyReporters = 50
	manyFactor    = 2
)

// leasingDomain is the marketplace of address space that shows in no routing
// data: the service names it as the domain of addresses that are rented out.
const leasingDomain = "ipxo.com"

// errUnusable is the cause of every answer that is not what was asked for.
var errUnusable = errors.New("the answer is not what the API describes")

// check is the answer about one address. What the service may leave out or say
// as null is a pointer: absent is not 0.
type check struct {
	IPAddress            string     `json:"ipAddress"`
	IsPublic             *bool      `json:"isPublic"`
	IsWhitelisted        *bool      `json:"isWhitelisted"`
	AbuseConfidenceScore *int       `json:"abuseConfidenceScore"`
	CountryCode          string     `json:"countryCode"`
	UsageType            string     `json:"usageType"`
	ISP                  string     `json:"isp"`
	Domain               string     `json:"domain"`
	Hostnames            []string   `json:"hostnames"`
	IsTor                bool       `json:"isTor"`
	TotalReports         *int       `json:"totalReports"`
	NumDistinctUsers     *int       `json:"numDistinctUsers"`
	LastReportedAt       *time.Time `json:"lastReportedAt"`
}

// decode reads one JSON value and nothing after it.
func decode(r io.Reader, v any) error {
	d := json.NewDecoder(r)
	if err := d.Decode(v); err != nil {
		return errUnusable
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errUnusable
	}
	return nil
}

// readCheck reads the answer about asked. An answer without its numbers, or about
// another address, is an error, never "no reports".
func readCheck(r io.Reader, asked netip.Addr) (check, error) {
	var body struct {
		Data *check `json:"data"`
	}
	if err := decode(r, &body); err != nil {
		return check{}, err
	}
	c := body.Data
	if c == nil || c.AbuseConfidenceScore == nil || c.TotalReports == nil {
		return check{}, errUnusable
	}
	addr, err := netip.ParseAddr(c.IPAddress)
	if err != nil || addr.Unmap().WithZone("") != asked {
		return check{}, errUnusable
	}
	if *c.AbuseConfidenceScore < 0 || *c.AbuseConfidenceScore > 100 || *c.TotalReports < 0 ||
		(c.NumDistinctUsers != nil && *c.NumDistinctUsers < 0) {
		return check{}, errUnusable
	}
	return *c, nil
}

// answer says in fields and claims what the check says.
func (c check) answer(now time.Time) enrich.Answer {
	if c.IsPublic != nil && !*c.IsPublic {
		return enrich.Answer{Status: enrich.NoData, Detail: "the service does not take the address for a public one"}
	}
	today := now.UTC().Truncate(24 * time.Hour)
	a := enrich.Answer{Status: enrich.OK}
	add := func(name, value string) {
		if value != "" {
			a.Fields = append(a.Fields, enrich.Field{Name: name, Value: value, DataDate: today, Status: enrich.OK})
		}
	}
	number := func(name string, n *int) {
		if n != nil {
			add(name, strconv.Itoa(*n))
		}
	}
	number(enrich.FieldAbuseScore, c.AbuseConfidenceScore)
	number(enrich.FieldReports, c.TotalReports)
	number(enrich.FieldReporters, c.NumDistinctUsers)
	if c.LastReportedAt != nil {
		add(enrich.FieldLastReport, c.LastReportedAt.UTC().Format(time.RFC3339))
	}
	add(enrich.FieldReportWindow, strconv.Itoa(window))
	if c.IsWhitelisted != nil {
		add(enrich.FieldWhitelisted, strconv.FormatBool(*c.IsWhitelisted))
	}
	add(enrich.FieldUsageType, c.UsageType)
	add(enrich.FieldISP, c.ISP)
	add(enrich.FieldDomain, c.Domain)
	for _, h := range c.Hostnames[:min(len(c.Hostnames), 16)] {
		add(enrich.FieldHostname, h)
	}
	add(enrich.FieldCountry, c.CountryCode)
	if c.IsTor {
		add(enrich.FieldAnonymity, enrich.ClassTor)
	}
	if *c.TotalReports == 0 {
		a.Detail = "no reports in " + strconv.Itoa(window) + " days"
	}
	a.Claims = c.claims(today)
	return a
}

// claims says what the check says about the class.
func (c check) claims(today time.Time) []enrich.Claim {
	var claims []enrich.Claim
	add := func(claim enrich.Claim) {
		claim.Source, claim.DataDate = sourceName, today
		claims = append(claims, claim)
	}
	domain := strings.ToLower(strings.TrimSuffix(strings.TrimSpace(c.Domain), "."))
	if domain == leasingDomain || strings.HasSuffix(domain, "."+leasingDomain) {
		add(enrich.Claim{Effect: enrich.Sets, Class: enrich.ClassLeased, Entry: "domain " + leasingDomain})
	}
	if c.IsTor {
		add(enrich.Claim{Effect: enrich.Backs, Class: enrich.ClassTor, Entry: "isTor"})
	}
	if class := usageClass(c.UsageType); class != "" {
		add(enrich.Claim{Effect: enrich.Backs, Class: class, Entry: "usage type " + c.UsageType})
	}
	if c.NumDistinctUsers != nil && *c.NumDistinctUsers >= manyReporters {
		// The reason names the threshold: the number moves from day to day, the
		// class does not.
		add(enrich.Claim{
			Effect: enrich.Multiplies, Factor: manyFactor,
			Entry: strconv.Itoa(manyReporters) + " or more distinct reporters in " + strconv.Itoa(window) + " days",
		})
	}
	return claims
}

// usageClass maps the service's usage types to classes, "" for those that say
// nothing. A type that would take all weight from an address is not among them:
// one third party's guess must not delete a link.
func usageClass(usage string) string {
	switch strings.TrimSpace(usage) {
	case "Data Center/Web Hosting/Transit":
		return enrich.ClassHosting
	case "Fixed Line ISP":
		return enrich.ClassResidentialDynamic
	case "Mobile ISP":
		return enrich.ClassMobile
	case "Commercial", "Organization":
		return enrich.ClassBusiness
	case "University/College/School", "Library":
		return enrich.ClassEducation
	case "Government", "Military":
		return enrich.ClassGovernment
	}
	return ""
}

// block is the answer about a network.
type block struct {
	NetworkAddress   string           `json:"networkAddress"`
	AddressSpaceDesc string           `json:"addressSpaceDesc"`
	ReportedAddress  *[]blockReported `json:"reportedAddress"`
}

type blockReported struct {
	IPAddress            string     `json:"ipAddress"`
	NumReports           int        `json:"numReports"`
	MostRecentReport     *time.Time `json:"mostRecentReport"`
	AbuseConfidenceScore int        `json:"abuseConfidenceScore"`
}

// readBlock reads the answer about a network.
func readBlock(r io.Reader, asked netip.Prefix) (block, error) {
	var body struct {
		Data *block `json:"data"`
	}
	if err := decode(r, &body); err != nil {
		return block{}, err
	}
	b := body.Data
	if b == nil || b.ReportedAddress == nil {
		return block{}, errUnusable
	}
	network, err := netip.ParseAddr(b.NetworkAddress)
	if err != nil || network.Unmap() != asked.Addr() {
		return block{}, errUnusable
	}
	for _, h := range *b.ReportedAddress {
		addr, err := netip.ParseAddr(h.IPAddress)
		if err != nil || !asked.Contains(addr.Unmap()) || h.NumReports < 0 || h.AbuseConfidenceScore < 0 || h.AbuseConfidenceScore > 100 {
			return block{}, errUnusable
		}
	}
	return *b, nil
}

// answer says in fields what the block says. It claims nothing: the class of a
// network does not follow from reports on its addresses.
func (b block) answer(now time.Time) enrich.Answer {
	today := now.UTC().Truncate(24 * time.Hour)
	reports, score := 0, 0
	var last time.Time
	for _, h := range *b.ReportedAddress {
		reports += min(h.NumReports, 1e9)
		score = max(score, h.AbuseConfidenceScore)
		if h.MostRecentReport != nil && h.MostRecentReport.After(last) {
			last = *h.MostRecentReport
		}
	}
	a := enrich.Answer{Status: enrich.OK, Fields: []enrich.Field{
		{Name: enrich.FieldReportedHosts, Value: strconv.Itoa(len(*b.ReportedAddress))},
		{Name: enrich.FieldReports, Value: strconv.Itoa(reports)},
		{Name: enrich.FieldAbuseScore, Value: strconv.Itoa(score), Detail: "the highest of the network's addresses"},
		{Name: enrich.FieldReportWindow, Value: strconv.Itoa(window)},
		{Name: fieldSpace, Value: b.AddressSpaceDesc},
	}}
	if !last.IsZero() {
		a.Fields = append(a.Fields, enrich.Field{Name: enrich.FieldLastReport, Value: last.UTC().Format(time.RFC3339)})
	}
	a.Fields = slices.DeleteFunc(a.Fields, func(f enrich.Field) bool { return f.Value == "" })
	for i := range a.Fields {
		a.Fields[i].Status, a.Fields[i].DataDate = enrich.OK, today
	}
	return a
}
