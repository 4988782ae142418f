import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { answered, type Problem, type Schemas, service } from "../../app/service.ts";
import { problemFrom } from "../../app/load.ts";
import { type Answer, askAll } from "./ask.ts";
import { mayAsk } from "./find/kinds.ts";
import { type Item, itemId } from "./state.ts";

/** How far the questions are. */
export interface Progress {
  done: number;
  of: number;
  running: boolean;
  /** How long it took, in milliseconds; 0 before the end. */
  took: number;
  /** Of how many the records came, where they come behind the answers; of says how many are awaited. */
  records: { done: number; of: number };
  /** Seconds that the service wants to be left alone; 0: it does not. */
  wait: number;
}

/** The answers to values, as they come. */
export interface Answers {
  by: ReadonlyMap<string, Answer>;
  /** Changes with every answer. */
  round: number;
  progress: Progress;
  problem: Problem | undefined;
  credits: readonly Schemas["Attribution"][];
  stop: () => void;
  /** Asks for what is not answered yet. */
  again: () => void;
}

const idle: Progress = { done: 0, of: 0, running: false, took: 0, records: { done: 0, of: 0 }, wait: 0 };

/** How often the page is drawn while answers come, in milliseconds: to draw takes longer than to ask. */
const often = 250;

/** Of more values what they are comes behind where they were seen: it is far more to send. */
const withRecords = 500;

/** Asks for those values that are not answered yet, once it is known who asks; for all of another text. */
export function useAnswers(items: readonly Item[], text: number, who: { role: string | undefined; keyId: string } | undefined): Answers {
  const by = useRef(new Map<string, Answer>());
  const credits = useRef(new Map<string, Schemas["Attribution"]>());
  const ended = useRef<AbortController | undefined>(undefined);
  const [round, bump] = useState(0);
  const [tries, again] = useState(0);
  const [progress, setProgress] = useState<Progress>(idle);
  const [problem, setProblem] = useState<Problem>();
  const keyId = who?.keyId;
  useLayoutEffect(() => {
    by.current = new Map();
    credits.current = new Map();
  }, [keyId, text]);
  useLayoutEffect(() => {
    if (!who) return;
    const todo = items.filter((i) => !by.current.has(itemId(i)) && mayAsk(who.role, i.kind || i.guess));
    setProblem(undefined);
    if (todo.length === 0) {
      setProgress((p) => ({ ...p, running: false, wait: 0 }));
      return;
    }
    const end = new AbortController();
    ended.current = end;
    const began = performance.now();
    setProgress({ ...idle, of: todo.length, running: true });
    const questions = todo.map((i) => ({ kind: i.kind, value: i.value }));
    const asking = {
      signal: end.signal,
      sleep,
      waiting: (wait: number) => setProgress((p) => ({ ...p, wait })),
    };
    const take = (from: number, answers: Answer[], more: readonly Schemas["Attribution"][], set: (id: string, a: Answer) => void) => {
      for (const [n, a] of answers.entries()) {
        const item = todo[from + n];
        if (item) set(itemId(item), a);
      }
      for (const c of more) credits.current.set(c.source ?? "", c);
    };
    let shown = 0;
    const show = (change: (p: Progress) => Progress) => {
      if (performance.now() - shown < often) return;
      shown = performance.now();
      bump((n) => n + 1);
      setProgress(change);
    };
    const ask = async () => {
      const few = questions.length <= withRecords;
      await askAll(questions, {
        ...asking,
        send: (o, signal) => send(o, few, signal),
        targets: mayAsk(who.role, "forward_to"),
        answered: (from, answers, more) => {
          if (end.signal.aborted) return;
          take(from, answers, more, (id, a) => by.current.set(id, a));
          show((p) => ({ ...p, done: from + answers.length }));
        },
      });
      if (end.signal.aborted) return;
      const took = performance.now() - began;
      bump((n) => n + 1);
      setProgress((p) => ({ ...p, running: !few, took, records: { done: 0, of: few ? 0 : todo.length } }));
      if (few) return;
      await askAll(questions, {
        ...asking,
        send: (o, signal) => send(o, true, signal),
        targets: false,
        answered: (from, answers, more) => {
          if (end.signal.aborted) return;
          // A case may have come since: what was answered before stays as it is.
          take(from, answers, more, (id, a) => {
            const before = by.current.get(id);
            if (before && a.result.records) by.current.set(id, { ...before, result: { ...before.result, records: a.result.records } });
          });
          show((p) => ({ ...p, records: { ...p.records, done: from + answers.length } }));
        },
      });
    };
    ask().then(
      () => {
        if (end.signal.aborted) return;
        bump((n) => n + 1);
        setProgress((p) => ({ ...p, running: false, records: { done: 0, of: 0 } }));
      },
      (e: unknown) => {
        if (end.signal.aborted) return;
        bump((n) => n + 1);
        setProgress((p) => ({ ...p, running: false, wait: 0 }));
        setProblem(problemFrom(e));
        end.abort();
      },
    );
    return () => end.abort();
  }, [items, text, who?.role, keyId, tries]);
  return {
    by: by.current,
    round,
    progress,
    problem,
    credits: [...credits.current.values()],
    stop: () => {
      ended.current?.abort();
      bump((n) => n + 1);
      setProgress((p) => ({ ...p, running: false, wait: 0 }));
    },
    again: () => again((n) => n + 1),
  };
}

async function send(observables: Schemas["Observable"][], includeRecords: boolean, signal: AbortSignal) {
  const r = await answered(service.api.POST("/v1/seen", { body: { observables, includeRecords }, signal }));
  return { results: r.results ?? [], attributions: r.attributions ?? [] };
}

function sleep(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = setTimeout(resolve, seconds * 1000);
    signal.addEventListener("abort", () => (clearTimeout(end), reject(new DOMException("stopped", "AbortError"))), { once: true });
  });
}
