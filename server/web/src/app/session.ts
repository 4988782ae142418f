/**
 * Who uses the page. A key is held in memory only: a reload asks for it again, unless
 * the service was started with sessions that a cookie holds.
 */
type Listener = () => void;

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

  /** Calls a listener after each change; returns how to end that. */
  listen(l: Listener): () => void {
    this.listeners.add(l);
    return () => this.listeners.delete(l);
  }
}

export const session = new Session();
