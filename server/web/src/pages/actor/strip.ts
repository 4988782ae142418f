import { tactics, technique } from "../../ui/attack.ts";

/** A technique in a column of the strip. */
export interface StripTechnique {
  id: string;
  /** Empty where it is not known. */
  name: string;
  cases: number;
  /** Share of the cases, 0 to 1. */
  share: number;
}

/** A tactic with the techniques that were seen of it. */
export interface StripColumn {
  id: string;
  name: string;
  techniques: readonly StripTechnique[];
}

/**
 * Puts techniques under their tactics, in ATT&CK's order of tactics; one that belongs to
 * several stands under each, unknown ones under the last column. In a column those of
 * most cases come first. Tactics without any are left out.
 */
export function strip(counts: readonly { name?: string; cases?: number }[], cases: number): StripColumn[] {
  const columns = new Map<string, StripTechnique[]>();
  for (const c of counts) {
    const id = c.name ?? "";
    const n = c.cases ?? 0;
    if (id === "" || n <= 0) continue;
    const known = technique(id);
    const t: StripTechnique = { id, name: known?.name ?? "", cases: n, share: cases > 0 ? Math.min(1, n / cases) : 0 };
    for (const tactic of known?.tactics ?? [""]) columns.set(tactic, [...(columns.get(tactic) ?? []), t]);
  }
  return [...tactics, ["", "Not known here"] as const].flatMap(([id, name]) => {
    const of = columns.get(id);
    return of ? [{ id, name, techniques: of.toSorted((x, y) => y.cases - x.cases || (x.id < y.id ? -1 : 1)) }] : [];
  });
}
