import { useState } from "preact/hooks";
import { problemFrom } from "../../app/load.ts";
import { keep } from "../../app/route.ts";
import { answered, type Problem, type Schemas, service } from "../../app/service.ts";
import { Fields } from "../../ui/form.ts";
import { ProblemBox } from "../../ui/state.tsx";
import { tenantsOf } from "./key.ts";

const roles: readonly (readonly [Schemas["Role"], string])[] = [
  ["ROLE_SUBMITTER", "submitter: writes and reads the cases of one tenant"],
  ["ROLE_TENANT", "tenant: its own cases, and whether infrastructure was seen by enough others"],
  ["ROLE_ANALYST", "analyst: everything of some tenants or of all"],
  ["ROLE_LEAD", "lead: an analyst who decides about links, actors and what is published"],
  ["ROLE_ADMIN", "admin: tenants, keys and the service; no content of cases"],
];

/** Makes a key; `first` says that there is none yet, and the first is an admin's. */
export function NewKey({ open, made, first }: { open: boolean; made: (what: string, secret: string) => void; first: boolean }) {
  const [chosen, choose] = useState<Schemas["Role"]>("ROLE_ANALYST");
  const [all, setAll] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const [busy, setBusy] = useState(false);
  const role = first ? "ROLE_ADMIN" : chosen;
  const make = async (form: HTMLFormElement) => {
    const f = new Fields(form);
    const expires = f.text("expires");
    setBusy(true);
    setProblem(undefined);
    try {
      const body: Schemas["Key"] = {
        name: f.text("name"),
        role,
        ...(tenantsOf(role) === "none" ? {} : all && tenantsOf(role) === "some" ? { allTenants: true } : { tenants: f.list("tenants", true) }),
        ...(f.on("restricted") ? { restricted: true } : {}),
        addresses: f.list("addresses", true),
        ...(expires ? { expireTime: new Date(`${expires}T00:00:00Z`).toISOString() } : {}),
        ...(f.number("calls") ? { callsPerSecond: f.number("calls") ?? 0 } : {}),
      };
      const answer = await answered(service.api.POST("/v1/keys", { body }));
      form.reset();
      keep({ new: undefined });
      made(`The new key ${answer.key?.prefix ?? ""}…`, answer.secret ?? "");
    } catch (e) {
      setProblem(problemFrom(e));
    }
    setBusy(false);
  };
  return (
    <details class="card" open={open} onToggle={(e) => e.currentTarget.open !== open && keep({ new: e.currentTarget.open ? "1" : undefined })}>
      <summary>New key</summary>
      {open && (
        <form
          class="form"
          onSubmit={(e) => {
            e.preventDefault();
            void make(e.currentTarget);
          }}
        >
          <label for="name">Name</label>
          <input id="name" name="name" required placeholder="who or what uses it" autocomplete="off" />
          <label for="role">Role</label>
          <select id="role" value={role} disabled={first} onChange={(e) => choose(e.currentTarget.value as Schemas["Role"])}>
            {roles.map(([r, text]) => (
              <option value={r}>{text}</option>
            ))}
          </select>
          {tenantsOf(role) === "some" && (
            <>
              <span>All tenants</span>
              <label>
                <input type="checkbox" checked={all} onChange={() => setAll(!all)} /> every tenant, also later ones
              </label>
            </>
          )}
          {(tenantsOf(role) === "one" || (tenantsOf(role) === "some" && !all)) && (
            <>
              <label for="tenants">{tenantsOf(role) === "one" ? "Tenant" : "Tenants"}</label>
              <input id="tenants" name="tenants" required placeholder={tenantsOf(role) === "one" ? "its id" : "their ids"} autocomplete="off" spellcheck={false} />
            </>
          )}
          {role !== "ROLE_ADMIN" && (
            <>
              <span>Restricted</span>
              <label>
                <input type="checkbox" name="restricted" /> may read restricted and tlp:red cases of its tenants
              </label>
            </>
          )}
          <label for="addresses">Only from</label>
          <input id="addresses" name="addresses" placeholder="addresses or prefixes; empty is anywhere" autocomplete="off" spellcheck={false} />
          <label for="expires">Ends at the beginning of</label>
          <input id="expires" name="expires" type="date" />
          <label for="calls">Calls a second</label>
          <input id="calls" name="calls" type="number" min={0} step="any" placeholder="empty is the role's own setting" />
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
