package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/elsewhere-project/elsewhere/enrich"
	"github.com/elsewhere-project/elsewhere/enrich/abuseipdb"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// abuseKeyVariable may hold the key; a command line is seen by every user of the
// machine.
const abuseKeyVariable = "ELSEWHERE_ABUSEIPDB_KEY"

// enrichmentFlags are what serve is told about data and third parties.
type enrichmentFlags struct {
	feeds     string
	databases []string
	keyFile   string
	blacklist string
	ahead     bool
	ceilings  []string
}

func (f *enrichmentFlags) register(cmd *cobra.Command) {
	f.registerData(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.keyFile, "abuseipdb-key-file", "", "`file` with the key for AbuseIPDB; default from "+abuseKeyVariable+"; without a key nobody is asked")
	flags.StringVar(&f.blacklist, "abuseipdb-blacklist", "", "`file` with what AbuseIPDB's blacklist endpoint answers, shown beside addresses; needs no key")
	flags.BoolVar(&f.ahead, "lookup-ahead", false, "ask AbuseIPDB in the background about addresses of new cases labelled tlp:green or clear, those first that may change a score most; never with the share of the quota kept for people")
	flags.StringArrayVar(&f.ceilings, "tlp-ceiling", nil, "as `[TENANT=]TLP`: the label up to which values of a tenant, without TENANT of all others, may be disclosed to a third party; AbuseIPDB is asked from green on; may be repeated; without it no address of a case is disclosed")
}

// registerData registers what scores depend on.
func (f *enrichmentFlags) registerData(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.feeds, "feeds", "", "`folder` of lists and databases, kept by elsewhere data; default feeds below --data, with --memory none")
	flags.StringArrayVar(&f.databases, "mmdb", nil, "a MaxMind database `file` of your own, before all other data; may be repeated, the first that knows an address answers")
}

// data reads what the flags of registerData name.
func (f *enrichmentFlags) data() (server.Enrichment, error) {
	for _, name := range f.databases {
		// One that is missing later is no reason to stop: the last good one stays.
		if _, err := os.Stat(name); err != nil {
			return server.Enrichment{}, fmt.Errorf("database: %w", err)
		}
	}
	if f.feeds != "" {
		if _, err := os.Stat(f.feeds); err != nil {
			return server.Enrichment{}, fmt.Errorf("folder of feeds: %w", err)
		}
	}
	return server.Enrichment{FeedsDir: f.feeds, Databases: f.databases}, nil
}

// enrichment reads what all flags name.
func (f *enrichmentFlags) enrichment() (server.Enrichment, error) {
	e, err := f.data()
	if err != nil {
		return e, err
	}
	e.AbuseIPDBBlacklist, e.LookupAhead = f.blacklist, f.ahead
	if e.Ceilings, err = ceilings(f.ceilings); err != nil {
		return e, usageError{err}
	}
	e.AbuseIPDBKey, err = abuseKey(f.keyFile)
	return e, err
}

// ceilings reads "green" and "alder=clear".
func ceilings(given []string) (server.Ceilings, error) {
	c := server.Ceilings{Tenants: make(map[string]enrich.TLP)}
	for _, g := range given {
		tenant, label, named := strings.Cut(g, "=")
		if !named {
			tenant, label = "", g
		}
		tlp := enrich.TLP(strings.TrimPrefix(strings.ToLower(strings.TrimSpace(label)), "tlp:"))
		if !slices.Contains([]enrich.TLP{enrich.TLPRed, enrich.TLPAmberStrict, enrich.TLPAmber, enrich.TLPGreen, enrich.TLPClear}, tlp) {
			return c, fmt.Errorf("TLP ceiling %q: want [TENANT=]TLP; the labels are red, amber+strict, amber, green and clear", g)
		}
		_, twice := c.Tenants[tenant]
		switch {
		case named && tenant == "":
			return c, fmt.Errorf("TLP ceiling %q names no tenant", g)
		case named && evidence.CheckTenant(tenant) != nil:
			return c, fmt.Errorf("TLP ceiling %q: a tenant is 1-63 of a-z, 0-9 and -, not beginning with -", g)
		case named && !twice:
			c.Tenants[tenant] = tlp
		case !named && c.Default == "":
			c.Default = tlp
		default:
			return c, fmt.Errorf("TLP ceiling %q: there is another for the same", g)
		}
	}
	return c, nil
}

// maxKeyFile bounds the file of a key in bytes.
const maxKeyFile = 4 << 10

// abuseKey reads the key. No error repeats it.
func abuseKey(file string) (abuseipdb.Key, error) {
	text, from := os.Getenv(abuseKeyVariable), abuseKeyVariable
	if file != "" {
		f, err := os.Open(file)
		if err != nil {
			return abuseipdb.Key{}, fmt.Errorf("key for AbuseIPDB: %w", err)
		}
		defer f.Close()
		b, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
		if err != nil {
			return abuseipdb.Key{}, fmt.Errorf("key for AbuseIPDB: %w", err)
		}
		text, from = string(b), file
	}
	if text == "" && file == "" {
		return abuseipdb.Key{}, nil
	}
	key, err := abuseipdb.NewKey(text)
	if err != nil {
		return key, fmt.Errorf("%s: %w", from, err)
	}
	return key, nil
}

// disclosures says to whom the service will disclose what.
func disclosures(e server.Enrichment) string {
	if e.AbuseIPDBKey.IsZero() {
		return "nobody outside is asked about addresses"
	}
	open := func(t enrich.TLP) bool { return t == enrich.TLPGreen || t == enrich.TLPClear }
	var yes, no []string
	for tenant, tlp := range e.Ceilings.Tenants {
		if open(tlp) {
			yes = append(yes, tenant)
		} else {
			no = append(no, tenant)
		}
	}
	slices.Sort(yes)
	slices.Sort(no)
	switch {
	case open(e.Ceilings.Default) && len(no) > 0:
		return "AbuseIPDB may be asked about addresses of all tenants but " + strings.Join(no, ", ")
	case open(e.Ceilings.Default):
		return "AbuseIPDB may be asked about addresses of all tenants"
	case len(yes) > 0:
		return "AbuseIPDB may be asked about addresses of " + strings.Join(yes, ", ")
	}
	return "AbuseIPDB is not asked: no --tlp-ceiling permits it"
}
