import type { ComponentType } from "preact";
import { lazy } from "./lazy.tsx";
import type { Route } from "./route.ts";
import type { Role } from "./who.ts";

/** A part of the page, by the first part of its address. */
export interface Place {
  /** As in `#/seen`. */
  at: string;
  /** In the navigation; none is reached through others only. */
  name?: string;
  /** The roles that its questions are for. Without keys everything is for everybody. */
  roles: readonly Role[];
  page: ComponentType<{ route: Route }>;
}

const reading: readonly Role[] = ["ROLE_ANALYST", "ROLE_LEAD"];
const own: readonly Role[] = ["ROLE_SUBMITTER", "ROLE_TENANT", ...reading];

/** Every part of the page. Each is fetched when it is opened first. */
export const places: readonly Place[] = [
  { at: "seen", name: "Seen elsewhere?", roles: ["ROLE_TENANT", ...reading], page: lazy(() => import("../pages/seen/page.tsx")) },
  { at: "cases", name: "Cases", roles: own, page: lazy(() => import("../pages/case/page.tsx")) },
  { at: "links", roles: reading, page: lazy(() => import("../pages/link/page.tsx")) },
  { at: "actors", name: "Actors", roles: reading, page: lazy(() => import("../pages/actor/page.tsx")) },
  { at: "new", name: "New links", roles: reading, page: lazy(() => import("../pages/watch/page.tsx")) },
  { at: "tenants", name: "Tenants", roles: ["ROLE_ADMIN"], page: lazy(() => import("../pages/tenants/page.tsx")) },
  { at: "keys", name: "Keys", roles: ["ROLE_ADMIN"], page: lazy(() => import("../pages/keys/page.tsx")) },
  { at: "feeds", name: "Feeds", roles: ["ROLE_TENANT", ...reading, "ROLE_ADMIN"], page: lazy(() => import("../pages/feeds/page.tsx")) },
  { at: "model", name: "Model", roles: [...reading, "ROLE_ADMIN"], page: lazy(() => import("../pages/model/page.tsx")) },
  { at: "audit", name: "Audit", roles: ["ROLE_ADMIN"], page: lazy(() => import("../pages/audit/page.tsx")) },
  { at: "health", name: "Health", roles: ["ROLE_ADMIN"], page: lazy(() => import("../pages/health/page.tsx")) },
];
