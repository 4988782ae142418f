import { expect, test } from "vitest";
import { keyState, tenantsOf } from "./key.ts";

const now = Date.parse("2026-08-01T00:00:00Z");
const before = "2026-07-01T00:00:00Z";
const after = "2026-09-01T00:00:00Z";

test("a key is told as it stands now", () => {
  expect(keyState({}, now)).toMatchObject({ text: "taken", ended: false });
  expect(keyState({ expireTime: after }, now)).toMatchObject({ text: "until", ended: false });
  expect(keyState({ expireTime: before }, now)).toMatchObject({ text: "expired", ended: true });
  expect(keyState({ expireTime: after, revokeTime: before }, now)).toMatchObject({ text: "revoked", ended: true });
  expect(keyState({ overlapUntil: after }, now)).toMatchObject({ text: "old secret too until", ended: false });
  expect(keyState({ overlapUntil: before }, now)).toMatchObject({ text: "taken", ended: false });
});

test("an admin's key is for no tenant", () => {
  expect(["ROLE_ADMIN", "ROLE_TENANT", "ROLE_LEAD"].map((r) => tenantsOf(r as "ROLE_ADMIN"))).toEqual(["none", "one", "some"]);
});
