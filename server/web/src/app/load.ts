import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { Problem } from "./service.ts";

/** What a question to the service came to. */
export interface Loaded<T> {
  data: T | undefined;
  problem: Problem | undefined;
  /** An answer is awaited; data is of the question before, if there was one. */
  loading: boolean;
  /** Asks once more. */
  again: () => void;
}

/**
 * Asks the service when something of `of` has changed. The signal ends a question that
 * nobody waits for any more.
 */
export function useLoad<T>(ask: (signal: AbortSignal) => Promise<T>, of: readonly unknown[]): Loaded<T> {
  const [state, set] = useState<{ data?: T; problem?: Problem; loading: boolean }>({ loading: true });
  const [round, next] = useState(0);
  const held = useRef(ask);
  held.current = ask;
  useLayoutEffect(() => {
    const ended = new AbortController();
    set((s) => ({ data: s.data, loading: true }));
    held.current(ended.signal).then(
      (data) => !ended.signal.aborted && set({ data, loading: false }),
      (e: unknown) => !ended.signal.aborted && set({ problem: problemFrom(e), loading: false }),
    );
    return () => ended.abort();
  }, [...of, round]);
  return { data: state.data, problem: state.problem, loading: state.loading, again: () => next((n) => n + 1) };
}

/** An error as a problem that can be shown. */
export function problemFrom(e: unknown): Problem {
  return e instanceof Problem ? e : new Problem(0, { detail: e instanceof Error ? e.message : String(e) });
}
