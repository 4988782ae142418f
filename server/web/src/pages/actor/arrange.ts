import type { Picture } from "./build.ts";
import type { LayoutInput } from "./layout.ts";

/** Lays out a picture in a worker of its own; the signal ends it. */
export function arrange(picture: Picture, signal: AbortSignal): Promise<Float64Array> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./layout.worker.ts", import.meta.url), { type: "module" });
    const end = () => worker.terminate();
    signal.addEventListener("abort", end, { once: true });
    worker.addEventListener("message", (e: MessageEvent<Float64Array>) => {
      end();
      resolve(e.data);
    });
    worker.addEventListener("error", (e) => {
      end();
      reject(new Error(e.message || "the layout failed"));
    });
    worker.postMessage(layoutInput(picture));
  });
}

/**
 * What of a picture decides its layout: who shares what. A link does where one of its
 * cases shares nothing, or that case would stand anywhere.
 */
export function layoutInput(picture: Picture): LayoutInput {
  const number = new Map(picture.nodes.map((n, i) => [n.id, i]));
  const edges: number[] = [];
  const shares = new Set(picture.edges.filter((e) => e.sort === "has").map((e) => e.from));
  for (const e of picture.edges) {
    const from = number.get(e.from);
    const to = number.get(e.to);
    const counts = e.sort === "has" || !shares.has(e.from) || !shares.has(e.to);
    if (counts && from !== undefined && to !== undefined) edges.push(from, to);
  }
  return { ids: picture.nodes.map((n) => n.id), edges: Uint32Array.from(edges) };
}
