/** One thing that is wrong with a request. */
export interface Violation {
  /** The field, as in `findings[3].observables[17].value`. */
  path: string;
  /** A stable code, as in `KIND_UNKNOWN`. */
  reason: string;
  /** For people; may change. */
  message: string;
}

/** What the service refused, and why (RFC 9457). */
export class Problem extends Error {
  /** The HTTP status; 0 where the service could not be reached. */
  readonly status: number;
  /** A stable code, as in `KEY_UNKNOWN`. */
  readonly reason: string;
  /** At most 100 of `errorsTotal`. */
  readonly errors: readonly Violation[];
  readonly errorsTotal: number;
  /** How long to wait before the same is asked again; 0 where nothing was said. */
  readonly retryAfterSeconds: number;
  /** The revision that is stored, where another was expected. */
  readonly currentRevision: number | undefined;
  /** What the service's log calls the request. */
  readonly requestId: string;

  constructor(status: number, answer: unknown) {
    const a = (typeof answer === "object" && answer !== null ? answer : {}) as Record<string, unknown>;
    const text = (name: string) => (typeof a[name] === "string" ? (a[name] as string) : "");
    super(text("detail") || text("title") || (typeof answer === "string" && answer ? answer : `the service answered ${status}`));
    this.name = "Problem";
    this.status = status;
    this.reason = text("reason");
    this.errors = Array.isArray(a["errors"]) ? (a["errors"] as Violation[]) : [];
    this.errorsTotal = typeof a["errorsTotal"] === "number" ? a["errorsTotal"] : this.errors.length;
    this.retryAfterSeconds = typeof a["retryAfterSeconds"] === "number" ? a["retryAfterSeconds"] : 0;
    this.currentRevision = typeof a["currentRevision"] === "number" ? a["currentRevision"] : undefined;
    this.requestId = text("requestId");
  }
}

/** The problem that an answer is; its body is read. */
export async function problemOf(response: Response): Promise<Problem> {
  const body = await response.text();
  try {
    return new Problem(response.status, JSON.parse(body));
  } catch {
    return new Problem(response.status, body.slice(0, 500));
  }
}
