import type { Schemas } from "../../app/service.ts";

/** A file of more bytes is not held by the page; the command line writes it to a disk. */
const bytesMost = 64 << 20;

/** What of a file is shown before it is saved, in characters. */
const shownMost = 20_000;

/** A file that the service wrote, not saved yet. */
export interface ExportFile {
  summary: Schemas["ExportSummary"];
  parts: readonly Uint8Array<ArrayBuffer>[];
  bytes: number;
}

/** Takes a file from the parts that it comes in. */
export async function collect(parts: AsyncIterable<Schemas["ExportResponse"]>, tell: (items: number) => void): Promise<ExportFile> {
  const file: { summary: Schemas["ExportSummary"]; parts: Uint8Array<ArrayBuffer>[]; bytes: number } = { summary: {}, parts: [], bytes: 0 };
  for await (const p of parts) {
    if (p.summary) file.summary = p.summary;
    if (p.data) {
      const bytes = fromBase64(p.data);
      file.bytes += bytes.length;
      if (file.bytes > bytesMost) throw new Error(`the file has more than ${bytesMost >> 20} MiB: elsewhere export writes it`);
      file.parts.push(bytes);
    }
    tell(p.itemsDone ?? 0);
  }
  return file;
}

/** The beginning of a file as text, and whether that is all; undefined of one that is no text. */
export function beginning(file: ExportFile): { text: string; whole: boolean } | undefined {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  try {
    for (const p of file.parts) {
      text += decoder.decode(p, { stream: true });
      if (text.length > shownMost) return { text: text.slice(0, shownMost), whole: false };
    }
    text += decoder.decode();
  } catch {
    return undefined;
  }
  return text.includes("\u0000") ? undefined : { text, whole: true };
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

/** What a format is called, how its file ends and what it is. */
export const formats: Readonly<Record<Exclude<Schemas["ExportFormat"], "EXPORT_FORMAT_UNSPECIFIED">, readonly [name: string, end: string, type: string]>> = {
  EXPORT_FORMAT_CSV: ["CSV", "csv", "text/csv"],
  EXPORT_FORMAT_LIST: ["List of values", "txt", "text/plain"],
  EXPORT_FORMAT_STIX: ["STIX 2.1", "stix.json", "application/json"],
  EXPORT_FORMAT_MISP: ["MISP event", "misp.json", "application/json"],
  EXPORT_FORMAT_MISP_FEED: ["MISP feed", "zip", "application/zip"],
  EXPORT_FORMAT_NAVIGATOR: ["ATT&CK Navigator layer", "navigator.json", "application/json"],
  EXPORT_FORMAT_NOTICE: ["Notice", "md", "text/markdown"],
  EXPORT_FORMAT_KQL_SENTINEL: ["KQL for Sentinel", "sentinel.kql", "text/plain"],
  EXPORT_FORMAT_KQL_DEFENDER: ["KQL for Defender XDR", "defender.kql", "text/plain"],
  EXPORT_FORMAT_SQL: ["SQL", "sql", "text/plain"],
};

export type Format = keyof typeof formats;

/** Labels from the strictest to the most open. */
export const labels = ["red", "amber+strict", "amber", "green", "clear"] as const;

/** A label as people write it: the API has it with and without tlp: before it. */
export function labelText(label: string | undefined): string {
  return label ? `tlp:${label.replace(/^tlp:/, "")}` : "no label";
}

/** Has the browser save a file. */
export function save(file: ExportFile, format: Format): void {
  const [, end, type] = formats[format];
  const url = URL.createObjectURL(new Blob([...file.parts], { type }));
  const a = document.createElement("a");
  a.href = url;
  a.download = `elsewhere-${(file.summary.id ?? "export").replace(/[^A-Za-z0-9-]/g, "-").slice(0, 60)}.${end}`;
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
