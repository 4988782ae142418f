import { expect, test } from "vitest";
import { named, valuesOf } from "./event.ts";

test("indicators and context with its reason", () => {
  const event = JSON.stringify({
    Event: {
      Attribute: [
        { type: "ip-src", value: "192.0.2.1", to_ids: true, comment: "signed in to compromised accounts; class hosting (x); valid until 2023-04-09" },
        { type: "hostname", value: "a.example", to_ids: false, comment: "let through; context, not an indicator: a host of a mail provider, others send from it too; class mail_provider (y)" },
        { type: "text", value: "Spam", to_ids: false, comment: "context, not an indicator: the name of a mail rule, for people to look for" },
      ],
    },
  });
  expect(valuesOf(event).map((v) => [v.value, v.indicator, v.reason])).toEqual([
    ["192.0.2.1", true, ""],
    ["a.example", false, "a host of a mail provider, others send from it too"],
    ["Spam", false, "the name of a mail rule, for people to look for"],
  ]);
  expect(valuesOf("")).toEqual([]);
});

test("the value that names a victim", () => {
  const c = { tenant: "alder", id: "1", findings: [{ observables: [{ kind: "domain", value: "alder.example" }] }] };
  expect(named(c, "alder/1 findings[0].observables[0].value")?.value).toBe("alder.example");
  expect(named(c, "birch/1 findings[0].observables[0].value")).toBeUndefined();
  expect(named(c, "alder/1 findings[9].observables[0].facts[1].value")).toBeUndefined();
  expect(named(c, "producer.name")).toBeUndefined();
});
