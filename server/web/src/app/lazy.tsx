import type { ComponentType } from "preact";
import { useLayoutEffect, useState } from "preact/hooks";
import { problemFrom } from "./load.ts";
import { ProblemBox, Waiting } from "../ui/state.tsx";

/** A component whose code is fetched when it is shown first. */
export function lazy<P extends object>(load: () => Promise<{ default: ComponentType<P> }>): ComponentType<P> {
  let fetched: ComponentType<P> | undefined;
  return function Lazy(props: P) {
    const [state, set] = useState<{ page?: ComponentType<P>; error?: unknown }>(fetched ? { page: fetched } : {});
    useLayoutEffect(() => {
      if (state.page) return;
      load().then(
        (m) => {
          fetched = m.default;
          set({ page: m.default });
        },
        (error: unknown) => set({ error }),
      );
    }, []);
    if (state.error) return <ProblemBox problem={problemFrom(state.error)} />;
    return state.page ? <state.page {...props} /> : <Waiting />;
  };
}
