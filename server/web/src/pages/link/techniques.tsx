import type { Schemas } from "../../app/service.ts";
import { visible } from "../../ui/value.tsx";
import { byTactic, nameOf, tacticName } from "../case/tactics.ts";
import { apart } from "./words.ts";

/** What the findings of both cases show, by tactic. */
export function Techniques({ a, b }: { a: Schemas["Case"]; b: Schemas["Case"] }) {
  const [inA, inB] = [of(a), of(b)];
  const { both, onlyA } = apart(inA, inB);
  const all = [...new Set([...inA, ...inB])].sort();
  if (all.length === 0) return <p class="nothing">Neither case names a technique.</p>;
  const where = (t: string) => (both.includes(t) ? "both" : onlyA.includes(t) ? "only A" : "only B");
  return (
    <>
      <p class="muted">
        {both.length} of {all.length} in common. Techniques alone link no cases; they add to what values say.
      </p>
      <dl class="tactics">
        {byTactic(all, (t) => t).map(({ tactic, list }) => (
          <div>
            <dt>{tacticName(tactic)}</dt>
            <dd>
              {list.map((t) => (
                <span class={`technique ${where(t).replace(" ", "-").toLowerCase()}`} title={nameOf(t)}>
                  <span class="mono">{visible(t)}</span> {nameOf(t)} <em>{where(t)}</em>
                </span>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </>
  );
}

function of(c: Schemas["Case"]): string[] {
  return [...new Set((c.findings ?? []).map((f) => f.technique ?? "").filter((t) => t !== ""))].sort();
}
