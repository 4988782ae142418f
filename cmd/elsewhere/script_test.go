package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/elsewhere-project/elsewhere/client"
	"github.com/elsewhere-project/elsewhere/server/export/misp/misptest"
	"github.com/elsewhere-project/elsewhere/testdata"
)

var update = flag.Bool("update", false, "write the expected output anew into the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"elsewhere": main})
}

// TestScripts runs the command as people do. Beside what testscript brings,
// scripts have:
//
//	start [FLAG...]   run a service, in memory unless told otherwise, until the end of
//	                  the script or halt; other commands find it by ELSEWHERE_SERVER;
//	                  what it prints is in the file printed
//	halt              interrupt it and expect exit code 0; stderr is what it wrote
//	exits CODE CMD... run a command that has to end with this code
//	page PATH         read a page of its HTTP listener to stdout
//	stored REF...     expect exactly these cases on the service
//	generate WHAT     write a file that is too large for a script
//	publish FAULT F   offer a file over HTTP, see publisher_test.go
//	prefix FILE       set PREFIX to what the key in a file begins with
//	variable NAME F   set a variable to what stands in a file
//	certificate NAME  write NAME.crt and NAME.key for this machine
//	misp KEY FILE...  write a key of a fake MISP server, and its address for MISP and the
//	                  folder for WORK into files
//	tamper FROM TO WHAT  copy an exported audit trail and do to it what is found out
//	until RE CMD...   run a command again until its output matches, within bounds
//	find NAME RE CMD  set NAME to what matches in the output of a command
func TestScripts(t *testing.T) {
	fake := misptest.New(t)
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       *update,
		Setup: func(env *testscript.Env) error {
			env.Values[serviceKey{}] = &service{}
			env.Values[publisherKey{}] = &publisher{}
			env.Setenv("HOME", env.WorkDir)
			// Nothing answers here, should a script forget to start a service.
			env.Setenv("ELSEWHERE_SERVER", "127.0.0.1:1")
			if err := writeLogs(env.WorkDir); err != nil {
				return err
			}
			return writeTestdata(filepath.Join(env.WorkDir, "cases"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"start":    start,
			"halt":     halt,
			"page":     page,
			"exits":    exits,
			"stored":   stored,
			"generate": generate,
			"publish":  publish,
			"until":    until,
			"misp": func(ts *testscript.TestScript, _ bool, args []string) {
				if len(args) == 0 {
					ts.Fatalf("usage: misp KEY FILE...")
				}
				ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(fake.Key("4", misptest.Publisher)+"\n"), 0o600))
				for _, name := range args[1:] {
					text := strings.NewReplacer("MISP", fake.URL, "WORK", ts.Getenv("WORK")).Replace(ts.ReadFile(name))
					ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600))
				}
			},
			"find":        find,
			"prefix":      prefix,
			"variable":    variable,
			"certificate": certificate,
			"tamper":      tamper,
		},
	})
}

// find sets a variable to the first part of a command's output that matches.
func find(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: find NAME RE COMMAND...")
	}
	ts.Check(ts.Exec(args[2], args[3:]...))
	found := regexp.MustCompile(args[1]).FindString(ts.ReadFile("stdout"))
	if found == "" {
		ts.Fatalf("nothing matches %s", args[1])
	}
	ts.Setenv(args[0], found)
}

// writeTestdata lays the published and the unlinked cases into one folder.
func writeTestdata(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return fs.WalkDir(testdata.Files, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := testdata.Files.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, filepath.Base(name)), b, 0o644)
	})
}

// writeLogs lays the audit logs into a folder logs, one folder a tenant.
func writeLogs(dir string) error {
	logs, err := fs.Sub(testdata.Logs, "m365")
	if err != nil {
		return err
	}
	return os.CopyFS(dir, logs)
}

// service is an elsewhere serve that a script started.
type service struct {
	cmd    *exec.Cmd // nil if there is none
	http   string    // address; "" if it does not listen
	wrote  bytes.Buffer
	closed chan struct{} // stderr
}

// serviceKey is where a script keeps its service.
type serviceKey struct{}

func serviceOf(ts *testscript.TestScript) *service { return ts.Value(serviceKey{}).(*service) }

var (
	listening = regexp.MustCompile(`^gRPC +(\S+),`)
	// A service says it before the other.
	listeningHTTP = regexp.MustCompile(`^metrics +http://(\S+)/metrics,`)
)

func start(ts *testscript.TestScript, _ bool, args []string) {
	s := serviceOf(ts)
	if s.cmd != nil {
		ts.Fatalf("a service is running")
	}
	if len(args) == 0 {
		args = []string{"--memory"}
	}
	self, err := os.Executable()
	ts.Check(err)
	s.cmd = exec.Command(self, append([]string{"serve", "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"}, args...)...)
	s.cmd.Args[0] = "elsewhere" // see TestMain
	s.cmd.Dir = ts.Getenv("WORK")
	s.cmd.Env = append(os.Environ(), "HOME="+ts.Getenv("HOME"), "XDG_DATA_HOME="+ts.Getenv("XDG_DATA_HOME"))
	s.http = ""
	s.wrote.Reset()
	out, err := os.Create(ts.MkAbs("printed"))
	ts.Check(err)
	defer out.Close()
	s.cmd.Stdout = out
	s.closed = make(chan struct{})
	stderr, err := s.cmd.StderrPipe()
	ts.Check(err)
	ts.Check(s.cmd.Start())
	ts.Defer(func() { kill(s) })
	address := make(chan string, 1)
	go func() {
		defer close(s.closed)
		for in := bufio.NewScanner(stderr); in.Scan(); {
			fmt.Fprintln(&s.wrote, in.Text())
			if m := listeningHTTP.FindStringSubmatch(in.Text()); m != nil {
				s.http = m[1]
			}
			if m := listening.FindStringSubmatch(in.Text()); m != nil {
				address <- m[1]
			}
		}
	}()
	select {
	case a := <-address:
		ts.Setenv("ELSEWHERE_SERVER", strings.NewReplacer("0.0.0.0:", "127.0.0.1:", "[::]:", "127.0.0.1:").Replace(a))
	case <-s.closed:
		kill(s)
		ts.Fatalf("the service did not start: %s", s.wrote.String())
	case <-time.After(2 * time.Minute):
		ts.Fatalf("the service did not start in time")
	}
}

// kill ends a service that nobody needs any more.
func kill(s *service) {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		<-s.closed
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

func halt(ts *testscript.TestScript, _ bool, _ []string) {
	s := serviceOf(ts)
	if s.cmd == nil {
		ts.Fatalf("no service is running")
	}
	ts.Check(s.cmd.Process.Signal(os.Interrupt))
	<-s.closed
	err := s.cmd.Wait()
	s.cmd = nil
	_, _ = ts.Stderr().Write(s.wrote.Bytes())
	ts.Check(err)
}

func page(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: page PATH")
	}
	res, err := http.Get("http://" + serviceOf(ts).http + args[0])
	ts.Check(err)
	defer res.Body.Close()
	_, err = io.Copy(ts.Stdout(), res.Body)
	ts.Check(err)
	if res.StatusCode != http.StatusOK {
		ts.Fatalf("%s: %s", args[0], res.Status)
	}
}

func prefix(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: prefix FILE")
	}
	key := ts.ReadFile(args[0])
	if len(key) < 16 {
		ts.Fatalf("%s holds no key", args[0])
	}
	ts.Setenv("PREFIX", key[:16])
}

func variable(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: variable NAME FILE")
	}
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile(args[1])))
}

func certificate(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: certificate NAME")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	ts.Check(err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	for name, block := range map[string]*pem.Block{
		".crt": {Type: "CERTIFICATE", Bytes: cert}, ".key": {Type: "PRIVATE KEY", Bytes: secret},
	} {
		ts.Check(os.WriteFile(ts.MkAbs(args[0]+name), pem.EncodeToMemory(block), 0o600))
	}
}

func tamper(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: tamper FROM TO WHAT")
	}
	lines := strings.SplitAfter(ts.ReadFile(args[0]), "\n")
	switch args[2] {
	case "value":
		i := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, "104.161.20.102") })
		lines[i] = strings.Replace(lines[i], "104.161.20.102", "104.161.20.103", 1)
	case "truncated":
		lines = lines[:3]
	case "reordered":
		i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, `{"entry":2,`) })
		j := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, `{"entry":4,`) })
		lines[i], lines[j] = lines[j], lines[i]
	default:
		ts.Fatalf("cannot tamper: %s", args[2])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(strings.Join(lines, "")), 0o600))
}

func until(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: until PATTERN COMMAND...")
	}
	want, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	deadline := time.Now().Add(2 * time.Minute)
	for {
		ts.Check(ts.Exec(args[1], args[2:]...))
		got := ts.ReadFile("stdout")
		if want.MatchString(got) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("no %q in time", args[0])
		}
		<-time.After(100 * time.Millisecond)
	}
}

func exits(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func stored(ts *testscript.TestScript, _ bool, want []string) {
	c, err := client.Dial(ts.Getenv("ELSEWHERE_SERVER"))
	ts.Check(err)
	defer c.Close()
	var got []string
	for stored, err := range c.Cases(context.Background(), "") {
		ts.Check(err)
		got = append(got, stored.GetTenant()+"/"+stored.GetId())
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		ts.Fatalf("stored are %q, want %q", got, want)
	}
}

// generate writes inputs by name of what is wrong with them.
func generate(ts *testscript.TestScript, _ bool, args []string) {
	for _, what := range args {
		var text string
		switch what {
		case "10001-observables":
			// 11 lines of 1,000 observables each but the last, after two lines.
			var b strings.Builder
			b.WriteString("{\"tenant\":\"alder\",\"id\":\"many\",\n\"findings\":[\n")
			n := 0
			for f := range 11 {
				if f > 0 {
					b.WriteString(",\n")
				}
				b.WriteString(`{"observables":[`)
				for i := 0; i < 1000 && n < 10_001; i++ {
					if i > 0 {
						b.WriteString(",")
					}
					fmt.Fprintf(&b, `{"kind":"x_number","value":"%d"}`, n)
					n++
				}
				b.WriteString("]}")
			}
			b.WriteString("]}\n")
			text = b.String()
		case "5KiB-value":
			text = "{\"tenant\":\"alder\",\"id\":\"long\",\"findings\":[{\"observables\":[\n" +
				"  {\"kind\":\"rule_name\", \"value\":\"" + strings.Repeat("v", 5<<10) + "\"}]}]}\n"
		case "11MiB-case":
			text = "\n {\"tenant\":\"alder\",\"id\":\"huge\",\"title\":\"" + strings.Repeat("t", 11<<20) + "\"}\n"
		case "nul":
			text = "{\"tenant\":\"alder\",\n\"id\":\"nul\x00\"}\n"
		case "not-utf8":
			text = "{\"tenant\":\"alder\",\n\"title\":\"caf\xe9\",\"id\":\"latin\"}\n"
		case "crlf":
			text = "\xef\xbb\xbf{\"tenant\":\"alder\",\r\n\"id\":\"crlf\"}\r\n\r\n{\"tenant\":\"alder\",\"id\":\"crlf2\"}\r\n"
		case "many":
			var b strings.Builder
			for i := range 1000 {
				tenant := "alder"
				if i == 500 {
					tenant = "not a tenant"
				}
				fmt.Fprintf(&b, "{\"tenant\":%q,\"id\":\"%04d\"}\n", tenant, i)
			}
			text = b.String()
		case "values":
			// A mark, CRLF, an empty line, a line too long and one that is no text.
			text = "\xef\xbb\xbf104.161.20.102\r\n\r\n  20.232.202.245\n" +
				strings.Repeat("9", 70<<10) + "\n\xff\xfe\n11.22.33.44"
		default:
			ts.Fatalf("cannot generate %s", what)
		}
		ts.Check(os.WriteFile(ts.MkAbs(what), []byte(text), 0o644))
	}
}
