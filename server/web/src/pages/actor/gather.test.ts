import { Problem } from "@elsewhere-project/client";
import { expect, test, vi } from "vitest";
import type { CaseFacts } from "./facts.ts";
import type { Gathered, Reader } from "./gather.ts";
import { random } from "./random.test-data.ts";

// The service of the page reads where it was served from.
vi.stubGlobal("location", new URL("http://127.0.0.1"));
const { gather } = await import("./gather.ts");

function facts(ref: string, values = 1): CaseFacts {
  const one = { kind: "ip", value: "192.0.2.1", roles: [], first: undefined, last: undefined };
  return { ref, tenant: "t", title: "", tlp: "", first: undefined, last: undefined, techniques: [], values: Array.from({ length: values }, () => one) };
}

test("cases come in the order that was asked for, at most four at a time", async () => {
  for (let seed = 1; seed <= 30; seed++) {
    const next = random(seed);
    const refs = Array.from({ length: Math.floor(next() * 40) }, (_, i) => `t/${i}`);
    const gone = new Set(refs.filter(() => next() < 0.1));
    let under = 0;
    let peak = 0;
    const tired = new Set<string>();
    const reader: Reader = {
      read: async (ref) => {
        peak = Math.max(peak, ++under);
        for (let n = Math.floor(next() * 5); n > 0; n--) await Promise.resolve();
        under--;
        if (gone.has(ref)) throw new Problem(404, {});
        if (!tired.has(ref) && next() < 0.2) {
          tired.add(ref);
          throw new Problem(429, { retryAfterSeconds: 1 });
        }
        return facts(ref);
      },
      wait: async () => undefined,
    };
    const told: Gathered[] = [];
    const g = await gather(refs, reader, new AbortController().signal, (g) => told.push(g));
    expect(g.cases.map((c) => c.ref)).toEqual(refs.filter((r) => !gone.has(r)));
    expect([g.done, g.missing]).toEqual([refs.length, gone.size]);
    expect(told.map((t) => t.done)).toEqual(refs.map((_, i) => i + 1));
    expect(peak).toBeLessThanOrEqual(4);
  }
});

test("values beyond what is held are left out and told", async () => {
  const reader: Reader = { read: async (ref) => facts(ref, 150_000), wait: async () => undefined };
  const g = await gather(["t/1", "t/2"], reader, new AbortController().signal, () => undefined);
  expect([g.cut, g.cases.map((c) => c.values.length)]).toEqual([1, [150_000, 0]]);
});

test("what is refused for good ends the reading", async () => {
  const reader: Reader = { read: () => Promise.reject(new Problem(403, { detail: "no" })), wait: async () => undefined };
  await expect(gather(["t/1"], reader, new AbortController().signal, () => undefined)).rejects.toThrow("no");
});

test("who asks too much is waited for as long as the service says, not for ever", async () => {
  const waits: number[] = [];
  const reader: Reader = { read: () => Promise.reject(new Problem(429, { detail: "later", retryAfterSeconds: 7 })), wait: async (ms) => void waits.push(ms) };
  await expect(gather(["t/1"], reader, new AbortController().signal, () => undefined)).rejects.toThrow("later");
  expect(waits).toEqual([7000, 7000, 7000, 7000, 7000]);
});
