import { Problem } from "./problem.ts";

/** Lines of 32 MiB are the longest that the service writes. */
const lineBytes = 32 << 20;

/**
 * The messages of a stream of JSON, one a line, as they come. A stream that ends with
 * an error ends with a `Problem`. Whoever stops early closes the stream.
 */
export async function* lines<T>(body: ReadableStream<Uint8Array>): AsyncGenerator<T, void, undefined> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
      let from = 0;
      for (let end = rest.indexOf("\n"); end >= 0; end = rest.indexOf("\n", from)) {
        const line = rest.slice(from, end);
        from = end + 1;
        if (line.trim() !== "") yield message<T>(line);
      }
      rest = rest.slice(from);
      if (rest.length > lineBytes) throw new Problem(0, { detail: "a line of the stream is too long" });
      if (done) break;
    }
    if (rest.trim() !== "") yield message<T>(rest);
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function message<T>(line: string): T {
  const m = JSON.parse(line) as T | { error: { status?: number } };
  if (typeof m === "object" && m !== null && "error" in m) throw new Problem(m.error.status ?? 0, m.error);
  return m as T;
}
