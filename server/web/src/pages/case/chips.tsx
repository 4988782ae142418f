import type { Schemas } from "../../app/service.ts";
import { visible } from "../../ui/value.tsx";

/** What people call the states of a case; one without is open. */
export const stateNames: Record<Exclude<Schemas["CaseState"], "CASE_STATE_UNSPECIFIED">, string> = {
  CASE_STATE_OPEN: "open",
  CASE_STATE_CLOSED: "closed",
  CASE_STATE_DISMISSED: "dismissed",
};

/** The state of a case. */
export function StateChip({ state }: { state: Schemas["CaseState"] | undefined }) {
  const name = state === undefined || state === "CASE_STATE_UNSPECIFIED" ? "open" : stateNames[state];
  return <span class={`chip state ${name}`}>{name}</span>;
}

/** Who may be given a case. */
export function Label({ tlp, restricted }: { tlp: string; restricted: boolean }) {
  return (
    <span class="badges">
      <span class="chip">tlp:{visible(tlp || "amber+strict")}</span>
      {restricted && (
        <span class="chip restricted" title="May ask, but is no candidate and counts nowhere.">
          restricted
        </span>
      )}
    </span>
  );
}

/** How what was tried ended. */
export function Outcome({ outcome }: { outcome: Schemas["FindingOutcome"] | undefined }) {
  const name = (outcome ?? "FINDING_OUTCOME_UNSPECIFIED").replace("FINDING_OUTCOME_", "").toLowerCase();
  return name === "unspecified" ? null : <span class={`chip outcome ${name}`}>{name}</span>;
}

/** A number of tenants or cases, exact or at least told roughly: `2`, `3–9`, `10+`. */
export function range(r: Schemas["CountRange"] | undefined): string {
  const min = r?.min ?? 0;
  if (r?.max === undefined) return r === undefined ? "0" : `${min}+`;
  return r.max === min ? String(min) : `${min}–${r.max}`;
}
