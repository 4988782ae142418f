import { useState } from "preact/hooks";

/** A secret that is told once: it is shown until the reader says that it is kept. */
export function Secret({ what, secret, done, also }: { what: string; secret: string; done: () => void; also?: string | undefined }) {
  const [said, say] = useState("");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(secret);
      say("Copied.");
    } catch {
      say("The browser does not permit copying: select it.");
    }
  };
  return (
    <section class="card" role="status" aria-label={what}>
      <p>
        <strong>{what}.</strong> It is told once and stored nowhere. {also}
      </p>
      <p class="secret">
        <code>{secret}</code>
        <button type="button" onClick={() => void copy()}>
          Copy
        </button>
        <button type="button" onClick={done}>
          I have kept it
        </button>
        <span role="status">{said}</span>
      </p>
    </section>
  );
}
