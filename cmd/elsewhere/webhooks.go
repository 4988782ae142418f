package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/elsewhere-project/elsewhere/client"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
)

func (a *app) webhooksCommand() *cobra.Command {
	return group("webhooks", "Have the changes of links posted to a target",
		`Have the changes of links posted to a target, a JSON object each as watch --json
prints it, at least once. What a target does not take within a day, or refuses three
times, is a dead letter, kept for 30 days. The service posts over https to public
addresses only, unless serve is told otherwise.`,
		a.addWebhookCommand(), a.listWebhooksCommand(), a.removeWebhookCommand(), a.deadLettersCommand(), a.retryWebhookCommand())
}

func (a *app) addWebhookCommand() *cobra.Command {
	var b elsewherev1.Webhook_builder
	var minTier string
	cmd := &cobra.Command{
		Use:   "add URL",
		Short: "Add a webhook and print its secret, once",
		Long: `Add a webhook and print, once, the secret that deliveries are signed with. The header
Elsewhere-Signature has the form t=TIME,v1=MAC: MAC is the HMAC-SHA-256 of TIME, a dot
and the body, with the secret as key. It hears what changes from now on.`,
		Example: `  elsewhere webhooks add https://hooks.example.com/elsewhere --tenant alder --tenant birch
  elsewhere webhooks add https://hooks.example.com/all --all-tenants --min-tier strong`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, urls []string) error {
			var err error
			if b.MinTier, err = parseTier(minTier); err != nil {
				return err
			}
			b.Url = urls[0]
			return a.ask(func(c *client.Client) error {
				made, err := c.CreateWebhook(cmd.Context(), b.Build())
				if err != nil {
					return err
				}
				a.hint("this is all there will ever be of the secret of %s", safe(made.GetWebhook().GetId(), valueWidth))
				if a.json {
					return a.printJSON(made)
				}
				return a.print(safe(made.GetSecret(), 0) + "\n")
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&b.Name, "name", "", "`name` for people: whose it is")
	flags.StringArrayVar(&b.Tenants, "tenant", nil, "a `tenant` of which it hears; links have both ends in these; may be repeated")
	flags.BoolVar(&b.AllTenants, "all-tenants", false, "every tenant, also later ones")
	flags.StringVar(&minTier, "min-tier", "possible", "lowest `tier` of links: "+strings.Join(tierNames(), ", "))
	_ = cmd.RegisterFlagCompletionFunc("min-tier", cobra.FixedCompletions(tierNames(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (a *app) listWebhooksCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the webhooks and how they fare",
		Args:  args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.ask(func(c *client.Client) error {
				for page, err := range c.WebhookPages(cmd.Context()) {
					if err != nil {
						return err
					}
					if a.json {
						err = a.printJSON(page)
					} else {
						err = a.print(webhookTable(page.GetWebhooks()))
					}
					if err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}

// webhookTable writes webhooks, a line each.
func webhookTable(hooks []*elsewherev1.Webhook) string {
	if len(hooks) == 0 {
		return "no webhooks\n"
	}
	rows := make([][]string, len(hooks))
	for i, w := range hooks {
		whom := strings.Join(safeAll(w.GetTenants(), valueWidth), ", ")
		if w.GetAllTenants() {
			whom = "all tenants"
		}
		state := "nothing posted yet"
		switch {
		case w.HasFailingSince():
			state = "failing since " + day(w.GetFailingSince()) + ": " + safe(w.GetLastError(), valueWidth)
		case w.HasLastDeliveredTime():
			state = "posted " + day(w.GetLastDeliveredTime())
		}
		rows[i] = []string{
			safe(w.GetId(), valueWidth), tierName(w.GetMinTier()), whom, safe(w.GetUrl(), valueWidth),
			count(int(w.GetDeadLetters()), "dead letter", "dead letters"), state, safe(w.GetName(), valueWidth),
		}
	}
	return table([]string{"webhook", "from tier", "for", "target", "", "state", "name"}, rows)
}

func (a *app) removeWebhookCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "remove WEBHOOK",
		Short: "Remove a webhook with its dead letters",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, ids []string) error {
			return a.ask(func(c *client.Client) error {
				res, err := c.DeleteWebhook(cmd.Context(), ids[0])
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON(res)
				}
				return a.print(safe(ids[0], valueWidth) + "  removed\n")
			})
		},
	}
}

func (a *app) deadLettersCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "dead WEBHOOK",
		Short: "List the events that a target did not take",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, ids []string) error {
			return a.ask(func(c *client.Client) error {
				found := 0
				for page, err := range c.DeadLetterPages(cmd.Context(), ids[0]) {
					if err != nil {
						return err
					}
					found += len(page.GetDeadLetters())
					if a.json {
						err = a.printJSON(page)
					} else if len(page.GetDeadLetters()) > 0 {
						err = a.print(deadLetterTable(page.GetDeadLetters()))
					}
					if err != nil {
						return err
					}
				}
				if found == 0 && !a.json {
					return a.print("no dead letters\n")
				}
				return nil
			})
		},
	}
}

func deadLetterTable(letters []*elsewherev1.DeadLetter) string {
	rows := make([][]string, len(letters))
	for i, l := range letters {
		rows[i] = []string{
			safe(l.GetEventId(), valueWidth), span(l.GetFirstAttemptTime(), l.GetLastAttemptTime()),
			count(int(l.GetAttempts()), "attempt", "attempts"), safe(l.GetReason(), valueWidth),
		}
	}
	return table([]string{"event", "tried", "", "reason"}, rows)
}

func (a *app) retryWebhookCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "retry WEBHOOK",
		Short: "Have the dead letters posted once more",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, ids []string) error {
			return a.ask(func(c *client.Client) error {
				res, err := c.RetryDeadLetters(cmd.Context(), ids[0])
				if err != nil {
					return err
				}
				if a.json {
					return a.printJSON(res)
				}
				return a.print("the dead letters of " + safe(ids[0], valueWidth) + " are posted once more; what is taken goes from the list\n")
			})
		},
	}
}
