import { useLayoutEffect, useState } from "preact/hooks";
import { problemFrom } from "../../app/load.ts";
import { answered, type Problem, type Schemas, service } from "../../app/service.ts";
import { linksMost, type Shared, sharedValues, type ValueClass } from "./build.ts";
import { factsOf, valueId } from "./facts.ts";
import { gather, type Gathered } from "./gather.ts";

/** Values that are asked about in one question, and in all. */
const askTogether = 500;
const askMost = 10_000;

/** What is shown while cases come, in milliseconds between two pictures of it. */
const pace = 300;

/** What there is to know of an actor, as far as it was read. */
export interface Study {
  gathered: Gathered;
  shared: readonly Shared[];
  links: readonly Schemas["Link"][];
  /** There are more links than are held. */
  moreLinks: boolean;
  classes: ReadonlyMap<string, ValueClass>;
  /** All that was to be read is there. */
  whole: boolean;
  problem: Problem | undefined;
}

const nothing: Study = {
  gathered: { cases: [], done: 0, of: 0, missing: 0, cut: 0 },
  shared: [],
  links: [],
  moreLinks: false,
  classes: new Map(),
  whole: false,
  problem: undefined,
};

/** Reads what the picture of an actor needs; `actor` is what was answered of it. */
export function useStudy(actor: Schemas["Actor"] | undefined): Study {
  const [study, set] = useState(nothing);
  const id = actor?.id ?? "";
  const refs = actor?.members ?? [];
  useLayoutEffect(() => {
    set({ ...nothing, gathered: { ...nothing.gathered, of: refs.length } });
    if (id === "") return;
    const ended = new AbortController();
    const put = (part: Partial<Study>) => !ended.signal.aborted && set((s) => ({ ...s, ...part }));
    read(id, refs, ended.signal, put).catch((e: unknown) => put({ problem: problemFrom(e) }));
    return () => ended.abort();
  }, [id, refs.join("\n")]);
  return study;
}

async function read(id: string, refs: readonly string[], signal: AbortSignal, put: (part: Partial<Study>) => void): Promise<void> {
  let told = 0;
  const links = readLinks(id, signal);
  // What goes wrong there is reported where it is awaited.
  links.catch(() => undefined);
  const gathered = await gather(refs, { read: readCase, wait: (ms) => new Promise((r) => setTimeout(r, ms)) }, signal, (g) => {
    if (Date.now() - told < pace) return;
    told = Date.now();
    put({ gathered: g });
  });
  const shared = sharedValues(gathered.cases);
  const classes = await readClasses(shared, signal);
  put({ gathered, shared, classes, ...(await links), whole: true });
}

async function readCase(ref: string, signal: AbortSignal) {
  const at = ref.indexOf("/");
  const path = { tenant: ref.slice(0, at), case: ref.slice(at + 1) };
  const { case: c } = await answered(service.api.GET("/v1/cases/{tenant}/{case}", { params: { path }, signal }));
  return factsOf(c ?? {});
}

async function readLinks(actor: string, signal: AbortSignal): Promise<{ links: Schemas["Link"][]; moreLinks: boolean }> {
  const links: Schemas["Link"][] = [];
  let pageToken = "";
  do {
    const query = { pageSize: 1_000, ...(pageToken ? { pageToken } : {}) };
    const page = await answered(service.api.GET("/v1/actors/{actor}/links", { params: { path: { actor }, query }, signal }));
    links.push(...(page.links ?? []));
    pageToken = page.nextPageToken ?? "";
  } while (pageToken !== "" && links.length < linksMost);
  return { links, moreLinks: pageToken !== "" };
}

async function readClasses(shared: readonly Shared[], signal: AbortSignal): Promise<Map<string, ValueClass>> {
  const classes = new Map<string, ValueClass>();
  for (let from = 0; from < Math.min(askMost, shared.length); from += askTogether) {
    const asked = shared.slice(from, Math.min(askMost, from + askTogether));
    const body = { observables: asked.map((s) => ({ kind: s.kind, value: s.value })) };
    const { results } = await answered(service.api.POST("/v1/seen", { body, signal }));
    results?.forEach((r, i) => {
      const s = asked[i];
      if (!s) return;
      classes.set(valueId(s.kind, s.value), {
        class: r.class ?? "",
        generic: r.generic ?? false,
        genericReason: r.genericReason ?? "",
        tenants: r.tenants,
        cases: r.cases,
      });
    });
  }
  return classes;
}
