import { go, href } from "../../app/route.ts";
import { answered, type Schemas, service } from "../../app/service.ts";
import { countText } from "../../ui/count.ts";
import { usePages } from "../../ui/pages.ts";
import { Rows } from "../../ui/rows.tsx";
import { Nothing, ProblemBox, Waiting } from "../../ui/state.tsx";
import { Time } from "../../ui/time.tsx";
import { Value } from "../../ui/value.tsx";

type Actor = Schemas["Actor"];

/** Tenants that a row names at most. */
const tenantsMost = 4;

/** Every actor of which the caller may read a case. */
export function ActorList() {
  const list = usePages<Actor>(async (pageToken, signal) => {
    const query = { pageSize: 200, ...(pageToken ? { pageToken } : {}) };
    const page = await answered(service.api.GET("/v1/actors", { params: { query }, signal }));
    return { rows: page.actors ?? [], next: page.nextPageToken ?? "" };
  }, []);
  return (
    <>
      <h1>Actors</h1>
      <p class="muted">Cases that one actor seems to stand behind, by their links and by what people said of them.</p>
      {list.problem && <ProblemBox problem={list.problem} />}
      {list.rows.length > 0 && (
        <Rows<Actor>
          label="Actors"
          rows={list.rows}
          id={(a) => a.id ?? ""}
          open={(a) => go(href(["actors", a.id ?? ""]))}
          more={list.more}
          columns={[
            { name: "Actor", cell: (a) => <a href={href(["actors", a.id ?? ""])}>{a.name ? <Value value={a.name} copy={false} /> : <code>{a.id}</code>}</a>, by: (a) => a.name || `~${a.id}` },
            { name: "Cases", cell: (a) => a.cases ?? 0, by: (a) => a.cases ?? 0, num: true },
            { name: "Tenants", cell: (a) => <Tenants actor={a} /> },
            { name: "Others", cell: (a) => countText(a.otherTenants), num: true, wide: true },
            { name: "First seen", cell: (a) => <Time at={a.firstSeen} day />, by: (a) => a.firstSeen ?? "" },
            { name: "Last seen", cell: (a) => <Time at={a.lastSeen} day />, by: (a) => a.lastSeen ?? "" },
            { name: "Id", cell: (a) => <code>{a.id}</code>, wide: true },
          ]}
        />
      )}
      {list.loading && <Waiting />}
      {!list.loading && !list.problem && list.rows.length === 0 && (
        <Nothing>
          There is no actor yet: no cases are linked so closely, or by a person. <a href={href(["new"])}>New links</a>
        </Nothing>
      )}
    </>
  );
}

function Tenants({ actor }: { actor: Actor }) {
  const all = actor.tenants ?? [];
  return (
    <>
      {all.slice(0, tenantsMost).map((t) => t.name).join(", ")}
      {all.length > tenantsMost && <span class="muted"> and {all.length - tenantsMost} more</span>}
    </>
  );
}
