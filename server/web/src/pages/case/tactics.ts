import { tactics, technique } from "../../ui/attack.ts";

/** What stands under no tactic that is known. */
const other = "other";

/** What ATT&CK calls a technique; of a sub-technique that is not known its parent's name. */
export function nameOf(id: string): string {
  return technique(id)?.name ?? "";
}

/** The tactics of a technique in the order of the matrix; "other" where none is known. */
export function tacticsOf(id: string): string[] {
  const known = technique(id)?.tactics ?? [];
  const found = tactics.map(([t]) => t).filter((t) => known.includes(t));
  return found.length > 0 ? found : [other];
}

/** Things by the first of their tactics, in the order of the matrix; each stands once. */
export function byTactic<T>(list: readonly T[], techniqueOf: (one: T) => string): { tactic: string; list: T[] }[] {
  return [...tactics.map(([t]) => t), other]
    .map((tactic) => ({ tactic, list: list.filter((one) => tacticsOf(techniqueOf(one))[0] === tactic) }))
    .filter((g) => g.list.length > 0);
}

/** A tactic as people write it: `Initial access`. */
export function tacticName(t: string): string {
  return t.charAt(0).toUpperCase() + t.slice(1).replaceAll("-", " ");
}
