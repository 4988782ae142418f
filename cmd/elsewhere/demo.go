package main

import (
	"context"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/elsewhere-project/elsewhere/client"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
	"github.com/elsewhere-project/elsewhere/testdata"
)

// testdataFolder is where the embedded files lie in the source tree.
const testdataFolder = "testdata/"

func (a *app) demoCommand() *cobra.Command {
	var fromLogs bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show the whole job on two published cases",
		Long: `Start a service of its own on a free port with an empty store that is removed at
the end, submit the two published Microsoft 365 mailbox compromises to it, and ask
what an analyst would: where were these addresses seen, and why are the two cases
linked? With --from-logs the story begins earlier, with audit logs that were made up
for it.`,
		Args:        args(cobra.NoArgs),
		Annotations: map[string]string{noServer: ""},
		RunE:        func(cmd *cobra.Command, _ []string) error { return a.demo(cmd.Context(), fromLogs) },
	}
	cmd.Flags().BoolVar(&fromLogs, "from-logs", false, "make the cases of audit logs")
	return cmd
}

// demo runs a service for the time of the story.
func (a *app) demo(ctx context.Context, fromLogs bool) (err error) {
	dir, err := os.MkdirTemp("", "elsewhere-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := server.Open(ctx, server.Config{DataDir: dir, GRPCAddr: "127.0.0.1:0"})
	if err != nil {
		return err
	}
	serving, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- s.Serve(serving) }()
	a.server = s.Addr()
	err = a.ask(func(c *client.Client) error { return a.story(ctx, c, fromLogs) })
	stop()
	if serveErr := <-served; err == nil {
		err = serveErr
	}
	return err
}

// story asks what an analyst would, in the commands that they would use.
func (a *app) story(ctx context.Context, c *client.Client, fromLogs bool) error {
	addresses := []string{"104.161.20.102", "20.232.202.245", "185.241.149.122"}
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
	a.hint("the same with a service that stays: elsewhere serve --memory, and the commands above in another terminal")
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
