package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"google.golang.org/protobuf/proto"

	"github.com/elsewhere-project/elsewhere/client"
	"github.com/elsewhere-project/elsewhere/server/jsonform"
)

// The exit codes.
const (
	exitAnswered = 0
	exitFailed   = 1
	exitUsage    = 2
	exitUnseen   = 3 // with seen --fail-unseen
)

// usageError is a command line that cannot be understood.
type usageError struct{ error }

// exitError ends the process with a code; everything is said already.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// app is one run of the command line.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	style          style // of stdout
	progress       bool  // stderr is a terminal

	connection
	json  bool
	lines jsonform.Writer // for json
}

// run is main with everything handed in. It returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{
		stdin: stdin, stdout: stdout, stderr: stderr,
		style:    style{colour: isTerminal(stdout) && os.Getenv("NO_COLOR") == ""},
		progress: isTerminal(stderr),
	}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return a.explain(root.ExecuteContext(ctx))
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// root builds the commands.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "elsewhere",
		Short: "Seen elsewhere? Link the cases of many tenants, and say why.",
		Long: `Elsewhere links investigations across tenants. A case goes in when it closes; at
once it is known in which other tenants the same addresses, spoofed domains and
mail rules were seen, how likely it is the same actor, and why.

Begin with: elsewhere demo`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("a command is needed")}
			}
			err := fmt.Errorf("no command %q", args[0])
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				err = fmt.Errorf("%w; is it %s?", err, strings.Join(near, " or "))
			}
			return usageError{err}
		},
		RunE:                       func(*cobra.Command, []string) error { return nil },
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2,
		PersistentPreRunE:          a.checkCommon,
	}
	root.SetFlagErrorFunc(flagError)
	flags := root.PersistentFlags()
	a.register(flags)
	flags.BoolVar(&a.json, "json", false, "print the server's answers as JSON, one message a line")
	root.AddCommand(
		a.demoCommand(), a.serveCommand(), a.huntCommand(),
		a.submitCommand(), a.seenCommand(), a.enrichCommand(), a.linksCommand(), a.whyCommand(), a.exportCommand(), a.publishCommand(), a.importCommand(),
		a.watchCommand(), a.reviewCommand(), a.actorsCommand(),
		a.tenantsCommand(), a.keysCommand(), a.auditCommand(), a.webhooksCommand(), a.eraseCommand(), a.rekeyCommand(),
		a.modelCommand(), a.whoAmICommand(), a.statsCommand(), a.checkCommand(), a.dataCommand(), a.benchCommand(), a.evalCommand(), a.versionCommand(),
	)
	return root
}

// Annotations of commands that have no use for a common flag.
const (
	noServer = "no-server"
	noJSON   = "no-json"
)

// checkCommon refuses common flags where they would do nothing.
func (a *app) checkCommon(cmd *cobra.Command, _ []string) error {
	without := map[string][]string{noServer: commonFlags(), noJSON: {"json"}}
	for annotation, flags := range without {
		if _, ok := cmd.Annotations[annotation]; !ok {
			continue
		}
		for _, flag := range flags {
			// A command may have a flag of that name for itself.
			if cmd.InheritedFlags().Changed(flag) {
				return usageError{fmt.Errorf("--%s means nothing to %s", flag, cmd.Name())}
			}
		}
	}
	return nil
}

// ask calls f with a connection to the server.
func (a *app) ask(f func(*client.Client) error) error {
	c, err := a.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	return f(c)
}

// print writes to stdout.
func (a *app) print(text string) error {
	_, err := io.WriteString(a.stdout, text)
	return err
}

// printJSON writes a message to stdout, as a line of the JSON that the service
// speaks everywhere.
func (a *app) printJSON(m proto.Message) error {
	line, err := a.lines.Append(nil, m)
	if err != nil {
		return err
	}
	_, err = a.stdout.Write(append(line, '\n'))
	return err
}

// warn writes a line to stderr.
func (a *app) warn(format string, args ...any) {
	fmt.Fprintf(a.stderr, format+"\n", args...)
}

// hint tells people what they could do next.
func (a *app) hint(format string, args ...any) {
	if !a.json {
		a.warn("hint: "+format, args...)
	}
}

// explain writes what went wrong to stderr and returns the exit code.
func (a *app) explain(err error) int {
	if err == nil {
		return exitAnswered
	}
	if code, ok := errors.AsType[exitError](err); ok {
		return int(code)
	}
	if invalid, ok := errors.AsType[*client.InvalidError](err); ok && len(invalid.Violations) > 0 {
		for _, v := range invalid.Violations {
			a.warn("elsewhere: %s", safe(v.String(), messageWidth))
		}
		if more := invalid.Total - len(invalid.Violations); more > 0 {
			a.warn("elsewhere: and %d more", more)
		}
		a.exportHint(err)
		return exitFailed
	}
	if errors.Is(err, context.Canceled) {
		a.warn("elsewhere: interrupted")
		return exitFailed
	}
	if errors.Is(err, client.ErrUnavailable) {
		reason, advice := unreachable(safe(a.server, valueWidth), err)
		a.warn("elsewhere: %s", safe(reason, messageWidth))
		if advice != "" {
			a.hint("%s", advice)
		}
		return exitFailed
	}
	a.warn("elsewhere: %s", safe(err.Error(), messageWidth))
	if _, ok := errors.AsType[usageError](err); ok {
		a.hint("elsewhere help")
		return exitUsage
	}
	a.exportHint(err)
	if errors.Is(err, client.ErrKey) && a.keyFile == "" && os.Getenv(keyVariable) == "" {
		a.hint("give the key with --key-file or in %s", keyVariable)
	}
	return exitFailed
}
