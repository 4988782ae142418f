import { Problem, type Schemas } from "@elsewhere-project/client";

type Message = Schemas["WatchLinksResponse"];
type Event = Schemas["LinkEvent"];

/** How the connection is. */
export type State =
  | { is: "connecting" | "live" | "ended" }
  /** It broke, or was ended for a reason, and is made again. */
  | { is: "waiting"; seconds: number; why: string }
  /** It is not made again by itself. */
  | { is: "refused"; problem: Problem };

/** How changes are followed. */
export interface Following {
  /** Opens the stream at a cursor, or at the start where that is undefined. */
  open: (cursor: string | undefined, signal: AbortSignal) => AsyncIterable<Message>;
  /** Waits, or ends when the signal does. */
  sleep: (seconds: number, signal: AbortSignal) => Promise<void>;
  events: (events: Event[]) => void;
  state: (s: State) => void;
  /** Changes may be missing: the cursor was too old, or is not one of this key. */
  gap: (why: string) => void;
  signal: AbortSignal;
}

/** Seconds until the next try, by the number of tries that failed before. */
const backoff = [1, 2, 5, 10, 30, 60];
/** The service says something every 15 s; a connection that says nothing for longer is none. */
export const silence = 45;

/**
 * Follows the changes of links until the signal ends it. A stream that breaks is opened
 * again where it was; one that the service ended is opened as the service advises.
 */
export async function follow(f: Following): Promise<void> {
  let cursor: string | undefined;
  let failed = 0;
  while (!f.signal.aborted) {
    f.state({ is: "connecting" });
    let why = "the connection ended";
    try {
      for await (const m of watched(f, cursor)) {
        if (f.signal.aborted) return;
        if (failed > 0 || m.checkpoint) f.state({ is: "live" });
        failed = 0;
        cursor = m.event?.cursor || m.checkpoint?.cursor || cursor;
        if (m.event) f.events([m.event]);
      }
    } catch (e) {
      if (f.signal.aborted) return;
      const p = e instanceof Problem ? e : new Problem(0, { detail: e instanceof Error ? e.message : String(e) });
      why = p.message;
      switch (advice(p, cursor)) {
        case "stop":
          f.state({ is: "refused", problem: p });
          return;
        case "resume":
          // The service let go of a slow reader: what was missed comes now.
          if (failed++ === 0) continue;
          break;
        case "anew":
          f.gap(why);
          cursor = undefined;
          failed++;
          break;
        case "later":
          failed++;
          break;
      }
      const seconds = Math.max(p.retryAfterSeconds, backoff[Math.min(failed - 1, backoff.length - 1)] ?? 1);
      if (!(await rest(f, seconds, why))) return;
      continue;
    }
    if (f.signal.aborted) return;
    failed++;
    if (!(await rest(f, backoff[Math.min(failed - 1, backoff.length - 1)] ?? 1, why))) return;
  }
}

async function rest(f: Following, seconds: number, why: string): Promise<boolean> {
  f.state({ is: "waiting", seconds, why });
  try {
    await f.sleep(seconds, f.signal);
  } catch {
    return false;
  }
  return !f.signal.aborted;
}

/** What to do when the service ends or refuses a stream. */
export function advice(p: Problem, cursor: string | undefined): "stop" | "resume" | "anew" | "later" {
  if (p.reason === "TOO_FAR_BEHIND") return "resume";
  if (cursor !== undefined && (p.reason === "CURSOR_TOO_OLD" || p.status === 410 || p.errors.some((v) => v.path === "cursor"))) return "anew";
  if (p.status === 0 || p.status === 429 || p.status >= 500) return "later";
  return "stop";
}

/** The messages of a stream, ended when nothing comes for too long. */
async function* watched(f: Following, cursor: string | undefined): AsyncGenerator<Message, void, undefined> {
  const mine = new AbortController();
  const end = () => mine.abort();
  f.signal.addEventListener("abort", end, { once: true });
  const source = f.open(cursor, mine.signal)[Symbol.asyncIterator]();
  try {
    for (;;) {
      const quiet = new AbortController();
      const silent = f.sleep(silence, quiet.signal).then(
        () => Promise.reject(new Problem(0, { detail: "nothing was heard for too long" })),
        () => new Promise<never>(() => undefined),
      );
      try {
        const next = await Promise.race([source.next(), silent]);
        if (next.done) return;
        yield next.value;
      } finally {
        quiet.abort();
      }
    }
  } finally {
    f.signal.removeEventListener("abort", end);
    mine.abort();
  }
}
