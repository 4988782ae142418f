import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { problemFrom } from "../app/load.ts";
import type { Problem } from "../app/service.ts";
import { ProblemBox } from "./state.tsx";

/**
 * Asks before something that is hard to undo. With `type` the reader writes those words
 * before the button works. It stays open while `act` runs, and where that fails.
 */
export function Confirm({ title, children, verb, type, act, close }: {
  title: string;
  children: ComponentChildren;
  /** What the button says. */
  verb: string;
  type?: string;
  act: () => Promise<void>;
  close: () => void;
}) {
  const box = useRef<HTMLDialogElement>(null);
  const [typed, setTyped] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  useLayoutEffect(() => box.current?.showModal(), []);
  const run = async () => {
    setBusy(true);
    setProblem(undefined);
    try {
      await act();
      close();
    } catch (e) {
      setProblem(problemFrom(e));
      setBusy(false);
    }
  };
  return (
    <dialog ref={box} onClose={close} aria-label={title}>
      <h2>{title}</h2>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          if (!busy && (type === undefined || typed === type)) void run();
        }}
      >
        {children}
        {type !== undefined && (
          <p>
            <label>
              Write <code>{type}</code> to go on:{" "}
              <input value={typed} onInput={(e) => setTyped(e.currentTarget.value)} autocomplete="off" spellcheck={false} />
            </label>
          </p>
        )}
        {problem && <ProblemBox problem={problem} />}
        <p class="bar-row">
          <button type="submit" class="danger" disabled={busy || (type !== undefined && typed !== type)}>
            {verb}
          </button>
          <button type="button" onClick={() => box.current?.close()}>
            Leave it
          </button>
        </p>
      </form>
    </dialog>
  );
}
