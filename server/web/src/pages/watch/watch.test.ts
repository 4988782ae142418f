import { expect, test } from "vitest";
import { Problem, type Schemas } from "@elsewhere-project/client";
import { add, announce, type Changes, most, none } from "./events.ts";
import { follow, silence, type State } from "./follow.ts";

type Event = Schemas["LinkEvent"];
type Message = Schemas["WatchLinksResponse"];

const event = (id: string, ref = "a/1~b/1"): Event => {
  const [a = "", b = ""] = ref.split("~");
  return { eventId: id, link: { ref, a, b, tier: "TIER_STRONG" }, change: "LINK_CHANGE_NEW", cursor: `c-${id}` };
};

test("the newest is first, and a repeat is told once", () => {
  let c: Changes = add(none, [event("1"), event("2", "a/1~c/1")]);
  c = add(c, [event("1"), event("2", "a/1~c/1"), event("3", "a/1~d/1")]);
  expect(c.list.map((e) => e.eventId)).toEqual(["3", "2", "1"]);
});

test("what was said of a pair before may be said again", () => {
  const c = add(none, [event("strong"), event("refuted"), event("strong"), event("strong")]);
  expect(c.list.map((e) => e.eventId)).toEqual(["strong", "refuted", "strong"]);
});

test("the list is bounded, and so is what it remembers", () => {
  let c = none;
  for (let i = 0; i < 3 * most; i += 500) c = add(c, Array.from({ length: 500 }, (_, n) => event(`${i + n}`, `a/${i + n}~b/1`)));
  expect([c.list.length, c.list[0]?.eventId, c.cut, c.last.size]).toEqual([most, `${3 * most - 1}`, true, 2 * most]);
});

test("many changes are said in one sentence", () => {
  expect(announce([event("1")], (t) => t ?? "")).toBe("Link new: a/1 and b/1, TIER_STRONG");
  expect(announce([event("1"), event("2", "a/1~c/1")], (t) => t ?? "")).toBe("2 changes of links, the newest new: a/1 and c/1, TIER_STRONG");
});

/** Follows a service that says what `streams` do, one a call, and is over with them. */
async function followed(...streams: ((signal: AbortSignal) => AsyncIterable<Message>)[]) {
  const end = new AbortController();
  const seen = { cursors: [] as (string | undefined)[], events: [] as string[], states: [] as State[], slept: [] as number[], gaps: [] as string[] };
  await follow({
    signal: end.signal,
    open: (cursor, signal) => {
      seen.cursors.push(cursor);
      const next = streams.shift();
      if (next) return next(signal);
      end.abort();
      return say()(signal);
    },
    sleep: (seconds, signal) => {
      // A stream that says nothing is silent at once.
      if (seconds === silence) return new Promise((resolve, reject) => (setTimeout(resolve, 50), signal.addEventListener("abort", reject, { once: true })));
      seen.slept.push(seconds);
      return Promise.resolve();
    },
    events: (e) => seen.events.push(...e.map((x) => x.eventId ?? "")),
    state: (s) => seen.states.push(s),
    gap: (why) => seen.gaps.push(why),
  });
  return seen;
}

const say = (...messages: (Message | Problem | "silence")[]) =>
  async function* (signal: AbortSignal): AsyncGenerator<Message> {
    for (const m of messages) {
      if (m instanceof Problem) throw m;
      if (m === "silence") await new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted")), { once: true }));
      else yield m;
    }
  };
const checkpoint = (cursor: string): Message => ({ checkpoint: { cursor } });

test("a stream that breaks is opened again where it was", async () => {
  const s = await followed(say(checkpoint("c0"), { event: event("1") }), say(new Problem(503, { reason: "STOPPING" })), say(new Problem(0, {})), say(checkpoint("c2")));
  expect(s.cursors).toEqual([undefined, "c-1", "c-1", "c-1", "c2"]);
  expect(s.slept).toEqual([1, 2, 5, 1]);
  expect(s.events).toEqual(["1"]);
  expect(s.states.filter((x) => x.is === "live").length).toBeGreaterThan(1);
});

test("a reader that was too slow goes on at once", async () => {
  const s = await followed(say(checkpoint("c0"), { event: event("1") }, new Problem(429, { reason: "TOO_FAR_BEHIND" })), say({ event: event("2") }));
  expect([s.cursors.slice(0, 2), s.events]).toEqual([[undefined, "c-1"], ["1", "2"]]);
  expect(s.slept).toEqual([1]);
});

test("a cursor that is too old is given up, and a gap is told of", async () => {
  const s = await followed(say(checkpoint("old")), say(new Problem(410, { reason: "CURSOR_TOO_OLD", detail: "older than 30 days" })), say(checkpoint("new")));
  expect([s.cursors, s.gaps]).toEqual([[undefined, "old", undefined, "new"], ["older than 30 days"]]);
});

test("as long as the service says is waited", async () => {
  const s = await followed(say(new Problem(429, { reason: "RATE", retryAfterSeconds: 17 })), say(checkpoint("c")));
  expect(s.slept[0]).toBe(17);
});

test("what is refused is not asked again", async () => {
  const s = await followed(say(new Problem(403, { reason: "ROLE" })));
  expect([s.cursors.length, s.states.at(-1)?.is]).toEqual([1, "refused"]);
});

test("a connection that says nothing is made again", async () => {
  const s = await followed(say(checkpoint("c0"), "silence"), say(checkpoint("c1")));
  expect(s.cursors).toEqual([undefined, "c0", "c1"]);
});
