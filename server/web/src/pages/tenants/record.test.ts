import { expect, test } from "vitest";
import { changes, fieldsOf } from "./record.ts";

test("an update names what was changed, nothing else", () => {
  const before = fieldsOf({ id: "alder", aliases: ["old"], trust: 0.5 });
  expect(changes(before, before)).toEqual({ tenant: {}, updateMask: "" });
  expect(changes(before, { ...before, trust: 0, aliases: [], displayName: "Alder" })).toEqual({
    tenant: { displayName: "Alder", aliases: [], trust: 0 },
    updateMask: "displayName,aliases,trust",
  });
});

test("unset fields are shown as what they mean", () => {
  const f = fieldsOf({});
  expect([f.trust, f.state, f.retentionDays]).toEqual([1, "TENANT_STATE_ACTIVE", 0]);
});
