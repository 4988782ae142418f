import { useLayoutEffect, useMemo, useState } from "preact/hooks";
import { lazy } from "../../app/lazy.tsx";
import { problemFrom } from "../../app/load.ts";
import { keep, type Route } from "../../app/route.ts";
import type { Problem, Schemas } from "../../app/service.ts";
import { ProblemBox, Waiting } from "../../ui/state.tsx";
import { arrange } from "./arrange.ts";
import { Beside } from "./beside.tsx";
import { buildPicture, linksMost, nodesMost, type Picture } from "./build.ts";
import { compose } from "./compose.ts";
import type { GraphProps } from "./graph.tsx";
import { type ColourBy, grouping } from "./groups.ts";
import { Legend } from "./legend.tsx";
import { openedMost, useOpened } from "./opened.ts";
import type { Study } from "./study.ts";
import { CaseTable, ValueTable } from "./tables.tsx";

/** The drawing library is fetched with the first picture, not with the page. */
const Graph = lazy<GraphProps>(() => import("./graph.tsx"));

const views = [
  ["picture", "Picture"],
  ["values", "Values"],
  ["cases", "Cases"],
] as const;

/** Who shares what, as a picture and as tables. */
export function PictureCard({ route, study, actor }: { route: Route; study: Study; actor: Schemas["Actor"] }) {
  const view = route.query.get("view") ?? "picture";
  const by: ColourBy = route.query.get("by") === "class" ? "class" : "tenant";
  const generic = route.query.get("generic") === "1";
  const links = route.query.get("links") !== "0";
  const selected = route.query.get("at") ?? "";
  const open = (route.query.get("open") ?? "").split("\n").filter((id) => id !== "");
  const picture = useMemo(
    () => buildPicture(study.gathered.cases, study.shared, study.links, study.classes, { generic, links }),
    [study.whole, study.shared, study.classes, study.links, generic, links],
  );
  const { opened, problem } = useOpened(study, picture, open);
  const places = usePlaces(picture, study.whole);
  const composed = useMemo(() => (places.at ? compose(places.of, places.at, opened) : undefined), [places, opened]);
  const groups = useMemo(() => composed && grouping(composed.nodes, by), [composed, by]);
  const toggle = (id: string) => {
    const next = open.includes(id) ? open.filter((o) => o !== id) : [...open, id].slice(-openedMost);
    keep({ open: next.join("\n"), at: id });
  };
  const node = composed?.nodes.find((n) => n.id === selected);
  const g = study.gathered;
  return (
    <section class="card who-shares" aria-labelledby="who-shares">
      <div class="bar-row">
        <h2 id="who-shares">Who shares what</h2>
        <div class="choice" role="group" aria-label="Show as">
          {views.map(([key, name]) => (
            <button type="button" aria-pressed={view === key} onClick={() => keep({ view: key === "picture" ? undefined : key })}>
              {name}
            </button>
          ))}
        </div>
        {view === "picture" && (
          <>
            <label>
              Colour{" "}
              <select value={by} onChange={(e) => keep({ by: e.currentTarget.value === "class" ? "class" : undefined })}>
                <option value="tenant">tenants</option>
                <option value="class">classes of values</option>
              </select>
            </label>
            <label>
              <input type="checkbox" checked={links} onChange={() => keep({ links: links ? "0" : undefined })} /> links
            </label>
          </>
        )}
        {view !== "cases" && (
          <label title="Values that are too common to say anything.">
            <input type="checkbox" checked={generic} onChange={() => keep({ generic: generic ? undefined : "1" })} /> generic values
            {picture.hidden > 0 && ` (${picture.hidden} hidden)`}
          </label>
        )}
      </div>
      {study.problem && <ProblemBox problem={study.problem} />}
      {problem && <ProblemBox problem={problem} />}
      {places.problem && <ProblemBox problem={places.problem} />}
      {!study.whole && !study.problem && <Reading done={g.done} of={g.of} />}
      <Limits study={study} picture={picture} actor={actor} left={opened.reduce((n, o) => n + o.left, 0)} />
      {view === "values" && <ValueTable study={study} generic={generic} />}
      {view === "cases" && <CaseTable study={study} />}
      {view === "picture" && composed && groups && (
        <div class="drawn">
          <div>
            <Graph {...composed} grouping={groups} selected={selected} select={(id) => keep({ at: id })} open={toggle} label={spoken(picture)} />
            <Legend groups={groups.groups} links={links && study.links.length > 0} />
          </div>
          <Beside node={node} composed={composed} study={study} isOpen={open.includes(selected)} toggle={toggle} />
        </div>
      )}
      {view === "picture" && study.whole && !composed && !places.problem && <Waiting what="Laying out" />}
    </section>
  );
}

/** Places of a picture's nodes once they are known; they stay while the next are worked out. */
function usePlaces(picture: Picture, ready: boolean): { of: Picture; at: Float64Array | undefined; problem: Problem | undefined } {
  const [state, set] = useState<{ of: Picture; at: Float64Array | undefined; problem: Problem | undefined }>({ of: picture, at: undefined, problem: undefined });
  useLayoutEffect(() => {
    if (!ready) return;
    const ended = new AbortController();
    arrange(picture, ended.signal).then(
      (at) => !ended.signal.aborted && set({ of: picture, at, problem: undefined }),
      (e: unknown) => !ended.signal.aborted && set({ of: picture, at: undefined, problem: problemFrom(e) }),
    );
    return () => ended.abort();
  }, [picture, ready]);
  return state;
}

function Reading({ done, of }: { done: number; of: number }) {
  return (
    <p role="status" class="muted">
      Reading cases: {done.toLocaleString("en")} of {of.toLocaleString("en")} <progress value={done} max={Math.max(1, of)} aria-label="Cases read" />
    </p>
  );
}

/** Says what is not shown, and why. */
function Limits({ study, picture, actor, left }: { study: Study; picture: Picture; actor: Schemas["Actor"]; left: number }) {
  const g = study.gathered;
  const said = [
    (actor.cases ?? 0) > g.of && `The first ${g.of.toLocaleString("en")} of ${(actor.cases ?? 0).toLocaleString("en")} cases are read.`,
    g.missing > 0 && `${g.missing} cases are not there any more.`,
    g.cut > 0 && `Of ${g.cut} cases the values are left out: there are too many.`,
    picture.left > 0 && `${picture.left.toLocaleString("en")} further shared values have no room among ${nodesMost.toLocaleString("en")} nodes.`,
    study.moreLinks && `Only ${linksMost.toLocaleString("en")} links are drawn.`,
    left > 0 && "Not all that hangs on what you opened is shown.",
  ].filter((s) => typeof s === "string");
  return said.length > 0 ? <p class="muted">{said.join(" ")}</p> : null;
}

function spoken(p: Picture): string {
  const cases = p.nodes.filter((n) => n.sort === "case").length;
  return `${cases} cases and ${p.nodes.length - cases} values that they share. Arrow keys go from one to the next, Enter opens it, plus and minus zoom, 0 shows all, Escape ends the selection. Values and Cases show the same as tables.`;
}
