package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/testdata"
)

// After both cases were made of logs and submitted, nothing of what names the
// tenants is anywhere in the folder of the service, nor are the words of their
// mail and the telephone numbers, which arrived as values of a private kind.
func TestNothingOfATenantIsInTheStore(t *testing.T) {
	logs := t.TempDir()
	tree, err := fs.Sub(testdata.Logs, "m365")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(logs, tree); err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	s, err := server.Open(ctx, server.Config{DataDir: data, GRPCAddr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	for _, c := range [][2]string{{"alder", "2023-0117"}, {"birch", "2023-0142"}} {
		code, _, errs := command(ctx, strings.NewReader(""), "hunt", filepath.Join(logs, "logs", c[0]),
			"--tenant", c[0], "--case", c[1], "--submit", "--server", s.Addr())
		if code != exitAnswered {
			t.Fatalf("exit code %d: %s", code, errs)
		}
	}
	_, seen, _ := command(ctx, strings.NewReader(""), "seen", "--server", s.Addr(), "--kind", "phone", "+12025550143")
	if !strings.Contains(seen, "seen in 1 tenant") {
		t.Errorf("the telephone number cannot be compared: %s", seen)
	}
	stop()
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	secrets := [][]byte{[]byte("redirect [redacted] email to dc")} // is there
	for _, word := range []string{
		"alder-yard", "alderyard", "brandl", "birch-mill", "birchmill", "ostrow", "penrose", "12025550143", "12025550188",
		"changed bank details", "Bankverbindung", "one-time code", "it-support2", "sites/finance",
	} {
		utf := make([]byte, 0, 2*len(word))
		for _, u := range utf16.Encode([]rune(word)) {
			utf = append(utf, byte(u), byte(u>>8))
		}
		secrets = append(secrets, []byte(word), []byte(strings.ToLower(word)), []byte(strings.ToUpper(word)), utf,
			[]byte(base64.RawStdEncoding.EncodeToString([]byte(word))))
	}
	found := make(map[string]bool)
	err = filepath.WalkDir(data, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		b = bytes.ToLower(b)
		for _, s := range secrets {
			if bytes.Contains(b, bytes.ToLower(s)) {
				found[string(s)] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !found[string(secrets[0])] {
		t.Error("the name of a rule is not found, so nothing would be")
	}
	for _, s := range secrets[1:] {
		if found[string(s)] {
			t.Errorf("%q is in the store", s)
		}
	}
}

// Whatever intruders wrote, the service takes the case that is made of it, whole.
func TestTheServiceTakesEveryCase(t *testing.T) {
	values := []string{
		"x\x01y", "a\nb\tc", "evil[.]example", "hxxp://evil[.]example/x", "drop@evil..example", "ünï@bücher.example", strings.Repeat("long ", 900),
		strings.Repeat("x", 5000), "🎣", "smtp:", "@", "a@b@c.example", "http://[::1]/x", "https://evil.example:99999/", "//evil.example/x", "evil.example/x~",
		"*.evil.example", "evil.example:25", "1.2.3", "1.2.3.4/40", "1.2.3.4/24", "::ffff:1.2.3.4", "2001:db8::1%eth0", "xn--", "xn--zzzzzzz.example", "-evil.example",
		"evil_example.com", "com", "co.uk", "github.io", "x.github.io", "evil.example.", "0x7f.1", "127.0.0.1", "::", "0.0.0.0/0", "\u202eevil.example", "e\u00advil.example",
		"<drop@evil.example>", "\"a b\" <drop@evil.example>;x@y.example", "'drop'@evil.example", "drop+x@evil.example", "[REDACTED]", "⟨R⟩", ".", "Copy of Copy of 1", "a>b", "a->b",
		"evil.example>1.2.3.4", strings.Repeat("a.", 130) + "example", strings.Repeat("a", 64) + ".example", "ｅｖｉｌ．example", "axios/1\x7f", "axios/ünï", "\ufffd", " ",
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "+1 202 555 0143", "+999999999999999", "{E9A7FEA1-1cc0-4cd9-a31b-9137ca5deedd}",
	}
	type o = map[string]any
	var log bytes.Buffer
	n := 0
	add := func(op, workload string, more o) {
		n++
		r := o{
			"CreationTime": "2023-01-10T10:00:00", "Id": fmt.Sprintf("0b9b7c9e-3f7b-4a0e-9d5d-%012x", n), "Operation": op, "Workload": workload,
			"RecordType": 1, "UserId": "jane.doerfler@quarrystone.example", "UserType": 0, "ClientIP": "104.161.20.102",
		}
		maps.Copy(r, more)
		line, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		log.Write(append(line, '\n'))
	}
	named := func(key string, pairs ...string) o {
		var list []o
		for i := 0; i < len(pairs); i += 2 {
			list = append(list, o{"Name": pairs[i], "Value": pairs[i+1], "OldValue": "", "NewValue": pairs[i+1]})
		}
		return o{key: list}
	}
	for _, v := range values {
		add("New-TransportRule", "Exchange", named("Parameters", "Name", v, "BlindCopyTo", v, "SubjectContainsWords", v))
		add("New-InboxRule", "Exchange", named("Parameters", "Name", v, "ForwardTo", "x"+v, "MoveToFolder", v))
		add("Set-Mailbox", "Exchange", named("Parameters", "ForwardingSmtpAddress", "smtp:drop@"+v))
		add("New-TenantAllowBlockListSpoofItems", "Exchange", named("Parameters", "SpoofedUser", v, "SendingInfrastructure", "evil.example", "Action", "Allow"))
		add("New-TenantAllowBlockListSpoofItems", "Exchange", named("Parameters", "SpoofedUser", "evil.example", "SendingInfrastructure", v, "Action", "Allow"))
		add("New-TenantAllowBlockListItems", "Exchange", named("Parameters", "Allow", "True", "Entries", v+";https://"+v))
		add("UserLoggedIn", "AzureActiveDirectory", named("ExtendedProperties", "UserAgent", "axios/"+v))
		add("Add user.", "AzureActiveDirectory", o{"ObjectId": "support" + v + "@quarrystone.example"})
		add("Consent to application.", "AzureActiveDirectory", named("ModifiedProperties", "AppId", v))
		add("Update user.", "AzureActiveDirectory", named("ModifiedProperties", "MobilePhone", v))
	}
	file := filepath.Join(t.TempDir(), "log.ndjson")
	if err := os.WriteFile(file, log.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	s, err := server.Open(ctx, server.Config{Memory: true, GRPCAddr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	code, out, errs := command(ctx, strings.NewReader(""), "hunt", file, "--user", "jane.doerfler@quarrystone.example",
		"--tenant", "quarry", "--case", "1", "--submit", "--preview", "--server", s.Addr())
	stop()
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	if code != exitAnswered || strings.Contains(errs, "left out") || !strings.Contains(out, "quarry/1  created") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	if !strings.Contains(out, "rule_name") || !strings.Contains(out, "phone") {
		t.Errorf("nothing was tested:\n%s", out)
	}
}

func TestPrivateKindsLeaveOnlyOnThisMachine(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1:7431": true, "[::1]:7431": true, "localhost:7431": true,
		"192.0.2.1:7431": false, "localhost.example.com:7431": false, "example.com:443": false, "": false, "127.0.0.1": false,
	} {
		if got := loopback(addr); got != want {
			t.Errorf("%q: %v", addr, got)
		}
	}
}
