import { useRef, useState } from "preact/hooks";
import { useHotkeys } from "../../app/hotkeys.ts";
import { href, keep } from "../../app/route.ts";
import type { Schemas } from "../../app/service.ts";
import { Nothing } from "../../ui/state.tsx";
import { Time } from "../../ui/time.tsx";
import { Value, visible } from "../../ui/value.tsx";
import { Outcome } from "./chips.tsx";
import { byTime } from "./gather.ts";
import { byTactic, nameOf, tacticName, tacticsOf } from "./tactics.ts";

type Finding = Schemas["Finding"];

/** Findings and observables of one that are shown at first. */
const step = 100;
const few = 8;

/** What was found, by tactic in the order of the matrix, within each in order of time. */
export function Findings({ c }: { c: Schemas["Case"] }) {
  const [most, setMost] = useState(step);
  const box = useRef<HTMLDivElement>(null);
  const all = (c.findings ?? []).toSorted(byTime);
  const shown = byTactic(all, (f) => f.technique ?? "");
  const move = (by: number) => {
    const list = [...(box.current?.querySelectorAll<HTMLElement>(".finding") ?? [])];
    const at = list.findIndex((e) => e.contains(document.activeElement));
    list[Math.min(list.length - 1, Math.max(0, at + by))]?.focus();
  };
  useHotkeys(
    [
      { key: "j", help: "next finding", run: () => move(1) },
      { key: "k", help: "finding before", run: () => move(-1) },
    ],
    [],
  );
  if (all.length === 0) return <Nothing>The case has no findings.</Nothing>;
  let left = most;
  return (
    <div ref={box}>
      {shown.map(({ tactic, list }) => {
        const part = list.slice(0, Math.max(0, left));
        left -= list.length;
        return (
          part.length > 0 && (
            <section class="tactic" aria-label={tacticName(tactic)}>
              <h2>
                {tacticName(tactic)} <span class="muted">{list.length}</span>
              </h2>
              {part.map((f) => (
                <One f={f} />
              ))}
            </section>
          )
        );
      })}
      {all.length > most && (
        <button type="button" onClick={() => setMost(most + step)}>
          Show more ({all.length - most} left)
        </button>
      )}
    </div>
  );
}

function One({ f }: { f: Finding }) {
  const [whole, setWhole] = useState(false);
  const observables = f.observables ?? [];
  const others = tacticsOf(f.technique ?? "").slice(1);
  const name = nameOf(f.technique ?? "");
  return (
    <article class="finding" tabIndex={-1}>
      <p class="when">
        <Time at={f.firstSeen} />
        {f.lastSeen && f.lastSeen !== f.firstSeen && (
          <>
            {" – "}
            <Time at={f.lastSeen} />
          </>
        )}
      </p>
      <div class="what">
        <p class="bar-row">
          {f.technique && <span class="mono">{visible(f.technique)}</span>}
          {name && <strong>{name}</strong>}
          {f.operation && <bdi class="mono">{visible(f.operation)}</bdi>}
          <Outcome outcome={f.outcome} />
          {(f.count ?? 0) > 0 && (
            <span class="muted">
              {f.count} {f.count === 1 ? "record" : "records"}
            </span>
          )}
          {others.length > 0 && <span class="muted">also {others.map(tacticName).join(", ").toLowerCase()}</span>}
        </p>
        {f.summary && (
          <p>
            <bdi>{visible(f.summary)}</bdi>
          </p>
        )}
        <FactList facts={f.facts ?? []} />
        <ul class="values">
          {observables.slice(0, whole ? undefined : few).map((o) => (
            <li>
              <span class="muted">{visible(o.kind ?? "")}</span>{" "}
              <a href={href(["seen"], { q: o.value })} title="Seen elsewhere?">
                <Value value={o.value ?? ""} most={100} copy={false} />
              </a>{" "}
              {(o.roles ?? []).map((r) => (
                <span class="role">{visible(r)}</span>
              ))}
            </li>
          ))}
        </ul>
        {observables.length > few && (
          <p class="bar-row">
            <button type="button" class="quiet" onClick={() => setWhole(!whole)}>
              {whole ? "Show few" : `Show all ${observables.length}`}
            </button>
            <button type="button" class="quiet" onClick={() => keep({ tab: "observables", finding: f.id })}>
              Where else were they seen?
            </button>
          </p>
        )}
      </div>
    </article>
  );
}

/** Statements with their sources and dates. */
export function FactList({ facts }: { facts: readonly Schemas["Fact"][] }) {
  if (facts.length === 0) return null;
  return (
    <ul class="plain fact-list">
      {facts.map((f) => (
        <li>
          <span class="muted">{visible(f.name ?? "")}</span> <bdi>{visible(f.value ?? "")}</bdi>{" "}
          <span class="muted">
            {f.source && <bdi>{visible(f.source)}</bdi>} {f.observedAt && <Time at={f.observedAt} day />}
          </span>
        </li>
      ))}
    </ul>
  );
}
