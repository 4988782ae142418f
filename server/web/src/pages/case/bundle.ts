import { Problem, type Schemas, service } from "../../app/service.ts";
import { type Leaving, valuesOf } from "./event.ts";

/** What an export would hold. */
export interface Bundle {
  summary: Schemas["ExportSummary"];
  values: Leaving[];
}

/** The most of a bundle that is read to show it, in bytes. */
const largest = 64 << 20;

/** What a selection would make leave. Nothing is written; the bundle is read here only. */
export async function bundleOf(selection: Schemas["Selection"], signal: AbortSignal): Promise<Bundle> {
  const body = JSON.stringify({ selection, format: "EXPORT_FORMAT_MISP" });
  let summary: Schemas["ExportSummary"] = {};
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const m of service.stream<Schemas["ExportResponse"]>("/v1/exports", { method: "POST", headers: { "Content-Type": "application/json" }, body, signal })) {
    if (m.summary) summary = m.summary;
    const part = Uint8Array.from(atob(m.data ?? ""), (c) => c.charCodeAt(0));
    parts.push(part);
    size += part.length;
    if (size > largest) throw new Problem(0, { detail: "the bundle is too large to show; elsewhere export writes it" });
  }
  return { summary, values: valuesOf(await new Blob(parts as BlobPart[]).text()) };
}

/** The file that an export is, for a browser to keep. */
export async function fileOf(request: Schemas["ExportRequest"]): Promise<Blob> {
  const { data, error, response } = await service.api.POST("/v1/exports", { body: request, parseAs: "blob", headers: { Accept: "application/octet-stream" } });
  if (error !== undefined || !response.ok) throw new Problem(response.status, typeof error === "string" ? parsed(error) : error);
  return data as unknown as Blob;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
