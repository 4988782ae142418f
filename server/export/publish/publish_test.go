package publish_test

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/elsewhere-project/elsewhere/server/export/publish"
)

// config writes a configuration beside a key.
func config(t testing.TB, text string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"targets.json": text, "key": "secret-of-the-key\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "targets.json")
}

func TestReadConfig(t *testing.T) {
	targets, err := publish.ReadConfig(config(t, `{"targets": [
		{"name": "feed", "kind": "git", "url": "https://git.example/feed.git", "tlp": "clear", "tokenFile": "key", "receiver": "the public"},
		{"name": "cert", "kind": "misp", "url": "https://misp.example", "keyFile": "key", "tlp": "amber"},
		{"name": "hub", "kind": "github", "repository": "example/feed", "tokenFile": "key", "tlp": "clear"},
		{"name": "ssh", "kind": "git", "url": "ssh://git@git.example/feed.git", "tlp": "clear", "sshKeyFile": "key", "knownHostsFile": "key"},
		{"name": "local", "kind": "git", "url": "file:///srv/feed.git", "tlp": "clear", "allowPrivate": true}
	]}`))
	if err != nil || len(targets) != 5 || targets[0].Name != "cert" || targets[0].Receiver != "cert" || targets[1].Receiver != "the public" ||
		!filepath.IsAbs(targets[0].KeyFile) {
		t.Errorf("%+v, %v", targets, err)
	}
}

func TestBadConfigsNameThePlace(t *testing.T) {
	one := func(fields string) string { return `{"targets": [{"name": "x", "tlp": "green", ` + fields + `}]}` }
	for text, want := range map[string]string{
		"":                                "line 1",
		"{\n\"targets\": [\n{\"x\": 1}]}": "unknown field",
		`{"targets": [{"name": "X"}]}`:    "targets[0].name",
		`{"targets": [{"name": "x"}]}`:    "targets[0].tlp",
		one(`"kind": "ftp"`):              "targets[0].kind",
		one(`"kind": "misp", "url": "http://misp.example", "keyFile": "key"`):                                  "targets[0].url",
		one(`"kind": "misp", "url": "https://misp.example"`):                                                   "targets[0].keyFile",
		one(`"kind": "misp", "url": "https://misp.example", "keyFile": "none"`):                                "targets[0].files",
		one(`"kind": "misp", "url": "https://me:secret-of-the-key@misp.example", "keyFile": "key"`):            "targets[0].url",
		one(`"kind": "git", "url": "https://git.example/a.git?token=secret-of-the-key"`):                       "targets[0].url",
		one(`"kind": "git", "url": "https://secret-of-the-key@git.example/a.git"`):                             "targets[0].url",
		one(`"kind": "git", "url": "http://git.example/a.git", "allowPrivate": true`):                          "targets[0].url",
		one(`"kind": "git", "url": "file:///srv/feed.git"`):                                                    "targets[0].url",
		one(`"kind": "git", "url": "ssh://git@git.example/a.git"`):                                             "targets[0].sshKeyFile",
		one(`"kind": "git", "url": "https://git.example/a.git", "folder": "../up"`):                            "targets[0].folder",
		one(`"kind": "github", "repository": "example", "tokenFile": "key"`):                                   "targets[0].repository",
		one(`"kind": "github", "repository": "a/b", "tokenFile": "key", "app": {"id": "1", "keyFile": "key"}`): "targets[0].tokenFile",
		one(`"kind": "github", "repository": "a/b", "tokenFile": "key", "api": "http://api.example"`):          "targets[0].api",
		one(`"kind": "misp", "url": "https://misp.example", "keyFile": "key", "distribution": 4`):              "targets[0].distribution",
		`{"targets": [{"name": "x", "tlp": "green", "kind": "misp", "url": "https://a", "keyFile": "key"}, {"name": "x", "tlp": "green", "kind": "misp", "url": "https://a", "keyFile": "key"}]}`: "targets[1].name",
	} {
		_, err := publish.ReadConfig(config(t, text))
		if _, ok := errors.AsType[*publish.ConfigError](err); !ok || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %s", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret-of-the-key") {
			t.Errorf("a secret in %v", err)
		}
	}
}

func TestPrivateAddresses(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1": false, "10.0.0.1": false, "192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false, "0.0.0.0": false,
		"::1": false, "fe80::1": false, "fd00::1": false, "::ffff:10.0.0.1": false, "224.0.0.1": false,
		"8.8.8.8": true, "2001:4860:4860::8888": true,
	} {
		if got := publish.Public(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
}

func FuzzReadConfig(f *testing.F) {
	f.Add(`{"targets": [{"name": "feed", "kind": "git", "url": "https://git.example/feed.git", "tlp": "clear", "folder": "a/b"}]}`)
	f.Add(`{"targets": [{"name": "x", "kind": "github", "repository": "a/b", "tlp": "green", "app": {}, "api": "http://[::1]"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		targets, err := publish.ReadConfig(config(t, text))
		if err != nil {
			return
		}
		for _, target := range targets {
			if target.Name == "" || target.Receiver == "" || target.TLP == "" {
				t.Errorf("%+v", target)
			}
		}
	})
}
