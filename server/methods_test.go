package server_test

import (
	"context"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/server/access"
)

var update = flag.Bool("update", false, "write generated files anew")

// TestMethodTable holds the table of who may call what to the RPCs that there are,
// and the page that shows it to the table.
func TestMethodTable(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	s, err := server.Open(ctx, server.Config{Memory: true, GRPCAddr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	registered := make(map[string]bool)
	for service, info := range s.Services() {
		for _, m := range info.Methods {
			registered["/"+service+"/"+m.Name] = true
		}
	}
	cancel()
	if err := s.Serve(ctx); err != nil {
		t.Fatal(err)
	}
	listed := make(map[string]bool)
	for _, m := range access.Methods() {
		if listed[m.Full()] {
			t.Errorf("%s is in the table twice", m.Full())
		}
		listed[m.Full()] = true
		if !registered[m.Full()] {
			t.Errorf("%s is in the table and no RPC", m.Full())
		}
		if access.NeedsKey(m.Full()) != (len(m.Roles) > 0) {
			t.Errorf("%s is for nobody", m.Full())
		}
		if !slices.IsSorted(m.Roles) {
			t.Errorf("the roles of %s are in no order", m.Full())
		}
	}
	for m := range registered {
		if !listed[m] {
			t.Errorf("%s is an RPC, and access.Methods does not say for whom", m)
		}
	}
	const page, mark = "access/methods.md", "<!-- the table is written by go test ./server -run TestMethodTable -update -->\n"
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, _, ok := strings.Cut(string(raw), mark)
	if !ok {
		t.Fatalf("%s has no place for the table", page)
	}
	want := head + mark + "\n" + access.MethodTable()
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(raw) != want {
		t.Errorf("%s is not current; write it with -update", page)
	}
}
