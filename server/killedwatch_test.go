package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/elsewhere-project/elsewhere/client"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
)

// watchKillRounds is how often TestKilledWatcherMissesNothing kills its server, and
// its watcher twice as often. For a longer run:
//
//	go test ./server -run TestKilledWatcherMissesNothing -v -timeout 0 -watch-kill-rounds=30
var watchKillRounds = flag.Int("watch-kill-rounds", 4, "how often a watched server is killed")

// The test binary watches a server, to be killed, and writes what it hears.
const (
	watchAddr   = "ELSEWHERE_TEST_WATCH"
	watchCursor = "ELSEWHERE_TEST_CURSOR"
)

// watchFor writes messages to stdout, a line each, from a cursor on.
func watchFor(addr, cursor string) error {
	c, err := client.Dial(addr)
	if err != nil {
		return err
	}
	defer c.Close()
	req := elsewherev1.WatchLinksRequest_builder{MinTier: elsewherev1.Tier_TIER_LEAD}.Build()
	if cursor != "" {
		req.SetCursor(cursor)
	} else {
		req.SetSince(durationpb.New(time.Hour))
	}
	for m, err := range c.Watch(context.Background(), req, nil) {
		if err != nil {
			return err
		}
		loose, err := protojson.Marshal(m)
		if err != nil {
			return err
		}
		var line bytes.Buffer
		if err := json.Compact(&line, loose); err != nil {
			return err
		}
		if _, err := os.Stdout.Write(append(line.Bytes(), '\n')); err != nil {
			return err
		}
	}
	return nil
}

// notebook is the file that a watcher writes.
type notebook struct {
	t    *testing.T
	path string
	cmd  *exec.Cmd
	// random draws how late the place is written down.
	random *rand.Rand
}

// begin starts a watcher where the last one has ended.
func (n *notebook) begin(addr string) {
	n.t.Helper()
	cursor := ""
	if _, cursors := n.read(); len(cursors) > 0 {
		// Who does not write his place down each time hears some events again.
		cursor = cursors[max(0, len(cursors)-1-n.random.IntN(5))]
	}
	f, err := os.OpenFile(n.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		n.t.Fatal(err)
	}
	defer f.Close()
	n.cmd = exec.Command(os.Args[0])
	n.cmd.Env = append(os.Environ(), watchAddr+"="+addr, watchCursor+"="+cursor)
	n.cmd.Stdout, n.cmd.Stderr = f, os.Stderr
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	cmd := n.cmd
	n.t.Cleanup(func() { _ = cmd.Process.Kill() })
}

// kill ends the watcher, and forgets the line that it had not finished. One that
// never reached its server has ended by itself.
func (n *notebook) kill() {
	n.t.Helper()
	_ = n.cmd.Process.Kill()
	_ = n.cmd.Wait()
	raw, err := os.ReadFile(n.path)
	if err != nil {
		n.t.Fatal(err)
	}
	if err := os.Truncate(n.path, int64(bytes.LastIndexByte(raw, '\n')+1)); err != nil {
		n.t.Fatal(err)
	}
}

// read returns the events that were written, and the cursors of all messages.
func (n *notebook) read() (events []*elsewherev1.LinkEvent, cursors []string) {
	n.t.Helper()
	raw, err := os.ReadFile(n.path)
	if err != nil && !os.IsNotExist(err) {
		n.t.Fatal(err)
	}
	for line := range bytes.Lines(raw) {
		m := &elsewherev1.WatchLinksResponse{}
		if err := protojson.Unmarshal(line, m); err != nil {
			n.t.Fatalf("%v: %s", err, line)
		}
		if m.HasEvent() {
			events = append(events, m.GetEvent())
			cursors = append(cursors, m.GetEvent().GetCursor())
		} else {
			cursors = append(cursors, m.GetCheckpoint().GetCursor())
		}
	}
	return events, cursors
}

// holds reports whether an event has been written. A line may be half written while it
// is read.
func (n *notebook) holds(event *elsewherev1.LinkEvent) bool {
	n.t.Helper()
	raw, err := os.ReadFile(n.path)
	if err != nil {
		n.t.Fatal(err)
	}
	for line := range bytes.Lines(raw) {
		m := &elsewherev1.WatchLinksResponse{}
		if protojson.Unmarshal(line, m) == nil && m.GetEvent().GetEventId() == event.GetEventId() && occurrence(m.GetEvent()) == occurrence(event) {
			return true
		}
	}
	return false
}

// TestKilledWatcherMissesNothing kills a server and who watches it, time and again,
// while cases come, change and go. What the watcher has written then holds every
// event of the log, those of one pair in order, repeats with the same id; and who
// follows it ends with the links that are there.
func TestKilledWatcherMissesNothing(t *testing.T) {
	dir := t.TempDir()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	const callers = 3
	states := make([]map[string]*known, callers)
	populations := make([]*population, callers)
	for i := range callers {
		states[i], populations[i] = make(map[string]*known), newPopulation(seed+uint64(i), 4, 12)
	}
	book := &notebook{t: t, path: filepath.Join(t.TempDir(), "events"), random: rand.New(rand.NewPCG(seed, 2))}
	for range *watchKillRounds {
		k := &killing{t: t, acknowledged: make(chan struct{}), big: make(chan struct{}, 1), idle: make(chan struct{})}
		k.cmd, k.deployment = victim(t, dir)
		addr := k.conn.Target()
		book.begin(addr)
		k.run(func() {
			for range 2 {
				k.take(1 + random.IntN(80))
				wait(time.Duration(random.IntN(150)) * time.Millisecond)
				book.kill()
				k.take(random.IntN(20))
				book.begin(addr)
			}
			k.take(1 + random.IntN(80))
			wait(time.Duration(random.IntN(150)) * time.Millisecond)
		}, func(ctx context.Context, running *sync.WaitGroup) {
			for i := range callers {
				running.Go(func() { k.torment(ctx, i, populations[i], states[i]) })
			}
		})
		book.kill()
	}
	d := start(t, server.Config{DataDir: dir})
	d.settle(t)
	history := d.eventsSince(t, time.Hour)
	book.begin(d.conn.Target())
	last := history[len(history)-1]
	for end := time.Now().Add(2 * time.Minute); !book.holds(last); wait(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("who watches does not hear of the last event, %s", occurrence(last))
		}
	}
	book.kill()
	got, _ := book.read()
	checkHeard(t, got, history)
	following := make(map[string]elsewherev1.Tier)
	for _, e := range got {
		following[e.GetLink().GetRef()] = e.GetLink().GetTier()
		if e.GetChange() == elsewherev1.LinkChange_LINK_CHANGE_REMOVED {
			delete(following, e.GetLink().GetRef())
		}
	}
	there := d.tiers(t, populations[0].tenants)
	if diff := gocmp.Diff(there, following); diff != "" {
		t.Errorf("who follows the events ends with other links (-there +following):\n%s", diff)
	}
	t.Logf("%d rounds, %d events heard, %d of them repeats, %d in the log, %d links", *watchKillRounds, len(got), len(got)-distinct(got), len(history), len(there))
	if len(there) == 0 {
		t.Error("there are no links")
	}
}

// occurrence tells one event of a pair from the next.
func occurrence(e *elsewherev1.LinkEvent) string {
	return e.GetLink().GetRef() + " " + e.GetCommitTime().AsTime().Format(time.RFC3339Nano)
}

func distinct(events []*elsewherev1.LinkEvent) int {
	seen := make(map[string]bool)
	for _, e := range events {
		seen[occurrence(e)] = true
	}
	return len(seen)
}

// checkHeard holds what was heard to the log.
func checkHeard(t *testing.T, got, history []*elsewherev1.LinkEvent) {
	t.Helper()
	ids := make(map[string]string)
	latest := make(map[string]time.Time)
	for _, e := range got {
		at := occurrence(e)
		if id, again := ids[at]; again && id != e.GetEventId() {
			t.Errorf("%s: a repeat has the id %s and not %s", at, e.GetEventId(), id)
		} else if !again && e.GetCommitTime().AsTime().Before(latest[e.GetLink().GetRef()]) {
			t.Errorf("%s: heard after a later one", at)
		}
		ids[at] = e.GetEventId()
		latest[e.GetLink().GetRef()] = e.GetCommitTime().AsTime()
	}
	// While a case is withheld nothing is told of its links but that they are gone,
	// and in the end it may be back: what is missing of a pair is followed by its end.
	ended := make(map[string]bool)
	for _, e := range slices.Backward(history) {
		id, heard := ids[occurrence(e)]
		if heard && id != e.GetEventId() || !heard && !ended[e.GetLink().GetRef()] {
			t.Errorf("%s: %v %s was not heard (%s)", occurrence(e), e.GetChange(), e.GetEventId(), id)
		}
		if heard && e.GetChange() == elsewherev1.LinkChange_LINK_CHANGE_REMOVED {
			ended[e.GetLink().GetRef()] = true
		}
	}
}

// eventsSince reads the log anew, up to now.
func (d *deployment) eventsSince(t *testing.T, ago time.Duration) []*elsewherev1.LinkEvent {
	t.Helper()
	// What comes after the pair that is made here is of no interest.
	mark := fmt.Sprint(time.Now().UnixNano())
	for _, tenant := range []string{"mark-a", "mark-b"} {
		d.submit(t, newCase(tenant, mark, obs("domain", "mark-"+mark+".com", "sending_infrastructure"), obs("ip", "203.0.114.7", "login_source")))
	}
	stream, err := d.WatchLinks(t.Context(), elsewherev1.WatchLinksRequest_builder{
		MinTier: elsewherev1.Tier_TIER_LEAD, Since: durationpb.New(ago),
	}.Build())
	if err != nil {
		t.Fatal(err)
	}
	var events []*elsewherev1.LinkEvent
	for {
		m, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if m.HasEvent() {
			events = append(events, m.GetEvent())
			if strings.Contains(m.GetEvent().GetLink().GetRef(), mark) {
				return events
			}
		}
	}
}

// tiers are the links between tenants.
func (d *deployment) tiers(t *testing.T, tenants []string) map[string]elsewherev1.Tier {
	t.Helper()
	all := make(map[string]elsewherev1.Tier)
	for _, tenant := range append(slices.Clone(tenants), "mark-a") {
		res := d.links(t, elsewherev1.ListLinksRequest_builder{Tenant: new(tenant), MinTier: elsewherev1.Tier_TIER_LEAD, PageSize: 1000})
		for _, l := range res.(*elsewherev1.ListLinksResponse).GetLinks() {
			all[l.GetRef()] = l.GetTier()
		}
	}
	return all
}
