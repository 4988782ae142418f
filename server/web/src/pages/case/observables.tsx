import { href, keep } from "../../app/route.ts";
import type { Schemas } from "../../app/service.ts";
import type { Who } from "../../app/who.ts";
import { type Column, Rows } from "../../ui/rows.tsx";
import { Nothing, ProblemBox, Waiting } from "../../ui/state.tsx";
import { Time, utc } from "../../ui/time.tsx";
import { Value, visible } from "../../ui/value.tsx";
import { range } from "./chips.tsx";
import { type Gathered, keyOf } from "./gather.ts";
import { OneValue } from "./onevalue.tsx";
import { brief, useElsewhere } from "./seen.ts";

type Result = Schemas["SeenResult"];

/** The values of a case: what they are, what they did, and where else they were seen. */
export function Observables({ c, all, who, query }: { c: Schemas["Case"]; all: readonly Gathered[]; who: Who; query: URLSearchParams }) {
  const ask = who.role !== "ROLE_SUBMITTER";
  const elsewhere = useElsewhere(all, ask);
  const kind = query.get("kind") ?? "";
  const finding = query.get("finding") ?? "";
  const only = query.get("elsewhere") !== null;
  const kinds = [...new Set(all.map((g) => g.kind))].sort();
  const resultOf = (g: Gathered) => elsewhere.results.get(keyOf(g.kind, g.value));
  const rows = all.filter(
    (g) => (kind === "" || g.kind === kind) && (finding === "" || g.findings.some((f) => f.id === finding)) && (!only || casesElsewhere(resultOf(g)) > 0 || others(resultOf(g)) !== ""),
  );
  const opened = query.get("value");
  const open = opened === null ? undefined : all.find((g) => keyOf(g.kind, g.value) === opened);
  const columns: Column<Gathered>[] = [
    { name: "kind", cell: (g) => visible(g.kind), by: (g) => g.kind },
    {
      name: "value",
      cell: (g) => (
        <>
          <button type="button" class="quiet open" onClick={() => keep({ value: keyOf(g.kind, g.value) })}>
            <Value value={g.value || "(private)"} most={100} copy={false} />
          </button>
          {resultOf(g)?.generic && <span class="role" title={resultOf(g)?.genericReason}>generic</span>}
        </>
      ),
      by: (g) => g.value,
    },
    { name: "roles", cell: (g) => g.roles.map((r) => <span class="role">{visible(r)}</span>), by: (g) => g.roles.join() },
    {
      name: "seen here",
      cell: (g) => (
        <span class="nowrap">
          <Time at={iso(g.first)} day />
          {g.last > g.first && utc(g.last, true) !== utc(g.first, true) && (
            <>
              {" – "}
              <Time at={iso(g.last)} day />
            </>
          )}
        </span>
      ),
      by: (g) => (Number.isNaN(g.first) ? Number.MAX_VALUE : g.first),
    },
    ...(ask
      ? ([
          { name: "seen in", cell: (g) => <Where g={g} r={resultOf(g)} />, by: (g) => -casesElsewhere(resultOf(g)) },
          { name: "class", cell: (g) => visible(resultOf(g)?.class ?? ""), by: (g) => resultOf(g)?.class ?? "" },
          { name: "what it is", cell: (g) => <bdi>{visible(brief(resultOf(g)?.records?.[0]))}</bdi>, by: (g) => brief(resultOf(g)?.records?.[0]), wide: true },
        ] satisfies Column<Gathered>[])
      : []),
  ];
  return (
    <>
      <div class="bar-row">
        <label for="of-kind">Kind</label>
        <select id="of-kind" value={kind} onChange={(e) => keep({ kind: e.currentTarget.value })}>
          <option value="">all</option>
          {kinds.map((k) => (
            <option value={k}>{k}</option>
          ))}
        </select>
        {ask && (
          <label>
            <input type="checkbox" checked={only} onChange={(e) => keep({ elsewhere: e.currentTarget.checked ? "1" : undefined })} /> seen elsewhere
          </label>
        )}
        {finding !== "" && (
          <button type="button" onClick={() => keep({ finding: undefined })}>
            of finding {visible(finding)} ✕
          </button>
        )}
        {ask && elsewhere.done < all.filter((g) => g.value !== "").length && !elsewhere.problem && <Waiting what={`Seen elsewhere? ${elsewhere.done} of ${all.length}`} />}
      </div>
      {elsewhere.problem && <ProblemBox problem={elsewhere.problem} />}
      {rows.length === 0 ? <Nothing>No such values.</Nothing> : <Rows rows={rows} columns={columns} id={(g) => keyOf(g.kind, g.value)} open={(g) => keep({ value: keyOf(g.kind, g.value) })} label="Observables" />}
      {elsewhere.attributions.length > 0 && <p class="muted small">{elsewhere.attributions.map((a) => a.text || a.source).join(" · ")}</p>}
      {open && <OneValue c={c} g={open} r={resultOf(open)} close={() => keep({ value: undefined })} />}
    </>
  );
}

/** Cases besides this one, as far as the key is told of them. */
export function casesElsewhere(r: Result | undefined): number {
  return Math.max(0, (r?.cases?.min ?? 0) - 1);
}

/** Tenants that the key does not know by name. */
function others(r: Result | undefined): string {
  return r?.otherTenants && (r.otherTenants.max === undefined || r.otherTenants.max > 0) ? range(r.otherTenants) : "";
}

function Where({ g, r }: { g: Gathered; r: Result | undefined }) {
  if (!r) return <span class="muted">{g.value === "" ? "not asked" : ""}</span>;
  if (r.status === "SEEN_STATUS_NOT_DISCLOSED") return <span class="muted">not for your key</span>;
  const more = others(r);
  if (casesElsewhere(r) === 0 && more === "") return <span class="muted">only here</span>;
  return (
    <a class="nowrap" href={href(["seen"], { q: g.value })}>
      {(r.cases?.min ?? 0) > 0 && `${range(r.cases)} cases · ${range(r.tenants)} tenants`}
      {more !== "" && ` + ${more} other tenants`}
    </a>
  );
}

function iso(t: number): string | undefined {
  return Number.isNaN(t) ? undefined : new Date(t).toISOString();
}
