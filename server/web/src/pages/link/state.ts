import type { Who } from "../../app/who.ts";
import { answered, Problem, type Schemas, service } from "../../app/service.ts";

/** What the page of a pair shows. */
export interface Pair {
  explanation: Schemas["Explanation"];
  /** The stored or reviewed link; undefined where there is none. */
  link: Schemas["Link"] | undefined;
  /** What people said of the pair, oldest first; undefined where the key may not ask. */
  history: Schemas["LinkReview"][] | undefined;
  a: Schemas["Case"] | undefined;
  b: Schemas["Case"] | undefined;
  /** The actors that the two cases are in; undefined where the key may not ask. */
  actors: Schemas["Actor"][] | undefined;
}

/** Two cases by their tenants and ids. */
export interface Ends {
  tenantA: string;
  caseA: string;
  tenantB: string;
  caseB: string;
}

/** Whether a key may say that two cases are, or are not, of one actor. */
export function mayReview(who: Who): boolean {
  return who.role === undefined || who.role === "ROLE_LEAD";
}

/** Asks for all that the page of a pair shows. */
export async function pairOf(ends: Ends, who: Who, signal: AbortSignal): Promise<Pair> {
  const [{ explanation }, a, b, said] = await Promise.all([
    answered(service.api.GET("/v1/links/{tenantA}/{caseA}/{tenantB}/{caseB}", { params: { path: ends }, signal })),
    caseOf(ends.tenantA, ends.caseA, signal),
    caseOf(ends.tenantB, ends.caseB, signal),
    mayReview(who) ? preview(ends, "REVIEW_ACTION_CLEAR", signal) : listed(ends, signal),
  ]);
  if (!explanation) throw new Problem(0, { detail: "the service explained nothing" });
  // An explanation names the smaller of the two first, whatever the address does.
  const turned = a !== undefined ? `${a.tenant}/${a.id}` !== explanation.a : b !== undefined && `${b.tenant}/${b.id}` === explanation.a;
  return { explanation, a: turned ? b : a, b: turned ? a : b, ...said };
}

/** A case, or undefined where it is gone or may not be read. */
async function caseOf(tenant: string, id: string, signal: AbortSignal): Promise<Schemas["Case"] | undefined> {
  try {
    return (await answered(service.api.GET("/v1/cases/{tenant}/{case}", { params: { path: { tenant, case: id } }, signal }))).case;
  } catch (e) {
    if (e instanceof Problem && e.status === 404) return undefined;
    throw e;
  }
}

/** What is said of a pair now: what taking it back would change, without doing it. */
async function preview(ends: Ends, action: Schemas["ReviewAction"], signal: AbortSignal): Promise<Pick<Pair, "link" | "history" | "actors">> {
  const r = await review(ends, action, "", true, signal);
  const history = r.history ?? [];
  // A review that was asked about and not made stands at the end.
  const pending = r.before?.review !== undefined && r.before.review !== "REVIEW_UNSPECIFIED";
  return { link: r.before, history: pending ? history.slice(0, -1) : history, actors: r.actorsBefore ?? [] };
}

/** Says something of a pair, or with `dry` what would follow from it. */
export function review(ends: Ends, action: Schemas["ReviewAction"], reason: string, dry: boolean, signal?: AbortSignal): Promise<Schemas["ReviewLinkResponse"]> {
  return answered(
    service.api.POST("/v1/links/{tenantA}/{caseA}/{tenantB}/{caseB}/review", {
      params: { path: ends },
      body: { action, reason, dryRun: dry },
      ...(signal ? { signal } : {}),
    }),
  );
}

/** Pages of links of a case in which the one with the other is looked for. */
const pages = 20;

/** The link as lists have it, for who may not review. */
async function listed(ends: Ends, signal: AbortSignal): Promise<Pick<Pair, "link" | "history" | "actors">> {
  const other = `${ends.tenantB}/${ends.caseB}`;
  const none = { history: undefined, actors: undefined };
  let pageToken = "";
  for (let n = 0; n < pages; n++) {
    const page = await answered(
      service.api.GET("/v1/cases/{tenant}/{case}/links", {
        params: {
          path: { tenant: ends.tenantA, case: ends.caseA },
          query: { minTier: "TIER_LEAD", includeSameTenant: true, includeRefuted: true, pageSize: 1000, ...(pageToken ? { pageToken } : {}) },
        },
        signal,
      }),
    );
    const link = page.links?.find((l) => l.a === other || l.b === other);
    pageToken = page.nextPageToken ?? "";
    if (link || pageToken === "") return { link, ...none };
  }
  return { link: undefined, ...none };
}
