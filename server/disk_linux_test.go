package server_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/elsewhere-project/elsewhere/server"
)

// smallDisk tells the test binary that it has a file system of its own, and where
// to mount it.
const smallDisk = "ELSEWHERE_TEST_SMALL_DISK"

// noMount is what it says if it may not.
const noMount = "no right to mount"

// wasFull is what it says at the end if it did.
const wasFull = "the disk was full"

// TestFullDisk fills a disk for good, a file system in memory that only this test
// sees: a mount namespace, for everybody but root inside a user namespace. Where
// the machine forbids both, TestDiskReserve and TestFilesCannotGrow hold the same
// promises with what everybody may do.
func TestFullDisk(t *testing.T) {
	if dir := os.Getenv(smallDisk); dir != "" {
		if err := mountSmall(dir); errors.Is(err, os.ErrPermission) {
			fmt.Println(noMount, err)
			return
		} else if err != nil {
			t.Fatal(err)
		}
		fullDisk(t, dir)
		fmt.Println(wasFull)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestFullDisk$", "-test.v")
	cmd.Env = append(os.Environ(), smallDisk+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	t.Logf("\n%s", out.String())
	switch {
	case errors.Is(err, os.ErrPermission), err == nil && strings.Contains(out.String(), noMount):
		t.Log("this machine lets nobody mount; see TestDiskReserve and TestFilesCannotGrow")
	case err != nil:
		t.Error(err)
	case !strings.Contains(out.String(), wasFull):
		t.Error("the test did not run to its end")
	}
}

const (
	diskBytes = 500 << 20
	reserve   = 160 << 20
	spare     = 160 << 20
)

func mountSmall(dir string) error {
	// What is mounted here is nobody else's business.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return err
	}
	return syscall.Mount("small", dir, "tmpfs", 0, fmt.Sprintf("size=%d", diskBytes))
}

func fullDisk(t *testing.T, dir string) {
	data := filepath.Join(dir, "data")
	junk := func(name string, size int) error {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		defer f.Close()
		for block := make([]byte, 1<<20); size > 0; size -= len(block) {
			if _, err := f.Write(block[:min(size, len(block))]); err != nil {
				return err
			}
		}
		return nil
	}
	if err := junk("somebody-else", spare); err != nil {
		t.Fatal(err)
	}
	b := &ballast{random: rand.New(rand.NewPCG(3, 3))}
	o := operate(t, data, fmt.Sprintf("%s=%d", serveReserve, reserve))
	if o.deployment == nil {
		t.Fatal(o.log.String())
	}
	full := func() {
		t.Helper()
		refused(t, b.load(t, o.deployment), codes.ResourceExhausted, "DISK_FULL", "disk is nearly full")
		b.there(t, o.deployment)
	}
	full()
	stored := len(b.acknowledged)
	// Space is freed, and nobody restarts anything. What the linker and the engine
	// still write of the cases before may not take the room up at once.
	quiet(t, o.deployment, data)
	if err := os.Remove(filepath.Join(dir, "somebody-else")); err != nil {
		t.Fatal(err)
	}
	full()
	if len(b.acknowledged) == stored {
		t.Errorf("no case was taken with room for %d MiB more", spare>>20)
	}
	// Somebody else takes the very last block. If that happens while Badger empties
	// a buffer, the operating system ends the server, as if it was killed: that is
	// another test. Here it has nothing to write.
	quiet(t, o.deployment, data)
	if err := junk("junk", diskBytes); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	full()
	code, log := o.end(t)
	if code != 1 || !strings.Contains(log, "nothing is lost") || !strings.Contains(log, "changes are refused") || !strings.Contains(log, data) {
		t.Errorf("stopped on a full disk: exit code %d\n%s", code, log)
	}
	o = operate(t, data, fmt.Sprintf("%s=%d", serveReserve, reserve))
	if o.deployment != nil {
		t.Fatal("a server starts on a full disk")
	}
	if code, log := o.end(t); code != 1 || !strings.Contains(log, "0 MiB free") || !strings.Contains(log, data) {
		t.Errorf("started on a full disk: exit code %d\n%s", code, log)
	}
	if err := os.Remove(filepath.Join(dir, "junk")); err != nil {
		t.Fatal(err)
	}
	c := server.Config{DataDir: data, DiskReserve: reserve / 4}
	sound(t, c)
	d := start(t, c)
	b.there(t, d)
	d.submit(t, newCase("t2", "after", obs("ip", "70.0.0.2")))
	if err := d.stop(); err != nil {
		t.Fatal(err)
	}
	readOnly(t, dir, data, c, b)
}

// quiet waits until all links are made and all buffers but the one in use are
// tables.
func quiet(t *testing.T, d *deployment, data string) {
	t.Helper()
	d.settle(t)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for start := time.Now(); ; <-again.C {
		logs, err := filepath.Glob(filepath.Join(data, "store", "*.mem"))
		if err != nil {
			t.Fatal(err)
		}
		if len(logs) == 1 {
			return
		}
		if time.Since(start) > 2*time.Minute {
			t.Fatalf("buffers are not emptied: %q", logs)
		}
	}
}

// readOnly starts a server on a disk that nobody may write to, root neither.
func readOnly(t *testing.T, dir, data string, c server.Config, b *ballast) {
	before := listing(t, data)
	if err := syscall.Mount("small", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	o := operate(t, data, fmt.Sprintf("%s=%d", serveReserve, reserve/4))
	if o.deployment != nil {
		t.Fatal("a server starts on a read-only disk")
	}
	if code, log := o.end(t); code != 1 || !strings.Contains(log, "read-only file system") || !strings.Contains(log, data) {
		t.Errorf("started on a read-only disk: exit code %d\n%s", code, log)
	}
	if after := listing(t, data); after != before {
		t.Errorf("the folder was\n%s\nand is\n%s", before, after)
	}
	if err := syscall.Mount("small", dir, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%d", diskBytes)); err != nil {
		t.Fatal(err)
	}
	b.there(t, start(t, c))
}
