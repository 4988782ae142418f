package evidence_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// hashed stands for the keyed hash of server/rpc: it has the right form and
// tells one value from the next.
func hashed(k evidence.Kind, normalised string) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz234567"
	text := []byte(strings.Repeat("a", 26))
	for i, c := range []byte(string(k) + "\x00" + normalised) {
		j := i % len(text)
		text[j] = alphabet[(strings.IndexByte(alphabet, text[j])*7+int(c))%len(alphabet)]
	}
	return "hmac1:test:" + string(text)
}

func options() evidence.Options { return evidence.Options{Private: hashed} }

func TestParseValue(t *testing.T) {
	tests := []struct {
		kind evidence.Kind
		raw  string
		want evidence.Kind
		text string
		port string
	}{
		{"ip", "104.161.20.102", "ip", "104.161.20.102", ""},
		{"ip", "104[.]161[.]20[.]102", "ip", "104.161.20.102", ""},
		{"ip", "104(.)161{.}20[dot]102", "ip", "104.161.20.102", ""},
		{"ip", `104\.161\.20\.102`, "ip", "104.161.20.102", ""},
		{"ip", "104 [.] 161 (dot) 20 [ DOT ] 102", "ip", "104.161.20.102", ""},
		{"ip", "104[.161[.20.]102", "ip", "104.161.20.102", ""},
		{"ip", "１０４．１６１．２０．１０２", "ip", "104.161.20.102", ""},
		{"ip", "104。161｡20.102", "ip", "104.161.20.102", ""},
		{"ip", "104［．］161.20.102", "ip", "104.161.20.102", ""},
		{"ip", "104.\u200b161.\ufeff20.102", "ip", "104.161.20.102", ""},
		{"ip", "\t“104.161.20.102”,\r\n", "ip", "104.161.20.102", ""},
		{"ip", "<104.161.20.102>;", "ip", "104.161.20.102", ""},
		{"ip", "(104.161.20.102).", "ip", "104.161.20.102", ""},
		{"ip", "104.161.20.102:443", "ip", "104.161.20.102", "443"},
		{"ip", "104[.]161[.]20[.]102[:]443", "ip", "104.161.20.102", "443"},
		{"ip", "[104.161.20.102]:443", "ip", "104.161.20.102", "443"},
		{"ip", "[104.161.20.102]", "ip", "104.161.20.102", ""},
		{"ip", "104.161.20.102:0", "ip", "104.161.20.102", ""},
		{"ip", "104.161.20.102/32", "ip", "104.161.20.102", ""},
		{"ip", "::1", "ip", "::1", ""},
		{"ip", "[::1]", "ip", "::1", ""},
		{"ip", "[::1]:443", "ip", "::1", "443"},
		{"ip", "[::]", "ip", "::", ""},
		{"ip", "(see [::1]:443)", "", "", ""},
		{"ip", "2001:0DB8:0000:0000:0000:0000:0000:0001", "ip", "2001:db8::1", ""},
		{"ip", "2001[:]db8[:]0[:]0[:]0[:]0[:]0[:]1", "ip", "2001:db8::1", ""},
		{"ip", "2001:db8::1:443", "ip", "2001:db8::1:443", ""},
		{"ip", "2001:db8::1/128", "ip", "2001:db8::1", ""},
		{"ip", "fe80::1%eth0", "ip", "fe80::1", ""},
		{"ip", "[fe80::1%eth0]:8080", "ip", "fe80::1", "8080"},
		{"ip", "::ffff:104.161.20.102", "ip", "104.161.20.102", ""},
		{"ip", "::FFFF:68a1:1466", "ip", "104.161.20.102", ""},
		{"ip", "[::ffff:104.161.20.102]:443", "ip", "104.161.20.102", "443"},
		{"ip", "::ffff:104.161.20.102/128", "ip", "104.161.20.102", ""},
		{"ip", "10.0.0.1", "ip", "10.0.0.1", ""},
		{" IP ", "127.0.0.1", "ip", "127.0.0.1", ""},

		{"cidr", "104.161.20.102/24", "cidr", "104.161.20.0/24", ""},
		{"cidr", "104[.]161[.]20[.]0[/]24", "cidr", "104.161.20.0/24", ""},
		{"cidr", "104.161.20.102/32", "ip", "104.161.20.102", ""},
		{"cidr", "104.161.20.102", "ip", "104.161.20.102", ""},
		{"cidr", "2001:db8::ffff/32", "cidr", "2001:db8::/32", ""},
		{"cidr", "::ffff:104.161.20.102/120", "cidr", "104.161.20.0/24", ""},
		{"cidr", "::ffff:104.161.20.102/64", "cidr", "::/64", ""},
		{"cidr", "0.0.0.0/0", "cidr", "0.0.0.0/0", ""},

		{"asn", "AS53755", "asn", "AS53755", ""},
		{"asn", "as 53755", "asn", "AS53755", ""},
		{"asn", "053755", "asn", "AS53755", ""},
		{"asn", "AS4294967295", "asn", "AS4294967295", ""},

		{"domain", "Example[.]COM.", "domain", "example.com", ""},
		{"domain", "example.com:8443", "domain", "example.com", "8443"},
		{"domain", "example.com.:8443", "domain", "example.com", "8443"},
		{"domain", "example[.com", "domain", "example.com", ""},
		{"domain", "mail.example.com", "hostname", "mail.example.com", ""},
		{"hostname", "example.co.uk", "domain", "example.co.uk", ""},
		{"hostname", "iad3a.emailsrvr.com", "hostname", "iad3a.emailsrvr.com", ""},
		{"domain", "github.io", "domain", "github.io", ""},
		{"domain", "somebody.github.io", "domain", "somebody.github.io", ""},
		{"domain", "www.somebody.github.io", "hostname", "www.somebody.github.io", ""},
		{"domain", "server.corp.internal", "hostname", "server.corp.internal", ""},
		{"domain", "_dmarc.example.com", "hostname", "_dmarc.example.com", ""},
		{"domain", "r3---sn-4g5e6nez.example.com", "hostname", "r3---sn-4g5e6nez.example.com", ""},
		{"domain", "-odd-.example.com", "hostname", "-odd-.example.com", ""},
		{"domain", "bücher.example", "domain", "xn--bcher-kva.example", ""},
		{"domain", "BÜCHER．example", "domain", "xn--bcher-kva.example", ""},
		{"domain", "XN--BCHER-KVA.example", "domain", "xn--bcher-kva.example", ""},
		{"domain", "straße.example", "domain", "xn--strae-oqa.example", ""},
		{"domain", "xn--99999999.example", "domain", "xn--99999999.example", ""},
		{"domain", "ＥＸＡＭＰＬＥ。com", "domain", "example.com", ""},
		{"domain", "exam\u200dple.com", "domain", "example.com", ""},
		{"domain", "نامه\u200cای.com", "domain", "xn--mgba3gch31f060k.com", ""},
		{"domain", "`example.com`", "domain", "example.com", ""},

		{"url", "hxxp://evil[.]com", "url", "http://evil.com/", ""},
		{"url", "hXXps[:]//Evil[.]COM/Path?Q=1#frag", "url", "https://evil.com/Path?Q=1", ""},
		{"url", "hxxps[://]evil[.]com[/]a", "url", "https://evil.com/a", ""},
		{"url", "HTTP://evil.com:80", "url", "http://evil.com/", ""},
		{"url", "https://evil.com:8443/", "url", "https://evil.com:8443/", ""},
		{"url", "https://evil.com:/x", "url", "https://evil.com/x", ""},
		{"url", "http://user:secret@evil.com/x", "url", "http://evil.com/x", ""},
		{"url", "http://good.com＠evil.com/x", "url", "http://evil.com/x", ""},
		{"url", "http://evil.com?x=1", "url", "http://evil.com/?x=1", ""},
		{"url", "http://[::1]:8080/x", "url", "http://[::1]:8080/x", ""},
		{"url", "http://[::ffff:1.2.3.4]/x", "url", "http://1.2.3.4/x", ""},
		{"url", "http://[fe80::1%25eth0]/", "url", "http://[fe80::1]/", ""},
		{"url", "(http://evil.com/a_(b))", "url", "http://evil.com/a_(b)", ""},
		{"url", "see http://evil.com/", "", "", ""},
		{"url", "http://evil.com/a),", "url", "http://evil.com/a", ""},
		{"url", "<http://[::1]/>", "url", "http://[::1]/", ""},
		{"url", "http://evil.com/a b/é%c3%A9", "url", "http://evil.com/a%20b/%C3%A9%C3%A9", ""},
		{"url", "http://evil.com/①", "url", "http://evil.com/%E2%91%A0", ""},
		{"url", "http：／／ｅｖｉｌ．ｃｏｍ／ａ", "url", "http://evil.com/%EF%BD%81", ""},
		{"url", "ftp://files.evil.com:21/x", "url", "ftp://files.evil.com/x", ""},
		{"url", "http://bücher.example/", "url", "http://xn--bcher-kva.example/", ""},

		{"email", "Bob@Example.COM", "email", "bob@example.com", ""},
		{"email", "bob[@]example[.]com", "email", "bob@example.com", ""},
		{"email", "bob (at) example (dot) com", "email", "bob@example.com", ""},
		{"email", "bob[at]example[dot]com", "email", "bob@example.com", ""},
		{"email", "mailto:bob@example.com?subject=x", "email", "bob@example.com", ""},
		{"email", "SMTP:Bob@Example.com", "email", "bob@example.com", ""},
		{"email", "Bob <b.o-b+x@example.com>", "email", "b.o-b+x@example.com", ""},
		{"email", `"Bob, the" <bob@example.com>;`, "email", "bob@example.com", ""},
		{"email", "<bob@example.com>", "email", "bob@example.com", ""},
		{"email", "o'brien@example.com", "email", "o'brien@example.com", ""},
		{"email", "bob@bücher.example", "email", "bob@xn--bcher-kva.example", ""},
		{"email", "systemmailbox{1f05a927}@example.com", "email", "systemmailbox{1f05a927}@example.com", ""},

		{"forward_to", "smtp:Drop@Evil.com", "forward_to", "drop@evil.com", ""},
		{"forward_to", "Evil[.]com", "forward_to", "evil.com", ""},
		{"forward_to", "smtp:mx.evil.com", "forward_to", "mx.evil.com", ""},

		{"spoof_pair", "impersonated-email-account.com>botasso.cl", "spoof_pair", "impersonated-email-account.com>botasso.cl", ""},
		{"spoof_pair", "A[.]com -> MX.b[.]com.", "spoof_pair", "a.com>mx.b.com", ""},
		{"spoof_pair", "boss@a.com → 104.161.20.102/24", "spoof_pair", "boss@a.com>104.161.20.0/24", ""},
		{"spoof_pair", "a.com＞104.161.20.102/32", "spoof_pair", "a.com>104.161.20.102", ""},
		{"spoof_pair", `"a.com>b.com"`, "spoof_pair", "a.com>b.com", ""},

		{"file_hash", " D41D8CD98F00B204E9800998ECF8427E ", "file_hash", "d41d8cd98f00b204e9800998ecf8427e", ""},
		{"file_hash", "SHA1:da39a3ee5e6b4b0d3255bfef95601890afd80709", "file_hash", "da39a3ee5e6b4b0d3255bfef95601890afd80709", ""},
		{"file_hash", "sha-256: " + strings.Repeat("Ab", 32), "file_hash", strings.Repeat("ab", 32), ""},
		{"file_hash", "sha512:" + strings.Repeat("0f", 64), "file_hash", strings.Repeat("0f", 64), ""},
		{"ja4", "T13D1516H2_8daaf6152771_b186095e22b6", "ja4", "t13d1516h2_8daaf6152771_b186095e22b6", ""},
		{"user_agent", "  Mozilla/5.0   (X11)  ", "user_agent", "Mozilla/5.0 (X11)", ""},
		{"user_agent", "ｗide [.] hxxp", "user_agent", "ｗide [.] hxxp", ""},
		{"app_id", "{00000003-0000-0000-C000-000000000000}", "app_id", "00000003-0000-0000-c000-000000000000", ""},
		{"app_id", "PERFECTDATA", "app_id", "perfectdata", ""},
		{"app_id", "{x}", "app_id", "{x}", ""},
		{"port_profile", "445, 21;135 445 3389", "port_profile", "21,135,445,3389", ""},
		{"port_profile", "065,65535", "port_profile", "65,65535", ""},
		{"account_pattern", " HelpDesk-<digits> ", "account_pattern", "helpdesk-<digits>", ""},
		{"rule_words", "Wire, invoice; PAYMENT wire", "rule_words", "invoice payment wire", ""},
		{"rule_words", "Überweisung ｓｔraße 2fa", "rule_words", "2fa strasse überweisung", ""},
		{"rule_words", "नमस्ते", "rule_words", "नमस्ते", ""},
		{"x_mutex", " Global\\[.]hxxp ", "x_mutex", "Global\\[.]hxxp", ""},

		{"phone", "+1 202 555-0143", "phone", hashed("phone", "+12025550143"), ""},
		{"phone", "0044 (0)20 7946.0958", "phone", hashed("phone", "+442079460958"), ""},
		{"phone", "tel:+1/202/5550143", "phone", hashed("phone", "+12025550143"), ""},
		{"phone", "＋１２０２５５５０１４３", "phone", hashed("phone", "+12025550143"), ""},
		{"account", " Alex@Example.com", "account", hashed("account", "alex@example.com"), ""},
		{"bank_account", "gb33 bukb-2020 1555 5555 55", "bank_account", hashed("bank_account", "GB33BUKB20201555555555"), ""},
		{"session", " AbC ", "session", hashed("session", "AbC"), ""},
		{"session", "hmac1:k-1:abcdefghijklmnopqrstuvWXYZ", "session", "hmac1:k-1:abcdefghijklmnopqrstuvWXYZ", ""},
	}
	for _, tt := range tests {
		got, v := evidence.ParseValue(tt.kind, tt.raw, options())
		if tt.want == "" {
			if v == nil {
				t.Errorf("%s %q = %v, want a violation", tt.kind, tt.raw, got.Value)
			}
			continue
		}
		want := evidence.Parsed{Value: evidence.Value{Kind: tt.want, Text: tt.text}}
		if tt.port != "" {
			want.Facts = []evidence.Fact{{Name: "port", Value: tt.port}}
		}
		if v != nil {
			t.Errorf("%s %q: %v", tt.kind, tt.raw, v)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s %q (-want +got):\n%s", tt.kind, tt.raw, diff)
		}
	}
}

func TestParseValueRejects(t *testing.T) {
	tests := []struct {
		kind         evidence.Kind
		raw          string
		path, reason string
		messageHolds string
	}{
		{kind: "ipv4", raw: "1.2.3.4", path: "kind", reason: "KIND_UNKNOWN", messageHolds: `"ipv4" is not a kind; known are ip, cidr,`},
		{kind: "+1 202 555 0143", raw: "phone", path: "kind", reason: "KIND_UNKNOWN", messageHolds: "this is not a kind"},
		{kind: "x_", raw: "1", path: "kind", reason: "KIND_UNKNOWN"},
		{kind: evidence.Kind("x_" + strings.Repeat("a", 61)), raw: "1", path: "kind", reason: "KIND_UNKNOWN"},
		{kind: "x_a-b", raw: "1", path: "kind", reason: "KIND_UNKNOWN"},
		{kind: "ip", raw: "", path: "value", reason: "REQUIRED"},
		{kind: "ip", raw: " \t\n", path: "value", reason: "REQUIRED"},
		{kind: "ip", raw: "1.2.3.4\x00", path: "value", reason: "CONTROL_CHARACTER"},
		{kind: "rule_name", raw: "a\u0085b", path: "value", reason: "CONTROL_CHARACTER"},
		{kind: "rule_name", raw: "a\tb", path: "value", reason: "CONTROL_CHARACTER"},
		{kind: "rule_name", raw: "\xff", path: "value", reason: "NOT_UTF8"},
		{kind: "rule_name", raw: strings.Repeat("x", 4<<10+1), path: "value", reason: "TOO_LONG"},
		{kind: "rule_name", raw: strings.Repeat("ﷺ", 1000), path: "value", reason: "TOO_LONG"},
		{kind: "ip", raw: "1.2.3.0/24", path: "value", reason: "KIND_MISMATCH", messageHolds: "cidr"},
		{kind: "ip", raw: "hxxp://1.2.3.4/", path: "value", reason: "KIND_MISMATCH", messageHolds: "url"},
		{kind: "ip", raw: "1.2.3", path: "value", reason: "MALFORMED"},
		{kind: "ip", raw: "01.2.3.4", path: "value", reason: "MALFORMED"},
		{kind: "ip", raw: "1.2.3.4:65536", path: "value", reason: "MALFORMED"},
		{kind: "ip", raw: "SERVER (1.2.3.4)", path: "value", reason: "MALFORMED"},
		{kind: "ip", raw: "<null>", path: "value", reason: "MALFORMED"},
		{kind: "ip", raw: "localhost", path: "value", reason: "MALFORMED"},
		{kind: "cidr", raw: "1.2.3.0/33", path: "value", reason: "MALFORMED"},
		{kind: "cidr", raw: "example.com/24", path: "value", reason: "MALFORMED"},
		{kind: "asn", raw: "AS4294967296", path: "value", reason: "MALFORMED"},
		{kind: "asn", raw: "AS", path: "value", reason: "MALFORMED"},
		{kind: "asn", raw: "AS+1", path: "value", reason: "MALFORMED"},
		{kind: "asn", raw: "AS53755 ioflood", path: "value", reason: "MALFORMED"},
		{kind: "domain", raw: "co.uk", path: "value", reason: "PUBLIC_SUFFIX"},
		{kind: "domain", raw: "com", path: "value", reason: "MALFORMED"},
		{kind: "domain", raw: "1.2.3.4", path: "value", reason: "KIND_MISMATCH", messageHolds: "its kind is ip"},
		{kind: "domain", raw: "[::1]:443", path: "value", reason: "KIND_MISMATCH", messageHolds: "its kind is ip"},
		{kind: "domain", raw: "1.2.3.0/24", path: "value", reason: "KIND_MISMATCH", messageHolds: "its kind is cidr"},
		{kind: "domain", raw: "1.2.3.0/32", path: "value", reason: "KIND_MISMATCH", messageHolds: "its kind is ip"},
		{kind: "domain", raw: "hxxp://evil[.]com/", path: "value", reason: "KIND_MISMATCH", messageHolds: "its kind is url"},
		{kind: "hostname", raw: "evil[.]com/path", path: "value", reason: "KIND_MISMATCH", messageHolds: "url"},
		{kind: "domain", raw: "a@evil.com", path: "value", reason: "KIND_MISMATCH", messageHolds: "its kind is email"},
		{kind: "domain", raw: "*.evil.com", path: "value", reason: "MALFORMED", messageHolds: "pattern"},
		{kind: "domain", raw: "localhost", path: "value", reason: "MALFORMED"},
		{kind: "domain", raw: "a..b", path: "value", reason: "MALFORMED"},
		{kind: "domain", raw: ".evil.com", path: "value", reason: "MALFORMED"},
		{kind: "domain", raw: "1.2.3.999", path: "value", reason: "MALFORMED", messageHolds: "number"},
		{kind: "domain", raw: "1.0x7f", path: "value", reason: "MALFORMED", messageHolds: "number"},
		{kind: "domain", raw: strings.Repeat("a", 64) + ".com", path: "value", reason: "MALFORMED"},
		{kind: "domain", raw: strings.Repeat("abc.", 63) + "com", path: "value", reason: "MALFORMED"},
		{kind: "domain", raw: "ev il.com", path: "value", reason: "MALFORMED"},
		{kind: "domain", raw: "a.com b.com", path: "value", reason: "MALFORMED"},
		{kind: "domain", raw: "evil.com℀.example", path: "value", reason: "KIND_MISMATCH"},
		{kind: "url", raw: "evil.com/x", path: "value", reason: "MALFORMED", messageHolds: "scheme"},
		{kind: "url", raw: "javascript:alert(1)", path: "value", reason: "MALFORMED"},
		{kind: "url", raw: "file:///etc/passwd", path: "value", reason: "MALFORMED"},
		{kind: "url", raw: "http://", path: "value", reason: "MALFORMED"},
		{kind: "url", raw: "http://localhost/", path: "value", reason: "MALFORMED"},
		{kind: "url", raw: `http://good.com\@evil.com/`, path: "value", reason: "MALFORMED", messageHolds: "backslash"},
		{kind: "url", raw: "http://evil.com:99999/", path: "value", reason: "MALFORMED"},
		{kind: "url", raw: "http://[::1/", path: "value", reason: "MALFORMED"},
		{kind: "email", raw: "example.com", path: "value", reason: "MALFORMED"},
		{kind: "email", raw: "@example.com", path: "value", reason: "MALFORMED"},
		{kind: "email", raw: "a b@example.com", path: "value", reason: "MALFORMED"},
		{kind: "email", raw: "a@example.com, b@example.com", path: "value", reason: "MALFORMED"},
		{kind: "email", raw: "a@localhost", path: "value", reason: "MALFORMED"},
		{kind: "email", raw: strings.Repeat("a", 257) + "@example.com", path: "value", reason: "MALFORMED"},
		{kind: "forward_to", raw: "1.2.3.4", path: "value", reason: "KIND_MISMATCH"},
		{kind: "forward_to", raw: "evil.com:25", path: "value", reason: "MALFORMED"},
		{kind: "spoof_pair", raw: "a.com", path: "value", reason: "MALFORMED"},
		{kind: "spoof_pair", raw: "a.com>b.com>c.com", path: "value", reason: "MALFORMED"},
		{kind: "spoof_pair", raw: "a.com>", path: "value", reason: "MALFORMED"},
		{kind: "spoof_pair", raw: "*>b.com", path: "value", reason: "MALFORMED"},
		{kind: "spoof_pair", raw: "a.com>b@c.com", path: "value", reason: "KIND_MISMATCH"},
		{kind: "spoof_pair", raw: "a.com>b.com:25", path: "value", reason: "MALFORMED"},
		{kind: "spoof_pair", raw: "a.com>1.2.3.4:25", path: "value", reason: "MALFORMED", messageHolds: "port"},
		{kind: "file_hash", raw: "d41d8cd98f00b204e9800998ecf8427", path: "value", reason: "MALFORMED"},
		{kind: "file_hash", raw: "sha256:d41d8cd98f00b204e9800998ecf8427e", path: "value", reason: "MALFORMED", messageHolds: "md5"},
		{kind: "file_hash", raw: "g41d8cd98f00b204e9800998ecf8427e", path: "value", reason: "MALFORMED"},
		{kind: "ja4", raw: "t13 d15", path: "value", reason: "MALFORMED"},
		{kind: "app_id", raw: "my app", path: "value", reason: "MALFORMED"},
		{kind: "port_profile", raw: "22,0", path: "value", reason: "MALFORMED"},
		{kind: "port_profile", raw: "22,65536", path: "value", reason: "MALFORMED"},
		{kind: "port_profile", raw: "22-25", path: "value", reason: "MALFORMED"},
		{kind: "port_profile", raw: ",", path: "value", reason: "MALFORMED"},
		{kind: "rule_words", raw: "... !", path: "value", reason: "MALFORMED"},
		{kind: "phone", raw: "202 555 0143", path: "value", reason: "MALFORMED"},
		{kind: "phone", raw: "+123456", path: "value", reason: "MALFORMED"},
		{kind: "phone", raw: "+1234567890123456", path: "value", reason: "MALFORMED"},
		{kind: "phone", raw: "+0123456789", path: "value", reason: "MALFORMED"},
		{kind: "phone", raw: "+1202555CALL", path: "value", reason: "MALFORMED"},
		{kind: "bank_account", raw: "123", path: "value", reason: "MALFORMED"},
		{kind: "bank_account", raw: "ÄB1234", path: "value", reason: "MALFORMED"},
		{kind: "bank_account", raw: strings.Repeat("1", 35), path: "value", reason: "MALFORMED"},
		{kind: "account", raw: "hmac1:k:short", path: "value", reason: "MALFORMED"},
		{kind: "account", raw: "hmac1::abcdefghijklmnopqrstuvwxyz", path: "value", reason: "MALFORMED"},
		{kind: "account", raw: "hmac1:k:abcdefghijklmnopqrstuvwx18", path: "value", reason: "MALFORMED"},
		{kind: "account", raw: "hmac1:k:abcdefghijklmnopqrstuvwxyz2", path: "value", reason: "MALFORMED"},
	}
	for _, tt := range tests {
		got, v := evidence.ParseValue(tt.kind, tt.raw, options())
		switch {
		case v == nil:
			t.Errorf("%s %.60q = %v, want %s", tt.kind, tt.raw, got.Value, tt.reason)
		case v.Path != tt.path || v.Reason != tt.reason || !strings.Contains(v.Message, tt.messageHolds):
			t.Errorf("%s %.60q: %+v, want %s at %s with %q", tt.kind, tt.raw, *v, tt.reason, tt.path, tt.messageHolds)
		case len(v.Message) > 400:
			t.Errorf("%s %.60q: a message of %d bytes", tt.kind, tt.raw, len(v.Message))
		}
	}
}

func TestPrivateNeedsKey(t *testing.T) {
	const secret, stored = "alex.private@example.com", "hmac1:k1:abcdefghijklmnopqrstuvwxyz"
	_, v := evidence.ParseValue("account", secret, evidence.Options{})
	if v == nil || v.Reason != evidence.ReasonPrivate || strings.Contains(v.String(), "alex") {
		t.Errorf("without a key: %v", v)
	}
	got, v := evidence.ParseValue("account", stored, evidence.Options{})
	if v != nil || got.Text != stored {
		t.Errorf("stored value: %v, %v", got, v)
	}
}

func TestMessageIsSafeToPrint(t *testing.T) {
	_, v := evidence.ParseValue("ip", "\u202eevil"+strings.Repeat("\u2066x", 200), options())
	if v == nil {
		t.Fatal("accepted")
	}
	if strings.ContainsAny(v.Message, "\u202e\u2066") || len(v.Message) > 200 {
		t.Errorf("message %q", v.Message)
	}
}

func TestMessageHoldsNoPassword(t *testing.T) {
	for _, k := range []evidence.Kind{"url", "ip", "domain", "email", "spoof_pair", "forward_to", "asn", "cidr"} {
		for _, raw := range []string{"hxxp[:]//alex:hunter2@evil/", `http://alex:hunter2@evil\x.com/`} {
			_, v := evidence.ParseValue(k, raw, options())
			if v == nil || strings.Contains(v.Message, "hunter2") {
				t.Errorf("%s %q: %v", k, raw, v)
			}
		}
	}
}

func TestGuess(t *testing.T) {
	tests := []struct {
		raw  string
		want evidence.Kind
	}{
		{"104[.]161[.]20[.]102", "ip"},
		{"[::1]:443", "ip"},
		{"104.161.20.0/24", "cidr"},
		{"104.161.20.102/32", "ip"},
		{"hxxps://evil[.]com/x", "url"},
		{"bob[at]evil[.]com", "email"},
		{"Bob <bob@evil.com>", "email"},
		{"a.com>1.2.3.4", "spoof_pair"},
		{"boss@a.com -> b.com", "spoof_pair"},
		{"d41d8cd98f00b204e9800998ecf8427e", "file_hash"},
		{"AS53755", "asn"},
		{"as 53755", "asn"},
		{"53755", "rule_name"},
		{"evil[.]com", "domain"},
		{"evil.com:443", "domain"},
		{"mail.evil.com", "hostname"},
		{"invoice.filter", "rule_name"},
		{"Block Spoofing", "rule_name"},
		{".", "rule_name"},
		{"", "rule_name"},
		{"\xff", "rule_name"},
		{"+1 202 555 0143", "rule_name"},
		{"co.uk", "rule_name"},
	}
	for _, tt := range tests {
		if got := evidence.Guess(tt.raw); got != tt.want {
			t.Errorf("Guess(%q) = %s, want %s", tt.raw, got, tt.want)
		}
		if tt.raw == "" || tt.raw == "\xff" {
			continue
		}
		if got, v := evidence.ParseValue("", tt.raw, options()); v != nil || got.Kind != tt.want {
			t.Errorf("ParseValue of a guess at %q: %v, %v", tt.raw, got.Value, v)
		}
	}
}

func TestRegistrableDomain(t *testing.T) {
	for name, want := range map[string]string{
		"a.b.example.co.uk": "example.co.uk",
		"example.com":       "example.com",
		"x.y.github.io":     "y.github.io",
		"github.io":         "github.io",
		"com":               "com",
		"a.corp.internal":   "corp.internal",
	} {
		if got := evidence.RegistrableDomain(name); got != want {
			t.Errorf("RegistrableDomain(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestRegistry(t *testing.T) {
	want := map[evidence.Visibility]string{
		evidence.Infrastructure: "ip cidr asn domain hostname file_hash ja4 user_agent app_id port_profile",
		evidence.Identity:       "email url spoof_pair forward_to rule_name rule_words account_pattern",
		evidence.Private:        "phone account bank_account session",
	}
	got := make(map[evidence.Visibility]string)
	for _, info := range evidence.Kinds() {
		got[info.Visibility] = strings.TrimSpace(got[info.Visibility] + " " + string(info.Kind))
		if v, ok := evidence.KindVisibility(info.Kind); !ok || v != info.Visibility {
			t.Errorf("KindVisibility(%s) = %v, %v", info.Kind, v, ok)
		}
		if info.Description == "" {
			t.Errorf("%s has no description", info.Kind)
		}
		p, v := evidence.ParseValue(info.Kind, info.Example, options())
		if v != nil || p.Kind != info.Kind {
			t.Errorf("example of %s: %v, %v", info.Kind, p.Value, v)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
	if v, ok := evidence.KindVisibility("x_mutex"); !ok || v != evidence.Identity {
		t.Errorf("x_mutex: %v, %v", v, ok)
	}
	for _, k := range []evidence.Kind{"", "IP", "x_", "x_A", "mutex"} {
		if _, ok := evidence.KindVisibility(k); ok {
			t.Errorf("%q is a kind", k)
		}
	}
}
