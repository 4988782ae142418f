import { useState } from "preact/hooks";
import { problemFrom, useLoad } from "../../app/load.ts";
import { href } from "../../app/route.ts";
import { answered, type Problem, type Schemas, service } from "../../app/service.ts";
import { Fields } from "../../ui/form.ts";
import { ProblemBox, Waiting } from "../../ui/state.tsx";
import { Time } from "../../ui/time.tsx";
import { Erase } from "./erase.tsx";
import { TenantInputs } from "./form.tsx";
import { types } from "./list.tsx";
import { changes, fieldsOf, readFields } from "./record.ts";

/** The record of one tenant: looked at, changed, and the tenant erased. */
export function TenantPage({ id }: { id: string }) {
  const loaded = useLoad(async (signal) => (await answered(service.api.GET("/v1/tenants/{tenant}", { params: { path: { tenant: id } }, signal }))).tenant ?? {}, [id]);
  const [changed, setChanged] = useState<Schemas["Tenant"]>();
  const [problem, setProblem] = useState<Problem>();
  const [said, say] = useState("");
  const [busy, setBusy] = useState(false);
  const tenant = changed ?? loaded.data;
  const save = async (form: HTMLFormElement, before: Schemas["Tenant"]) => {
    const c = changes(fieldsOf(before), readFields(new Fields(form)));
    setProblem(undefined);
    if (c.updateMask === "") return say("Nothing was changed.");
    setBusy(true);
    try {
      const body = { tenant: c.tenant, updateMask: c.updateMask, expectedRevision: before.revision ?? 0 };
      const answer = await answered(service.api.PATCH("/v1/tenants/{tenant}", { params: { path: { tenant: before.id ?? id } }, body }));
      setChanged(answer.tenant ?? before);
      say("Saved.");
    } catch (e) {
      say("");
      setProblem(problemFrom(e));
    }
    setBusy(false);
  };
  return (
    <>
      <h1>
        <a href={href(["tenants"])}>Tenants</a> / {tenant?.id ?? id}
      </h1>
      {/* Of a tenant that was erased there is no record, but its erasure can be listened to again. */}
      {loaded.problem && <ProblemBox problem={loaded.problem} again={loaded.again} />}
      {!tenant && !loaded.problem && <Waiting />}
      {tenant && (
        <>
          <p class="muted">
            {types[tenant.type ?? "TENANT_TYPE_UNSPECIFIED"]} · since <Time at={tenant.createTime} /> · revision {tenant.revision ?? 0}
          </p>
          <form
            class="card form"
            key={tenant.revision}
            onSubmit={(e) => {
              e.preventDefault();
              void save(e.currentTarget, tenant);
            }}
          >
            <TenantInputs of={fieldsOf(tenant)} />
            <p class="bar-row">
              <button type="submit" disabled={busy}>
                Save
              </button>
              <span role="status">{said}</span>
            </p>
            {problem && <ProblemBox problem={problem} />}
          </form>
        </>
      )}
      <Erase tenant={tenant?.id ?? id} />
    </>
  );
}
