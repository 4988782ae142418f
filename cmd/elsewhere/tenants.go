package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/elsewhere-project/elsewhere/client"
	elsewherev1 "github.com/elsewhere-project/elsewhere/proto/elsewhere/v1"
	"github.com/elsewhere-project/elsewhere/server/evidence"
)

func (a *app) tenantsCommand() *cobra.Command {
	return group("tenants", "Keep the records of the tenants",
		`Keep the records of the tenants. Without keys the first case of a tenant makes its
record; once there is a key an admin does, and cases of others are refused.`,
		a.addTenantCommand(), a.setTenantCommand(), a.listTenantsCommand(), a.showTenantCommand())
}

// tenantFlags are the fields of a tenant on the command line.
type tenantFlags struct {
	elsewherev1.Tenant_builder
	kind, state string
	trust       float64
}

// tenantFields are the fields of a tenant by the names of their flags.
func tenantFields() map[string]string {
	return map[string]string{
		"name": "display_name", "alias": "aliases", "group": "group", "state": "state", "trust": "trust",
		"tlp-ceiling": "tlp_ceiling", "org-name": "names", "domain": "domains", "egress": "egress", "region": "region",
		"retention-days": "retention_days", "type": "type",
	}
}

func (f *tenantFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.DisplayName, "name", "", "the `name` for people")
	flags.StringArrayVar(&f.Aliases, "alias", nil, "another `id` under which it is found; may be repeated")
	flags.StringVar(&f.Group, "group", "", "the `owner` that it has in common with other tenants")
	flags.StringVar(&f.state, "state", "active", "the `state`: active, or closed to new cases")
	flags.Float64Var(&f.trust, "trust", 1, "what its evidence is `worth`, 0 to 1")
	flags.StringVar(&f.TlpCeiling, "tlp-ceiling", "", "the most open `label` under which its values may be looked up and handed on; \"\" is the server's setting")
	flags.StringArrayVar(&f.Names, "org-name", nil, "a `name` of the organisation; may be repeated")
	flags.StringArrayVar(&f.Domains, "domain", nil, "a `domain` of the organisation; may be repeated")
	flags.StringArrayVar(&f.Egress, "egress", nil, "an address or `prefix` that its people come from; may be repeated")
	flags.StringVar(&f.Region, "region", "", "where its data are kept, a `text`")
	flags.Uint32Var(&f.RetentionDays, "retention-days", 0, "delete its cases so many `days` after their last change; 0 is never")
}

// checkTenantID refuses what cannot be the id of a tenant.
func checkTenantID(id string) error {
	if evidence.CheckTenant(id) != nil {
		return usageError{fmt.Errorf("tenant %q: want 1-63 of a-z, 0-9 and -, not beginning with -", id)}
	}
	return nil
}

// tenantTypes are the types as they are written, in their order on the wire.
func tenantTypes() []string { return []string{"customer", "reports", "test"} }

func (f *tenantFlags) tenant(id string) (*elsewherev1.Tenant, error) {
	if err := checkTenantID(id); err != nil {
		return nil, err
	}
	f.Id, f.Trust = id, &f.trust
	switch f.state {
	case "active":
		f.State = elsewherev1.TenantState_TENANT_STATE_ACTIVE
	case "closed":
		f.State = elsewherev1.TenantState_TENANT_STATE_CLOSED
	default:
		return nil, usageError{fmt.Errorf("no state %q; there are active and closed", f.state)}
	}
	for i, name := range tenantTypes() {
		if f.kind == name {
			f.Type = elsewherev1.TenantType(i + 1)
		}
	}
	if f.kind != "" && f.Type == 0 {
		return nil, usageError{fmt.Errorf("no type %q; there are %s", f.kind, strings.Join(tenantTypes(), ", "))}
	}
	return f.Build(), nil
}

func (a *app) addTenantCommand() *cobra.Command {
	var f tenantFlags
	cmd := &cobra.Command{
		Use:   "add TENANT",
		Short: "Make a tenant",
		Example: `  elsewhere tenants add alder --name "Alder GmbH" --group alder-holding --tlp-ceiling green
  elsewhere tenants add trial --type test`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, ids []string) error {
			t, err := f.tenant(ids[0])
			if err != nil {
				return err
			}
			return a.ask(func(c *client.Client) error {
				made, err := c.CreateTenant(cmd.Context(), t)
				if err != nil {
					return byFlag(err, tenantFields(), cmd.Flags())
				}
				return a.printTenant(made)
			})
		},
	}
	f.register(cmd.Flags())
	cmd.Flags().StringVar(&f.kind, "type", "", "the `type`, which never changes: "+strings.Join(tenantTypes(), ", "))
	return cmd
}

func (a *app) setTenantCommand() *cobra.Command {
	var f tenantFlags
	cmd := &cobra.Command{
		Use:   "set TENANT",
		Short: "Change what a tenant's record says",
		Long: `Change what a tenant's record says: the fields whose flags are given, whole. Another
trust scores all links of the tenant anew.`,
		Example: "  elsewhere tenants set alder --trust 0.1\n  elsewhere tenants set alder --alias alder-old --alias alder-gmbh",
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, ids []string) error {
			t, err := f.tenant(ids[0])
			if err != nil {
				return err
			}
			mask := &fieldmaskpb.FieldMask{}
			cmd.Flags().Visit(func(flag *pflag.Flag) {
				if field, ok := tenantFields()[flag.Name]; ok {
					mask.Paths = append(mask.Paths, field)
				}
			})
			if len(mask.Paths) == 0 {
				return usageError{errors.New("nothing to change: give a flag")}
			}
			return a.ask(func(c *client.Client) error {
				changed, err := c.UpdateTenant(cmd.Context(), elsewherev1.UpdateTenantRequest_builder{Tenant: t, UpdateMask: mask}.Build())
				if err != nil {
					return unknown(byFlag(err, tenantFields(), cmd.Flags()), "tenant", ids[0])
				}
				return a.printTenant(changed)
			})
		},
	}
	f.register(cmd.Flags())
	// What is not given stays as it is.
	cmd.Flags().Lookup("state").DefValue = ""
	cmd.Flags().Lookup("trust").DefValue = "0"
	return cmd
}

func (a *app) listTenantsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the tenants",
		Args:  args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.ask(func(c *client.Client) error {
				for page, err := range c.TenantPages(cmd.Context()) {
					if err != nil {
						return err
					}
					if a.json {
						err = a.printJSON(page)
					} else {
						err = a.print(tenantTable(page.GetTenants()))
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

func tenantTable(tenants []*elsewherev1.Tenant) string {
	rows := make([][]string, len(tenants))
	for i, t := range tenants {
		rows[i] = []string{
			safe(t.GetId(), valueWidth), enumName(t.GetType().String(), "TENANT_TYPE_"), enumName(t.GetState().String(), "TENANT_STATE_"),
			trustText(t), safe(t.GetGroup(), valueWidth), safe(t.GetDisplayName(), valueWidth),
		}
	}
	return table([]string{"tenant", "type", "state", ">trust", "group", "name"}, rows)
}

func trustText(t *elsewherev1.Tenant) string { return strconv.FormatFloat(t.GetTrust(), 'g', -1, 64) }

// enumName writes an enum without its prefix.
func enumName(name, prefix string) string { return strings.ToLower(strings.TrimPrefix(name, prefix)) }

func (a *app) showTenantCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show TENANT",
		Short: "Show a tenant's record",
		Args:  args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, ids []string) error {
			if err := checkTenantID(ids[0]); err != nil {
				return err
			}
			return a.ask(func(c *client.Client) error {
				t, err := c.GetTenant(cmd.Context(), ids[0])
				if err != nil {
					return unknown(err, "tenant", ids[0])
				}
				return a.printTenant(t)
			})
		},
	}
}

// printTenant writes what is set of a record, a line each.
func (a *app) printTenant(t *elsewherev1.Tenant) error {
	if a.json {
		return a.printJSON(elsewherev1.GetTenantResponse_builder{Tenant: proto.CloneOf(t)}.Build())
	}
	list := func(items []string) string { return strings.Join(safeAll(items, valueWidth), ", ") }
	retention := "for ever"
	if d := t.GetRetentionDays(); d > 0 {
		retention = count(int(d), "day", "days")
	}
	var rows [][]string
	for _, r := range [][]string{
		{"name", safe(t.GetDisplayName(), valueWidth)},
		{"aliases", list(t.GetAliases())},
		{"type", enumName(t.GetType().String(), "TENANT_TYPE_")},
		{"group", safe(t.GetGroup(), valueWidth)},
		{"state", enumName(t.GetState().String(), "TENANT_STATE_")},
		{"trust", trustText(t)},
		{"tlp ceiling", safe(t.GetTlpCeiling(), valueWidth)},
		{"names", list(t.GetNames())},
		{"domains", list(t.GetDomains())},
		{"egress", list(t.GetEgress())},
		{"region", safe(t.GetRegion(), valueWidth)},
		{"kept", retention},
		{"since", day(t.GetCreateTime())},
		{"revision", strconv.FormatUint(uint64(t.GetRevision()), 10)},
	} {
		if r[1] != "" {
			rows = append(rows, []string{"", r[0], r[1]})
		}
	}
	return a.print(a.style.bold(safe(t.GetId(), valueWidth)) + "\n" + table(make([]string, 3), rows))
}
