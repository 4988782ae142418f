import { useLayoutEffect, useState } from "preact/hooks";
import { problemFrom } from "../../app/load.ts";
import { answered, type Problem, service } from "../../app/service.ts";
import { type Opened, openCase, openMost, openValue, type Picture, type PictureNode } from "./build.ts";
import { factsOf } from "./facts.ts";
import type { Study } from "./study.ts";

/** How many nodes can be open at once: their names stand in the address. */
export const openedMost = 20;

/** What was opened, in that order, as far as it is there. */
export function useOpened(study: Study, picture: Picture, ids: readonly string[]): { opened: readonly Opened[]; problem: Problem | undefined } {
  const [state, set] = useState<{ opened: readonly Opened[]; problem?: Problem }>({ opened: [] });
  useLayoutEffect(() => {
    const ended = new AbortController();
    const all = async () => {
      const opened: Opened[] = [];
      const drawn = new Set(picture.nodes.map((n) => n.id));
      const nodes = new Map(picture.nodes.map((n) => [n.id, n]));
      for (const id of ids.slice(0, openedMost)) {
        const n = nodes.get(id);
        if (!n) continue;
        const o = await open(n, study, drawn, ended.signal);
        opened.push(o);
        for (const fresh of o.nodes) {
          drawn.add(fresh.id);
          nodes.set(fresh.id, fresh);
        }
        if (ended.signal.aborted) return;
        set({ opened: [...opened] });
      }
      set({ opened });
    };
    if (study.whole) all().catch((e: unknown) => !ended.signal.aborted && set((s) => ({ ...s, problem: problemFrom(e) })));
    return () => ended.abort();
  }, [study.whole, picture, ids.join("\n")]);
  return { opened: state.opened, problem: state.problem };
}

async function open(n: PictureNode, study: Study, drawn: ReadonlySet<string>, signal: AbortSignal): Promise<Opened> {
  if (n.sort === "case") {
    const held = study.gathered.cases.find((c) => c.ref === n.label);
    if (held) return openCase(held, drawn, study.classes);
    const [tenant = "", id = ""] = n.label.split("/");
    const { case: c } = await answered(service.api.GET("/v1/cases/{tenant}/{case}", { params: { path: { tenant, case: id } }, signal }));
    return openCase(factsOf(c ?? {}), drawn, study.classes);
  }
  const query = { "observable.kind": n.kind, "observable.value": n.label, pageSize: openMost };
  const page = await answered(service.api.GET("/v1/sightings", { params: { query }, signal }));
  return openValue(n.id, page.sightings ?? [], drawn, (page.nextPageToken ?? "") !== "");
}
