import { useState } from "preact/hooks";
import { ProblemBox } from "../ui/state.tsx";
import type { Problem } from "./service.ts";
import { session } from "./session.ts";

/** Asks for a key. */
export function SignIn({ refused }: { refused: Problem | undefined }) {
  const [key, setKey] = useState("");
  return (
    <form
      class="signin"
      onSubmit={(e) => {
        e.preventDefault();
        if (key.trim()) session.take(key.trim());
      }}
    >
      <h1>Elsewhere</h1>
      <label for="key">API key</label>
      <input id="key" type="password" autocomplete="off" spellcheck={false} value={key} onInput={(e) => setKey(e.currentTarget.value)} placeholder="els_…" />
      <button type="submit">Sign in</button>
      <p class="muted">The key stays in the memory of this page; a reload asks for it again.</p>
      {refused && <ProblemBox problem={refused} />}
    </form>
  );
}
