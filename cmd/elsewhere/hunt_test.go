package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"io/fs"
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
