import { useMemo, useState } from "preact/hooks";
import { useLoad } from "../../app/load.ts";
import { href } from "../../app/route.ts";
import { answered, type Schemas, service } from "../../app/service.ts";
import type { Who } from "../../app/who.ts";
import { ProblemBox, Waiting } from "../../ui/state.tsx";
import { days, Time } from "../../ui/time.tsx";
import { Value, visible } from "../../ui/value.tsx";
import { actorOf, mayCorrelate } from "./actor.ts";
import { Label, StateChip } from "./chips.tsx";
import { Findings } from "./findings.tsx";
import { activity, gather } from "./gather.ts";
import { Leaves } from "./leaves.tsx";
import { CaseLinks } from "./links.tsx";
import { Observables } from "./observables.tsx";
import { Remove } from "./remove.tsx";

type Case = Schemas["Case"];

/** The parts of a case, by how the address names them. */
const tabs = ["findings", "observables", "links", "leaves"] as const;

/** One case: what it is, what was found, and what follows from it. */
export function CasePage({ tenant, id, who, query }: { tenant: string; id: string; who: Who; query: URLSearchParams }) {
  const read = useLoad(
    async (signal) => (await answered(service.api.GET("/v1/cases/{tenant}/{case}", { params: { path: { tenant, case: id } }, signal }))).case,
    [tenant, id, who.keyId],
  );
  const [removing, setRemoving] = useState(false);
  const c = read.data;
  const observables = useMemo(() => (c ? gather(c) : []), [c]);
  if (read.problem) return <ProblemBox problem={read.problem} again={read.again} />;
  if (!c) return <Waiting />;
  const ref = `${tenant}/${id}`;
  const links = mayCorrelate(who);
  const lead = who.role === undefined || who.role === "ROLE_LEAD";
  const shown = tabs.filter((t) => (t !== "links" || links) && (t !== "leaves" || lead));
  const tab = shown.find((t) => t === query.get("tab")) ?? "findings";
  const names = { findings: `Findings ${c.findings?.length ?? 0}`, observables: `Observables ${observables.length}`, links: "Links", leaves: "What would leave" };
  return (
    <>
      <h1>
        <span class="mono">{visible(ref)}</span> <bdi>{visible(c.title ?? "")}</bdi>
      </h1>
      <Facts c={c} who={who} />
      <nav class="tabs" aria-label="Parts of the case">
        {shown.map((t) => (
          <a href={href(["cases", tenant, id], { tab: t === "findings" ? undefined : t })} aria-current={t === tab ? "page" : undefined}>
            {names[t]}
          </a>
        ))}
        <button type="button" class="quiet last" onClick={() => setRemoving(true)}>
          Delete…
        </button>
      </nav>
      {tab === "findings" && <Findings c={c} />}
      {tab === "observables" && <Observables c={c} all={observables} who={who} query={query} />}
      {tab === "links" && <CaseLinks tenant={tenant} id={id} who={who} query={query} />}
      {tab === "leaves" && <Leaves c={c} query={query} />}
      {removing && <Remove c={c} close={() => setRemoving(false)} />}
    </>
  );
}

function Facts({ c, who }: { c: Case; who: Who }) {
  const active = activity(c);
  const actor = useLoad((signal) => (mayCorrelate(who) ? actorOf(c, who, signal) : Promise.resolve(undefined)), [c, who.keyId]);
  const labels = Object.entries(c.labels ?? {});
  return (
    <div class="card">
      <p class="bar-row">
        <StateChip state={c.state} />
        <Label tlp={c.tlp ?? ""} restricted={c.restricted ?? false} />
        {c.kind && <span class="chip">{visible(c.kind)}</span>}
        {actor.data && (
          <span>
            actor <a href={href(["actors", actor.data.id ?? ""])}>{actor.data.name ? visible(actor.data.name) : actor.data.id}</a>{" "}
            <span class="muted">{actor.data.cases} cases</span>
          </span>
        )}
      </p>
      <dl class="facts">
        <Fact name="active" shown={!Number.isNaN(active.first)}>
          <Time at={iso(active.first)} day /> – <Time at={iso(active.last)} day /> <span class="muted">{days(active.first, active.last)}</span>
        </Fact>
        <Fact name="evidence" shown={!!(c.evidenceFrom || c.evidenceTo)}>
          {c.evidenceFrom && (
            <>
              from <Time at={c.evidenceFrom} day />
            </>
          )}{" "}
          {c.evidenceTo && (
            <>
              to <Time at={c.evidenceTo} day />
            </>
          )}
        </Fact>
        <Fact name="opened" shown={!!c.openedAt}>
          <Time at={c.openedAt} />
        </Fact>
        <Fact name="closed" shown={!!c.closedAt}>
          <Time at={c.closedAt} />
        </Fact>
        <Fact name="source" shown={!!c.source}>
          <bdi>{visible(c.source ?? "")}</bdi>
        </Fact>
        <Fact name="revision" shown>
          {c.revision} <span class="muted">of</span> <Time at={c.updateTime} />
          <span class="muted">, first stored</span> <Time at={c.createTime} />
        </Fact>
        {labels.map(([name, value]) => (
          <Fact name={visible(name)} shown>
            <bdi>{visible(value)}</bdi>
          </Fact>
        ))}
        <Fact name="references" shown={(c.references ?? []).length > 0} whole>
          <ul class="plain">
            {(c.references ?? []).map((r) => (
              <li>
                <Value value={r} most={300} />
              </li>
            ))}
          </ul>
        </Fact>
      </dl>
    </div>
  );
}

function Fact({ name, shown, whole, children }: { name: string; shown: boolean; whole?: boolean; children: preact.ComponentChildren }) {
  return shown ? (
    <div class={whole ? "whole" : ""}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  ) : null;
}

function iso(t: number): string | undefined {
  return Number.isNaN(t) ? undefined : new Date(t).toISOString();
}
