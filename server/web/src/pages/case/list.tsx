import { useHotkeys } from "../../app/hotkeys.ts";
import { caseHref, go, href, keep } from "../../app/route.ts";
import { answered, type Schemas, service } from "../../app/service.ts";
import type { Who } from "../../app/who.ts";
import { usePages } from "../../ui/pages.ts";
import { type Column, Rows } from "../../ui/rows.tsx";
import { Nothing, ProblemBox, Waiting } from "../../ui/state.tsx";
import { Time } from "../../ui/time.tsx";
import { visible } from "../../ui/value.tsx";
import { Label, StateChip, stateNames } from "./chips.tsx";

type Case = Schemas["Case"];

const columns: Column<Case>[] = [
  { name: "case", cell: (c) => <a href={caseHref(refOf(c))}>{visible(refOf(c))}</a>, by: refOf },
  { name: "title", cell: (c) => <bdi>{visible(c.title ?? "")}</bdi>, by: (c) => c.title ?? "" },
  { name: "kind", cell: (c) => visible(c.kind ?? ""), by: (c) => c.kind ?? "", wide: true },
  { name: "state", cell: (c) => <StateChip state={c.state} />, by: (c) => c.state ?? "" },
  { name: "label", cell: (c) => <Label tlp={c.tlp ?? ""} restricted={c.restricted ?? false} />, by: (c) => c.tlp ?? "", wide: true },
  { name: "opened", cell: (c) => <Time at={c.openedAt} day />, by: (c) => c.openedAt ?? "", wide: true },
  { name: "changed", cell: (c) => <Time at={c.updateTime} />, by: (c) => c.updateTime ?? "" },
  { name: "revision", cell: (c) => c.revision ?? 0, by: (c) => c.revision ?? 0, num: true, wide: true },
];

/** The cases that the key may read, of one tenant or of all. */
export function CaseList({ who, query }: { who: Who; query: URLSearchParams }) {
  const tenant = query.get("tenant") ?? "";
  const state = query.get("state") ?? "";
  const list = usePages(
    async (pageToken, signal) => {
      const page = await answered(service.api.GET("/v1/cases", { params: { query: { pageSize: 200, ...(tenant ? { tenant } : {}), ...(pageToken ? { pageToken } : {}) } }, signal }));
      return { rows: page.cases ?? [], next: page.nextPageToken ?? "" };
    },
    [tenant, who.keyId],
  );
  useHotkeys([{ key: "n", help: "submit a case", run: () => go(href(["cases", "submit"])) }], []);
  const rows = state === "" ? list.rows : list.rows.filter((c) => c.state === state);
  return (
    <>
      <h1>Cases</h1>
      <div class="bar-row">
        <form
          class="bar-row"
          onSubmit={(e) => {
            e.preventDefault();
            keep({ tenant: new FormData(e.currentTarget).get("tenant")?.toString().trim() });
          }}
        >
          <label for="of-tenant">Tenant</label>
          <input id="of-tenant" name="tenant" list="tenants" value={tenant} placeholder="all" autocomplete="off" spellcheck={false} key={tenant} />
          <datalist id="tenants">
            {who.tenants.map((t) => (
              <option value={t} />
            ))}
          </datalist>
          <button type="submit">Show</button>
        </form>
        <label for="of-state">State</label>
        <select id="of-state" value={state} onChange={(e) => keep({ state: e.currentTarget.value })}>
          <option value="">all</option>
          {Object.entries(stateNames).map(([s, name]) => (
            <option value={s}>{name}</option>
          ))}
        </select>
        <a class="button" href={href(["cases", "submit"])}>
          Submit… <kbd>n</kbd>
        </a>
        <a class="button" href={href(["links"])}>
          Compare two…
        </a>
      </div>
      {list.problem && <ProblemBox problem={list.problem} />}
      {rows.length > 0 && <Rows rows={rows} columns={columns} id={refOf} open={(c) => go(caseHref(refOf(c)))} label={`Cases ${tenant} ${state}`} more={list.more} />}
      {rows.length === 0 && list.loading && <Waiting />}
      {rows.length === 0 && !list.loading && !list.problem && (
        <Nothing>
          {list.more ? "None of those read so far." : "There are no such cases that your key may read."} Drop a file with a case here, or run <code>elsewhere submit FILE</code>.{" "}
          {list.more && (
            <button type="button" onClick={list.more}>
              Load more
            </button>
          )}
        </Nothing>
      )}
    </>
  );
}

function refOf(c: Case): string {
  return `${c.tenant}/${c.id}`;
}
