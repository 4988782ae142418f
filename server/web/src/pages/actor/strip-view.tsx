import { useMemo } from "preact/hooks";
import type { Schemas } from "../../app/service.ts";
import { attackVersion } from "../../ui/attack.ts";
import { strip } from "./strip.ts";

/** Techniques of an actor's cases under ATT&CK's tactics. */
export function Strip({ actor }: { actor: Schemas["Actor"] }) {
  const columns = useMemo(() => strip(actor.techniques ?? [], actor.cases ?? 0), [actor]);
  return (
    <section class="card" aria-labelledby="attack">
      <h2 id="attack">
        ATT&amp;CK <span class="muted">{attackVersion}</span>
      </h2>
      {columns.length === 0 && <p class="muted">No case names a technique.</p>}
      <div class="strip">
        {columns.map((c) => (
          <section aria-label={c.name}>
            <h3>{c.name}</h3>
            <ul class="plain">
              {c.techniques.map((t) => (
                <li title={`${t.id} ${t.name}: ${t.cases} of ${actor.cases} cases`}>
                  <svg viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
                    <rect class="bar-back" width="100" height="4" />
                    <rect class="bar" width={t.share * 100} height="4" />
                  </svg>
                  <span class="id">{t.id}</span> <span>{t.name}</span> <span class="muted">{t.cases}</span>
                </li>
              ))}
            </ul>
          </section>
        ))}
      </div>
    </section>
  );
}
