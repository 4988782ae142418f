package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/elsewhere-project/elsewhere/client"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/testdata"
)

// testdataFolder is where the embedded files lie in the source tree.
const testdataFolder = "testdata/"

func (a *app) demoCommand() *cobra.Command {
	var d demo
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show the whole job on two published cases",
		Long: `Start a service of its own on a free port with an empty store that is removed at
the end, submit the two published Microsoft 365 mailbox compromises to it, and ask
what an analyst would: where were these addresses seen, and why are the two cases
linked? With --from-logs the story begins earlier, with audit logs that were made up
for it. With --serve it goes on in a browser: a few more cases are added, which are made
up and say so, and the service stays until it is interrupted.`,
		Example: `  elsewhere demo
  elsewhere demo --serve`,
		Args:        args(cobra.NoArgs),
		Annotations: map[string]string{noServer: ""},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if d.http != "" && !d.serve {
				return usageError{errors.New("--http goes with --serve")}
			}
			return a.demo(cmd.Context(), d)
		},
	}
	cmd.Flags().BoolVar(&d.fromLogs, "from-logs", false, "make the cases of audit logs")
	cmd.Flags().BoolVar(&d.serve, "serve", false, "keep the service, and show where its page is")
	cmd.Flags().StringVar(&d.http, "http", "", "`address` of the page, on loopback; default "+server.DefaultHTTPAddr+", or a free port where that is taken")
	return cmd
}

// demo is how the story is told.
type demo struct {
	fromLogs, serve bool
	http            string
}

// demo runs a service for the time of the story, or until somebody ends it.
func (a *app) demo(ctx context.Context, d demo) (err error) {
	dir, err := os.MkdirTemp("", "elsewhere-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := d.open(ctx, dir)
	if err != nil {
		return err
	}
	// Who interrupts what stays wants its end, and no error.
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- s.Serve(serving) }()
	a.server = s.Addr()
	err = a.ask(func(c *client.Client) error {
		if err := a.story(ctx, c, d.fromLogs); err != nil {
			return err
		}
		if d.serve {
			return a.stay(ctx, c, s)
		}
		a.hint("the same in a browser: elsewhere demo --serve; with a service of your own: elsewhere serve --memory, and the commands above in another terminal")
		return nil
	})
	stop()
	if serveErr := <-served; err == nil {
		err = serveErr
	}
	return err
}

// open opens the service of the story.
func (d demo) open(ctx context.Context, dir string) (*server.Server, error) {
	c := server.Config{DataDir: dir, GRPCAddr: "127.0.0.1:0"}
	if !d.serve {
		return server.Open(ctx, c)
	}
	c.HTTPAddr = cmp.Or(d.http, server.DefaultHTTPAddr)
	s, err := server.Open(ctx, c)
	if _, ok := errors.AsType[*server.HTTPError](err); ok && d.http == "" && errors.Is(err, syscall.EADDRINUSE) {
		c.HTTPAddr = "127.0.0.1:0"
		s, err = server.Open(ctx, c)
	}
	return s, err
}

// stay adds further cases, says where the story goes on and waits for an end.
func (a *app) stay(ctx context.Context, c *client.Client, s *server.Server) error {
	var names []string
	for _, folder := range []string{"further", "unlinked"} {
		files, err := fs.ReadDir(testdata.Files, folder)
		if err != nil {
			return err
		}
		for _, f := range files {
			names = append(names, testdataFolder+folder+"/"+f.Name())
		}
	}
	// What they came to is for the page to show.
	quiet := &app{stdin: a.stdin, stdout: io.Discard, stderr: io.Discard, connection: a.connection}
	sub := submission{app: quiet, template: &elsewherev1.SubmitCaseRequest{}, open: openEmbedded}
	if err := sub.run(ctx, c, names); err != nil {
		return err
	}
	page := s.URL() + "/#/"
	first, second := strings.Split(testdata.RefOne, "/"), strings.Split(testdata.RefTwo, "/")
	a.warn("\n%s", strings.TrimSuffix(table([]string{"", ""}, [][]string{
		{"the page", page + "seen"},
		{"the search", page + "seen?q=" + strings.Join(storyAddresses(), "+")},
		{"the link", page + "links/" + strings.Join(append(first, second...), "/")},
		{"actors", page + "actors"},
		{"for commands", "--server " + s.Addr()},
	}), "\n"))
	a.warn("%d more cases were made up for it; everything is forgotten at the end (Ctrl-C)", len(names))
	<-ctx.Done()
	return nil
}

// storyAddresses are those that both published cases have.
func storyAddresses() []string {
	return []string{"104.161.20.102", "20.232.202.245", "185.241.149.122"}
}

// story asks what an analyst would, in the commands that they would use.
func (a *app) story(ctx context.Context, c *client.Client, fromLogs bool) error {
	addresses := storyAddresses()
	if err := a.tell("Two Microsoft 365 mailbox compromises in two tenants, as published on 2023-06-30.\n" +
		"Nobody has linked them yet.\n"); err != nil {
		return err
	}
	if fromLogs {
		for _, logs := range [][2]string{{testdata.LogsOne, testdata.RefOne}, {testdata.LogsTwo, testdata.RefTwo}} {
			if err := a.huntEmbedded(ctx, logs[0], logs[1]); err != nil {
				return err
			}
		}
		return a.questions(ctx, c, addresses)
	}
	for _, name := range []string{testdata.CaseOne, testdata.CaseTwo} {
		if err := a.tell("\n$ elsewhere submit " + testdataFolder + name + "\n"); err != nil {
			return err
		}
		sub := submission{app: a, template: &elsewherev1.SubmitCaseRequest{}, open: openEmbedded}
		if err := sub.run(ctx, c, []string{testdataFolder + name}); err != nil {
			return err
		}
	}
	return a.questions(ctx, c, addresses)
}

// questions are asked once both cases are there.
func (a *app) questions(ctx context.Context, c *client.Client, addresses []string) error {
	if err := a.tell("\n$ elsewhere seen " + strings.Join(addresses, " ") + "\n"); err != nil {
		return err
	}
	query := seenQuery{input: input{app: a}}
	if err := query.run(ctx, c, addresses); err != nil {
		return err
	}
	if err := a.tell("\n$ elsewhere why " + testdata.RefOne + " " + testdata.RefTwo + "\n"); err != nil {
		return err
	}
	if err := a.why(ctx, c, testdata.RefOne, testdata.RefTwo); err != nil {
		return err
	}
	return nil
}

// tell writes a line of the story, unless it would stand among JSON.
func (a *app) tell(text string) error {
	if a.json {
		return nil
	}
	return a.print(text)
}

func openEmbedded(_ context.Context, name string) (io.ReadCloser, error) {
	return testdata.Files.Open(strings.TrimPrefix(name, testdataFolder))
}
