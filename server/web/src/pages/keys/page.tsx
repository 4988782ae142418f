import { useState } from "preact/hooks";
import { keep, type Route } from "../../app/route.ts";
import { answered, type Schemas, service } from "../../app/service.ts";
import { session } from "../../app/session.ts";
import { useWho } from "../../app/who.ts";
import { usePages } from "../../ui/pages.ts";
import "../../ui/parts.css";
import { roleNames } from "../../ui/roles.ts";
import { Rows } from "../../ui/rows.tsx";
import { Secret } from "../../ui/secret.tsx";
import { Nothing, ProblemBox, Waiting } from "../../ui/state.tsx";
import { Time } from "../../ui/time.tsx";
import { Value } from "../../ui/value.tsx";
import { NewKey } from "./create.tsx";
import { Revoke, Rotate } from "./end.tsx";
import { keyState } from "./key.ts";

type Key = Schemas["Key"];

/** Every key; secrets are shown when they are made, and never again. */
export default function Page({ route }: { route: Route }) {
  const ended = route.query.get("ended") === "1";
  const [round, again] = useState(0);
  const [told, tell] = useState<{ what: string; secret: string; first?: boolean }>();
  const who = useWho();
  const [asked, ask] = useState<{ key: Key; to: "rotate" | "revoke" }>();
  const list = usePages<Key>(
    async (pageToken, signal) => {
      const query = { pageSize: 500, ...(ended ? { includeEnded: true } : {}), ...(pageToken ? { pageToken } : {}) };
      const page = await answered(service.api.GET("/v1/keys", { params: { query }, signal }));
      return { rows: page.keys ?? [], next: page.nextPageToken ?? "" };
    },
    [ended, round],
  );
  const first = !list.loading && !list.problem && list.rows.length === 0 && !ended;
  const made = (what: string, secret: string) => {
    tell({ what, secret, first });
    // Without keys nothing needs one until the first is there: the list is asked for with it.
    if (!first) again((n) => n + 1);
  };
  const kept = () => {
    if (told?.first) session.take(told.secret);
    tell(undefined);
    again((n) => n + 1);
  };
  const now = Date.now();
  return (
    <>
      <h1>Keys</h1>
      {told && <Secret what={told.what} secret={told.secret} done={kept} also={told.first ? "From now on no call goes without a key; this page goes on with this one." : undefined} />}
      <NewKey open={route.query.get("new") === "1"} made={made} first={first} />
      <p>
        <label>
          <input type="checkbox" checked={ended} onChange={() => keep({ ended: ended ? undefined : "1" })} /> also keys that were revoked or have expired
        </label>
      </p>
      {list.problem && <ProblemBox problem={list.problem} />}
      {list.rows.length > 0 && (
        <Rows<Key>
          label="Keys"
          rows={list.rows}
          id={(k) => k.id ?? ""}
          more={list.more}
          columns={[
            { name: "Key", cell: (k) => <code>{k.prefix}…</code>, by: (k) => k.prefix ?? "" },
            { name: "Name", cell: (k) => <Value value={k.name ?? ""} copy={false} />, by: (k) => k.name ?? "" },
            { name: "Role", cell: (k) => roleNames[k.role ?? "ROLE_UNSPECIFIED"] ?? "unknown", by: (k) => k.role ?? "" },
            { name: "Tenants", cell: (k) => (k.allTenants ? "all" : (k.tenants ?? []).join(", ") || "-") + (k.restricted ? " · also restricted cases" : "") },
            { name: "From", cell: (k) => (k.addresses ?? []).join(", ") || "anywhere", wide: true },
            { name: "State", cell: (k) => <State of={k} now={now} />, by: (k) => keyState(k, now).text },
            { name: "Last used", cell: (k) => <Time at={k.lastUsedTime} />, by: (k) => k.lastUsedTime ?? "" },
            { name: "Made", cell: (k) => <Time at={k.createTime} day />, by: (k) => k.createTime ?? "", wide: true },
            {
              name: "Actions",
              cell: (k) =>
                keyState(k, now).ended ? null : (
                  <span class="bar-row tight">
                    <button type="button" onClick={() => ask({ key: k, to: "rotate" })} aria-label={`Rotate ${k.prefix}`}>
                      Rotate
                    </button>
                    <button type="button" class="danger" onClick={() => ask({ key: k, to: "revoke" })} aria-label={`Revoke ${k.prefix}`}>
                      Revoke
                    </button>
                  </span>
                ),
            },
          ]}
        />
      )}
      {list.loading && <Waiting />}
      {!list.loading && !list.problem && list.rows.length === 0 && (
        <Nothing>There is no key: everything is for everybody who reaches the service. The first key has to be an admin's; from then on no call goes without one.</Nothing>
      )}
      {asked?.to === "rotate" && (
        <Rotate
          of={asked.key}
          made={(what, secret) => {
            // The page itself goes on with the new secret of its own key.
            if (asked.key.id === who.data?.keyId && session.key() !== undefined) session.take(secret);
            made(what, secret);
          }}
          close={() => ask(undefined)}
        />
      )}
      {asked?.to === "revoke" && <Revoke of={asked.key} own={asked.key.id === who.data?.keyId} done={() => again((n) => n + 1)} close={() => ask(undefined)} />}
    </>
  );
}

function State({ of, now }: { of: Key; now: number }) {
  const s = keyState(of, now);
  return (
    <span class={`state ${s.tone}`}>
      {s.text} {s.at && <Time at={s.at} day />}
    </span>
  );
}
