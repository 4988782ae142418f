import type { Schemas } from "../../app/service.ts";
import { bits, small } from "../../ui/bits.ts";
import { visible } from "../../ui/value.tsx";

type SharedValue = Schemas["SharedValue"];
type Group = Schemas["Group"];

/** The family of what is common without being a value. */
export const behaviour = "behaviour";

/** Why a value weighs what it does and what of it counts, sentence by sentence. */
export function inWords(v: SharedValue, g: Group, first: boolean, family: string): string[] {
  const out: string[] = [];
  if (family !== behaviour) {
    const seen = rolesOf(v);
    if (seen) out.push(seen);
    if (v.class) out.push(`Class ${visible(v.class)}${because(v)}.`);
    out.push(...numbers(v));
  } else {
    out.push(...techniquesOf(v));
  }
  for (const r of v.reasons ?? []) out.push(sentence(visible(r)));
  out.push(counted(v, g, first, family));
  return out;
}

/** Says of the values of a group that are not shown one by one why they add nothing. */
export function restWords(g: Group): string {
  return `They add nothing more: what is of one group (${visible(g.id ?? "")}) is not independent.`;
}

function rolesOf(v: SharedValue): string {
  const list = (roles: readonly string[] | undefined) => (roles ?? []).map(visible).join(", ");
  const [a, b] = [list(v.rolesA), list(v.rolesB)];
  if (a === "" && b === "") return "";
  return a === b ? `In both cases ${a}.` : `In A ${a || "without a role"}, in B ${b || "without a role"}.`;
}

function because(v: SharedValue): string {
  const name = (v.class ?? "") + ": ";
  const reasons = (v.classReasons ?? []).map((r) => visible(r.startsWith(name) ? r.slice(name.length) : r));
  return reasons.length > 0 ? ` (${reasons.join("; ")})` : "";
}

function numbers(v: SharedValue): string[] {
  const share = `Two cases of one actor share such a value with a chance of ${small(v.m ?? 0)} (m)`;
  const others =
    `; ${small(v.alpha ?? 0)} unrelated actors are expected on it whom nobody has seen (α), ` +
    `and ${v.unexplainedTenants ?? 0} tenants have it and nothing else in common with the two (d).`;
  const out = [share + ((v.alpha ?? 0) > 0 ? others : ".")];
  if ((v.background ?? 0) > 0) out.push(`Of unrelated cases ${small(v.background ?? 0)} have it (f).`);
  if ((v.trust ?? 1) < 1) out.push(`The tenants are trusted ${small(v.trust ?? 1)} of 1.`);
  const gap = v.gapDays ?? 0;
  out.push(gap === 0 ? "Seen on the same day in both." : `${gap} ${gap === 1 ? "day lies" : "days lie"} between the nearest sightings.`);
  return out;
}

/** Techniques that both cases show, and those of one alone. */
export function apart(a: readonly string[], b: readonly string[]): { both: string[]; onlyA: string[]; onlyB: string[] } {
  const both = a.filter((t) => b.includes(t));
  return { both, onlyA: a.filter((t) => !both.includes(t)), onlyB: b.filter((t) => !both.includes(t)) };
}

function techniquesOf(v: SharedValue): string[] {
  const { both, onlyA, onlyB } = apart(v.techniquesA ?? [], v.techniquesB ?? []);
  const say = (who: string, list: readonly string[]) => (list.length > 0 ? [`${who} ${list.map(visible).join(", ")}.`] : []);
  return [...say("In both", both), ...say("Only in A", onlyA), ...say("Only in B", onlyB)];
}

function counted(v: SharedValue, g: Group, first: boolean, family: string): string {
  const [weight, used, rank] = [v.weightMillibits ?? 0, v.usedMillibits ?? 0, g.rank ?? 1];
  const group = visible(g.id ?? "");
  const counts = `Worth ${bits(weight)} bits, counts ${bits(used)}`;
  if (weight === 0) return "Worth nothing.";
  if (used >= weight) return `Worth ${bits(weight)} bits; counts in full.`;
  if (!first) return `${counts}: one of several in ${group}, which are not independent.`;
  if (rank > 1) return used === 0 ? `${counts}: rank ${rank} in ${visible(family)}.` : `${counts}: rank ${rank} in ${visible(family)}, so 1/${2 ** (rank - 1)} of it.`;
  return (v.reasons ?? []).length > 0 ? `${counts}.` : `${counts}: ${group} is capped.`;
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1) + (text.endsWith(".") ? "" : ".");
}
