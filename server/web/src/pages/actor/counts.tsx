import type { Schemas } from "../../app/service.ts";

/** What is in a bundle and what was left out of it. */
export function Counts({ counts }: { counts: Schemas["ExportCounts"] | undefined }) {
  const c = counts ?? {};
  const denied = Object.entries(c.denied ?? {});
  return (
    <ul class="plain">
      <li>
        {c.items ?? 0} items of {c.cases ?? 0} cases, {c.indicators ?? 0} of them indicators
      </li>
      {(c.tooStrict ?? 0) > 0 && <li>{c.tooStrict} cases stay: their label, or the ceiling of their tenant, is stricter</li>}
      {(c.unseen ?? 0) > 0 && <li>{c.unseen} values are in no case that may be told of</li>}
      {denied.map(([reason, n]) => (
        <li>
          {n} values never leave: {reason}
        </li>
      ))}
    </ul>
  );
}
