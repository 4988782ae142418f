package server_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
)

// serveReserve tells a server process how much of the disk, in bytes, has to stay
// free, and to log to stderr; serveFiles, how long a file it may make once it gets
// SIGUSR1.
const (
	serveReserve = "ELSEWHERE_TEST_RESERVE"
	serveFiles   = "ELSEWHERE_TEST_FILES"
)

// confine applies what the environment says of the disk to a server process.
func confine(c *server.Config) error {
	if text := os.Getenv(serveReserve); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return err
		}
		c.DiskReserve = n
		c.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	if text := os.Getenv(serveFiles); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return err
		}
		c.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, syscall.SIGUSR1)
		go func() {
			<-asked
			err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: n, Max: n})
			fmt.Println("limited", err)
		}()
	}
	return nil
}

// operated is a server process as an operator has it: with a log, and an end.
type operated struct {
	*deployment
	cmd *exec.Cmd
	out *bufio.Reader
	log bytes.Buffer
}

// operate starts a server process. It is up when it has said where it listens.
func operate(t *testing.T, dir string, env ...string) *operated {
	t.Helper()
	o := &operated{cmd: exec.Command(os.Args[0])}
	o.cmd.Env = append(append(os.Environ(), serveDir+"="+dir), env...)
	o.cmd.Stderr = &o.log
	out, err := o.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := o.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.cmd.Process.Kill() })
	o.out = bufio.NewReader(out)
	addr, err := o.out.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if addr != "" {
		o.deployment = dial(t, strings.TrimSpace(addr))
	}
	return o
}

// end asks the process to stop, waits and returns its exit code and log. A process
// that crashed fails the test.
func (o *operated) end(t *testing.T) (code int, log string) {
	t.Helper()
	_ = o.cmd.Process.Signal(syscall.SIGTERM)
	// One that hangs says where.
	hangs := time.AfterFunc(2*time.Minute, func() { _ = o.cmd.Process.Signal(syscall.SIGQUIT) })
	defer hangs.Stop()
	_, _ = io.Copy(io.Discard, o.out)
	err := o.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	log = o.log.String()
	if !o.cmd.ProcessState.Exited() || strings.Contains(log, "goroutine ") {
		t.Errorf("the server crashed: %v\n%s", err, log)
	}
	return o.cmd.ProcessState.ExitCode(), log
}

// ballast is what a test has stored and was told so.
type ballast struct {
	random       *rand.Rand
	n            int
	acknowledged []*elsewherev1.Case
	// doubtful is how many cases may be there although they were refused.
	doubtful int
}

// load submits, in turn, big cases and small ones until one is refused, and
// returns why.
func (b *ballast) load(t *testing.T, d *deployment) error {
	t.Helper()
	for range 400 {
		b.n++
		c := newCase(fmt.Sprintf("t%d", b.n%3), fmt.Sprintf("small-%d", b.n), obs("ip", "70.0.0.1"), obs("ip", fmt.Sprintf("70.0.1.%d", b.n%250)))
		if b.n%2 == 0 {
			c = bigCase(b.random)
			c.SetId(fmt.Sprintf("big-%d", b.n))
		}
		if err := submitOnce(t, d, c); err != nil {
			return err
		}
		b.acknowledged = append(b.acknowledged, c)
	}
	t.Fatal("400 cases were taken")
	return nil
}

func submitOnce(t *testing.T, d *deployment, c *elsewherev1.Case) error {
	_, err := d.SubmitCase(t.Context(), elsewherev1.SubmitCaseRequest_builder{Case: c}.Build())
	return err
}

// there holds that reads are answered and everything acknowledged is there.
func (b *ballast) there(t *testing.T, d *deployment) {
	t.Helper()
	for _, c := range b.acknowledged {
		res, err := d.GetCase(t.Context(), elsewherev1.GetCaseRequest_builder{CaseRef: c.GetTenant() + "/" + c.GetId()}.Build())
		if err != nil {
			t.Fatalf("%s was acknowledged: %v", c.GetId(), err)
		}
		if got, want := len(res.GetCase().GetFindings()), len(c.GetFindings()); got != want {
			t.Errorf("%s has %d findings, want %d", c.GetId(), got, want)
		}
	}
	seen, err := d.Seen(t.Context(), elsewherev1.SeenRequest_builder{Observables: []*elsewherev1.Observable{obs("ip", "70.0.0.1")}}.Build())
	if err != nil {
		t.Fatal(err)
	}
	small := 0
	for _, c := range b.acknowledged {
		if c.GetTenant() != "big" {
			small++
		}
	}
	if got := int(seen.GetResults()[0].GetCases().GetMin()); got < small || got > small+b.doubtful {
		t.Errorf("a value is seen in %d cases, want %d and up to %d more", got, small, b.doubtful)
	}
}

// refused holds that an error is the one for this reason, for programs and for
// people.
func refused(t *testing.T, err error, code codes.Code, reason, text string) {
	t.Helper()
	s := status.Convert(err)
	found := slices.ContainsFunc(s.Details(), func(d any) bool {
		info, ok := d.(*errdetails.ErrorInfo)
		return ok && info.GetReason() == reason
	})
	if s.Code() != code || !found || !strings.Contains(s.Message(), text) || strings.Contains(s.Message(), "/") {
		t.Fatalf("refused with %v, want %v, %s and %q", err, code, reason, text)
	}
}

// sound holds that the store finds no fault with itself.
func sound(t *testing.T, c server.Config) {
	t.Helper()
	err := server.Check(t.Context(), c, false, nil, func(line string) { t.Errorf("check: %s", line) })
	if err != nil {
		t.Fatal(err)
	}
}

// TestDiskReserve runs a server on a disk that, for it, has too little room. It
// needs no rights and no small disk: nobody has as much room as it asks for.
func TestDiskReserve(t *testing.T) {
	dir := t.TempDir()
	b := &ballast{random: rand.New(rand.NewPCG(1, 1))}
	d := start(t, server.Config{DataDir: dir})
	for i := range 5 {
		c := newCase("t1", fmt.Sprint(i), obs("ip", "70.0.0.1"))
		d.submit(t, c)
		b.acknowledged = append(b.acknowledged, c)
	}
	if err := d.stop(); err != nil {
		t.Fatal(err)
	}
	free := freeOn(t, dir)
	var log syncBuffer
	// Less than it wants for cases and for links, enough to open.
	d = start(t, server.Config{DataDir: dir, DiskReserve: free * 3, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for i := range 20 {
		refused(t, submitOnce(t, d, newCase("t2", fmt.Sprint(i), obs("ip", "70.0.0.1"))), codes.ResourceExhausted, "DISK_FULL", "disk is nearly full")
	}
	_, err := d.DeleteCase(t.Context(), elsewherev1.DeleteCaseRequest_builder{CaseRef: "t1/0"}.Build())
	refused(t, err, codes.ResourceExhausted, "DISK_FULL", "disk is nearly full")
	if err := submitOnce(t, d, b.acknowledged[0]); err != nil {
		t.Errorf("what changes nothing needs no room: %v", err)
	}
	b.there(t, d)
	if err := d.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if n := strings.Count(log.String(), "changes are refused"); n != 1 || !strings.Contains(log.String(), filepath.Join(dir, "store")) {
		t.Errorf("the log says %d times, and where, that the disk is full:\n%s", n, log.String())
	}
	// Too little to open, too: said before anything is touched.
	before := listing(t, dir)
	_, err = server.Open(t.Context(), server.Config{DataDir: dir, GRPCAddr: "127.0.0.1:0", DiskReserve: free * 8})
	if err == nil || !strings.Contains(err.Error(), "MiB are needed") || !strings.Contains(err.Error(), dir) {
		t.Errorf("opening without room: %v", err)
	}
	if after := listing(t, dir); after != before {
		t.Errorf("a server that did not start has changed\n%s\nto\n%s", before, after)
	}
	d = start(t, server.Config{DataDir: dir})
	b.there(t, d)
	d.submit(t, newCase("t2", "0", obs("ip", "70.0.0.2")))
	if err := d.stop(); err != nil {
		t.Fatal(err)
	}
	sound(t, server.Config{DataDir: dir})
}

func freeOn(t *testing.T, dir string) uint64 {
	t.Helper()
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	return uint64(st.Bavail) * uint64(st.Bsize)
}

// listing is what a folder holds: names, lengths and times of change.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		fmt.Fprintln(&b, path, info.Size(), info.ModTime().UnixNano())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// syncBuffer is a log that is read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestFilesCannotGrow lets the operating system refuse new files of the store
// while it is in use (RLIMIT_FSIZE, which everybody may lower). What was under way
// then is in doubt, so nothing more is written; reads go on or are refused for the
// same reason, and the next start, after whatever end, finds everything that was
// acknowledged.
func TestFilesCannotGrow(t *testing.T) {
	dir := t.TempDir()
	// The change under way when the limit is met.
	b := &ballast{random: rand.New(rand.NewPCG(2, 2)), doubtful: 1}
	o := operate(t, dir, serveFiles+"=1048576")
	if o.deployment == nil {
		t.Fatal(o.log.String())
	}
	if err := o.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	if said, err := o.out.ReadString('\n'); err != nil || said != "limited <nil>\n" {
		t.Fatalf("%q, %v", said, err)
	}
	refused(t, b.load(t, o.deployment), codes.FailedPrecondition, "STORE_BROKEN", "until it is restarted")
	for _, c := range b.acknowledged {
		_, err := o.GetCase(t.Context(), elsewherev1.GetCaseRequest_builder{CaseRef: c.GetTenant() + "/" + c.GetId()}.Build())
		if status.Code(err) == codes.Unavailable {
			// Badger's own goroutines may end the process.
			break
		}
		if err != nil {
			refused(t, err, codes.FailedPrecondition, "STORE_BROKEN", "until it is restarted")
		}
	}
	if len(b.acknowledged) == 0 {
		t.Error("no case before the limit was met")
	}
	_ = o.cmd.Process.Kill()
	_ = o.cmd.Wait()
	log := o.log.String()
	if !strings.Contains(log, "restart the service") || !strings.Contains(log, "file too large") {
		t.Errorf("the log does not say what happened and what to do:\n%s", log)
	}
	sound(t, server.Config{DataDir: dir})
	d := start(t, server.Config{DataDir: dir})
	b.there(t, d)
	d.submit(t, newCase("t2", "after", obs("ip", "70.0.0.2")))
}
