import type { Schemas } from "../../app/service.ts";
import { bits } from "../../ui/bits.ts";
import { visible } from "../../ui/value.tsx";
import { behaviour } from "./words.ts";

/** Links begin at this likelihood. */
const lead = 0.05;

/** Whether an explanation is one of a link. */
export function linked(e: Schemas["Explanation"]): boolean {
  return !["TIER_UNSPECIFIED", "TIER_NONE", "TIER_SHARED_GENERIC", undefined].includes(e.tier);
}

/** Why two cases are not linked, in one sentence. */
export function whyNot(e: Schemas["Explanation"]): string {
  const evidence = (e.totalMillibits ?? 0) - (e.priorMillibits ?? 0);
  const generic = e.sharedGeneric ?? [];
  const values = (e.families ?? []).filter((f) => f.name !== behaviour).flatMap((f) => (f.groups ?? []).flatMap((g) => g.values ?? []));
  const against = `${bits(evidence)} bits of evidence do not outweigh a prior of ${bits(e.priorMillibits ?? 0)}`;
  if ((e.likelihood ?? 0) >= lead) return "No link, whatever the evidence.";
  if (values.length > 0) return `No link: ${against}.`;
  if (generic.length > 0) {
    const names = generic.slice(0, 3).map((g) => visible(g.value ?? "").slice(0, 40));
    if (generic.length > 3) names.push(`${generic.length - 3} more`);
    return `No link: in common is only what adds nothing: ${names.join(", ")}.`;
  }
  return evidence > 0 ? `No link: no value in common, and ${against}.` : "No link: nothing in common that says anything.";
}
