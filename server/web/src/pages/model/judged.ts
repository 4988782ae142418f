import type { Schemas } from "../../app/service.ts";

type JudgedPair = Schemas["JudgedPair"];

/** Pairs that a request can name. */
export const pairsMost = 10_000;

/**
 * Reads judged pairs as the command line has them: a line of JSON each, with a, b, same
 * and, where there is one, weight. What is wrong is told by its line, the first 20.
 */
export function readJudged(text: string): { pairs: JudgedPair[]; wrong: string[] } {
  const pairs: JudgedPair[] = [];
  const wrong: string[] = [];
  text.split("\n").forEach((line, i) => {
    if (line.trim() === "") return;
    const p = parse(line);
    if (typeof p === "string") wrong.push(`line ${i + 1}: ${p}`);
    else pairs.push(p);
  });
  if (pairs.length > pairsMost) wrong.push(`${pairs.length.toLocaleString("en")} pairs, at most ${pairsMost.toLocaleString("en")}`);
  return { pairs, wrong: wrong.slice(0, 20) };
}

function parse(line: string): JudgedPair | string {
  let v: unknown;
  try {
    v = JSON.parse(line);
  } catch {
    return "is not JSON";
  }
  if (typeof v !== "object" || v === null || Array.isArray(v)) return "is not an object";
  const { a, b, same, weight, ...rest } = v as Record<string, unknown>;
  const unknown = Object.keys(rest)[0];
  if (unknown !== undefined) return `has ${unknown}, which is unknown`;
  if (typeof a !== "string" || typeof b !== "string") return "a and b are the two cases, TENANT/CASE";
  if (typeof same !== "boolean") return "same is true or false";
  if (weight !== undefined && typeof weight !== "number") return "weight is a number";
  return { a, b, same, ...(weight === undefined ? {} : { weight }) };
}
