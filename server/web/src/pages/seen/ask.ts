import { Problem, type Schemas } from "@elsewhere-project/client";

type Result = Schemas["SeenResult"];
type Observable = Schemas["Observable"];

/** One answer of the service to several questions. */
export interface Reply {
  results: Result[];
  attributions: Schemas["Attribution"][];
}

/** What is known of one value. */
export interface Answer {
  result: Result;
  /** The same value as the target of forwarding, where that was seen too. */
  also?: Result;
}

/** How values are asked for. */
export interface Asking {
  /** Asks the service once. */
  send: (observables: Observable[], signal: AbortSignal) => Promise<Reply>;
  /** Waits, or ends when the signal does. */
  sleep: (seconds: number, signal: AbortSignal) => Promise<void>;
  /** Gets the answers to values from..from+answers.length, in order. */
  answered: (from: number, answers: Answer[], credits: Schemas["Attribution"][]) => void;
  /** Told how many seconds the service wants to be left alone, and when that is over (0). */
  waiting: (seconds: number) => void;
  /** Whether the caller may ask for targets of forwarding. */
  targets: boolean;
  signal: AbortSignal;
}

/** Values of one call: few at first, so that something shows at once. The service takes 2,000 at most. */
const sizes = [40, 160, 400];
/** Calls at a time. */
const together = 2;
/** How long to wait where the service does not say. */
const pause = 2;

/** Asks for values, several calls at a time, and hands on the answers in the order of the values. */
export async function askAll(values: readonly Observable[], a: Asking): Promise<void> {
  const batches: { from: number; values: Observable[] }[] = [];
  for (let from = 0; from < values.length; ) {
    const size = sizes[Math.min(batches.length, sizes.length - 1)] ?? 1;
    batches.push({ from, values: values.slice(from, from + size) });
    from += size;
  }
  const done = new Map<number, { answers: Answer[]; credits: Schemas["Attribution"][] }>();
  const gate = new Gate(a);
  let next = 0;
  let told = 0;
  const work = async () => {
    while (next < batches.length) {
      const at = next++;
      const batch = batches[at];
      if (!batch) return;
      const reply = await sendSplit(batch.values, a, gate);
      done.set(at, { answers: await withTargets(batch.values, reply.results, a, gate), credits: reply.attributions });
      for (let d = done.get(told); d; d = done.get(told)) {
        a.answered(batches[told]?.from ?? 0, d.answers, d.credits);
        done.delete(told++);
      }
    }
  };
  const stop = () => (next = batches.length);
  await Promise.all(Array.from({ length: together }, () => work().catch((e: unknown) => (stop(), Promise.reject(e as Error)))));
}

/** Keeps all calls back while the service wants to be left alone. */
class Gate {
  private readonly asking: Asking;
  private closed: Promise<void> | undefined;

  constructor(asking: Asking) {
    this.asking = asking;
  }

  async send(values: Observable[]): Promise<Reply> {
    for (;;) {
      await this.closed;
      try {
        return await this.asking.send(values, this.asking.signal);
      } catch (e) {
        if (!(e instanceof Problem) || e.status !== 429) throw e;
        this.closed ??= this.wait(e.retryAfterSeconds || pause);
      }
    }
  }

  private async wait(seconds: number): Promise<void> {
    this.asking.waiting(seconds);
    try {
      await this.asking.sleep(seconds, this.asking.signal);
    } finally {
      this.closed = undefined;
      this.asking.waiting(0);
    }
  }
}

/** Sends values; what does not fit into one answer is asked for in halves. */
async function sendSplit(values: Observable[], a: Asking, gate: Gate): Promise<Reply> {
  try {
    return await gate.send(values);
  } catch (e) {
    const large = e instanceof Problem && values.length > 1 && e.errors.some((v) => v.reason === "ANSWER_TOO_LARGE");
    if (!large) throw e;
    const half = Math.ceil(values.length / 2);
    const [x, y] = [await sendSplit(values.slice(0, half), a, gate), await sendSplit(values.slice(half), a, gate)];
    return { results: [...x.results, ...y.results], attributions: [...x.attributions, ...y.attributions] };
  }
}

/**
 * Adds where an address or a domain that was seen was seen as the target of forwarding
 * too, as the command line does: to who did not say a kind it is one value.
 */
async function withTargets(asked: readonly Observable[], results: readonly Result[], a: Asking, gate: Gate): Promise<Answer[]> {
  const answers: Answer[] = results.map((result) => ({ result }));
  if (!a.targets) return answers;
  const also = answers.filter((x, i) => !asked[i]?.kind && x.result.status === "SEEN_STATUS_SEEN" && /^(email|domain)$/.test(x.result.observable?.kind ?? ""));
  if (also.length === 0) return answers;
  const more = await sendSplit(also.map((x) => ({ kind: "forward_to", value: x.result.observable?.value ?? "" })), a, gate);
  for (const [i, x] of also.entries()) {
    const r = more.results[i];
    if (r?.status === "SEEN_STATUS_SEEN") x.also = r;
  }
  return answers;
}
