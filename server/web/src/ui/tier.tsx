import type { Schemas } from "../app/service.ts";

type Tier = Schemas["Tier"];

/** What people call a tier. */
export const tierNames: Record<Tier, string> = {
  TIER_UNSPECIFIED: "unknown",
  TIER_NONE: "none",
  TIER_SHARED_GENERIC: "generic only",
  TIER_LEAD: "lead",
  TIER_POSSIBLE: "possible",
  TIER_PROBABLE: "probable",
  TIER_STRONG: "strong",
  TIER_CONFIRMED: "confirmed",
};

/** The tiers that a list can begin at, the lowest first. */
export const listedTiers: Tier[] = ["TIER_LEAD", "TIER_POSSIBLE", "TIER_PROBABLE", "TIER_STRONG"];

export function TierBadge({ tier, review, held }: { tier: Tier | undefined; review?: Schemas["Review"]; held?: boolean }) {
  const t = tier ?? "TIER_UNSPECIFIED";
  return (
    <span class="badges">
      <span class={`tier ${t.replace("TIER_", "").toLowerCase().replace("_", "-")}`}>{tierNames[t] ?? "unknown"}</span>
      {review === "REVIEW_REFUTED" && <span class="tier refuted">refuted</span>}
      {held && (
        <span class="tier held" title="One of the cases is linked so widely that nothing follows from the link before a person has reviewed it.">
          held
        </span>
      )}
    </span>
  );
}

/** A likelihood from 0 to 1 as a bar with its number. Never says that it is the same actor. */
export function Likelihood({ value, model }: { value: number | undefined; model?: number }) {
  const v = Math.min(1, Math.max(0, value ?? 0));
  const text = v.toFixed(3).replace(/^0/, "");
  return (
    <span class="likelihood" title={`likelihood of same actor${model ? ` (model ${model}, uncalibrated unless its explanation says otherwise)` : ""}`}>
      <svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
        <rect class="bar-back" width="100" height="8" rx="2" />
        <rect class="bar" width={v * 100} height="8" rx="2" />
      </svg>
      <span class="num">{text}</span>
    </span>
  );
}
