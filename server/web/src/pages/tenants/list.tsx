import { useState } from "preact/hooks";
import { problemFrom } from "../../app/load.ts";
import { go, href, keep, type Route } from "../../app/route.ts";
import { answered, type Problem, type Schemas, service } from "../../app/service.ts";
import { Fields } from "../../ui/form.ts";
import { usePages } from "../../ui/pages.ts";
import { Rows } from "../../ui/rows.tsx";
import { Nothing, ProblemBox, Waiting } from "../../ui/state.tsx";
import { Time } from "../../ui/time.tsx";
import { Value } from "../../ui/value.tsx";
import { TenantInputs } from "./form.tsx";
import { fieldsOf, readFields } from "./record.ts";

type Tenant = Schemas["Tenant"];

/** What people call a type of tenants. */
export const types: Record<Schemas["TenantType"], string> = {
  TENANT_TYPE_UNSPECIFIED: "-",
  TENANT_TYPE_CUSTOMER: "customer",
  TENANT_TYPE_REPORTS: "public reports",
  TENANT_TYPE_TEST: "test",
};

/** Every tenant, and a form for another one. */
export function TenantList({ route }: { route: Route }) {
  const list = usePages<Tenant>(async (pageToken, signal) => {
    const query = { pageSize: 500, ...(pageToken ? { pageToken } : {}) };
    const page = await answered(service.api.GET("/v1/tenants", { params: { query }, signal }));
    return { rows: page.tenants ?? [], next: page.nextPageToken ?? "" };
  }, []);
  return (
    <>
      <h1>Tenants</h1>
      <NewTenant open={route.query.get("new") === "1"} />
      {list.problem && <ProblemBox problem={list.problem} />}
      {list.rows.length > 0 && (
        <Rows<Tenant>
          label="Tenants"
          rows={list.rows}
          id={(t) => t.id ?? ""}
          open={(t) => go(href(["tenants", t.id ?? ""]))}
          more={list.more}
          columns={[
            { name: "Tenant", cell: (t) => <a href={href(["tenants", t.id ?? ""])}>{t.id}</a>, by: (t) => t.id ?? "" },
            { name: "Name", cell: (t) => <Value value={t.displayName ?? ""} copy={false} />, by: (t) => t.displayName ?? "" },
            { name: "Type", cell: (t) => types[t.type ?? "TENANT_TYPE_UNSPECIFIED"] ?? "-", by: (t) => t.type ?? "" },
            { name: "State", cell: (t) => (t.state === "TENANT_STATE_CLOSED" ? <span class="state warn">closed</span> : "active"), by: (t) => t.state ?? "" },
            { name: "Group", cell: (t) => t.group || "-", by: (t) => t.group ?? "", wide: true },
            { name: "Trust", cell: (t) => t.trust ?? 1, by: (t) => t.trust ?? 1, num: true },
            { name: "Ceiling", cell: (t) => (t.tlpCeiling ? `tlp:${t.tlpCeiling}` : "-"), wide: true },
            { name: "Kept", cell: (t) => (t.retentionDays ? `${t.retentionDays} days` : "for ever"), by: (t) => t.retentionDays || Infinity, num: true },
            { name: "Since", cell: (t) => <Time at={t.createTime} day />, by: (t) => t.createTime ?? "" },
          ]}
        />
      )}
      {list.loading && <Waiting />}
      {!list.loading && !list.problem && list.rows.length === 0 && <Nothing>There is no tenant yet. Without keys the first case of a tenant makes its record.</Nothing>}
    </>
  );
}

function NewTenant({ open }: { open: boolean }) {
  const [problem, setProblem] = useState<Problem>();
  const [busy, setBusy] = useState(false);
  const make = async (form: HTMLFormElement) => {
    const f = new Fields(form);
    setBusy(true);
    setProblem(undefined);
    try {
      const body = { id: f.text("id"), type: f.text("type") as Schemas["TenantType"], ...readFields(f) };
      const { tenant } = await answered(service.api.POST("/v1/tenants", { body }));
      // Who has gone elsewhere meanwhile stays there.
      if (form.isConnected) go(href(["tenants", tenant?.id ?? ""]));
    } catch (e) {
      setProblem(problemFrom(e));
      setBusy(false);
    }
  };
  return (
    <details class="card" open={open} onToggle={(e) => e.currentTarget.open !== open && keep({ new: e.currentTarget.open ? "1" : undefined })}>
      <summary>New tenant</summary>
      {open && (
        <form
          class="form"
          onSubmit={(e) => {
            e.preventDefault();
            void make(e.currentTarget);
          }}
        >
          <label for="id">Id</label>
          <input id="id" name="id" required placeholder="a-z, 0-9 and -; never changes" autocomplete="off" spellcheck={false} />
          <label for="type">Type</label>
          <select id="type" name="type">
            <option value="TENANT_TYPE_UNSPECIFIED">by its id: reports-… is public reports, else customer</option>
            <option value="TENANT_TYPE_CUSTOMER">customer</option>
            <option value="TENANT_TYPE_REPORTS">public reports</option>
            <option value="TENANT_TYPE_TEST">test</option>
          </select>
          <TenantInputs of={fieldsOf({})} />
          <p>
            <button type="submit" disabled={busy}>
              Create
            </button>
          </p>
          {problem && <ProblemBox problem={problem} />}
        </form>
      )}
    </details>
  );
}
