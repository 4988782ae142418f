import type { Schemas } from "../../app/service.ts";
import { bits, chance, likelihoodOf } from "../../ui/bits.ts";
import { tierNames } from "../../ui/tier.tsx";
import { visible } from "../../ui/value.tsx";
import { behaviour, inWords, restWords } from "./words.ts";

type Explanation = Schemas["Explanation"];
type Family = Schemas["Family"];
type Group = Schemas["Group"];

/** One step of a score, in the order in which they add up. */
export interface Step {
  /** The same for the same step of the same explanation. */
  id: string;
  kind: "prior" | "family" | "value" | "more" | "cap" | "negative" | "rest" | "total";
  label: string;
  /** Where its bar begins and ends, in millibits; a family has none of its own. */
  from: number;
  to: number;
  /** What it adds; of a family what all of it adds. The total is their sum. */
  used: number;
  /** What it weighs before ranks and caps, where that is told. */
  weight?: number;
  /** Why it is what it is, sentence by sentence. */
  words: string[];
  /** What was seen, to ask for it. */
  value?: string;
}

/** Values of one group without weight that are shown one by one. */
const shown = 2;

/**
 * The steps from the prior to the total of an explanation. Values that add nothing are
 * gathered behind the first of their group, unless all are asked for.
 */
export function stepsOf(e: Explanation, all = false): Step[] {
  const prior = e.priorMillibits ?? 0;
  const out: Step[] = [
    {
      id: "prior",
      kind: "prior",
      label: `prior: one in ${thousands(e.corpusN ?? 0)} cases`,
      from: 0,
      to: prior,
      used: prior,
      words: [`Before anything is compared: of ${thousands(e.corpusN ?? 0)} cases one is expected to be the same actor's.`],
    },
  ];
  let at = prior;
  const add = (s: Omit<Step, "from" | "to">) => {
    out.push({ ...s, from: at, to: at + s.used });
    at += s.used;
  };
  for (const f of e.families ?? []) {
    const name = f.name ?? "";
    const used = f.usedMillibits ?? 0;
    out.push({ id: name, kind: "family", label: visible(name), from: at, to: at, used, words: [familyWords(f)] });
    const begin = at;
    for (const g of f.groups ?? []) for (const s of groupSteps(f, g, all)) add(s);
    const cut = used - (at - begin);
    if (cut !== 0)
      add({
        id: `${name}/cap`,
        kind: "cap",
        label: `cap: ${visible(name)}`,
        used: cut,
        words: [`All of ${visible(name)} counts ${bits(f.capMillibits ?? 0)} at most, so that one kind of evidence alone does not decide.`],
      });
  }
  const negative = e.negativeMillibits ?? 0;
  if (negative !== 0)
    add({ id: "negative", kind: "negative", label: "negative evidence", used: negative, words: againstWords(e.notes ?? []) });
  const total = e.totalMillibits ?? 0;
  if (at !== total)
    add({ id: "rest", kind: "rest", label: "not accounted for", used: total - at, words: ["What the service did not say: its parts do not add up."] });
  out.push({ id: "total", kind: "total", label: `total: likelihood ${chance(e.likelihood ?? 0)}`, from: 0, to: total, used: total, words: [totalWords(e)] });
  return out;
}

function groupSteps(f: Family, g: Group, all: boolean): Omit<Step, "from" | "to">[] {
  const out: Omit<Step, "from" | "to">[] = [];
  const values = g.values ?? [];
  const idle = values.filter((v) => (v.usedMillibits ?? 0) === 0);
  const gathered = !all && idle.length > shown + 1 ? new Set(idle.slice(values.length === idle.length ? shown : 0)) : new Set();
  values.forEach((v, i) => {
    if (gathered.has(v)) return;
    const text = visible(v.value ?? "");
    const step: Omit<Step, "from" | "to"> = {
      id: `${f.name}/${g.id}/${v.kind} ${v.value}`,
      kind: "value",
      label: f.name === behaviour ? `${visible(v.kind ?? "")}: ${text}` : `${visible(v.kind ?? "")} ${text}`,
      used: v.usedMillibits ?? 0,
      weight: v.weightMillibits ?? 0,
      words: inWords(v, g, i === 0, f.name ?? ""),
    };
    if (f.name !== behaviour) step.value = v.value ?? "";
    out.push(step);
  });
  if (gathered.size > 0)
    out.push({ id: `${f.name}/${g.id}/more`, kind: "more", label: `${gathered.size} more of ${visible(g.id ?? "")}`, used: 0, words: [restWords(g)] });
  return out;
}

function familyWords(f: Family): string {
  const n = f.groups?.length ?? 0;
  const raw = f.rawMillibits ?? 0;
  const sum = raw === f.usedMillibits ? "" : `, together ${bits(raw)} before the cap`;
  const halves = f.name === behaviour || n === 1 ? "" : " Each further one counts half of the one before.";
  return `${n} ${n === 1 ? "group" : "groups"} of evidence${sum}.${halves}`;
}

function againstWords(notes: readonly string[]): string[] {
  const against = notes.filter((n) => n.startsWith("against: ")).map((n) => visible(n.slice("against: ".length)));
  return against.length > 0 ? against.map((n) => `Speaks against it: ${n}.`) : ["Speaks against it."];
}

function totalWords(e: Explanation): string {
  const p = chance(e.likelihood ?? 0);
  return `${bits(e.totalMillibits ?? 0)} bits: ${likelihoodOf(e.modelVersion ?? 0, e.calibratedReviews ?? 0)} ${p}, tier ${tierNames[e.tier ?? "TIER_UNSPECIFIED"]}.`;
}

/** A number with its thousands apart. */
export function thousands(n: number): string {
  return String(n).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
}
