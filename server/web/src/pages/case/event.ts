import type { Schemas } from "../../app/service.ts";

/** A value of a bundle, and why it is what it is. */
export interface Leaving {
  type: string;
  value: string;
  /** Else it is context. */
  indicator: boolean;
  /** Why it is context; "" for an indicator. */
  reason: string;
  /** What it did and what it is. */
  comment: string;
}

/** The values of an event, as MISP has it. */
export function valuesOf(event: string): Leaving[] {
  if (event === "") return [];
  const { Event } = JSON.parse(event) as { Event?: { Attribute?: { type?: string; value?: string; comment?: string }[] } };
  return (Event?.Attribute ?? []).map((a) => {
    const comment = a.comment ?? "";
    const context = /(?:^|; )context, not an indicator: (.*?)(?:$|; (?:class |valid until ))/.exec(comment);
    return { type: a.type ?? "", value: a.value ?? "", indicator: context === null, reason: context?.[1] ?? "", comment };
  });
}

/** Formats by what people call them, with the endings of their files. */
export const formats: readonly { format: Schemas["ExportFormat"]; name: string; ending: string }[] = [
  { format: "EXPORT_FORMAT_CSV", name: "CSV", ending: "csv" },
  { format: "EXPORT_FORMAT_LIST", name: "list", ending: "txt" },
  { format: "EXPORT_FORMAT_STIX", name: "STIX 2.1", ending: "stix.json" },
  { format: "EXPORT_FORMAT_MISP", name: "MISP event", ending: "misp.json" },
  { format: "EXPORT_FORMAT_MISP_FEED", name: "MISP feed", ending: "misp-feed.zip" },
  { format: "EXPORT_FORMAT_NAVIGATOR", name: "ATT&CK Navigator", ending: "navigator.json" },
  { format: "EXPORT_FORMAT_NOTICE", name: "abuse notices", ending: "notice.txt" },
  { format: "EXPORT_FORMAT_KQL_SENTINEL", name: "KQL, Sentinel", ending: "sentinel.kql" },
  { format: "EXPORT_FORMAT_KQL_DEFENDER", name: "KQL, Defender", ending: "defender.kql" },
  { format: "EXPORT_FORMAT_SQL", name: "SQL, Sophos XDR", ending: "sql" },
];

/** Labels from the strictest to the most open. */
export const labels = ["red", "amber+strict", "amber", "green", "clear"] as const;

/**
 * The value that a refused export names by its field, as in
 * `alder/2023-0117 findings[7].observables[5].value`; undefined where it is of another case.
 */
export function named(c: Schemas["Case"], path: string): Schemas["Observable"] | undefined {
  const found = /^(\S+) findings\[(\d+)\]\.observables\[(\d+)\]/.exec(path);
  if (!found || found[1] !== `${c.tenant}/${c.id}`) return undefined;
  return c.findings?.[Number(found[2])]?.observables?.[Number(found[3])];
}
