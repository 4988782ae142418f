/**
 * Client of Elsewhere's REST API. `schema.ts` is made of the service's OpenAPI
 * document; what is here adds keys, errors and streams.
 */
import createClient, { type Client } from "openapi-fetch";
import { events, type Event } from "./events.ts";
import { lines } from "./lines.ts";
import { Problem, problemOf } from "./problem.ts";
import type { components, paths } from "./schema.ts";

export { events, type Event } from "./events.ts";
export { lines } from "./lines.ts";
export { Problem, problemOf, type Violation } from "./problem.ts";
export type { components, operations, paths } from "./schema.ts";

/** The messages of the API by name, as in `Schemas["Case"]`. */
export type Schemas = components["schemas"];

/** How to reach the service. */
export interface Options {
  /** As `https://elsewhere.example:7432`; "" is the origin of the page. */
  url: string;
  /** An API key, or what returns it for each request; it is sent in the Authorization header only. */
  key?: string | (() => string | undefined);
  /** Sent with every request. */
  headers?: Record<string, string>;
  /** In place of the platform's own. */
  fetch?: typeof fetch;
}

/** What a request without a stream is answered with. */
export interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** A service, as one caller sees it. */
export class Elsewhere {
  /** Each route with its types: `api.POST("/v1/seen", { body: ... })`. */
  readonly api: Client<paths>;
  private readonly options: Options;

  constructor(options: Options) {
    this.options = options;
    this.api = createClient<paths>({ baseUrl: options.url, fetch: (r: Request) => this.send(r) });
  }

  /**
   * Answers the messages of a stream as they come, with `Problem` for what was
   * refused before it or in it: `stream<Schemas["WatchLinksResponse"]>("/v1/links:watch")`.
   */
  async *stream<T>(path: string, init: RequestInit = {}): AsyncGenerator<T, void, undefined> {
    yield* this.whole(lines<T>(await this.body(path, init, "application/x-ndjson")), init);
  }

  /**
   * As `stream`, by server-sent events. Whoever asks again goes on behind the last id
   * that it got: `events<Schemas["WatchLinksResponse"]>("/v1/links:watch", { after: id })`.
   */
  async *events<T>(path: string, init: RequestInit & { after?: string } = {}): AsyncGenerator<Event<T>, void, undefined> {
    const { after, ...rest } = init;
    const headers = new Headers(rest.headers);
    if (after) headers.set("Last-Event-ID", after);
    yield* this.whole(events<T>(await this.body(path, { ...rest, headers }, "text/event-stream")), init);
  }

  /**
   * Submits cases, of which each is answered by its index. What is wrong with one stands
   * in its `status` and does not end the others.
   */
  async *submitAll(cases: Iterable<Schemas["SubmitCaseRequest"]>, init: RequestInit = {}): AsyncGenerator<Schemas["SubmitCasesResponse"], void, undefined> {
    const body: string[] = [];
    for (const submit of cases) body.push(JSON.stringify({ index: String(body.length), submit }) + "\n");
    const headers = new Headers(init.headers);
    headers.set("Content-Type", "application/x-ndjson");
    yield* this.stream<Schemas["SubmitCasesResponse"]>("/v1/cases:batch", { ...init, method: "POST", headers, body: body.join("") });
  }

  /** What a route writes as a file, as an export: `file("/v1/cases/alder/1/export?format=EXPORT_FORMAT_CSV")`. */
  async file(path: string, init: RequestInit = {}): Promise<Blob> {
    const response = await this.asked(path, init, "application/octet-stream");
    return response.blob();
  }

  private async asked(path: string, init: RequestInit, accept: string): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set("Accept", accept);
    const response = await this.send(new Request(new URL(path, this.options.url || globalThis.location?.origin), { ...init, headers }));
    if (!response.ok) throw await problemOf(response);
    return response;
  }

  private async body(path: string, init: RequestInit, accept: string): Promise<ReadableStream<Uint8Array>> {
    const response = await this.asked(path, init, accept);
    if (response.body === null) throw await problemOf(response);
    return response.body;
  }

  /** Makes a stream that breaks off end with a `Problem` too, but for one that was aborted. */
  private async *whole<T>(stream: AsyncGenerator<T, void, undefined>, init: RequestInit): AsyncGenerator<T, void, undefined> {
    try {
      yield* stream;
    } catch (e) {
      if (e instanceof Problem || init.signal?.aborted) throw e;
      throw new Problem(0, { detail: "the stream broke off", reason: "CUT_OFF" });
    }
  }

  private async send(request: Request): Promise<Response> {
    const key = typeof this.options.key === "function" ? this.options.key() : this.options.key;
    if (key) request.headers.set("Authorization", `Bearer ${key}`);
    for (const [name, value] of Object.entries(this.options.headers ?? {})) request.headers.set(name, value);
    try {
      return await (this.options.fetch ?? globalThis.fetch)(request);
    } catch (e) {
      if (request.signal.aborted || (e instanceof DOMException && e.name === "AbortError")) throw e;
      throw new Problem(0, { detail: "the service cannot be reached", reason: "UNREACHABLE" });
    }
  }
}

/**
 * The message that a request was answered with, or its `Problem`:
 * `await answered(service.api.POST("/v1/seen", { body }))`.
 */
export async function answered<T>(request: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await request;
  if (error !== undefined || !response.ok) throw new Problem(response.status, error);
  return data as T;
}
