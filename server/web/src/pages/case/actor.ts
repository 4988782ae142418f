import { answered, type Schemas, service } from "../../app/service.ts";
import type { Who } from "../../app/who.ts";
import { review } from "../link/state.ts";
import { splitRef } from "../../app/route.ts";

/** Whether a key is told of links and actors. */
export function mayCorrelate(who: Who): boolean {
  return who.role === undefined || who.role === "ROLE_ANALYST" || who.role === "ROLE_LEAD";
}

/** Pages of actors, and actors themselves, in which a case is looked for. */
const pages = 5;
const actors = 20;

/**
 * The actor that a case is in. An actor has a strong or a confirmed link to each of its
 * cases, so a case without such a link is in none.
 */
export async function actorOf(c: Schemas["Case"], who: Who, signal: AbortSignal): Promise<Schemas["Actor"] | undefined> {
  const ref = `${c.tenant}/${c.id}`;
  const path = { tenant: c.tenant ?? "", case: c.id ?? "" };
  const best = async (minTier: Schemas["Tier"]) =>
    (await answered(service.api.GET("/v1/cases/{tenant}/{case}/links", { params: { path, query: { minTier, includeSameTenant: true, pageSize: 1 } }, signal }))).links?.[0];
  const link = (await best("TIER_CONFIRMED")) ?? (await best("TIER_STRONG"));
  if (!link) return undefined;
  if (who.role === "ROLE_ANALYST") return listed(ref, signal);
  // What taking back a review would change begins with who both cases are.
  const [tenantA, caseA] = splitRef(link.a ?? "");
  const [tenantB, caseB] = splitRef(link.b ?? "");
  const around = await review({ tenantA, caseA, tenantB, caseB }, "REVIEW_ACTION_CLEAR", "", true, signal);
  return around.actorsBefore?.find((a) => a.members?.includes(ref));
}

/** Looks for a case among the actors that the key is told of. */
async function listed(ref: string, signal: AbortSignal): Promise<Schemas["Actor"] | undefined> {
  const large: string[] = [];
  let pageToken = "";
  for (let n = 0; n < pages; n++) {
    const page = await answered(service.api.GET("/v1/actors", { params: { query: { pageSize: 1000, ...(pageToken ? { pageToken } : {}) } }, signal }));
    for (const a of page.actors ?? []) {
      if (a.members?.includes(ref)) return a;
      // Lists name ten cases of an actor only.
      if ((a.cases ?? 0) > (a.members?.length ?? 0) && a.tenants?.some((t) => ref.startsWith(`${t.name}/`))) large.push(a.id ?? "");
    }
    pageToken = page.nextPageToken ?? "";
    if (pageToken === "") break;
  }
  for (const actor of large.slice(0, actors)) {
    const { actor: a } = await answered(service.api.GET("/v1/actors/{actor}", { params: { path: { actor } }, signal }));
    if (a?.members?.includes(ref)) return a;
  }
  return undefined;
}
