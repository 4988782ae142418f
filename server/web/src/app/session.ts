/**
 * Who uses the page. A key is held in memory only: a reload asks for it again, unless
 * the service was started with sessions and the reader chose to stay signed in. Then a
 * cookie that no script can read stands for it.
 */
import { Problem, problemOf } from "@elsewhere-project/client";

type Listener = () => void;

/** What a service says of sessions. */
interface Offer {
  sessions: boolean;
  lastsSeconds: number;
  idleSeconds: number;
}

const path = "/web/session";

class Session {
  private held: string | undefined;
  private readonly listeners = new Set<Listener>();

  /** The pasted key; undefined without one, and where a cookie stands for it. */
  key(): string | undefined {
    return this.held;
  }

  /** Takes a key, or forgets the one there is. */
  take(key: string | undefined): void {
    this.held = key;
    for (const l of this.listeners) l();
  }

  /** Whether one can stay signed in, and for how long. */
  async offer(signal: AbortSignal): Promise<Offer> {
    const response = await fetch(path, { signal });
    if (!response.ok) throw await problemOf(response);
    return (await response.json()) as Offer;
  }

  /** Has the service hold the key, and a cookie stand for it. */
  async stay(key: string): Promise<void> {
    await ask("POST", { Authorization: `Bearer ${key}` });
    this.take(undefined);
  }

  /** Forgets the key, and ends the session that stands for it. */
  async leave(): Promise<void> {
    const kept = this.held === undefined;
    if (kept) await ask("DELETE", {});
    this.take(undefined);
  }

  /** Calls a listener after each change; returns how to end that. */
  listen(l: Listener): () => void {
    this.listeners.add(l);
    return () => this.listeners.delete(l);
  }
}

async function ask(method: string, headers: Record<string, string>): Promise<void> {
  let response: Response;
  try {
    response = await fetch(path, { method, headers: { "X-Elsewhere-Page": "1", ...headers } });
  } catch {
    throw new Problem(0, { detail: "the service cannot be reached", reason: "UNREACHABLE" });
  }
  if (!response.ok) throw await problemOf(response);
}

export const session = new Session();
