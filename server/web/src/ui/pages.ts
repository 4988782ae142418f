import { useLayoutEffect, useState } from "preact/hooks";
import type { Problem } from "../app/service.ts";
import { problemFrom } from "../app/load.ts";

/** A list that the service answers in pages. */
export interface Paged<T> {
  rows: T[];
  problem: Problem | undefined;
  loading: boolean;
  /** Fetches the next page; undefined at the end. */
  more: (() => void) | undefined;
}

/** Reads a list page by page, from its beginning when something of `of` has changed. */
export function usePages<T>(page: (token: string, signal: AbortSignal) => Promise<{ rows: T[]; next: string }>, of: readonly unknown[]): Paged<T> {
  const [state, set] = useState<{ rows: T[]; next: string; problem?: Problem; loading: boolean }>({ rows: [], next: "", loading: true });
  const [ended, setEnded] = useState<AbortController>();
  const read = (token: string, before: T[], signal: AbortSignal) => {
    set({ rows: before, next: token, loading: true });
    page(token, signal).then(
      ({ rows, next }) => !signal.aborted && set({ rows: [...before, ...rows], next, loading: false }),
      (e: unknown) => !signal.aborted && set({ rows: before, next: token, problem: problemFrom(e), loading: false }),
    );
  };
  useLayoutEffect(() => {
    const end = new AbortController();
    setEnded(end);
    read("", [], end.signal);
    return () => end.abort();
  }, of);
  const more = state.next !== "" && !state.loading && ended ? () => read(state.next, state.rows, ended.signal) : undefined;
  return { rows: state.rows, problem: state.problem, loading: state.loading, more };
}
