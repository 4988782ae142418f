import { textLines } from "./lines.ts";
import { Problem } from "./problem.ts";

/** One server-sent event. */
export interface Event<T> {
  /** What to go on behind, as the option `after`; "" where the service says none. */
  id: string;
  data: T;
}

/**
 * The events of a stream of server-sent events, as they come. Unlike the browser's own
 * EventSource this sends a key, and an error ends the stream with a `Problem`.
 */
export async function* events<T>(body: ReadableStream<Uint8Array>): AsyncGenerator<Event<T>, void, undefined> {
  let id = "";
  let kind = "";
  let data: string[] = [];
  for await (const raw of textLines(body)) {
    const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
    if (line === "") {
      if (data.length > 0) yield event<T>(kind, id, data.join("\n"));
      kind = "";
      data = [];
      continue;
    }
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "id") id = value;
    else if (name === "event") kind = value;
    else if (name === "data") data.push(value);
  }
}

function event<T>(kind: string, id: string, data: string): Event<T> {
  const m = JSON.parse(data) as T & { status?: number };
  if (kind === "error") throw new Problem(m.status ?? 0, m);
  return { id, data: m };
}
