import type { TenantFields } from "./record.ts";

const labels = ["red", "amber+strict", "amber", "green", "clear"];

/** The fields of a tenant's record. */
export function TenantInputs({ of }: { of: TenantFields }) {
  return (
    <>
      <label for="displayName">Name for people</label>
      <input id="displayName" name="displayName" defaultValue={of.displayName} autocomplete="off" />
      <label for="aliases">Aliases</label>
      <textarea id="aliases" name="aliases" rows={1} defaultValue={of.aliases.join("\n")} placeholder="one a line" spellcheck={false} />
      <label for="group">Group</label>
      <input id="group" name="group" defaultValue={of.group} placeholder="tenants of one owner have one" autocomplete="off" spellcheck={false} />
      <label for="state">State</label>
      <select id="state" name="state">
        <option value="TENANT_STATE_ACTIVE">active</option>
        <option value="TENANT_STATE_CLOSED" selected={of.state === "TENANT_STATE_CLOSED"}>
          closed: takes no more cases
        </option>
      </select>
      <label for="trust">Trust in its evidence</label>
      <input id="trust" name="trust" type="number" min={0} max={1} step="any" defaultValue={String(of.trust)} aria-describedby="trust-help" />
      <p id="trust-help" class="muted hint">
        0 to 1. A change scores all its links anew.
      </p>
      <label for="tlpCeiling">Ceiling of disclosure</label>
      <select id="tlpCeiling" name="tlpCeiling">
        <option value="">the server's setting</option>
        {labels.map((l) => (
          <option value={l} selected={l === of.tlpCeiling}>
            tlp:{l}
          </option>
        ))}
      </select>
      <label for="names">Names of the organisation</label>
      <textarea id="names" name="names" rows={2} defaultValue={of.names.join("\n")} placeholder="one a line" />
      <label for="domains">Its domains</label>
      <textarea id="domains" name="domains" rows={2} defaultValue={of.domains.join("\n")} placeholder="one a line" spellcheck={false} />
      <label for="egress">Its own addresses</label>
      <textarea id="egress" name="egress" rows={2} defaultValue={of.egress.join("\n")} placeholder="addresses or prefixes, one a line: they are no evidence" spellcheck={false} />
      <label for="region">Region</label>
      <input id="region" name="region" defaultValue={of.region} autocomplete="off" />
      <label for="retentionDays">Days that cases are kept</label>
      <input id="retentionDays" name="retentionDays" type="number" min={0} step={1} defaultValue={String(of.retentionDays)} aria-describedby="retention-help" />
      <p id="retention-help" class="muted hint">
        After their last change or, where that is later, after they were closed. 0 is for ever.
      </p>
    </>
  );
}
