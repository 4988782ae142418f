import { Problem } from "../../app/service.ts";
import type { CaseFacts } from "./facts.ts";

/** How many cases are read at once. */
const together = 4;

/** Values that are held at most; cases after that are drawn without theirs. */
const valuesMost = 200_000;

/** How often a case is asked for again where the service says that it is too much. */
const tries = 6;

/** How far the reading of an actor's cases is. */
export interface Gathered {
  /** In the order that was asked for, as far as they are there. */
  cases: readonly CaseFacts[];
  done: number;
  of: number;
  /** Cases that are not there any more, or not to be read. */
  missing: number;
  /** Cases whose values were not kept, because there were too many. */
  cut: number;
}

/** What reading needs of the world. */
export interface Reader {
  read: (ref: string, signal: AbortSignal) => Promise<CaseFacts>;
  /** Waits for so many milliseconds. */
  wait: (ms: number) => Promise<void>;
}

/**
 * Reads cases, a few at a time, and tells after each how far it is. A case that is gone
 * is counted and left out; what else goes wrong ends the reading.
 */
export async function gather(refs: readonly string[], reader: Reader, signal: AbortSignal, tell: (g: Gathered) => void): Promise<Gathered> {
  const read: (CaseFacts | undefined)[] = refs.map(() => undefined);
  let next = 0;
  let done = 0;
  let missing = 0;
  let values = 0;
  let cut = 0;
  const now = (): Gathered => ({ cases: read.filter((c) => c !== undefined), done, of: refs.length, missing, cut });
  const work = async () => {
    while (next < refs.length && !signal.aborted) {
      const at = next++;
      const c = await readPatiently(refs[at] ?? "", reader, signal);
      if (signal.aborted) return;
      if (c === undefined) missing++;
      else if (values + c.values.length > valuesMost) {
        cut++;
        read[at] = { ...c, values: [] };
      } else {
        values += c.values.length;
        read[at] = c;
      }
      done++;
      tell(now());
    }
  };
  await Promise.all(Array.from({ length: Math.min(together, refs.length) }, work));
  return now();
}

async function readPatiently(ref: string, reader: Reader, signal: AbortSignal): Promise<CaseFacts | undefined> {
  for (let n = 1; ; n++) {
    try {
      return await reader.read(ref, signal);
    } catch (e) {
      if (signal.aborted) return undefined;
      if (!(e instanceof Problem)) throw e;
      if (e.status === 404) return undefined;
      if (e.status !== 429 || n === tries) throw e;
      await reader.wait(Math.min(60, Math.max(1, e.retryAfterSeconds)) * 1000);
    }
  }
}
