import { useLayoutEffect, useState } from "preact/hooks";
import { problemFrom } from "../../app/load.ts";
import { answered, type Problem, type Schemas, service } from "../../app/service.ts";
import { type Gathered, keyOf } from "./gather.ts";

/** Values in one question; with records the service takes 2,000. */
const batch = 500;

/** Where else the values of a case were seen, and what they are. */
export interface Elsewhere {
  /** By `keyOf`. */
  results: ReadonlyMap<string, Schemas["SeenResult"]>;
  /** What publishers want to be shown with the records, each once. */
  attributions: Schemas["Attribution"][];
  /** Values that are answered, of all. */
  done: number;
  problem: Problem | undefined;
}

/** Asks in batches, one after the other, and answers as they come. Nothing is asked of third parties. */
export function useElsewhere(all: readonly Gathered[], ask: boolean): Elsewhere {
  const [state, set] = useState<Elsewhere>({ results: new Map(), attributions: [], done: 0, problem: undefined });
  useLayoutEffect(() => {
    const ended = new AbortController();
    set({ results: new Map(), attributions: [], done: 0, problem: undefined });
    if (ask) read(all, ended.signal, set).catch((e: unknown) => !ended.signal.aborted && set((s) => ({ ...s, problem: problemFrom(e) })));
    return () => ended.abort();
  }, [all, ask]);
  return state;
}

async function read(all: readonly Gathered[], signal: AbortSignal, set: (s: Elsewhere) => void): Promise<void> {
  const results = new Map<string, Schemas["SeenResult"]>();
  const attributions = new Map<string, Schemas["Attribution"]>();
  // Of a private kind the value itself is never returned.
  const values = all.filter((g) => g.value !== "");
  for (let at = 0; at < values.length && !signal.aborted; at += batch) {
    const part = values.slice(at, at + batch);
    const observables = part.map(({ kind, value }) => ({ kind, value }));
    const answer = await answered(service.api.POST("/v1/seen", { body: { observables, includeRecords: true }, signal }));
    part.forEach((g, i) => {
      const r = answer.results?.[i];
      if (r) results.set(keyOf(g.kind, g.value), r);
    });
    for (const a of answer.attributions ?? []) attributions.set(`${a.source} ${a.text}`, a);
    if (!signal.aborted) set({ results: new Map(results), attributions: [...attributions.values()], done: at + part.length, problem: undefined });
  }
}

/** What a record says in a few words: the operator of the network, the place. */
export function brief(r: Schemas["Record"] | undefined): string {
  const first = (...names: string[]) => names.map((n) => r?.fields?.find((f) => f.name === n && f.status === "LOOKUP_STATUS_OK" && !f.caseRef && f.value)?.value).find((v) => v);
  const asn = first("asn");
  return [first("as_org", "provider", "org"), asn && /^\d+$/.test(asn) ? `AS${asn}` : asn, first("region", "city"), first("country", "country_code")].filter((v, i, l) => v && l.indexOf(v) === i).join(" · ");
}
