import { problemFrom } from "../../app/load.ts";
import { answered, Problem, type Schemas, service } from "../../app/service.ts";
import { type Document, type Fault, place } from "./documents.ts";

/** What is known of a document before it is submitted, and what became of it. */
export interface Checked {
  document: Document;
  file: string;
  /** new: there is no such case; replaces: there is; wrong: faults say why not. */
  state: "checking" | "new" | "replaces" | "wrong" | "submitting" | "stored" | "failed";
  /** The stored revision that it would replace. */
  revision: number;
  faults: Fault[];
  /** How many there are in all. */
  faultsTotal: number;
  /** Left out, where that was allowed. */
  rejected: Fault[];
  problem?: Problem;
  result?: Schemas["SubmitCaseResponse"];
}

/** A document that was not checked yet. */
export function unchecked(document: Document, file: string): Checked {
  const wrong = document.faults.length > 0;
  return { document, file, state: wrong ? "wrong" : "checking", revision: 0, faults: document.faults, faultsTotal: document.faults.length, rejected: [] };
}

/** Asks whether a case would be taken, and whether it would replace one; nothing is stored. */
export async function check(c: Checked, partial: boolean, signal: AbortSignal): Promise<Checked> {
  // Only if there is no such case: else the answer says at which revision it is.
  const { revision, ...asked } = await send(c, { validateOnly: true, allowPartial: partial, expectedRevision: 0 }, signal);
  if (revision === undefined) return { ...c, ...asked, state: asked.faults.length > 0 ? "wrong" : asked.problem ? "failed" : "new", revision: 0 };
  const again = await send(c, { validateOnly: true, allowPartial: partial, expectedRevision: revision }, signal);
  return { ...c, faults: again.faults, faultsTotal: again.faultsTotal, rejected: again.rejected, state: again.faults.length > 0 ? "wrong" : "replaces", revision };
}

/** Submits a case in place of exactly the revision that it was checked against. */
export async function submit(c: Checked, partial: boolean, signal: AbortSignal): Promise<Checked> {
  const { revision, ...asked } = await send(c, { allowPartial: partial, expectedRevision: c.revision, maxLinks: 20 }, signal);
  return { ...c, ...asked, state: asked.result ? "stored" : "failed", ...(revision === undefined ? {} : { revision }) };
}

interface Sent {
  faults: Fault[];
  faultsTotal: number;
  rejected: Fault[];
  revision?: number;
  problem?: Problem;
  result?: Schemas["SubmitCaseResponse"];
}

async function send(c: Checked, how: Omit<Schemas["SubmitCaseRequest"], "case">, signal: AbortSignal): Promise<Sent> {
  const placed = (list: readonly Schemas["Violation"][]): Fault[] =>
    list.map((v) => {
      const path = (v.path ?? "").replace(/^case\./, "");
      return { ...place(c.document, path), path, message: v.message ?? "" };
    });
  try {
    const result = await answered(
      // The text goes as it was written: read and written anew it would lose what stands in it twice.
      service.api.POST("/v1/cases", { body: how, bodySerializer: () => `${JSON.stringify(how).slice(0, -1)},"case":${c.document.raw}}`, signal }),
    );
    return { faults: [], faultsTotal: 0, rejected: placed(result.rejected ?? []), result };
  } catch (e) {
    if (signal.aborted) throw e;
    const problem = problemFrom(e);
    if (problem.currentRevision !== undefined) return { faults: [], faultsTotal: 0, rejected: [], revision: problem.currentRevision, problem };
    return { faults: placed(problem.errors), faultsTotal: problem.errorsTotal, rejected: [], problem };
  }
}

/** Does something with each of a list, a few at a time. */
export async function each<T>(list: readonly T[], together: number, run: (one: T) => Promise<void>): Promise<void> {
  const left = list.values();
  await Promise.all(
    Array.from({ length: together }, async () => {
      for (const one of left) await run(one);
    }),
  );
}
