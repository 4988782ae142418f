package publish

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/elsewhere-project/elsewhere/server/evidence"
)

// The kinds of targets.
const (
	KindMISP   = "misp"   // a server, over REST
	KindGit    = "git"    // a repository, by git's own protocol
	KindGitHub = "github" // a repository, by GitHub's API
)

// Target is where bundles go. Paths are relative to the folder of the file that
// the target is written in.
type Target struct {
	// Name is what people call it: [a-z0-9][a-z0-9-]{0,62}.
	Name string `json:"name"`
	Kind string `json:"kind"`
	// Receiver is who reads there; pseudonyms of cases differ between receivers. The
	// name of the target if "".
	Receiver string `json:"receiver"`
	// TLP is the strictest label that may go there.
	TLP evidence.TLP `json:"tlp"`
	// AllowPrivate permits addresses of this machine and of private networks, and
	// repositories that are folders.
	AllowPrivate bool `json:"allowPrivate"`
	// CAFile has certificates of issuers besides those of the system.
	CAFile string `json:"caFile"`

	// URL is a MISP server or a repository.
	URL string `json:"url"`
	// KeyFile has a MISP key, TokenFile a token for https or GitHub.
	KeyFile   string `json:"keyFile"`
	TokenFile string `json:"tokenFile"`
	// Tags and Distribution are those of MISP events.
	Tags         []string `json:"tags"`
	Distribution int      `json:"distribution"`

	// Repository is OWNER/NAME at GitHub, API its address where it is not
	// api.github.com.
	Repository string `json:"repository"`
	API        string `json:"api"`
	App        *App   `json:"app"`
	// Branch is main if "". PullRequest changes protected branches by a branch of
	// ours and a pull request.
	Branch      string `json:"branch"`
	PullRequest bool   `json:"pullRequest"`
	// Folder of the repository that publications are in; "" is its top.
	Folder string `json:"folder"`
	// SSHKeyFile and KnownHostsFile are for ssh, SigningKeyFile is a key of OpenSSH
	// that signs commits.
	SSHKeyFile     string `json:"sshKeyFile"`
	KnownHostsFile string `json:"knownHostsFile"`
	SigningKeyFile string `json:"signingKeyFile"`
	AuthorName     string `json:"authorName"`
	AuthorEmail    string `json:"authorEmail"`
}

// App is a GitHub app.
type App struct {
	ID           string `json:"id"`
	Installation int64  `json:"installation"`
	KeyFile      string `json:"keyFile"`
}

// Bounds of a configuration.
const (
	maxConfig  = 1 << 20
	maxTargets = 1_000
	maxSecret  = 64 << 10
)

// ConfigError is what is wrong with a configuration.
type ConfigError struct {
	File, Path string // Path as in targets[2].url
	Err        error
}

func (e *ConfigError) Error() string {
	if e.Path == "" {
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s: %s: %v", e.File, e.Path, e.Err)
}

// Unwrap returns what is wrong.
func (e *ConfigError) Unwrap() error { return e.Err }

// ReadConfig reads targets, {"targets": [...]}, in order of name. Secrets are read
// when they are used; here only whether their files are there.
func ReadConfig(file string) ([]Target, error) {
	wrong := func(path string, err error) ([]Target, error) { return nil, &ConfigError{file, path, err} }
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxConfig {
		return wrong("", errors.New("more than a megabyte"))
	}
	var config struct {
		Targets []Target `json:"targets"`
	}
	in := json.NewDecoder(bytes.NewReader(text))
	in.DisallowUnknownFields()
	if err := in.Decode(&config); err != nil {
		line := 1 + bytes.Count(text[:min(in.InputOffset(), int64(len(text)))], []byte("\n"))
		return wrong(fmt.Sprintf("line %d", line), err)
	}
	if len(config.Targets) > maxTargets {
		return wrong("targets", fmt.Errorf("more than %d", maxTargets))
	}
	for i := range config.Targets {
		t := &config.Targets[i]
		field, err := t.complete(filepath.Dir(file))
		if err == nil && slices.ContainsFunc(config.Targets[:i], func(o Target) bool { return o.Name == t.Name }) {
			field, err = "name", errors.New("two targets of this name")
		}
		if err != nil {
			return wrong(fmt.Sprintf("targets[%d].%s", i, field), err)
		}
	}
	slices.SortFunc(config.Targets, func(a, b Target) int { return cmp.Compare(a.Name, b.Name) })
	return config.Targets, nil
}

// complete checks a target and makes its paths absolute; field names what is wrong.
func (t *Target) complete(dir string) (field string, err error) {
	if err := evidence.CheckTenant(t.Name); err != nil {
		return "name", errors.New("want [a-z0-9][a-z0-9-]{0,62}")
	}
	t.Receiver = cmp.Or(t.Receiver, t.Name)
	if !slices.Contains([]evidence.TLP{
		evidence.TLPRed, evidence.TLPAmberStrict, evidence.TLPAmber, evidence.TLPGreen, evidence.TLPClear,
	}, t.TLP) {
		return "tlp", errors.New("want red, amber+strict, amber, green or clear")
	}
	if t.Distribution < 0 || t.Distribution > 3 {
		return "distribution", errors.New("want 0 to 3")
	}
	for _, path := range []*string{&t.CAFile, &t.KeyFile, &t.TokenFile, &t.SSHKeyFile, &t.KnownHostsFile, &t.SigningKeyFile} {
		if err := located(dir, path); err != nil {
			return "files", err
		}
	}
	if t.App != nil {
		if err := located(dir, &t.App.KeyFile); err != nil {
			return "app.keyFile", err
		}
	}
	if strings.HasPrefix(t.Folder, "/") || strings.Contains("/"+t.Folder+"/", "/../") || strings.HasSuffix(t.Folder, "/") {
		return "folder", errors.New("want a folder below the top, as in feed")
	}
	return t.checkKind()
}

// located makes the path of a file absolute and sees whether it is there.
func located(dir string, path *string) error {
	if *path == "" {
		return nil
	}
	if !filepath.IsAbs(*path) {
		*path = filepath.Join(dir, *path)
	}
	info, err := os.Stat(*path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a file", *path)
	}
	return err
}

func (t *Target) checkKind() (field string, err error) {
	switch t.Kind {
	case KindMISP:
		if err := t.checkURL("https"); err != nil {
			return "url", err
		}
		if t.KeyFile == "" {
			return "keyFile", errors.New("a MISP server needs a key")
		}
	case KindGit:
		if err := t.checkURL("https", "ssh", "file"); err != nil {
			return "url", err
		}
		if strings.HasPrefix(t.URL, "ssh:") && (t.SSHKeyFile == "" || t.KnownHostsFile == "") {
			return "sshKeyFile", errors.New("ssh needs a key and the file of known hosts")
		}
	case KindGitHub:
		if owner, name, ok := strings.Cut(t.Repository, "/"); !ok || owner == "" || name == "" {
			return "repository", errors.New("want OWNER/NAME")
		}
		if (t.TokenFile == "") == (t.App == nil) {
			return "tokenFile", errors.New("GitHub needs a token or an app, and not both")
		}
		if t.API != "" {
			if err := checkURL(t.API, t.AllowPrivate, "https"); err != nil {
				return "api", err
			}
		}
	default:
		return "kind", errors.New("want misp, git or github")
	}
	return "", nil
}

func (t *Target) checkURL(schemes ...string) error {
	return checkURL(t.URL, t.AllowPrivate, schemes...)
}

// checkURL refuses addresses that hold a secret, or that would carry one in the
// clear. The address is not repeated: it may hold a secret.
func checkURL(address string, private bool, schemes ...string) error {
	u, err := url.Parse(address)
	if err != nil {
		return errors.New("not an address")
	}
	if _, secret := u.User.Password(); secret || u.RawQuery != "" || u.Scheme != "ssh" && u.User != nil {
		return errors.New("an address holds no user, password or token: those are files")
	}
	switch {
	case u.Scheme == "file" && !private:
		return errors.New("a folder needs allowPrivate")
	case u.Scheme == "http" && private && isLoopback(u.Hostname()) && slices.Contains(schemes, "https"):
	case !slices.Contains(schemes, u.Scheme):
		return fmt.Errorf("want an address of %s", strings.Join(schemes, ", "))
	case u.Scheme != "file" && u.Host == "":
		return errors.New("no host")
	}
	return nil
}

// readSecret reads a file with a key or a token.
func readSecret(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", err
	}
	if len(b) > maxSecret || len(bytes.TrimSpace(b)) == 0 {
		return "", fmt.Errorf("%s holds no key", file)
	}
	return string(b), nil
}
