/**
 * Asks a service everything that the client is for, and says "ok" and what for each.
 * ELSEWHERE_URL is a service without keys; ELSEWHERE_KEYED_URL one on which ELSEWHERE_KEY
 * is an analyst's for alder, and ELSEWHERE_SLOW_KEY one for a call a minute.
 */
import { answered, Elsewhere, events, lines, Problem, type Schemas } from "../src/index.ts";

declare const process: { env: Record<string, string | undefined>; exitCode: number };

const service = new Elsewhere({ url: process.env["ELSEWHERE_URL"] ?? "" });
const keyedURL = process.env["ELSEWHERE_KEYED_URL"] ?? "";

const findings: Schemas["Finding"][] = [
  {
    technique: "T1114.003",
    observables: [
      { kind: "ip", value: "104.161.20[.]102", roles: ["login_source"] },
      { kind: "forward_to", value: "x@evil-invoices.net", roles: ["forward_target"] },
    ],
  },
];

function expect(holds: boolean, what: string, got: unknown): void {
  if (!holds) throw new Error(`${what}: ${JSON.stringify(got)}`);
}

/** Expects a problem and returns it. */
async function refused(request: Promise<unknown>, status: number, reason: string): Promise<Problem> {
  try {
    await request;
  } catch (e) {
    if (!(e instanceof Problem)) throw e;
    expect(e.status === status && e.reason === reason, `want ${status} ${reason}`, { ...e, message: e.message });
    return e;
  }
  throw new Error(`no error, want ${status} ${reason}`);
}

/** A body that comes a few bytes at a time. */
function dripping(text: string, most: number): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(text);
  let at = 0;
  return new ReadableStream({
    pull(c) {
      if (at >= bytes.length) c.close();
      else c.enqueue(bytes.slice(at, (at += most)));
    },
  });
}

/** Reads a stream to its end, or to so many messages. */
async function read<T>(stream: AsyncIterable<T>, most = Infinity): Promise<T[]> {
  const all: T[] = [];
  for await (const m of stream) if (all.push(m) >= most) break;
  return all;
}

const checks: Record<string, () => Promise<void>> = {
  async submit() {
    const path = { tenant: "alder", case: "7:a.b#c" };
    const put = await service.api.PUT("/v1/cases/{tenant}/{case}", { params: { path }, body: { kind: "bec", findings }, headers: { "If-None-Match": "*" } });
    expect(put.response.status === 201 && put.data?.caseRef === "alder/7:a.b#c" && put.response.headers.get("ETag") === '"1"', "submit", put.data ?? put.error);
    const second = await answered(service.api.POST("/v1/cases", { body: { case: { tenant: "birch", id: "1", kind: "bec", findings } } }));
    expect(second.links?.[0]?.ref === "alder/7:a.b#c~birch/1", "links of a submit", second);
    const stored = await answered(service.api.GET("/v1/cases/{tenant}/{case}", { params: { path } }));
    expect(stored.case?.id === "7:a.b#c" && stored.case.revision === 1, "the case", stored);
  },
  async batch() {
    const cases = ["1", "no such/id", "3"].map((id) => ({ case: { tenant: "cedar", id }, noLinks: true }));
    const all = await read(service.submitAll(cases));
    expect(all.length === 3 && all.find((a) => a.index === "1")?.status?.code === 3 && all.filter((a) => a.result?.caseRef).length === 2, "batch", all);
  },
  async seen() {
    const res = await answered(service.api.POST("/v1/seen", { body: { observables: [{ value: "104.161.20.102" }, { value: "70.0.0.1" }] } }));
    expect(res.results?.[0]?.status === "SEEN_STATUS_SEEN" && res.results[0].sightings?.length === 2 && res.results[1]?.status === "SEEN_STATUS_NOT_SEEN", "seen", res);
  },
  async links() {
    const res = await answered(service.api.GET("/v1/tenants/{tenant}/links", { params: { path: { tenant: "birch" }, query: { minTier: "TIER_POSSIBLE", pageSize: 1 } } }));
    expect(res.links?.[0]?.b === "birch/1", "links", res);
  },
  async explain() {
    const path = { tenantA: "alder", caseA: "7:a.b#c", tenantB: "birch", caseB: "1" };
    const { explanation } = await answered(service.api.GET("/v1/links/{tenantA}/{caseA}/{tenantB}/{caseB}", { params: { path } }));
    expect(explanation?.a === "alder/7:a.b#c" && (explanation.families?.length ?? 0) > 0 && typeof explanation.totalMillibits === "number", "explain", explanation);
  },
  async watch() {
    for await (const m of service.stream<Schemas["WatchLinksResponse"]>("/v1/links:watch?since=3600s")) {
      if (m.event?.link?.ref === "alder/7:a.b#c~birch/1") return;
    }
    throw new Error("the stream ended");
  },
  async events() {
    const first = await read(service.events<Schemas["WatchLinksResponse"]>("/v1/links:watch?since=3600s"), 2);
    const after = first[1]?.id ?? "";
    expect(after !== "" && first[1]?.data.event?.cursor === after, "events", first);
    await answered(service.api.PUT("/v1/cases/{tenant}/{case}", { params: { path: { tenant: "dogwood", case: "1" } }, body: { findings } }));
    for await (const e of service.events<Schemas["WatchLinksResponse"]>("/v1/links:watch", { after })) {
      if (e.data.event) {
        expect(e.data.event.eventId !== first[1]?.data.event?.eventId, "the next event", e);
        return;
      }
    }
  },
  async export() {
    const file = await (await service.file("/v1/cases/alder/7:a.b%23c/export?format=EXPORT_FORMAT_CSV&selection.tlp=red&selection.acceptEmptyDictionary=true")).text();
    expect(file.includes("ip,104.161.20.102,"), "file", file);
    const parts = await read(service.stream<Schemas["ExportResponse"]>("/v1/exports", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ selection: { caseRef: "alder/7:a.b#c", tlp: "red", acceptEmptyDictionary: true }, format: "EXPORT_FORMAT_CSV" }),
    }));
    expect(parts.some((p) => p.summary?.tlp === "tlp:red") && parts.some((p) => p.data), "parts", parts);
  },
  async pieces() {
    for (const most of [1, 2, 3, 7, 1000]) {
      const some = await read(lines<{ a: string }>(dripping('{"a":"ü€𝄞"}\n\n{"a":"\\n"}\n', most)));
      expect(some.length === 2 && some[0]?.a === "ü€𝄞" && some[1]?.a === "\n", "lines", some);
      const told = await read(events<{ a: number }>(dripping(': hello\r\nid: x\r\ndata: {"a":\r\ndata: 1}\r\n\r\nretry: 5\n\nid: y\ndata: {"a":2}\n\ndata: {"cut', most)));
      expect(told.length === 2 && told[0]?.id === "x" && told[0].data.a === 1 && told[1]?.id === "y", "events", told);
      await refused(read(lines(dripping('{"a":1}\n{"a"', most))), 0, "CUT_OFF");
      await refused(read(lines(dripping('{"a":1}\n{"error":{"status":409,"reason":"X"}}\n', most))), 409, "X");
      await refused(read(events(dripping('event: error\ndata: {"status":410,"reason":"Y"}\n\n', most))), 410, "Y");
    }
  },
  async errors() {
    const unknown = await refused(answered(service.api.POST("/v1/seen", { body: { observables: [{ valeu: "x" } as Schemas["Observable"]] } })), 400, "INVALID");
    expect(unknown.errors[0]?.path === "observables[0].valeu" && unknown.errors[0].reason === "FIELD_UNKNOWN" && unknown.requestId !== "", "an unknown field", unknown);
    await refused(answered(service.api.GET("/v1/cases/{tenant}/{case}", { params: { path: { tenant: "alder", case: "none" } } })), 404, "NOT_FOUND");
    const stale = await refused(answered(service.api.PUT("/v1/cases/{tenant}/{case}", {
      params: { path: { tenant: "birch", case: "1" } }, body: { findings }, headers: { "If-Match": '"7"' },
    })), 412, "REVISION_MISMATCH");
    expect(stale.currentRevision === 1, "the current revision", stale);
    await refused(read(service.stream("/v1/links:watch?cursor=nonsense")), 400, "INVALID");
    await refused(read(service.events("/v1/links:watch?cursor=nonsense")), 400, "INVALID");
    await refused(service.file("/v1/cases/alder/none/export?format=EXPORT_FORMAT_CSV&selection.tlp=red"), 404, "NOT_FOUND");
    await refused(answered(new Elsewhere({ url: "http://127.0.0.1:1" }).api.GET("/v1/cases")), 0, "UNREACHABLE");
  },
  async inTheStream() {
    const bad = service.stream<Schemas["SubmitCasesResponse"]>("/v1/cases:batch", {
      method: "POST", headers: { "Content-Type": "application/x-ndjson" }, body: '{"index":"1","submit":{"case":{"tenant":"elm","id":"1"}}}\n{broken\n',
    });
    const first = await bad.next();
    expect(first.value?.index === "1", "the first", first);
    await refused(bad.next(), 400, "JSON_SYNTAX");
  },
  async keys() {
    const analyst = new Elsewhere({ url: keyedURL, key: () => process.env["ELSEWHERE_KEY"] });
    const forbidden = await refused(answered(analyst.api.GET("/v1/cases/{tenant}/{case}", { params: { path: { tenant: "birch", case: "1" } } })), 404, "NOT_FOUND");
    const absent = await refused(answered(analyst.api.GET("/v1/cases/{tenant}/{case}", { params: { path: { tenant: "birch", case: "2" } } })), 404, "NOT_FOUND");
    expect(forbidden.message === absent.message, "forbidden and absent", [forbidden.message, absent.message]);
    await refused(answered(analyst.api.GET("/v1/keys")), 403, "ROLE");
    await refused(answered(new Elsewhere({ url: keyedURL }).api.GET("/v1/cases")), 401, "KEY_NEEDED");
    await refused(read(new Elsewhere({ url: keyedURL, key: "els_wrong" }).stream("/v1/links:watch")), 401, "KEY_NEEDED");
    const slow = new Elsewhere({ url: keyedURL, key: process.env["ELSEWHERE_SLOW_KEY"] ?? "" });
    await answered(slow.api.GET("/v1/cases"));
    const fast = await refused(answered(slow.api.GET("/v1/cases")), 429, "RESOURCE_EXHAUSTED");
    expect(fast.retryAfterSeconds > 0, "when to ask again", fast);
  },
  async abort() {
    const end = new AbortController();
    const stream = service.stream<Schemas["WatchLinksResponse"]>("/v1/links:watch", { signal: end.signal });
    await stream.next();
    const next = stream.next();
    end.abort();
    await next.then(
      (m) => expect(false, "a message after the end", m),
      (e: unknown) => expect(e instanceof DOMException && e.name === "AbortError", "aborted with", String(e)),
    );
    await answered(service.api.GET("/v1/cases", { signal: AbortSignal.abort() })).then(
      () => expect(false, "an answer to what was aborted", ""),
      (e: unknown) => expect(e instanceof DOMException, "aborted before with", String(e)),
    );
  },
};

for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`ok ${name}`);
  } catch (e) {
    console.log(`${name}: ${e instanceof Error ? (e.stack ?? e.message) : String(e)}`);
    process.exitCode = 1;
  }
}
