import type { Schemas } from "../app/service.ts";

/** A count as far as it is told: `7`, `1-2`, `10 or more`. */
export function countText(c: Schemas["CountRange"] | undefined): string {
  const min = c?.min ?? 0;
  if (c === undefined) return "0";
  if (c.max === undefined) return `${min.toLocaleString("en")} or more`;
  return c.max === min ? min.toLocaleString("en") : `${min.toLocaleString("en")}-${c.max.toLocaleString("en")}`;
}
