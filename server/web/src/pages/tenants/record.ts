import type { Schemas } from "../../app/service.ts";
import type { Fields } from "../../ui/form.ts";

type Tenant = Schemas["Tenant"];

/** The fields of a tenant that a form holds and an update can name. */
export type TenantFields = Required<Pick<Tenant, "displayName" | "aliases" | "group" | "state" | "trust" | "tlpCeiling" | "names" | "domains" | "egress" | "region" | "retentionDays">>;

/** A record as its form shows it, with what unset fields mean. */
export function fieldsOf(t: Tenant): TenantFields {
  return {
    displayName: t.displayName ?? "",
    aliases: t.aliases ?? [],
    group: t.group ?? "",
    state: t.state === "TENANT_STATE_CLOSED" ? "TENANT_STATE_CLOSED" : "TENANT_STATE_ACTIVE",
    trust: t.trust ?? 1,
    tlpCeiling: t.tlpCeiling ?? "",
    names: t.names ?? [],
    domains: t.domains ?? [],
    egress: t.egress ?? [],
    region: t.region ?? "",
    retentionDays: t.retentionDays ?? 0,
  };
}

/** What stands in a form. */
export function readFields(f: Pick<Fields, "text" | "list" | "number">): TenantFields {
  return {
    displayName: f.text("displayName"),
    aliases: f.list("aliases"),
    group: f.text("group"),
    state: f.text("state") === "TENANT_STATE_CLOSED" ? "TENANT_STATE_CLOSED" : "TENANT_STATE_ACTIVE",
    trust: f.number("trust") ?? 1,
    tlpCeiling: f.text("tlpCeiling"),
    names: f.list("names"),
    domains: f.list("domains"),
    egress: f.list("egress"),
    region: f.text("region"),
    retentionDays: f.number("retentionDays") ?? 0,
  };
}

/** The fields that differ, and their names as an update mask has them. */
export function changes(before: TenantFields, after: TenantFields): { tenant: Partial<TenantFields>; updateMask: string } {
  const names = (Object.keys(after) as (keyof TenantFields)[]).filter((n) => JSON.stringify(before[n]) !== JSON.stringify(after[n]));
  return { tenant: Object.fromEntries(names.map((n) => [n, after[n]])), updateMask: names.join(",") };
}
