import type { Schemas } from "../../app/service.ts";

/** How a key stands at a time, in milliseconds since 1970. */
export function keyState(k: Schemas["Key"], now: number): { text: string; at: string | undefined; tone: "good" | "warn" | "bad"; ended: boolean } {
  const passed = (t: string | undefined) => t !== undefined && Date.parse(t) <= now;
  if (k.revokeTime) return { text: "revoked", at: k.revokeTime, tone: "bad", ended: true };
  if (passed(k.expireTime)) return { text: "expired", at: k.expireTime, tone: "bad", ended: true };
  if (k.overlapUntil && !passed(k.overlapUntil)) return { text: "old secret too until", at: k.overlapUntil, tone: "warn", ended: false };
  if (k.expireTime) return { text: "until", at: k.expireTime, tone: "good", ended: false };
  return { text: "taken", at: undefined, tone: "good", ended: false };
}

/** The tenants that a role's key is for. */
export function tenantsOf(role: Schemas["Role"]): "one" | "some" | "none" {
  return role === "ROLE_ADMIN" ? "none" : role === "ROLE_SUBMITTER" || role === "ROLE_TENANT" ? "one" : "some";
}
