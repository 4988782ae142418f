package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/elsewhere-project/elsewhere/client"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server"
)

// group returns a command that stands for others.
func group(use, short, long string, commands ...*cobra.Command) *cobra.Command {
	var names []string
	for _, c := range commands {
		names = append(names, c.Name())
	}
	all := strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long,
		Args: func(_ *cobra.Command, given []string) error {
			if len(given) == 0 {
				return usageError{fmt.Errorf("%s what? %s", use, all)}
			}
			return usageError{fmt.Errorf("no command %q of %s: there are %s", given[0], use, all)}
		},
		RunE: func(*cobra.Command, []string) error { return nil },
		// What is wrong is the command, not a flag that is another's.
		FParseErrWhitelist: cobra.FParseErrWhitelist{UnknownFlags: true},
	}
	cmd.AddCommand(commands...)
	return cmd
}

func (a *app) keysCommand() *cobra.Command {
	return group("keys", "Make, list and end API keys",
		`Make, list and end API keys. The secret of a key is printed once, to stdout, and kept
nowhere. The first key has to be an admin's; from then on no call goes without one.`,
		a.addKeyCommand(), a.listKeysCommand(), a.revokeKeyCommand(), a.rotateKeyCommand(), a.recoverKeyCommand())
}

// roleNames are the roles as they are written on the command line.
func roleNames() []string { return []string{"submitter", "tenant", "analyst", "lead", "admin"} }

func roleOf(name string) (elsewherev1.Role, error) {
	if i := slices.Index(roleNames(), name); i >= 0 {
		return elsewherev1.Role(i + 1), nil
	}
	return 0, usageError{fmt.Errorf("no role %q; there are %s", name, strings.Join(roleNames(), ", "))}
}

func roleName(r elsewherev1.Role) string {
	if r < 1 || int(r) > len(roleNames()) {
		return "unknown"
	}
	return roleNames()[r-1]
}

func (a *app) addKeyCommand() *cobra.Command {
	var b elsewherev1.Key_builder
	var role string
	var expires time.Duration
	cmd := &cobra.Command{
		Use:   "add",
		Short: "Make a key and print it, once",
		Long: `Make a key and print it, once. What the roles may:

  submitter  submit and read the cases of one tenant
  tenant     that, and ask whether infrastructure was seen by 3 others or more
  analyst    everything of some tenants by name, of others only how many
  lead       an analyst who decides about links, actors and what is published
  admin      tenants, keys and the service; no cases`,
		Example: `  elsewhere keys add --role analyst --tenant alder --tenant birch --name "Kim"
  elsewhere keys add --role lead --all-tenants --restricted --expires 2160h
  elsewhere keys add --role submitter --tenant alder --from 198.51.100.0/24 > alder.key`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if role == "" {
				return usageError{errors.New("--role is needed: " + strings.Join(roleNames(), ", "))}
			}
			if b.Role, err = roleOf(role); err != nil {
				return err
			}
			if b.AllTenants && len(b.Tenants) > 0 {
				return usageError{errors.New("--tenant and --all-tenants exclude each other")}
			}
			if expires < 0 {
				return usageError{fmt.Errorf("--expires %v: want a time ahead", expires)}
			}
			if expires > 0 {
				b.ExpireTime = timestamppb.New(time.Now().Add(expires))
			}
			return a.ask(func(c *client.Client) error {
				made, err := c.CreateKey(cmd.Context(), b.Build())
				if err != nil {
					return byFlag(err, keyFields(), cmd.Flags())
				}
				return a.printSecret(made.GetKey(), made.GetSecret(), func() error { return a.printJSON(made) })
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&role, "role", "", "the `role`: "+strings.Join(roleNames(), ", "))
	flags.StringVar(&b.Name, "name", "", "`name` for people: whose it is")
	flags.StringArrayVar(&b.Tenants, "tenant", nil, "a `tenant` that it is for; may be repeated")
	flags.BoolVar(&b.AllTenants, "all-tenants", false, "for analysts and leads: every tenant, also later ones")
	flags.BoolVar(&b.Restricted, "restricted", false, "also restricted and tlp:red cases of its tenants")
	flags.StringArrayVar(&b.Addresses, "from", nil, "an address or `prefix` that it may be used from; may be repeated")
	flags.DurationVar(&expires, "expires", 0, "end after this `time`, as 2160h; 0 is never")
	flags.Float64Var(&b.CallsPerSecond, "rate", 0, "at most so many `calls` a second; 0 is 10 for the role tenant, no limit for others")
	flags.Uint32Var(&b.Burst, "burst", 0, "so many `calls` at once beyond the rate; 0 is 100, or the rate where that is more")
	flags.Uint32Var(&b.Concurrent, "concurrent", 0, "at most so many `calls` under way; 0 is 64")
	_ = cmd.RegisterFlagCompletionFunc("role", cobra.FixedCompletions(roleNames(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// keyFields are the fields of a key by the names of their flags.
func keyFields() map[string]string {
	return map[string]string{
		"role": "role", "name": "name", "tenant": "tenants", "all-tenants": "all_tenants", "restricted": "restricted",
		"from": "addresses", "expires": "expire_time", "rate": "calls_per_second", "burst": "burst", "concurrent": "concurrent",
	}
}

// byFlag names the flag whose value a server did not take, where there is one.
// fields are those of the message by the names of their flags.
func byFlag(err error, fields map[string]string, flags *pflag.FlagSet) error {
	invalid, ok := errors.AsType[*client.InvalidError](err)
	if !ok || len(invalid.Violations) != 1 {
		return err
	}
	v := invalid.Violations[0]
	_, field, _ := strings.Cut(v.Path, ".")
	field, index, isItem := strings.Cut(strings.TrimSuffix(field, "]"), "[")
	for flag, of := range fields {
		given := flags.Lookup(flag)
		if of != field || given == nil {
			continue
		}
		value := given.Value.String()
		if isItem {
			items, listErr := flags.GetStringArray(flag)
			n, numberErr := strconv.Atoi(index)
			if listErr != nil || numberErr != nil || n >= len(items) {
				return err
			}
			value = items[n]
		} else if !given.Changed || given.Value.Type() == "stringArray" {
			value = ""
		}
		return fmt.Errorf("%s: %s", strings.TrimSpace("--"+flag+" "+value), v.Message)
	}
	return err
}

// printSecret prints a key that is not told again.
func (a *app) printSecret(key *elsewherev1.Key, secret string, asJSON func() error) error {
	a.hint("this is all there will ever be of the secret of %s", safe(key.GetPrefix(), valueWidth))
	if a.json {
		return asJSON()
	}
	return a.print(safe(secret, 0) + "\n")
}

func (a *app) listKeysCommand() *cobra.Command {
	var ended bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the keys",
		Args:  args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.ask(func(c *client.Client) error {
				for page, err := range c.KeyPages(cmd.Context(), ended) {
					if err != nil {
						return err
					}
					if a.json {
						err = a.printJSON(page)
					} else {
						err = a.print(keyTable(page.GetKeys(), time.Now()))
					}
					if err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&ended, "all", false, "also those that were revoked or have expired")
	return cmd
}

// keyTable writes keys, a line each.
func keyTable(keys []*elsewherev1.Key, now time.Time) string {
	rows := make([][]string, len(keys))
	for i, k := range keys {
		whom := strings.Join(safeAll(k.GetTenants(), valueWidth), ", ")
		if k.GetAllTenants() {
			whom = "all tenants"
		}
		if k.GetRestricted() {
			whom += " and restricted cases"
		}
		state := "no end"
		switch {
		case k.HasRevokeTime():
			state = "revoked " + day(k.GetRevokeTime())
		case k.HasExpireTime() && !k.GetExpireTime().AsTime().After(now):
			state = "expired " + day(k.GetExpireTime())
		case k.HasExpireTime():
			state = "until " + day(k.GetExpireTime())
		}
		used := "never used"
		if k.HasLastUsedTime() {
			used = "used " + day(k.GetLastUsedTime())
		}
		rows[i] = []string{safe(k.GetPrefix(), valueWidth), roleName(k.GetRole()), whom, state, used, safe(k.GetName(), valueWidth)}
	}
	return table([]string{"key", "role", "for", "ends", "", "name"}, rows)
}

func (a *app) revokeKeyCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "revoke KEY",
		Short:   "End a key at once, with the streams that it opened",
		Long:    "End a key at once, with the streams that it opened. KEY is what it begins with, as\nels_ and its id; never the whole key, which others could see on the command line.",
		Example: "  elsewhere keys revoke els_ab2cd3ef4gh5",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			if err := checkKeyName(names[0]); err != nil {
				return err
			}
			return a.ask(func(c *client.Client) error {
				key, err := c.RevokeKey(cmd.Context(), names[0])
				if err != nil {
					return unknown(err, "key", names[0])
				}
				if a.json {
					return a.printJSON(elsewherev1.RevokeKeyResponse_builder{Key: key}.Build())
				}
				return a.print(safe(key.GetPrefix(), valueWidth) + "  revoked\n")
			})
		},
	}
}

// keyIDLength is how many characters of a key stand between els_ and its secret.
const keyIDLength = 12

// unknown names what was asked for where the service says that there is none.
func unknown(err error, what, name string) error {
	if errors.Is(err, client.ErrNotFound) {
		return fmt.Errorf("%s %q: %w", what, name, err)
	}
	return err
}

// checkKeyName refuses what names no key.
func checkKeyName(name string) error {
	if err := refuseSecret(name); err != nil {
		return err
	}
	id := strings.TrimPrefix(name, "els_")
	if len(id) < keyIDLength || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz234567") != "" {
		return usageError{fmt.Errorf("key %q: want what the key begins with, els_ and 12 characters", name)}
	}
	return nil
}

// refuseSecret refuses a whole key where its beginning is wanted.
func refuseSecret(name string) error {
	if len(strings.TrimPrefix(name, "els_")) > keyIDLength {
		return usageError{errors.New("want what the key begins with, els_ and 12 characters, not the key itself")}
	}
	return nil
}

func (a *app) rotateKeyCommand() *cobra.Command {
	var overlap time.Duration
	cmd := &cobra.Command{
		Use:     "rotate KEY",
		Short:   "Give a key a new secret and print it, once",
		Example: "  elsewhere keys rotate els_ab2cd3ef4gh5 --overlap 24h",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			if err := checkKeyName(names[0]); err != nil {
				return err
			}
			return a.ask(func(c *client.Client) error {
				made, err := c.RotateKey(cmd.Context(), names[0], overlap)
				if err != nil {
					return err
				}
				return a.printSecret(made.GetKey(), made.GetSecret(), func() error { return a.printJSON(made) })
			})
		},
	}
	cmd.Flags().DurationVar(&overlap, "overlap", 0, "take the old secret too for this `time`, up to 720h; 0 ends it at once")
	return cmd
}

func (a *app) recoverKeyCommand() *cobra.Command {
	var c server.Config
	var encrypted encryptionFlags
	cmd := &cobra.Command{
		Use:   "recover",
		Short: "Make an admin key on the host, when nobody has one",
		Long: `Make an admin key in the store and print it, once. It needs the data folder, and the
service must not be running: who can do this can read the store anyway. Other keys
stay as they are.`,
		Args:        args(cobra.NoArgs),
		Annotations: map[string]string{noServer: "", noJSON: ""},
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if c.Encryption, err = encrypted.encryption(); err != nil {
				return err
			}
			return a.recoverKey(cmd.Context(), c)
		},
	}
	encrypted.register(cmd.Flags())
	cmd.Flags().StringVar(&c.DataDir, "data", "", "`folder` of the store; default $XDG_DATA_HOME/elsewhere or ~/.local/share/elsewhere")
	return cmd
}

func (a *app) recoverKey(ctx context.Context, c server.Config) error {
	var err error
	if c.DataDir, err = dataDir(c.DataDir); err != nil {
		return err
	}
	c.Logger = slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	key, err := server.RecoverKey(ctx, c)
	if err != nil {
		return err
	}
	a.hint("this is all there will ever be of this key")
	return a.print(key.Reveal() + "\n")
}
