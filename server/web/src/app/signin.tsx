import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { ProblemBox } from "../ui/state.tsx";
import { problemFrom, useLoad } from "./load.ts";
import type { Problem } from "./service.ts";
import { session } from "./session.ts";

/** Asks for a key. */
export function SignIn({ refused }: { refused: Problem | undefined }) {
  const [key, setKey] = useState("");
  const [stay, setStay] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const input = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => input.current?.focus(), []);
  const offer = useLoad((signal) => session.offer(signal), []);
  const hours = Math.round((offer.data?.lastsSeconds ?? 0) / 3_600);
  const enter = async () => {
    const given = key.trim();
    if (!given) return;
    setProblem(undefined);
    if (!stay) {
      session.take(given);
      return;
    }
    try {
      await session.stay(given);
    } catch (e) {
      setProblem(problemFrom(e));
    }
  };
  const shown = problem ?? refused;
  return (
    <form
      class="signin card"
      onSubmit={(e) => {
        e.preventDefault();
        void enter();
      }}
    >
      <h1>Sign in</h1>
      <label for="key">API key</label>
      <input
        id="key"
        ref={input}
        type="password"
        autocomplete="off"
        spellcheck={false}
        required
        value={key}
        onInput={(e) => setKey(e.currentTarget.value)}
        placeholder="els_…"
        aria-describedby="key-kept"
        aria-invalid={shown !== undefined}
      />
      {offer.data?.sessions && (
        <label class="choice">
          <input type="checkbox" checked={stay} onInput={(e) => setStay(e.currentTarget.checked)} /> Stay signed in for {hours} hours
        </label>
      )}
      <button type="submit">Sign in</button>
      <p class="muted" id="key-kept">
        {stay
          ? "The service keeps the key in its memory; this browser gets a cookie that no script can read."
          : "The key stays in the memory of this page; a reload asks for it again."}
      </p>
      {shown && <ProblemBox problem={shown} />}
    </form>
  );
}
