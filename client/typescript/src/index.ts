/**
 * Client of Elsewhere's REST API. `schema.ts` is made of the service's OpenAPI
 * document; what is here adds keys, errors and streams.
 */
import createClient, { type Client } from "openapi-fetch";
import { lines } from "./lines.ts";
import { Problem, problemOf } from "./problem.ts";
import type { components, paths } from "./schema.ts";

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
    const headers = new Headers(init.headers);
    headers.set("Accept", "application/x-ndjson");
    const response = await this.send(new Request(new URL(path, this.options.url || globalThis.location?.origin), { ...init, headers }));
    if (!response.ok || response.body === null) throw await problemOf(response);
    yield* lines<T>(response.body);
  }

  private async send(request: Request): Promise<Response> {
    const key = typeof this.options.key === "function" ? this.options.key() : this.options.key;
    if (key) request.headers.set("Authorization", `Bearer ${key}`);
    for (const [name, value] of Object.entries(this.options.headers ?? {})) request.headers.set(name, value);
    try {
      return await (this.options.fetch ?? globalThis.fetch)(request);
    } catch (e) {
      if (e instanceof DOMException && e.name === "AbortError") throw e;
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
