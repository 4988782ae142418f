package netclass_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/elsewhere-project/elsewhere/enrich"
	"github.com/elsewhere-project/elsewhere/enrich/netclass"
)

// spec returns a list that may be short.
func spec(t testing.TB, name string) netclass.Spec {
	t.Helper()
	s, ok := netclass.Lookup(name)
	if !ok {
		t.Fatalf("no list %q", name)
	}
	s.MinEntries = 0
	return s
}

func parse(t testing.TB, name, text string) *netclass.Feed {
	t.Helper()
	f, err := netclass.Parse(spec(t, name), strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

const (
	awsFile = `{"syncToken":"1","createDate":"2025-07-24-20-23-14","prefixes":[
		{"ip_prefix":"3.5.140.0/22","region":"ap-northeast-2","service":"AMAZON","network_border_group":"ap-northeast-2"},
		{"ip_prefix":"3.5.140.0/22","region":"ap-northeast-2","service":"S3","network_border_group":"ap-northeast-2"},
		{"ip_prefix":"13.32.0.0/15","region":"GLOBAL","service":"CLOUDFRONT"}],
		"ipv6_prefixes":[{"ipv6_prefix":"2600:1f00::/24","region":"us-east-1","service":"EC2"}]}`
	azureFile = `{"changeNumber":363,"cloud":"Public","values":[
		{"name":"AzureCloud","id":"AzureCloud","properties":{"region":"","systemService":"","addressPrefixes":["20.232.0.0/16","20.190.128.0/18"]}},
		{"name":"AzureCloud.eastus","properties":{"region":"eastus","systemService":"","addressPrefixes":["20.232.0.0/16","20.190.150.0/24"]}},
		{"name":"AzureActiveDirectory","properties":{"region":"","systemService":"AzureAD","addressPrefixes":["20.190.128.0/18"]}},
		{"name":"AzureFrontDoor.Frontend","properties":{"region":"","systemService":"AzureFrontDoor","addressPrefixes":["13.107.213.0/24"]}}]}`
	gcpFile    = `{"syncToken":"1","creationTime":"2025-07-24T19:16:28.780563","prefixes":[{"ipv4Prefix":"34.35.0.0/16","service":"Google Cloud","scope":"africa-south1"},{"ipv6Prefix":"2600:1900:8000::/44","service":"Google Cloud","scope":"africa-south1"}]}`
	oracleFile = `{"last_updated_timestamp":"2025-07-21T07:13:25.457838","regions":[{"region":"us-ashburn-1","cidrs":[{"cidr":"129.80.0.0/16","tags":["OCI"]},{"cidr":"134.70.24.0/21","tags":["OSN","OBJECT_STORAGE"]}]}]}`
	geofeed    = "# Last modified: 2025-07-24 10:00:06.525037\n2600:3c00::/32,US,US-TX,Richardson,\n172.104.0.0/24,DE,,Frankfurt,\n"
	fastlyFile = `{"addresses":["151.101.0.0/16"],"ipv6_addresses":["2a04:4e40::/32"]}`
	m365File   = `[{"id":1,"serviceArea":"Exchange","urls":["outlook.office365.com","*.outlook.com"],"ips":["40.92.0.0/15","2603:1006::/40"],"category":"Optimize"},{"id":2,"serviceArea":"Common","urls":["*.sharepoint.com"]}]`
	vpnList    = `{"name":"VPN","version":20260811,"type":"cidr","matching_attributes":["ip-src"],"list":["104.161.16.0/20","20.192.0.0/10","5.6.7.8","2001:67c:2e8::/48"]}`
)

func TestParsers(t *testing.T) {
	type answer struct{ Class, Region, Service, Date string }
	for name, tt := range map[string]struct {
		text string
		want map[string]answer
	}{
		"aws": {awsFile, map[string]answer{
			"3.5.140.9":    {netclass.CloudVM, "ap-northeast-2", "S3", "2025-07-24"},
			"13.32.1.1":    {netclass.CDN, "GLOBAL", "CLOUDFRONT", "2025-07-24"},
			"2600:1f00::1": {netclass.CloudVM, "us-east-1", "EC2", "2025-07-24"},
			"3.5.144.1":    {Class: netclass.Unknown},
		}},
		"azure": {azureFile, map[string]answer{
			"20.232.202.245":        {netclass.CloudVM, "eastus", "", ""},
			"::ffff:20.232.202.245": {netclass.CloudVM, "eastus", "", ""},
			"20.190.150.7":          {netclass.M365Service, "", "AzureAD", ""},
			"13.107.213.4":          {netclass.CDN, "", "AzureFrontDoor", ""},
		}},
		"gcp":          {gcpFile, map[string]answer{"34.35.1.1": {netclass.CloudVM, "africa-south1", "", "2025-07-24"}}},
		"oracle":       {oracleFile, map[string]answer{"129.80.1.1": {netclass.CloudVM, "us-ashburn-1", "", "2025-07-21"}, "134.70.24.1": {netclass.CloudVM, "us-ashburn-1", "OSN OBJECT_STORAGE", "2025-07-21"}}},
		"linode":       {geofeed, map[string]answer{"2600:3c00::9": {netclass.CloudVM, "US-TX Richardson", "", "2025-07-24"}, "172.104.0.9": {netclass.CloudVM, "DE Frankfurt", "", "2025-07-24"}}},
		"icloud-relay": {"172.224.226.0/27,GB,GB-EN,London,\n", map[string]answer{"172.224.226.5": {netclass.PrivacyRelay, "GB-EN London", "", ""}}},
		"fastly":       {"\ufeff" + fastlyFile, map[string]answer{"151.101.1.1": {netclass.CDN, "", "", ""}, "2a04:4e40::1": {netclass.CDN, "", "", ""}}},
		"cloudflare": {`{"success":true,"result":{"ipv4_cidrs":["173.245.48.0/20"],"ipv6_cidrs":["2400:cb00::/32"],"etag":"x"},"errors":[]}`, map[string]answer{
			"173.245.48.1": {Class: netclass.CDN}, "2400:cb00::1": {Class: netclass.CDN},
		}},
		"m365-endpoints": {m365File, map[string]answer{
			"40.93.1.1": {netclass.M365Service, "", "Exchange", ""},
			"52.96.1.1": {Class: netclass.Unknown}, // the feed takes the place of the built-in ranges
		}},
		"tor":               {"# exits\n185.220.101.1\n2001:67c:289c::25\n", map[string]answer{"185.220.101.1": {Class: netclass.Tor}, "185.220.101.2": {Class: netclass.Unknown}}},
		"misp-rfc1918":      {`{"type":"cidr","list":["192.168.0.0/16"]}`, map[string]answer{"192.168.1.1": {Class: netclass.Bogon}}},
		"egress":            {"tenant,prefix\nacme,198.20.1.0/24,head office\n", map[string]answer{"198.20.1.7": {Class: netclass.TenantEgress}}},
		"misp-cloudflare":   {`{"type":"cidr","list":["104.16.1.1"]}`, map[string]answer{"104.16.1.1": {Class: netclass.Unknown}}},
		"misp-vpn-ipv4":     {vpnList, map[string]answer{"5.6.7.8": {netclass.VPN, "", "", "2026-08-11"}, "104.161.20.102": {Class: netclass.Unknown}}},
		"misp-no-such-list": {`{"type":"cidr","list":["5.6.7.8"]}`, map[string]answer{"5.6.7.8": {Class: netclass.Unknown}}},
	} {
		f := parse(t, name, tt.text)
		table := netclass.New(netclass.Data{Feeds: []*netclass.Feed{f}})
		for a, want := range tt.want {
			c := table.Address(addr(a))
			got := answer{Class: c.Name, Region: c.Region, Service: c.Service}
			if want.Date != "" {
				got.Date = c.Matches[0].List.Date
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", name, a, diff)
			}
		}
		if i := f.Info(); i.Entries == 0 || len(i.Digest) != 64 || i.Title == "" || i.Licence == "" {
			t.Errorf("%s: %+v", name, i)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		list, text string
		err        error
	}{
		"HTML":         {"aws", "\n <!DOCTYPE html><html></html>", netclass.ErrHTML},
		"truncated":    {"aws", awsFile[:len(awsFile)/2], nil},
		"empty object": {"aws", "{}", netclass.ErrEmpty},
		"another list": {"gcp", azureFile, netclass.ErrEmpty},
		"array":        {"aws", "[1,2]", nil},
		"text":         {"azure", "no JSON", nil},
		"two objects":  {"fastly", fastlyFile + fastlyFile, nil},
		"wrong types":  {"gcp", `{"prefixes":[{"ipv4Prefix":7}]}`, nil},
		"no addresses": {"tor", "a\nb\nc\n", netclass.ErrGarbled},
		"everything":   {"tor", "0.0.0.0/0\n", nil},
		"half of it":   {"tor", "128.0.0.0/1\n", nil},
		"all of v6":    {"misp-vpn-ipv6", `{"type":"cidr","list":["::/0"]}`, nil},
		"unknown type": {"misp-x", `{"type":"telepathy","list":["a"]}`, nil},
		"long line":    {"tor", strings.Repeat("1", 1<<17), nil},
		"too large":    {"fastly", fastlyFile + strings.Repeat(" ", 2<<20), netclass.ErrTooLarge},
		"bad regex":    {"misp-x", `{"type":"regex","list":["/(/"]}`, netclass.ErrGarbled},
	} {
		f, err := netclass.Parse(spec(t, tt.list), strings.NewReader(tt.text))
		if err == nil || tt.err != nil && !errors.Is(err, tt.err) {
			t.Errorf("%s: %v and %v, want %v", name, f, err, tt.err)
		}
	}
	short, _ := netclass.Lookup("aws")
	if _, err := netclass.Parse(short, strings.NewReader(awsFile)); !errors.Is(err, netclass.ErrShort) {
		t.Errorf("a short list: %v", err)
	}
}

// A hit on a list of the community is graded by the length of the prefix, and
// never takes the weight from a value.
func TestCommunityListsGrade(t *testing.T) {
	dc := parse(t, "x4bnet-datacenter", "AS53755 # IOFLOOD\n")
	vpn := parse(t, "misp-vpn-ipv4", vpnList)
	office := parse(t, "misp-microsoft-office365-ip", `{"type":"cidr","list":["104.161.20.102","104.161.0.0/17"]}`)
	table := netclass.New(netclass.Data{
		Feeds:  []*netclass.Feed{vpn, office, dc},
		Routes: []netclass.Router{fixedRoute{addr("104.161.20.102"): 53755}},
	})
	c := table.Address(addr("104.161.20.102"))
	if c.Name != netclass.Hosting {
		t.Fatalf("%s %q", c.Name, c.Reasons)
	}
	type grade struct {
		List, Class, Prefix string
		G                   float64
	}
	var got []grade
	for _, g := range c.Grades {
		got = append(got, grade{g.List.Name, g.Class, g.Prefix.String(), g.Grade()})
	}
	if diff := cmp.Diff([]grade{
		{"misp-microsoft-office365-ip", netclass.M365Service, "104.161.20.102/32", 1},
		{"misp-vpn-ipv4", netclass.VPN, "104.161.16.0/20", .25},
		{"misp-microsoft-office365-ip", netclass.M365Service, "104.161.0.0/17", 1.0 / 16},
	}, got); diff != "" {
		t.Error(diff)
	}
	if len(c.Matches) != 4 || len(c.Reasons) != 4 || c.Reasons[0] != "X4BNet data-centre ASNs: AS53755" ||
		c.Reasons[2] != "MISP warninglist vpn-ipv4 2026-08-11: 104.161.16.0/20 (grades 0.25)" {
		t.Errorf("%q", c.Reasons)
	}
	if c := table.Address(addr("20.232.202.245")); c.Name != netclass.Unknown || len(c.Grades) != 1 || c.Grades[0].Grade() != 0 {
		t.Errorf("a /10: %+v", c)
	}
	for prefix, want := range map[string]float64{
		"104.161.20.102/32": 1, "104.161.16.0/20": .25, "0.0.0.0/0": 0, "10.0.0.0/8": 0, "1.2.0.0/16": 0, "1.2.0.0/24": .5, "1.2.3.4/32": 1, "2001:db8::/32": 0, "2001:db8::/48": .5, "2001:db8::/64": 1, "2001:db8::1/128": 1,
	} {
		p := netip.MustParsePrefix(prefix)
		if g := (netclass.Match{Prefix: p}).Grade(); g != want {
			t.Errorf("%s grades %v, want %v", prefix, g, want)
		}
	}
}

type fixedRoute map[netip.Addr]uint32

func (r fixedRoute) Route(a netip.Addr) (netclass.Route, bool) {
	asn, ok := r[a]
	return netclass.Route{ASN: asn, Org: "Org", Prefix: netip.PrefixFrom(a, a.BitLen()), List: &netclass.Info{Name: "fixed", Title: "Fixed"}}, ok
}

func (r fixedRoute) Version() string { return fmt.Sprint(len(r)) }

// The sending infrastructure of a spoof entry may be a whole network.
func TestPrefixOfOneNetwork(t *testing.T) {
	dc := parse(t, "x4bnet-datacenter", "AS53755\n")
	table := netclass.New(netclass.Data{
		Feeds:  []*netclass.Feed{dc, parse(t, "azure", azureFile)},
		Routes: []netclass.Router{announced{netip.MustParsePrefix("104.161.16.0/20"), 53755}},
	})
	for p, want := range map[string]string{
		"104.161.20.0/24": netclass.Hosting, "104.161.16.0/20": netclass.Hosting, "104.161.16.0/19": netclass.Unknown,
		"20.232.9.0/24": netclass.CloudVM, "20.0.0.0/8": netclass.Unknown, "::ffff:20.232.9.0/120": netclass.CloudVM,
	} {
		if c := table.Prefix(netip.MustParsePrefix(p)); c.Name != want {
			t.Errorf("%s is %s (%q), want %s", p, c.Name, c.Reasons, want)
		}
	}
}

type announced struct {
	prefix netip.Prefix
	asn    uint32
}

func (r announced) Route(a netip.Addr) (netclass.Route, bool) {
	return netclass.Route{ASN: r.asn, Prefix: r.prefix, List: &netclass.Info{Title: "x"}}, r.prefix.Contains(a)
}

func (r announced) Version() string { return r.prefix.String() }

// Networks of Microsoft and the clouds are not data centres with one customer.
func TestCloudNetworks(t *testing.T) {
	dc := parse(t, "x4bnet-datacenter", "AS8075 # MICROSOFT\nAS16509\nAS53755\nAS9009\n")
	vpn := parse(t, "x4bnet-vpn-asn", "AS9009 # M247\n")
	routes := fixedRoute{addr("1.0.0.1"): 8075, addr("1.0.0.2"): 16509, addr("1.0.0.3"): 53755, addr("1.0.0.4"): 9009, addr("1.0.0.5"): 64500}
	table := netclass.New(netclass.Data{Feeds: []*netclass.Feed{dc, vpn}, Routes: []netclass.Router{fixedRoute{}, routes}})
	for a, want := range map[string]string{
		"1.0.0.1": netclass.UnknownMicrosoft, "1.0.0.2": netclass.CloudVM, "1.0.0.3": netclass.Hosting,
		"1.0.0.4": netclass.VPN, "1.0.0.5": netclass.Unknown, "1.0.0.6": netclass.Unknown,
	} {
		if c := table.Address(addr(a)); c.Name != want {
			t.Errorf("%s is %s (%q), want %s", a, c.Name, c.Reasons, want)
		}
	}
}

func TestEgressIsPerTenant(t *testing.T) {
	table := netclass.New(netclass.Data{Feeds: []*netclass.Feed{parse(t, "egress", "acme, 198.20.1.0/24\nglobex,198.20.2.1\n")}})
	a := addr("198.20.1.7")
	if !table.Egress("acme", a) || table.Egress("globex", a) || table.Egress("", a) || !table.Egress("globex", addr("::ffff:198.20.2.1")) {
		t.Error("the egress of tenants is mixed up")
	}
	// Other tenants see the class, not whose it is.
	if c := table.Address(a); c.Name != netclass.TenantEgress || strings.Contains(strings.Join(c.Reasons, ""), "acme") {
		t.Errorf("%s %q", c.Name, c.Reasons)
	}
}

func TestWarninglistsOfNames(t *testing.T) {
	feeds := []*netclass.Feed{
		parse(t, "misp-dynamic-dns", `{"type":"hostname","version":2,"list":[".duckdns.org",".dyn.example"]}`),
		parse(t, "misp-cisco_top1000", `{"type":"string","list":["news.example","www.Upper.example"]}`),
		parse(t, "misp-disposable-email", `{"type":"substring","list":["0-mail.com"]}`),
		parse(t, "misp-other", `{"type":"regex","list":["/^mail[0-9]+\\.bulk\\./i","^plain$"]}`),
		parse(t, "misp-microsoft-azure-appid", `{"type":"string","list":["14D82EEC-204b-4c2f-b7e8-296a70dab67e"]}`),
		parse(t, "misp-microsoft-attack-simulator", `{"type":"substring","list":["52.168.52.134","portal.docdeliveryapp.com"]}`),
		parse(t, "m365-endpoints", m365File),
		parse(t, "parking", "# where names are parked\nsedoparking.com\n"),
		parse(t, "freemail", "mailbox.example\n"),
	}
	table := netclass.New(netclass.Data{Feeds: feeds})
	for name, want := range map[string]struct {
		class   string
		matches int
	}{
		"a.duckdns.org":             {netclass.DynamicDNS, 1},
		"notduckdns.org":            {netclass.Unknown, 0},
		"news.example":              {netclass.TopDomain, 1},
		"x.news.example":            {netclass.Unknown, 0},
		"www.upper.example":         {netclass.TopDomain, 1},
		"0-mail.com":                {netclass.Disposable, 1},
		"mx.0-mail.com":             {netclass.Disposable, 1},
		"x0-mail.com":               {netclass.Unknown, 1}, // shown, but another domain
		"mail7.bulk.example":        {netclass.Unknown, 1},
		"plain":                     {netclass.Unknown, 1},
		"portal.docdeliveryapp.com": {netclass.Service, 1},
		"outlook.office365.com":     {netclass.Service, 2}, // built in, and the endpoints
		"evil.sharepoint.com":       {netclass.Unknown, 0}, // anybody's tenant
		"ns1.sedoparking.com":       {netclass.Parking, 1},
		"mailbox.example":           {netclass.Freemail, 1},
		"gmail.com":                 {netclass.Freemail, 1},
	} {
		c := table.Name(name)
		if c.Name != want.class || len(c.Matches) != want.matches {
			t.Errorf("%s is %s of %d matches (%q), want %+v", name, c.Name, len(c.Matches), c.Reasons, want)
		}
	}
	if c := table.App("14d82eec-204b-4c2f-b7e8-296a70dab67e"); c.Name != netclass.Service {
		t.Errorf("the application is %s", c.Name)
	}
	if c := table.Address(addr("52.168.52.134")); c.Name != netclass.Unknown || len(c.Grades) != 1 {
		t.Errorf("the simulator's address is %s %q", c.Name, c.Reasons)
	}
	for name, want := range map[string]string{
		"iad3a.emailsrvr.com": "emailsrvr.com", "a.b.co.uk": "b.co.uk", "x.github.io": "x.github.io", "com": "com", "": "",
	} {
		if got := netclass.Registrable(name); got != want {
			t.Errorf("%s is registered as %s, want %s", name, got, want)
		}
	}
}

func TestVersion(t *testing.T) {
	with := func(feeds ...*netclass.Feed) string { return netclass.New(netclass.Data{Feeds: feeds}).Version() }
	a, b := parse(t, "tor", "185.220.101.1\n"), parse(t, "fastly", fastlyFile)
	a2 := parse(t, "tor", "185.220.101.1\n185.220.101.2\n")
	routed := netclass.New(netclass.Data{Routes: []netclass.Router{fixedRoute{}}}).Version()
	seen := make(map[string]bool)
	for _, v := range []string{with(), with(a), with(b), with(a, b), with(a2), routed, netclass.Builtin().Version()} {
		if seen[v] {
			t.Errorf("%s names two states", v)
		}
		seen[v] = true
	}
	if with(a, b) != with(b, a) || with(a, b) != with(parse(t, "tor", "185.220.101.1\n"), b) || with(a, a2) != with(a) {
		t.Error("equal data have different versions")
	}
}

func TestRecognise(t *testing.T) {
	for file, want := range map[string]string{
		"x/ip-ranges.json": "aws", "ServiceTags_Public_20260810.json": "azure", "providers/gcp-cloud.json": "gcp",
		"x4bnet/vpn-ipv4.txt": "x4bnet-vpn", "torbulkexitlist": "tor", "misp-warninglists/vpn-ipv4/list.json": "misp-vpn-ipv4",
		"akamai.json": "misp-akamai", "notes.txt": "", "list.json": "", "a b/list.json": "", "vpn/list.csv": "",
	} {
		s, _ := netclass.Recognise(file, []byte(`{"list":["a"],"type":"cidr"}`))
		if s.Name != want {
			t.Errorf("%s is taken for %q, want %q", file, s.Name, want)
		}
	}
	if s, ok := netclass.Recognise("x/y.json", []byte(`{"foo":1}`)); ok {
		t.Errorf("%s", s.Name)
	}
	seen := make(map[string]bool)
	for _, s := range netclass.Known() {
		if seen[s.Name] || s.Title == "" || s.Licence == "" || s.MinEntries == 0 || s.MaxBytes == 0 || !netclass.ValidName(s.Name) {
			t.Errorf("%+v", s)
		}
		seen[s.Name] = true
	}
}

// Two packages know the order of the classes; it is one order.
func TestOneOrderOfClasses(t *testing.T) {
	classes := []string{
		netclass.Bogon, netclass.TenantEgress, netclass.M365Service, netclass.Service, netclass.Tor, netclass.PrivacyRelay, netclass.VPN,
		netclass.ResidentialProxy, netclass.CorporateProxy, netclass.CDN, netclass.Mobile, netclass.CloudVM, netclass.Leased,
		netclass.UnknownMicrosoft, netclass.Hosting, netclass.ResidentialStatic, netclass.ResidentialDynamic, netclass.Business,
		netclass.Education, netclass.Government, netclass.Freemail, netclass.MailProvider, netclass.Disposable, netclass.URLShortener,
		netclass.DynamicDNS, netclass.Parking, netclass.TopDomain, netclass.Unknown,
	}
	for i, c := range classes {
		if enrich.Precedence(c) != i && c != netclass.Unknown || i > 0 && enrich.Precedence(classes[i-1]) >= enrich.Precedence(c) {
			t.Errorf("%s is number %d in enrich, %d here", c, enrich.Precedence(c), i)
		}
	}
}

// Whatever lists say, the class is that of enrich.Decide over their claims, does
// not depend on the order of the lists, and no community list takes weight away.
func TestClassProperties(t *testing.T) {
	classes := []string{"", netclass.VPN, netclass.Tor, netclass.CloudVM, netclass.CDN, netclass.Hosting, netclass.M365Service, netclass.MailProvider}
	rapid.Check(t, func(t *rapid.T) {
		var feeds []*netclass.Feed
		owners := false
		for i := range rapid.IntRange(1, 5).Draw(t, "feeds") {
			community := rapid.Bool().Draw(t, "community")
			b := netclass.NewBuilder(netclass.Info{Name: fmt.Sprintf("f%d", i), Title: fmt.Sprintf("F%d", i)}, community)
			for range rapid.IntRange(1, 4).Draw(t, "entries") {
				bits := rapid.IntRange(8, 32).Draw(t, "bits")
				class := rapid.SampledFrom(classes).Draw(t, "class")
				owners = owners || !community && class != ""
				b.Range(netip.PrefixFrom(addr("104.161.20.102"), bits), netclass.Entry{Class: class})
			}
			f, err := b.Build("")
			if err != nil {
				t.Fatal(err)
			}
			feeds = append(feeds, f)
		}
		a := addr("104.161.20.102")
		c := netclass.New(netclass.Data{Feeds: feeds}).Address(a)
		decided := enrich.Decide(c.Claims()...)
		if decided.Name != c.Name {
			t.Fatalf("%s here, %s there: %q", c.Name, decided.Name, c.Reasons)
		}
		back := make([]*netclass.Feed, 0, len(feeds))
		for _, f := range feeds {
			back = append([]*netclass.Feed{f}, back...)
		}
		if other := netclass.New(netclass.Data{Feeds: back}).Address(a); other.Name != c.Name || len(other.Matches) != len(c.Matches) {
			t.Fatalf("%s, or %s in another order", c.Name, other.Name)
		}
		if !owners {
			switch c.Name {
			case netclass.CDN, netclass.M365Service, netclass.MailProvider:
				t.Fatalf("the community says %s: %q", c.Name, c.Reasons)
			}
		}
	})
}

func TestSource(t *testing.T) {
	routes := fixedRoute{addr("20.232.202.245"): 8075}
	table := netclass.New(netclass.Data{Feeds: []*netclass.Feed{parse(t, "azure", azureFile), parse(t, "misp-vpn-ipv4", vpnList)}, Routes: []netclass.Router{routes}})
	s := netclass.NewSource(func() *netclass.Table { return table })
	if a := s.About(); a.ThirdParty || a.Name == "" {
		t.Errorf("%+v", a)
	}
	fields := func(v enrich.Value) (map[string]string, enrich.Answer) {
		a := s.Lookup(t.Context(), v, enrich.Interactive)
		out := make(map[string]string)
		for _, f := range a.Fields {
			if f.Status != enrich.OK || f.Source == "" {
				t.Errorf("%+v", f)
			}
			out[f.Name] += f.Value + "\n"
		}
		return out, a
	}
	got, a := fields(enrich.AddressValue(addr("::ffff:20.232.202.245")))
	if diff := cmp.Diff(map[string]string{
		"asn": "8075\n", "as_org": "Org\n", "prefix": "20.232.202.245/32\n", "provider": "Microsoft\n", "region": "eastus\n",
		"attribution": "Fixed (): \nAzure Service Tags (facts published by the provider): Microsoft\n" +
			"networks of cloud providers (built in) (facts published by the provider): the program\n" +
			"MISP warninglist vpn-ipv4 (CC0-1.0): MISP/misp-warninglists\n",
	}, got); diff != "" {
		t.Error(diff)
	}
	if c := enrich.Decide(a.Claims...); c.Name != enrich.ClassCloudVM || len(c.Reasons) != 4 {
		t.Errorf("%+v", c)
	}
	for v, want := range map[enrich.Value]string{
		{Kind: enrich.KindEmail, Text: "x@mail.gmail.com"}:                    "gmail.com\n",
		{Kind: enrich.KindURL, Text: "https://a.b.co.uk/x"}:                   "b.co.uk\n",
		{Kind: enrich.KindURL, Text: "https://20.232.202.245/x"}:              "",
		{Kind: enrich.KindURL, Text: "https://[::ffff:1.2.3.4%25x/"}:          "",
		{Kind: enrich.KindHostname, Text: "ns.example.com"}:                   "example.com\n",
		{Kind: enrich.KindCIDR, Text: "20.232.0.0/20"}:                        "",
		{Kind: enrich.KindAppID, Text: "no-such-id"}:                          "",
		{Kind: enrich.KindFileHash, Text: "d41d8cd98f00b204e9800998ecf8427e"}: "",
	} {
		if got, _ := fields(v); got["registrable_domain"] != want {
			t.Errorf("%+v: %q", v, got)
		}
	}
	if _, a := fields(enrich.Value{Kind: enrich.KindIP, Text: "9.9.9.9"}); a.Status != enrich.NoData {
		t.Errorf("%+v", a)
	}
}

// No file from outside may end the process, cost without bound, or make a feed
// that a table cannot use.
func FuzzParse(f *testing.F) {
	names := []string{"aws", "azure", "gcp", "oracle", "linode", "fastly", "m365-endpoints", "tor", "bad-asn-list", "egress", "freemail", "misp-x", "cloudflare"}
	seeds := []string{
		awsFile, azureFile, gcpFile, oracleFile, geofeed, fastlyFile, m365File, "185.220.101.1\n", "ASN,Entity\n8075,\"MICROSOFT\"\n",
		"acme,198.20.1.0/24\n", "a.example\n", vpnList, `{"result":{"ipv4_cidrs":["173.245.48.0/20"]}}`,
	}
	for i := range names {
		f.Add(i, seeds[i])
	}
	f.Add(11, `{"list":["/(a|b)*c/i"],"type":"regex"}`)
	f.Add(11, `{"list":["0-mail.com","1.2.3.4"],"type":"substring"}`)
	f.Fuzz(func(t *testing.T, which int, text string) {
		s := spec(t, names[uint(which)%uint(len(names))])
		s.MaxBytes = 1 << 16
		feed, err := netclass.Parse(s, strings.NewReader(text))
		if err != nil {
			if len(err.Error()) > 1000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		if feed.Info().Entries == 0 {
			t.Error("a feed of nothing")
		}
		table := netclass.New(netclass.Data{Feeds: []*netclass.Feed{feed}})
		for p, entries := range feed.Ranges() {
			if len(entries) == 0 || p != p.Masked() || p.Addr().Is4In6() {
				t.Errorf("%s: %v", p, entries)
			}
			if c := table.Prefix(p); len(c.Matches) == 0 {
				t.Errorf("%s is listed and not found", p)
			}
			table.Address(p.Addr())
		}
		for n := range feed.Names() {
			if c := table.Name(n); len(c.Matches) == 0 {
				t.Errorf("%q is listed and not found", n)
			}
		}
		table.Name(text)
		table.App(text)
	})
}
