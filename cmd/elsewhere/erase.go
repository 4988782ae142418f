package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/elsewhere-project/elsewhere/client"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/access/audit"
	"github.com/elsewhere-project/elsewhere/server/erase"
)

// erasing is how somebody wants to erase.
type erasing struct {
	purge, yes bool
	receipt    string // file to write
	verify     string // file to verify
	key        string // to verify by
}

func (a *app) eraseCommand() *cobra.Command {
	var e erasing
	cmd := &cobra.Command{
		Use:   "erase TENANT | TENANT/CASE",
		Short: "Take a tenant, or a case, out for good",
		Long: `Take out everything that is kept about a tenant: its cases and all that was derived
from them, its record, its place on keys, what third parties answered about values that
no other case has. Afterwards every answer is that of a service that was never given the
tenant. It cannot be undone, and once asked for it is carried out: to interrupt this
command does not stop it, and to repeat it is to wait for it again.

With --purge the server's files are then written anew, so that none holds an old copy;
that takes as much room on its disk as the store has. Reads go on meanwhile.

The receipt is signed by the server. --verify-receipt reads one without a server;
--public-key is the key of the service as audit key prints it.

A single case is deleted the same way, without a receipt.`,
		Example: `  elsewhere erase alder --purge --receipt alder.receipt.json
  elsewhere erase --verify-receipt alder.receipt.json --public-key 6fe1…
  elsewhere erase alder/IR-7 --yes`,
		Args: func(cmd *cobra.Command, given []string) error {
			return args(cobra.ExactArgs(map[bool]int{false: 1}[e.verify != ""]))(cmd, given)
		},
		RunE: func(cmd *cobra.Command, given []string) error {
			switch {
			case e.verify != "":
				if e.purge || e.yes || e.receipt != "" {
					return usageError{errors.New("--verify-receipt goes with --public-key alone")}
				}
				return a.verifyReceipt(e)
			case e.key != "":
				return usageError{errors.New("--public-key goes with --verify-receipt")}
			case strings.Contains(given[0], "/"):
				if e.purge || e.receipt != "" {
					return usageError{errors.New("--purge and --receipt are for a tenant")}
				}
				return a.eraseCase(cmd.Context(), given[0], e.yes)
			}
			return a.eraseTenant(cmd.Context(), given[0], e)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&e.purge, "purge", false, "write the server's files anew, so that no old copy is left")
	flags.BoolVar(&e.yes, "yes", false, "do not ask")
	flags.StringVar(&e.receipt, "receipt", "", "write the signed receipt to a new `file`")
	flags.StringVar(&e.verify, "verify-receipt", "", "verify the receipt in a `file`, without a server")
	flags.StringVar(&e.key, "public-key", "", "the `key` of the service, 64 hexadecimal digits")
	return cmd
}

// confirm asks whether something is to be erased, which only people can answer.
func (a *app) confirm(name string, yes bool) error {
	if yes {
		return nil
	}
	if f, ok := a.stdin.(*os.File); !ok || !isTerminal(f) {
		return usageError{errors.New("nobody can be asked here; give --yes")}
	}
	fmt.Fprintf(a.stderr, "This cannot be undone. Type %s to erase it: ", safe(name, valueWidth))
	line, err := bufio.NewReader(a.stdin).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != name {
		return errors.New("nothing was erased")
	}
	return nil
}

func (a *app) eraseCase(ctx context.Context, ref string, yes bool) error {
	if err := a.confirm(ref, yes); err != nil {
		return err
	}
	return a.ask(func(c *client.Client) error {
		if err := c.DeleteCase(ctx, ref, false); err != nil {
			return err
		}
		if a.json {
			return a.printJSON(&elsewherev1.DeleteCaseResponse{})
		}
		return a.print(safe(ref, valueWidth) + "  erased\n")
	})
}

func (a *app) eraseTenant(ctx context.Context, tenant string, e erasing) (err error) {
	if err := a.confirm(tenant, e.yes); err != nil {
		return err
	}
	var file *os.File
	if e.receipt != "" {
		// Before anything is gone: later there would be nowhere to put it.
		if file, err = os.OpenFile(e.receipt, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err != nil {
			return err
		}
		defer func() {
			if closeErr := file.Close(); err == nil {
				err = closeErr
			} else {
				err = errors.Join(err, os.Remove(e.receipt))
			}
		}()
	}
	return a.ask(func(c *client.Client) error {
		progress := a.newProgress()
		defer progress.clear()
		var document []byte
		for step, err := range c.EraseTenant(ctx, tenant, e.purge) {
			if err != nil {
				return err
			}
			if a.json {
				if err := a.printJSON(step); err != nil {
					return err
				}
			}
			if !step.HasReceipt() {
				progress.show("%s", erasureText(step.GetProgress()))
				continue
			}
			document = step.GetReceipt().GetDocument()
		}
		progress.clear()
		receipt, _, err := erase.Verify(document)
		if err != nil {
			return fmt.Errorf("what the server sent: %w; ask again", err)
		}
		if file == nil {
			a.hint("ask again with --receipt FILE for the signed receipt")
		} else if err := writeReceipt(file, document); err != nil {
			return err
		}
		if a.json {
			return nil
		}
		return a.printReceipt(receipt)
	})
}

func writeReceipt(file *os.File, document []byte) error {
	if _, err := file.Write(append(document, '\n')); err != nil {
		return err
	}
	return file.Sync()
}

// erasureText says how far an erasure is.
func erasureText(p *elsewherev1.ErasureProgress) string {
	switch p.GetPhase() {
	case elsewherev1.ErasurePhase_ERASURE_PHASE_WAITING:
		return "waiting for its turn"
	case elsewherev1.ErasurePhase_ERASURE_PHASE_COUNTING:
		return "counting"
	case elsewherev1.ErasurePhase_ERASURE_PHASE_ERASING:
		if p.GetOf() > 0 {
			return fmt.Sprintf("erasing: %d of %d %s", p.GetDone(), p.GetOf(), safe(p.GetTrace(), valueWidth))
		}
		return "erasing: " + safe(p.GetTrace(), valueWidth)
	case elsewherev1.ErasurePhase_ERASURE_PHASE_PURGING:
		return fmt.Sprintf("purging: %d of about %d entries", p.GetDone(), p.GetOf())
	}
	return "working"
}

// printReceipt writes what a receipt says.
func (a *app) printReceipt(r erase.Receipt) error {
	at := func(t *time.Time) string {
		if t == nil {
			return "not purged: the server's files may hold old copies"
		}
		return t.UTC().Format(time.RFC3339)
	}
	removed := make([]string, 0, len(r.Removed))
	for _, t := range r.Removed {
		removed = append(removed, fmt.Sprintf("%s %d", safe(t.Sort, valueWidth), t.Count))
	}
	models := "none"
	if len(r.Models) > 0 {
		var versions []string
		for _, v := range r.Models {
			versions = append(versions, strconv.FormatUint(uint64(v), 10))
		}
		models = "versions " + strings.Join(versions, ", ")
	}
	rows := [][]string{
		{"", "asked", at(&r.Asked)},
		{"", "erased", at(&r.Erased)},
		{"", "purged", at(r.Purged)},
		{"", "removed", strings.Join(removed, ", ")},
		{"", "models", models + " learned from it"},
	}
	for _, s := range r.Stays {
		rows = append(rows, []string{"", "stays", safe(s, 0)})
	}
	rows = append(rows, []string{"", "copies", safe(r.Backups, 0)})
	return a.print(a.style.bold(safe(r.Tenant, valueWidth)) + "\n" + table(make([]string, 3), rows))
}

// errOtherKey is returned for a receipt that is signed, by somebody else.
var errOtherKey = errors.New("the receipt is signed with another key")

func (a *app) verifyReceipt(e erasing) error {
	document, err := os.ReadFile(e.verify)
	if err != nil {
		return err
	}
	r, key, err := erase.Verify(document)
	if err != nil {
		return fmt.Errorf("%s: %w", e.verify, err)
	}
	if e.key != "" {
		trusted, err := audit.ParsePublicKey(e.key)
		if err != nil {
			return usageError{fmt.Errorf("--public-key: %w", err)}
		}
		if trusted != key {
			return fmt.Errorf("%s: %w: %s", e.verify, errOtherKey, key)
		}
	}
	if a.json {
		if err := a.print(string(document)); err != nil {
			return err
		}
	} else if err := a.printReceipt(r); err != nil {
		return err
	}
	if e.key == "" {
		a.hint("it is held to the key that it names itself, %s; say --public-key to know who signed it", key)
	}
	return nil
}
