import type { ComponentChildren } from "preact";
import type { Problem } from "../app/service.ts";

/** Says that an answer is awaited, after a moment, so that fast answers do not flicker. */
export function Waiting({ what = "Loading" }: { what?: string }) {
  return (
    <p class="waiting" role="status">
      {what}…
    </p>
  );
}

/** What the service refused, with the fields that it names and what its log calls it. */
export function ProblemBox({ problem, again }: { problem: Problem; again?: () => void }) {
  return (
    <div class="problem" role="alert">
      <p>
        <strong>{problem.reason || (problem.status ? `HTTP ${problem.status}` : "Error")}</strong> {problem.message}
      </p>
      {problem.errors.length > 0 && (
        <ul>
          {problem.errors.map((v) => (
            <li>
              <code>{v.path}</code> {v.message}
            </li>
          ))}
        </ul>
      )}
      {problem.retryAfterSeconds > 0 && <p>Try again in {problem.retryAfterSeconds} s.</p>}
      {problem.requestId && <p class="muted">request {problem.requestId}</p>}
      {again && (
        <button type="button" onClick={again}>
          Try again
        </button>
      )}
    </div>
  );
}

/** What is shown where there is nothing to show, and what to do then. */
export function Nothing({ children }: { children: ComponentChildren }) {
  return <p class="nothing">{children}</p>;
}
