import type { Schemas } from "../app/service.ts";

/** What people call a role. */
export const roleNames: Record<Schemas["Role"], string> = {
  ROLE_UNSPECIFIED: "unknown",
  ROLE_SUBMITTER: "submitter",
  ROLE_TENANT: "tenant",
  ROLE_ANALYST: "analyst",
  ROLE_LEAD: "lead",
  ROLE_ADMIN: "admin",
};
