package netclass_test

import (
	"net/netip"
	"testing"

	"github.com/elsewhere-project/elsewhere/enrich/netclass"
)

func TestAddress(t *testing.T) {
	lists := netclass.Builtin()
	for addr, want := range map[string]string{
		"104.161.20.102":         netclass.Unknown,
		"185.241.149.122":        netclass.Unknown,
		"20.232.202.245":         netclass.Unknown, // a rented machine in Azure
		"40.107.22.84":           netclass.M365Service,
		"52.96.1.1":              netclass.M365Service,
		"::ffff:40.107.22.84":    netclass.M365Service,
		"2603:1026:c0a::1":       netclass.M365Service,
		"2603:1020::1":           netclass.Unknown, // Azure
		"10.1.2.3":               netclass.Bogon,
		"100.64.0.1":             netclass.Bogon,
		"127.0.0.1":              netclass.Bogon,
		"169.254.169.254":        netclass.Bogon,
		"192.0.2.1":              netclass.Bogon,
		"255.255.255.255":        netclass.Bogon,
		"::1":                    netclass.Bogon,
		"::":                     netclass.Bogon,
		"fe80::1%eth0":           netclass.Bogon,
		"fd00::1":                netclass.Bogon,
		"2001:db8::1":            netclass.Bogon,
		"2a01:111:f400:7e00::1":  netclass.M365Service,
		"2a02:26f7:b4c4:4000::1": netclass.Unknown,
	} {
		c := lists.Address(netip.MustParseAddr(addr))
		if c.Name != want {
			t.Errorf("%s is %s, want %s", addr, c.Name, want)
		}
		if (c.Name == netclass.Unknown) != (len(c.Reasons) == 0) {
			t.Errorf("%s is %s for %q", addr, c.Name, c.Reasons)
		}
	}
	for prefix, want := range map[string]string{
		"40.92.0.0/16": netclass.M365Service, "40.92.0.0/15": netclass.M365Service, "40.0.0.0/8": netclass.Unknown,
		"10.0.0.0/8": netclass.Bogon, "0.0.0.0/0": netclass.Unknown, "::/0": netclass.Unknown,
	} {
		if c := lists.Prefix(netip.MustParsePrefix(prefix)); c.Name != want {
			t.Errorf("%s is %s, want %s", prefix, c.Name, want)
		}
	}
}

func TestName(t *testing.T) {
	lists := netclass.Builtin()
	for name, want := range map[string]string{
		"gmail.com":                netclass.Freemail,
		"mail.gmail.com":           netclass.Freemail,
		"notgmail.com":             netclass.Unknown,
		"iad3a.emailsrvr.com":      netclass.MailProvider,
		"emailsrvr.com":            netclass.MailProvider,
		"x.protection.outlook.com": netclass.MailProvider,
		"outlook.com":              netclass.Freemail,
		"microsoft.com":            netclass.Service,
		"attacker.onmicrosoft.com": netclass.Unknown, // anybody's tenant
		"continental-database.com": netclass.Unknown,
		"botasso.cl":               netclass.Unknown,
		"onmicrosoft.com":          netclass.Service,
		"bit.ly":                   netclass.URLShortener,
		"webhook.site":             netclass.TopDomain,
		"www.cyber.gov.au":         netclass.TopDomain,
		"notgithub.com":            netclass.Unknown,
		"onedrive.live.com":        netclass.TopDomain,
		"oast.pro":                 netclass.Service,
		"x1.oast.pro":              netclass.Unknown,
		"com":                      netclass.Unknown,
		"":                         netclass.Unknown,
	} {
		if c := lists.Name(name); c.Name != want {
			t.Errorf("%s is %s, want %s", name, c.Name, want)
		}
	}
}

func TestApp(t *testing.T) {
	lists := netclass.Builtin()
	if c := lists.App("00000002-0000-0ff1-ce00-000000000000"); c.Name != netclass.Service {
		t.Errorf("Exchange Online is %s", c.Name)
	}
	if c := lists.App("aaaaaaaa-0000-0000-0000-000000000000"); c.Name != netclass.Unknown {
		t.Errorf("a stranger's application is %s", c.Name)
	}
}

func TestHash(t *testing.T) {
	lists := netclass.Builtin()
	if c := lists.Hash("d41d8cd98f00b204e9800998ecf8427e"); c.Name != netclass.Service {
		t.Errorf("the empty file is %s", c.Name)
	}
	if c := lists.Hash("00000000000000000000000000000000"); c.Name != netclass.Unknown {
		t.Errorf("some file is %s", c.Name)
	}
}
